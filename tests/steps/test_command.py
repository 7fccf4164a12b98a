"""The command line of the steps: typed arguments, one-line messages for AsdErrors, and the log."""

import csv
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.refusals import refused

from asdlib.steps import command
from asdlib.steps.command import arguments

SRC = Path(command.__file__).parents[2]
# The program of the child processes; `behaviour` decides how the step ends.
SCRIPT = """
import logging, os, sys, time
from pathlib import Path
from asdlib.data.files import atomic
from asdlib.errors import AsdError
from asdlib.steps.command import run

def step(behaviour: str, out: Path) -> None:
    if behaviour == "any text":
        print("\\u2013 \\udcff")
        logging.getLogger("asdlib.progress").info("\\u2026 \\udcff")
        raise AsdError("x: \\xb1 \\udcff")
    if behaviour == "success":
        print("a library prints")
        os.system("echo a subprocess prints")
    logging.getLogger("asdlib.step").info("a step logs")
    if behaviour == "odd names":
        logging.getLogger("asdlib.notice").warning("%s: not used", os.fsdecode(b"\\xff\\x1b[31m\\n"))
        raise OSError(2, "No such file", os.fsdecode(b"\\xff\\x1b\\n"))
    with atomic(out) as temporary:
        temporary.write_text("half")
        if behaviour == "user error":
            raise AsdError("config: seeds: is empty: add\\none")
        if behaviour == "bug":
            raise ValueError("two\\nlines")
        if behaviour == "sleep":
            logging.getLogger("asdlib.step").info("ready")
            time.sleep(60)

run(step)
"""


def describe(path: Path, settings: object = None, **arguments: Any) -> Path:
    """Write a job's file as the command of a rule does."""
    path.write_text(json.dumps({"settings": settings, "code": "c0de", "arguments": arguments}))
    return path


def start(tmp_path: Path, behaviour: str, log: object = None, **environment: str) -> subprocess.Popen:
    job = describe(tmp_path.parent / f"{tmp_path.name}.json", behaviour=behaviour, out=str(tmp_path / "out.txt"))
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(job), *(["--log", str(log)] if log else [])],
        env={**os.environ, "PYTHONPATH": str(SRC), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_success_is_silent_and_logged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "logs" / "deep" / "step.log"
    assert finish(start(tmp_path, "success", log)) == (0, "", "")
    text = log.read_text()
    for line in ("a library prints", "a subprocess prints", "a step logs"):
        assert line in text
    assert (tmp_path / "out.txt").read_text() == "half"
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {"out.txt", "logs/deep/step.log"}, "no record of a job that Snakemake has not started"


def test_a_job_of_the_workflow_leaves_a_record_of_what_it_took(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert finish(start(tmp_path, "success", "results/logs/step/fan.log"))[0] == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ((s, memory, cpu),) = rows("results/benchmarks/step/fan.tsv", "s", "max_rss", "cpu_time")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert 0.5 * used < cpu <= used + 0.01  # all but the end of the process
    assert 10 < memory < 1000  # MiB
    assert 0 <= s < 60
    assert finish(start(tmp_path, "user error", "results/logs/step/pump.log"))[0] == 1
    assert not Path("results/benchmarks/step/pump.tsv").exists(), "a job that has failed has no costs"


def rows(path: str, *columns: str) -> list[tuple[float, ...]]:
    with Path(path).open(newline="") as handle:
        return [tuple(float(row[one]) for one in columns) for row in csv.DictReader(handle, delimiter="\t")]


def test_a_users_error_is_one_line_without_traceback(tmp_path):
    code, out, err = finish(start(tmp_path, "user error", tmp_path / "step.log"))
    assert (code, out, err) == (1, "", "error: config: seeds: is empty: add\\none\n")
    assert "error: config: seeds: is empty: add\\none\n" in (tmp_path / "step.log").read_text()
    assert "Traceback" not in (tmp_path / "step.log").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"step.log"}, "no half-written file"


def test_a_bug_is_one_line_and_its_traceback_is_logged(tmp_path):
    code, out, err = finish(start(tmp_path, "bug", tmp_path / "step.log"))
    assert (code, out, err) == (1, "", "error: ValueError: two lines\n")
    assert "Traceback (most recent call last)" in (tmp_path / "step.log").read_text()
    assert not (tmp_path / "out.txt").exists()


def test_names_reach_log_and_terminal_escaped(tmp_path):
    code, out, err = finish(start(tmp_path, "odd names", tmp_path / "step.log"))
    notice, error = err.splitlines()
    assert (code, out) == (1, "")
    assert re.fullmatch(r"\d\d:\d\d:\d\d \\xff\\x1b\[31m\\n: not used", notice)
    assert error.startswith("error: FileNotFoundError: ")
    assert err.replace("\n", "").isprintable()
    log = (tmp_path / "step.log").read_text()
    assert notice.partition(" ")[2] in log
    assert error in log


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def test_a_job_may_say_anything_in_any_locale(tmp_path):
    """Messages hold signs that ASCII lacks, and names of files may hold bytes that no encoding has."""
    code, out, err = finish(start(tmp_path, "any text", tmp_path / "step.log", **ASCII))
    assert (code, out, err) == (1, "", "error: x: ± \\xff\n")
    log = (tmp_path / "step.log").read_text(encoding="utf-8")
    assert log.startswith("– \\udcff\n")
    assert log.endswith("error: x: ± \\xff\n")
    code, out, err = finish(start(tmp_path, "any text", **ASCII))
    assert (code, out) == (1, "\\u2013 \\udcff\n")
    assert err.endswith("error: x: \\xb1 \\xff\n")


def test_without_a_log_everything_is_said_once_on_stderr(tmp_path):
    code, _, err = finish(start(tmp_path, "user error"))
    assert code == 1
    assert err.count("error: config: seeds: is empty: add\\none") == 1


def test_a_log_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "results").touch()
    code, _, err = finish(start(tmp_path, "success", tmp_path / "results" / "step.log"))
    assert code == 1
    assert err == (
        f"error: {tmp_path}/results/step.log: cannot be written (File exists): make room, or make the folder writable\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="SKIPPED, NOT CHECKED HERE: there is no /dev/full")
@pytest.mark.parametrize(("behaviour", "expected"), [("user error", "config: seeds"), ("bug", "ValueError: two lines")])
def test_the_message_arrives_though_the_logs_disk_is_full(tmp_path, behaviour, expected):
    code, _, err = finish(start(tmp_path, behaviour, "/dev/full"))
    assert code != 0
    assert err.startswith(f"error: {expected}")


def test_a_further_process_of_a_training_whose_first_has_ended_does_not_begin(tmp_path):
    code, _, err = finish(start(tmp_path, "success", ASDLIB_STARTED_BY="1", LOCAL_RANK="1"))
    assert (code, err) == (1, "error: training: its first process has ended: run again\n")
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_job_removes_its_temporary_files(tmp_path, number):
    log = tmp_path / "step.log"
    process = start(tmp_path, "sleep", log)
    until = time.monotonic() + 30
    while not (log.exists() and "ready" in log.read_text()):
        assert time.monotonic() < until, "the step did not start"
        time.sleep(0.02)
    process.send_signal(number)
    assert finish(process)[0] == 128 + number
    assert {path.name for path in tmp_path.iterdir()} == {"step.log"}


@dataclass(frozen=True)
class Cut:
    """Settings of the step below."""

    seconds: float
    names: list[str]


def cut(
    audio: Path,
    tables: list[Path],
    settings: Cut,
    code: str,
    count: int = 1,
    rate: float = 0.5,
    init: Path | None = None,
) -> None:
    """Do something."""


def no_settings(audio: Path) -> None:
    """Do something else."""


GOOD = {"seconds": 2, "names": ['it\'s "quoted" – §2', "$(touch PWNED)", "two\nlines", ""]}


def test_arguments_get_the_types_of_the_signature(tmp_path):
    job = describe(tmp_path / "job", GOOD, audio="a b.parquet", tables=["x", "-y"], count=3, init="i")
    assert arguments(cut, job) == {
        "audio": Path("a b.parquet"),
        "tables": [Path("x"), Path("-y")],
        "settings": Cut(2.0, GOOD["names"]),
        "code": "c0de",
        "count": 3,
        "rate": 0.5,
        "init": Path("i"),
    }


def test_lists_may_be_empty_and_the_rest_has_defaults(tmp_path):
    found = arguments(cut, describe(tmp_path / "job", GOOD, audio="a", tables=[]))
    assert (found["tables"], found["count"], found["init"]) == ([], 1, None)


def test_a_step_without_settings_gets_none(tmp_path):
    assert arguments(no_settings, describe(tmp_path / "job", GOOD, audio="a")) == {"audio": Path("a")}


@pytest.mark.parametrize(
    ("settings", "given", "problem"),
    [
        (GOOD, {"tables": []}, "job.audio: is missing: add it"),
        (GOOD, {"audio": "a", "tables": [], "count": "x"}, "job.count: is 'x': give a value of type int"),
        (GOOD, {"audio": "a", "tables": "b"}, "job.tables: is 'b': give a value of type list"),
        (GOOD, {"audio": "a", "tables": [], "colour": "red"}, "job.colour: unknown key: use one of: audio, code, .*"),
        (GOOD | {"seconds": "1"}, {"audio": "a", "tables": []}, "job.settings.seconds: is '1': give a value of .*"),
        (None, {"audio": "a", "tables": []}, "job.settings: is None: give a value of type dict"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, settings, given, problem):
    refused(lambda: arguments(cut, describe(tmp_path / "job", settings, **given)), problem)


def test_a_missing_job_file_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "gone.json"], env={**os.environ, "PYTHONPATH": str(SRC)}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "gone.json: cannot be read (No such file or directory): run the job with Snakemake" in done.stderr
    assert "Traceback" not in done.stderr


def test_warnings_are_logged(tmp_path):
    script = (
        "import warnings\nfrom asdlib.steps.command import run\n"
        "def step() -> None:\n    warnings.warn('mind the gap')\n"
        "run(step)"
    )
    log = tmp_path / "step.log"
    subprocess.run(
        [sys.executable, "-c", script, str(describe(tmp_path / "job")), "--log", str(log)],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        check=True,
    )
    assert "mind the gap" in log.read_text()
