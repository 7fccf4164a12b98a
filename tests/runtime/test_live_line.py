"""The live line on a terminal: a pseudo-terminal, with records as Snakemake makes them."""

import logging
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from typing import IO, Any

import pytest
from snakemake.settings.enums import Quietness

from asdlib.runtime import live_line
from asdlib.runtime.job_environment import LIVE_LINE
from asdlib.runtime.live_line import CLEAR, LiveLine

SRC = Path(live_line.__file__).resolve().parents[2]
WIDE = 200


class Terminal:
    """A terminal, and what was written to it."""

    def __init__(self, columns: int) -> None:
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stream: IO[str] = os.fdopen(slave, "w", encoding="utf-8")

    def shown(self) -> str:
        os.write(self.stream.fileno(), b"#")
        text = b""
        while not text.endswith(b"#"):
            text += os.read(self._master, 4096)
        return text.decode().removesuffix("#")

    def close(self) -> None:
        self.stream.close()
        os.close(self._master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal(WIDE)
    yield made
    made.close()


def tell(line: LiveLine, event: str, **fields: Any) -> None:
    line.handle(logging.makeLogRecord({"event": event, **fields}))


def started(line: LiveLine, job: int, rule: str, log: Path | None = None, **wildcards: str) -> None:
    tell(line, "job_info", jobid=job, rule_name=rule, wildcards=wildcards, log=[str(log)] if log else [])


def test_the_jobs_and_the_trainings_are_followed(terminal: Terminal, tmp_path: Path) -> None:
    line, log = LiveLine(terminal.stream, total=12), tmp_path / "fan.log"
    log.write_text("08:00:00 epoch 9/9  loss 0.1  5 clips/s  0m00s left\n")
    os.utime(log, (0, 0))  # of an earlier attempt
    assert line.text() == "0 of 12 jobs done, 0 running"
    started(line, 1, "embed", model="m", part="")
    started(line, 2, "train_model", log, model="m", machine="fan\x1b")
    assert line.text() == "0 of 12 jobs done, 2 running | embed m | train_model m fan\\x1b"
    epochs = [f"08:00:00 epoch {n}/4  loss 2.{n}  validation 3  58 clips/s  1h{n}m left\n" for n in (1, 2)]
    log.write_text(f"computing on cpu\n{''.join(epochs)}stored")
    assert line.text() == (
        "0 of 12 jobs done, 2 running | train_model m fan\\x1b: epoch 2/4, loss 2.2, 1h2m left | embed m"
    )
    tell(line, "job_finished", job_id=1)
    tell(line, "progress", done=1, total=12)
    tell(line, "job_error", jobid=2)
    assert line.text() == "1 of 12 jobs done, 0 running"


RUN = """
import logging, sys
from snakemake.logging import LoggerManager
from snakemake.settings.enums import Quietness
from snakemake.settings.types import OutputSettings
from asdlib.runtime import live_line
logger = LoggerManager(logging.getLogger("toy"), OutputSettings()).logger
terminal = sys.stderr.fileno()
live_line.show(logger, 12, [Quietness.RULES])
(line,) = live_line._shown
line._live.refresh()
logger.warning("a message")
job = {"event": "job_info", "jobid": 1, "rule_name": "m" * 500, "wildcards": {}, "log": []}
line.handle(logging.makeLogRecord(job))
line._live.refresh()
print(live_line.start_of_messages(terminal) == live_line.CLEAR)
if sys.argv[1] == "ends":
    live_line.end()
    live_line.end()
    print(live_line.start_of_messages(terminal) == "")
"""
BAR = "━" * live_line.BAR
SHOW_CURSOR, UP, ERASE = "\x1b[?25h", "\x1b[1A", "\x1b[2K"


@pytest.mark.parametrize("columns", [WIDE, 0])
@pytest.mark.parametrize("how", ["ends", "fails in Snakemake"])
def test_messages_remove_the_line_and_it_never_wraps(how: str, columns: int) -> None:
    """Snakemake's own handler writes the messages; a terminal of 0 columns, which it does not know, has 80."""
    terminal = Terminal(columns)
    environment = {"PYTHONPATH": str(SRC), "TERM": "xterm", "LANG": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, how],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal.stream.fileno(),
        check=True,
    )
    shown = terminal.shown().replace("\r\n", "\n")
    terminal.close()
    assert shown.endswith(f"\n{SHOW_CURSOR}\r{UP}{ERASE}")
    first, message, *drawn, _ = _plain(shown).split("\r")
    assert (first, message) == (f"{BAR} 0 of 12 jobs done, 0 running", "a message\n")
    for line in drawn:
        assert line.startswith(f"{BAR} 0 of 12 jobs done, 1 running | mmm")
        assert len(line.rstrip("\n")) == (columns or 80), "a longer line would wrap"
    assert done.stdout.split() == ([b"True", b"True"] if how == "ends" else [b"True"])


@pytest.mark.parametrize("case", ["a pipe", "a dumb terminal", "--quiet progress", "--quiet all"])
def test_elsewhere_there_is_no_line(case: str, terminal: Terminal, tmp_path: Path, monkeypatch) -> None:
    stream = (tmp_path / "log").open("w") if case == "a pipe" else terminal.stream
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "dumb" if case == "a dumb terminal" else "xterm")
    quiet = [Quietness[case.split()[1].upper()]] if case.startswith("--quiet") else []
    logger = logging.Logger("toy")
    live_line.show(logger, 12, quiet)
    assert not logger.handlers
    assert LIVE_LINE not in os.environ
    stream.flush()
    assert (tmp_path / "log").read_text() == "" if case == "a pipe" else terminal.shown() == ""


def test_a_terminal_that_is_gone_does_not_end_the_run() -> None:
    made = Terminal(WIDE)
    line = LiveLine(made.stream, 12)
    line.start()
    made.close()
    line.clear()
    line.end()


JOB = """
import logging, sys
from asdlib.steps.command import notice, progress, run
def step(settings: str) -> None:
    progress.info("epoch 1/2"); progress.warning("waiting"); notice.warning("look")
    raise ValueError("a bug")
run(step, sys.argv[1:])
"""


@pytest.mark.parametrize("live", [True, False])
def test_a_job_removes_the_line_before_its_messages(live: bool, terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"settings": "x", "code": "", "arguments": {}}')
    environment = {"PYTHONPATH": str(SRC)} | ({LIVE_LINE: "1"} if live else {})
    command = [sys.executable, "-c", JOB, str(tmp_path / "job.json"), "--log", str(tmp_path / "job.log")]
    subprocess.run(command, env=environment, stderr=terminal.stream.fileno(), check=False)
    shown = terminal.shown()
    said = [text[9:] if text[2:3] == ":" else text for text in shown.replace(CLEAR, "").split("\r\n")]
    assert shown.count(CLEAR) == (3 if live else 0)
    epoch = [] if live else ["epoch 1/2"]
    assert said == [*epoch, "waiting", "look", "error: ValueError: a bug", ""]
    log = (tmp_path / "job.log").read_text()
    assert "epoch 1/2" in log
    assert "\x1b" not in log


def _plain(shown: str) -> str:
    """Return what is shown without colours and without the codes that hide, show and remove."""
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", shown)
