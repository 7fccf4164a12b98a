"""What is printed about a failed job: Snakemake's own formatter, with records as Snakemake and its plugin make them."""

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from snakemake.exceptions import MissingRuleException, format_exception_to_string
from snakemake.logging import DefaultFormatter

from asdlib.runtime import termination
from asdlib.runtime.failures import ErrorLines, Shortener

RULE_LOG = "results/logs/score/fan.log"
SLURM_LOG = ".snakemake/slurm_logs/rule_score/fan/30.log"
CANCELLED = "slurmstepd-n1: error: *** STEP 30.0 ON n1 CANCELLED AT 2026-11-26T18:59:15"
OUT_OF_MEMORY = "slurmstepd-n1: error: StepId=30.0 exceeded memory limit (286617600 > 251658240), being killed"
OOM_KILL = (
    "slurmstepd: error: Detected 1 oom_kill event in StepId=30.batch. Some of the step tasks have been OOM Killed."
)
OWN = "a.wav: is truncated (no audio data): copy or download it again"
CHANGED = "config: it, or a rule, was changed"
NESTED = "\n".join(["SNAKEMAKE", *(f"  line {number}" for number in range(150)), "Exiting because a job failed."])
ALLOCATION = " (SLURM job 30, node n1, memory 240M, time limit 2:00:00)"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with the logs' folders, on a login node whose squeue answers."""
    monkeypatch.chdir(tmp_path)
    for path in (RULE_LOG, SLURM_LOG, "bin/squeue"):
        Path(path).parent.mkdir(parents=True)
    Path("bin/squeue").write_text("#!/bin/sh\necho 'n1|240M|2:00:00'\n")
    Path("bin/squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")


def record(event: str, text: str = "", **fields: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": text or event, "levelno": logging.ERROR, "event": event, **fields})
    made.__dict__.setdefault("jobid", 7)
    return made


def submitted(shortener: Shortener) -> None:
    shortener.filter(record("job_info", log=[RULE_LOG]))


def failed(shortener: Shortener, message: str | None, job: str | None = "30", logs: tuple[str, ...] = ()) -> list[str]:
    """Return the lines that Snakemake prints about a failed job."""
    made = record(
        "job_error", rule_name="score", rule_msg=message, input=[f"input_{n}.parquet" for n in range(300)],
        output=["results/score.csv"], log=[RULE_LOG, *logs], conda_env=None, shellcmd="python score.py " + "x" * 9000,
        aux={} if job is None else {"external_jobid": job}, indent=False,
    )  # fmt: skip
    assert shortener.filter(made)
    return DefaultFormatter(set()).format(made).splitlines()


def by_slurm(status: str) -> str:
    return f"SLURM-job '30' failed, SLURM status is: '{status}'. Detailed failure reason unavailable."


@pytest.mark.parametrize(
    ("status", "rule_log", "slurm_log", "cause", "shown"),
    [
        ("FAILED", None, f"{OUT_OF_MEMORY}\n{OUT_OF_MEMORY}\n{NESTED}", "OUT_OF_MEMORY", OUT_OF_MEMORY),
        ("FAILED", "", f"{NESTED}\n{OOM_KILL}\nsrun: error: n1: task 0: Killed", "OUT_OF_MEMORY", OOM_KILL),
        ("OUT_OF_MEMORY", "18:59:01 epoch 3", NESTED, "OUT_OF_MEMORY", "18:59:01 epoch 3"),
        ("TIMEOUT", "18:59:01 epoch 3", f"{CANCELLED} DUE TO TIME LIMIT ***\n{NESTED}", "TIMEOUT", "TIME LIMIT"),
        ("NODE_FAIL", "", "", "NODE_FAIL", ""),
        ("FAILED", f"18:59:01 error: {OWN}", f"error: {OWN}\n{NESTED}", OWN, ""),
        ("FAILED", f"18:59:01 error: {OWN}", f"{NESTED}\nsrun: error: n1: task 0: Exited with exit code 1", OWN, ""),
        ("FAILED", None, f"{NESTED}\n{CHANGED}", "FAILED", CHANGED),
    ],
)  # fmt: skip
def test_a_failed_job_of_slurm(status: str, rule_log: str | None, slurm_log: str, cause: str, shown: str) -> None:
    shortener = Shortener()
    submitted(shortener)
    if rule_log is not None:
        Path(RULE_LOG).write_text(rule_log)
    Path(SLURM_LOG).write_text(slurm_log)
    lines = failed(shortener, by_slurm(status), logs=(str(Path(SLURM_LOG).resolve()),))
    assert lines[1:3] == ["Error in rule score:", f"    message: {cause}{ALLOCATION}"]
    assert len(lines) < 20
    assert shown in "\n".join(lines[3:])
    assert max(map(len, lines)) < 300
    logs = [path for path, text in ((RULE_LOG, rule_log), (SLURM_LOG, slurm_log)) if text is not None]
    assert f"    log: {', '.join(logs)} (check log file(s) for error details)" in lines


def test_the_log_of_an_earlier_attempt_is_not_the_cause() -> None:
    Path(RULE_LOG).write_text(f"18:59:01 error: {OWN}")
    shortener = Shortener()
    submitted(shortener)
    Path(SLURM_LOG).write_text("error: scores.csv: cannot be written (No space left on device): make room")
    lines = failed(shortener, by_slurm("FAILED"), logs=(SLURM_LOG,))
    assert OWN not in "\n".join(lines)
    assert lines[2].startswith("    message: scores.csv: cannot be written (No space left on device): make room (SLURM")


def test_a_job_that_slurm_did_not_take() -> None:
    """The plugin's message ends in a command of several thousand letters."""
    message = (
        "SLURM sbatch failed. The error message was 'sbatch: error: invalid partition: gpu\nsbatch: error: failed'.\n"
    )
    lines = failed(Shortener(), f"{message}    sbatch call:\n        sbatch {'x' * 9000}\n", job=None)
    assert lines[2] == f"    message: {' '.join(message.split())}"
    assert len(lines) < 8


def test_a_queue_that_does_not_answer() -> None:
    Path("bin/squeue").write_text("#!/bin/sh\nexit 1\n")
    assert failed(Shortener(), by_slurm("NODE_FAIL"))[2] == "    message: NODE_FAIL (SLURM job 30)"


def test_a_job_of_this_machine_that_was_killed() -> None:
    """Snakemake first says how the command ended, and repeats the command, in a record of its own."""
    shortener = Shortener()
    submitted(shortener)
    Path(RULE_LOG).write_text("\n".join(f"18:59:{n:02} epoch {n}" for n in range(60)))
    told = "RuleException:\nCalledProcessError in file a.smk, line 59:\nCommand 'python score.py' "
    assert not shortener.filter(record("error", f"{told}returned non-zero exit status 137."))
    lines = failed(shortener, None, job=None)
    assert lines[2] == "    message: exit code 137"
    assert "18:59:59 epoch 59" in lines[-1]
    assert len(lines) < 20
    assert not shortener.filter(record("error", f"{told}died with <Signals.SIGKILL: 9>."))
    assert failed(shortener, None, job=None)[2] == "    message: exit code 137"
    assert shortener.filter(record("error", "WorkflowError:\nAt least one job did not complete successfully."))


def test_the_traceback_of_a_bug_is_shown_below_its_message() -> None:
    shortener = Shortener()
    submitted(shortener)
    Path(RULE_LOG).write_text(
        "18:59:01 error: KeyError: 'x'\nTraceback (most recent call last):\n  line 3\nKeyError: 'x'"
    )
    lines = failed(shortener, None, job=None)
    assert lines[2] == "    message: KeyError: 'x'"
    assert lines[-1].strip() == "KeyError: 'x'"


def test_a_log_cannot_control_the_terminal() -> None:
    shortener = Shortener()
    submitted(shortener)
    Path(RULE_LOG).write_bytes(b"18:59:01 error: a\x1b[2J\xff.wav: is empty\r\nmore\n" + os.urandom(300))
    text = "\n".join(failed(shortener, None, job=None))
    assert "message: a\\x1b[2J\N{REPLACEMENT CHARACTER}.wav: is empty\n" in text
    assert text.replace("\n", "").isprintable()


def test_a_target_that_is_refused_is_one_line() -> None:
    """The message of an AsdError that an input function raises, as Snakemake shows it, with a traceback below."""
    text = (
        'InputFunctionException in rule prepare in file "/x/audio.smk", line 46:\nError:\n'
        "  AsdError: config: datasets.demo: there is no machine valve: use one of: fan, pump\n"
        'Wildcards:\n  machine=valve\nTraceback:\n  File "/x/audio.smk", line 48, in <lambda>'
    )
    made = record("error", text)
    assert Shortener().filter(made)
    expected = "error: config: datasets.demo: there is no machine valve: use one of: fan, pump"
    assert DefaultFormatter(set()).format(made) == expected
    raised = 'WorkflowError in file "/x/workflow/rules/common.smk", line 76:\nconfig: a: is wrong: mend it\n  File "/x'
    wrong = record("error", raised)
    assert Shortener().filter(wrong)
    assert wrong.getMessage() == "error: config: a: is wrong: mend it"
    bug = record("error", text.replace("AsdError", "KeyError"))
    assert Shortener().filter(bug)
    assert bug.getMessage() == text.replace("AsdError", "KeyError")


def test_a_target_that_no_rule_makes_is_explained() -> None:
    """The text is Snakemake's own, so that a change of its words is noticed."""
    text = format_exception_to_string(MissingRuleException("results/x\x1b/scores.csv"))
    made = record("error", text)
    assert Shortener(explain=lambda target: f"{target}: did you mean y?").filter(made)
    assert made.getMessage() == "error: results/x\\x1b/scores.csv: did you mean y?"
    left = record("error", text)
    assert Shortener().filter(left)
    assert left.getMessage() == text


def test_after_a_signal_nothing_is_said_about_the_cancelled_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    shortener = Shortener()
    ends = ["Terminating processes on user request, this might take some time.",
            "WorkflowError:\nAt least one job did not complete successfully."]  # fmt: skip
    assert all(shortener.filter(record("error", end)) for end in ends)
    monkeypatch.setattr(termination, "is_stopping", lambda: True)
    assert not any(shortener.filter(record("error", end)) for end in ends)
    assert not shortener.filter(record("job_error", log=[RULE_LOG], aux={}, rule_msg=None))
    assert shortener.filter(record("error", "OSError: No space left on device"))


def test_errors_are_printed_where_snakemake_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.Logger("quiet")
    logger.addFilter(Shortener())
    logger.addHandler(ErrorLines())
    Path(RULE_LOG).write_text("")
    logger.handle(record("job_info", log=[RULE_LOG]))
    Path(RULE_LOG).write_text(f"18:59:01 error: {OWN}")
    os.utime(RULE_LOG, (0, 10**9))
    logger.handle(record("job_error", rule_name="score", rule_msg=None, log=[RULE_LOG], aux={}))
    logger.handle(record("error", 'WorkflowError in file "/a/common.smk", line 96:\nconfig: seeds: correct it'))
    logger.handle(record("error", "WorkflowError:\nAt least one job did not complete successfully."))
    logger.handle(record("progress", "1 of 2 steps"))
    assert capsys.readouterr().err.splitlines() == [
        f"error: rule score: {OWN} (log: {RULE_LOG})",
        "error: config: seeds: correct it",
    ]
