"""Stops a job in the middle of writing a file: put on PYTHONPATH, every Python of a run reads this first.

HALT_AT=<rule>:<file>[*<n>] names the job's script and the file; the n-th time that it is about to get its name,
the job leaves half of it under the temporary name, writes that name into `halted`, and waits to be killed. If a file
`go_on` appears instead, it writes the rest and goes on.
"""

import os
import sys
import time
from pathlib import Path

RULE, _, PLACE = os.environ.get("HALT_AT", "").partition(":")
FILE, _, COUNT = PLACE.partition("*")
_fsync = os.fsync
_left = int(COUNT or 1)


def _halting_fsync(descriptor: int) -> None:
    global _left
    path = Path(f"/proc/self/fd/{descriptor}").readlink()
    if f"/.{FILE}." in str(path) and ".part" in str(path) and path.is_file():
        _left -= 1
        if _left == 0:
            _halt(path)
    _fsync(descriptor)


def _halt(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    Path("halted.new").write_text(str(path))
    Path("halted.new").rename("halted")
    while not Path("go_on").exists():
        time.sleep(0.05)
    path.write_bytes(content)


if RULE and any(argument.endswith(f"/scripts/{RULE}.py") for argument in sys.orig_argv):
    os.fsync = _halting_fsync
