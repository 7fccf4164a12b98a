"""What a run prints about a failed job: the cause first, the ends of its logs, and where they are.

After Ctrl-C it prints nothing about the cancelled jobs, and about a wrong config or target one line.

Snakemake prints all inputs, the whole command and, if asked, whole logs. On SLURM these are the logs of two more
Snakemakes, and what SLURM itself says (out of memory, out of time) is somewhere in between.
"""

import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from asdlib.errors import printable
from asdlib.runtime import termination

LINES, WIDTH = 5, 240  # of a log that are shown
TAIL = 1 << 16  # bytes of a log that are read
_OWN = re.compile(r"^(?:\d\d:\d\d:\d\d )?error: (.+)$", re.MULTILINE)
_SLURM = re.compile(r"^(?:slurmstepd|srun)\S*: error: (?!.*Exited with exit code).+$", re.MULTILINE)
_MEMORY = re.compile(r"exceeded (job )?memory limit|oom.?kill|out of memory", re.IGNORECASE)
_STATUS = re.compile(r"SLURM status is: '(\w+)'")
_END = re.compile(r"(returned non-zero exit status (\d+)|died with <Signals\.\w+: (\d+)>)\.$")
_REFUSED = re.compile(r"InputFunctionException .*?^ *AsdError: (.+?)$", re.MULTILINE | re.DOTALL)
# An AsdError that common.smk raises, and a target of no rule, as Snakemake shows them.
_RAISED = re.compile(r'WorkflowError in file ".*/common\.smk", line \d+:\n(.+?)(\n|$)')
_NO_RULE = re.compile(r"MissingRuleException.*?No rule to produce (.+?) \(if you use input functions", re.DOTALL)
_STOPS = re.compile(
    r"(Terminating processes|Cancelling snakemake) on user request|WorkflowError:\nAt least one job did"
)
_OUT_OF_MEMORY = "OUT_OF_MEMORY"
_SAME_AGAIN = "out of GPU memory"  # what asdlib.runtime.gpu_memory says; through SLURM, exit codes of jobs are lost


class Shortener(logging.Filter):
    """A filter of Snakemake's logger that rewrites the records of failed jobs, and of targets that are refused.

    `give_up` is called with the number of a job that would fail again, in each of the profile's `retries`. `explain`
    returns the message about a target that no rule makes.
    """

    def __init__(
        self, give_up: Callable[[int], None] = lambda job: None, explain: Callable[[str], str] | None = None
    ) -> None:
        super().__init__()
        self._give_up = give_up
        self._explain = explain
        self._before: dict[int, dict[str, int]] = {}  # {job: {log: modification time}} when the job was started
        self._local = threading.local()  # a job that fails on this machine is reported by one thread in two records

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record of a failed job; drop the one that repeats its command."""
        event = getattr(record, "event", None)
        if termination.is_stopping() and (event == "job_error" or _STOPS.match(record.getMessage())):
            return False  # the cancelled jobs count as failed; the handler of the signal has said all that matters
        if event == "job_info":
            self._before[record.jobid] = {path: _modified(path) for path in record.log}
        elif event == "error" and (end := _END.search(record.getMessage())):
            self._local.end = f"exit code {end[2] or 128 + int(end[3])}"
            return False
        elif event == "error" and (line := self._one_line(record.getMessage())):
            record.msg, record.args = f"error: {line}", ()
        elif event == "job_error":
            self._shorten(record)
        return True

    def _one_line(self, text: str) -> str | None:
        if refused := _REFUSED.match(text) or _RAISED.match(text):
            return refused[1]
        no_rule = _NO_RULE.match(text)
        return printable(self._explain(no_rule[1])) if no_rule and self._explain else None

    def _shorten(self, record: logging.LogRecord) -> None:
        before = self._before.get(record.jobid, {})
        # Logs of an earlier attempt, and of a job that was killed before it wrote one, would mislead.
        written = [path for path in record.log if _modified(path) not in (0, before.get(path))]
        texts = {os.path.relpath(path): _tail(path) for path in written}
        record.log = list(texts)
        if any(_SAME_AGAIN in error for text in texts.values() for error in _OWN.findall(text)):
            self._give_up(record.jobid)
        job = record.aux.get("external_jobid")
        record.rule_msg = _cause(record.rule_msg or getattr(self._local, "end", ""), texts, job)
        record.input, record.shellcmd = [], None
        ends = {path: _end(text, slurm=path not in before) for path, text in texts.items()}
        record.aux = {f"end of {path}": lines for path, lines in ends.items() if lines}
        self._local.end = ""


class ErrorLines(logging.StreamHandler):
    """Prints errors where Snakemake prints nothing at all: with `--quiet all`, except in a dry run.

    Those that the `Shortener` knows are a line each.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.addFilter(self._counts)

    @staticmethod
    def _counts(record: logging.LogRecord) -> bool:
        event = getattr(record, "event", None)
        return event == "job_error" or (event == "error" and not _STOPS.match(record.getMessage()))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record that the `Shortener` has rewritten."""
        if record.event == "error":
            return record.getMessage()
        logs = f" (log: {', '.join(record.log)})" if record.log else ""
        return f"error: rule {record.rule_name}: {record.rule_msg}{logs}"


def give_up(dag: Any, number: int) -> None:
    """Let the job with this number count as repeated often enough; called before Snakemake decides whether to.

    Snakemake's own way to set the attempt would compute the job's resources anew, and give back more than it took.
    """
    for job in dag.jobs:
        if dag.jobid(job) == number:
            job._attempt = job.restart_times + 1


def _cause(message: str, texts: dict[str, str], job: str | None) -> str:
    """Return why a job failed, in one line."""
    status = _STATUS.search(message)
    said = "\n".join(line for text in texts.values() for line in _SLURM.findall(text))
    own = next((found[-1] for text in texts.values() if (found := _OWN.findall(text))), "")
    if status and status[1] != "FAILED":
        cause = status[1]
    elif _MEMORY.search(said):
        cause = _OUT_OF_MEMORY
    else:
        cause = own or (status[1] if status else message.split("\n    sbatch call:")[0])
    return _shortened(f"{cause}{_allocation(job)}", 4 * WIDTH)


def _allocation(job: str | None) -> str:
    """Return where a SLURM job ran and what it had asked for."""
    if job is None:
        return ""
    command = ["squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%N|%m|%l"]
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        answer = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=True
        )
        node, memory, minutes = answer.stdout.strip().split("|")
        return f" (SLURM job {job}, node {node or 'none'}, memory {memory}, time limit {minutes})"
    return f" (SLURM job {job})"


def _end(text: str, slurm: bool) -> str:
    """Return the lines of a log that say most: in the log of SLURM its own messages, else the last lines.

    There are none to show if all that the log says is the job's message, which is the cause.
    """
    lines = list(dict.fromkeys(_SLURM.findall(text))) if slurm else []
    if not lines and not (_OWN.search(text) if slurm else _OWN.fullmatch(text.strip())):
        lines = [line for line in text.splitlines() if line.strip()]
    return "".join(f"\n        {_shortened(line, WIDTH)}" for line in lines[-LINES:])


def _shortened(text: str, width: int) -> str:
    """Return a text in one line of at most `width` characters."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _tail(path: str) -> str:
    try:
        with Path(path).open("rb") as handle:
            handle.seek(max(0, handle.seek(0, os.SEEK_END) - TAIL))
            return handle.read().decode(errors="replace")
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _modified(path: str) -> int:
    """Return a file's modification time; 0 if there is none."""
    with suppress(OSError):
        return Path(path).stat().st_mtime_ns
    return 0
