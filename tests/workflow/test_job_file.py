"""The job's file: what the shell command of a rule writes is what the step reads, whatever characters it has."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from helpers.refusals import refused
from snakemake.utils import format as render

from asdlib.workflow.job_file import as_json, command, read

HOSTILE = [
    "$(touch PWNED)",
    "`touch PWNED`",
    "; touch PWNED",
    "' \" \\",
    "two\nlines",
    "-n",
    "%s %d",
    "{params}",
    "é–",
    "",
]


@pytest.mark.parametrize("count", [1, 20_000], ids=["small", "longer than an argument may be"])
def test_a_rule_s_command_writes_what_a_step_reads(tmp_path: Path, count: int) -> None:
    names = [*HOSTILE, os.fsdecode(b"latin-\xe9.wav")] * count
    content = {"settings": {"names": names}, "code": "c0de", "arguments": {"out": names[-1], "paths": [Path("a b")]}}
    log = tmp_path / "it's $(touch PWNED).log"
    params = {"code": "c0de", **{name: as_json(content[name]) for name in ("settings", "arguments")}}
    shell = render(command("prepare"), params=type("Params", (), params), log=log)
    assert shell.isascii()
    script = tmp_path / "script.sh"  # Snakemake, too, writes a long command to a file
    script.write_text(shell.rpartition(" && ")[0])
    subprocess.run(["bash", script], check=True, cwd=tmp_path)
    written = read(Path(f"{log}.json"))
    assert written == content | {"arguments": {"out": names[-1], "paths": ["a b"]}}
    assert os.fsencode(written["arguments"]["out"]) == b"latin-\xe9.wav"
    assert {path.name for path in tmp_path.iterdir()} == {"script.sh", f"{log.name}.json"}


def test_the_step_takes_the_place_of_the_shell(tmp_path: Path) -> None:
    """Otherwise a SIGTERM would end the shell, and the step would go on."""
    (tmp_path / "python").write_text("#!/bin/bash\necho $$\n")
    (tmp_path / "python").chmod(0o755)
    params = {"code": "", "settings": "{}", "arguments": "{}"}
    shell = render(command("prepare"), params=type("Params", (), params), log=tmp_path / "a.log")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ASDLIB": ""}
    with subprocess.Popen(["bash", "-c", shell], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert int(process.communicate(timeout=30)[0]) == process.pid


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("inf"), ValueError),
        ({"rate": [float("nan")]}, ValueError),
        ({"weights": {1: 0.5}}, TypeError),
        ([{None: 1}], TypeError),
        ({"kinds": {"a"}}, TypeError),
    ],
)
def test_what_json_would_change_is_refused(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        as_json(value)


GOOD = {"settings": {}, "code": "", "arguments": {}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (json.dumps(GOOD)[:-1], r".*job: is not JSON \(.*\): delete it and run again"),
        ("[]", ".*job: does not describe a job: delete it and run again"),
        (json.dumps({"settings": {}}), ".*job: does not describe a job: delete it and run again"),
        (json.dumps(GOOD | {"arguments": []}), ".*job: does not describe a job: delete it and run again"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "job").write_text(text)
    refused(lambda: read(tmp_path / "job"), problem)
