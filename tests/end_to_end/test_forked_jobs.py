"""Jobs that are forks of the server of jobs: called like others, with the modules of others, and ending like others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import job_server

pytestmark = pytest.mark.workflow

JOB = """
import os, signal, sys
print("torch" in sys.modules, "asdlib" in sys.modules, sys.argv[1:], os.getcwd(), os.environ["MARK"], flush=True)
print("JOB_SERVER" in os.environ, __name__, file=sys.stderr, flush=True)
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize(("end", "code"), [("0", 0), ("3", 3), ("killed", -9)])
def test_a_forked_job_is_called_and_ends_like_another(tmp_path: Path, end: str, code: int) -> None:
    script = tmp_path / "workflow" / "scripts" / "job.py"
    script.parent.mkdir(parents=True)
    script.write_text(JOB)
    environment = {**os.environ, **job_server.environment(), "MARK": "mine"}
    command = [sys.executable, "-P", str(script), end, "--log", "x y"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stdout == f"True False {[end, '--log', 'x y']} {tmp_path} mine\n"
    assert done.stderr == "False __main__\n"
