"""`asdlib score --follow`: score the recordings that appear in a folder, one line of JSON each."""

import json
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdlib.commands.follow_state import Remembered, StateFile
from asdlib.commands.score_output import file_rows
from asdlib.data.arrivals import Arrivals, Seen
from asdlib.data.listing import is_folder
from asdlib.errors import AsdError, OutOfGpuMemoryError
from asdlib.runtime.stop_request import StopRequest

if TYPE_CHECKING:
    from asdlib.commands.new_clips import Scorer

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rule:
    """An alarm is on while at least `number` of the last `of` recordings exceed the threshold."""

    number: int
    of: int


class Alarm:
    """Tells after each recording whether the alarm is on, and logs when that changes.

    `last` are decisions about recordings before these.
    """

    def __init__(self, rule: Rule, last: Sequence[int] = ()):
        self._rule = rule
        self._last: deque[int] = deque(last, maxlen=rule.of)
        self._on = self._is_met()

    @property
    def last(self) -> list[int]:
        """The decisions that the rule is about, the oldest first."""
        return list(self._last)

    def after(self, decision: int) -> bool:
        """Return whether the alarm is on after a recording with this decision."""
        self._last.append(decision)
        before, self._on = self._on, self._is_met()
        if self._on != before:
            found = f"{sum(self._last)} of the last {len(self._last)} recordings exceed the threshold"
            _log.warning("%s: %s", "ALARM" if self._on else "alarm is over", found)
        return self._on

    def _is_met(self) -> bool:
        return sum(self._last) >= self._rule.number


def watched(folder: Path, existing: bool, seen: Seen | None) -> Arrivals:
    """Return the recordings that will appear in a folder; raise AsdError if it is none."""
    if not is_folder(folder):
        raise AsdError(f"{folder}: is not a folder: give --follow the folder in which recordings appear")
    return Arrivals(folder, existing, seen)


def follow(
    scorer: "Scorer", arrivals: Arrivals, interval: float, alarm: Alarm | None, state: StateFile | None = None
) -> None:
    """Print a line for each recording, until Ctrl-C or SIGTERM; a recording under way is finished.

    A recording that cannot be scored gets a line with the error. What was printed is noted in the `state`. Raises
    AsdError if the folder cannot be read any more.
    """
    with StopRequest() as stop:
        while True:
            for path in arrivals.look():
                line = _line(scorer, path, alarm)
                print(json.dumps(line, allow_nan=False), flush=True)
                if "error" in line:
                    arrivals.failed(path)
                else:
                    arrivals.done(path)
                if state:
                    note(state, arrivals, alarm)
                if stop.wait(0):
                    return
            if stop.wait(interval):
                return


def note(state: StateFile, arrivals: Arrivals, alarm: Alarm | None) -> None:
    """Write down what a process that follows the folder later has to know."""
    state.write(Remembered(arrivals.seen, alarm.last if alarm else []))


def _line(scorer: "Scorer", path: Path, alarm: Alarm | None) -> dict[str, Any]:
    """Return what is printed about a recording."""
    return {"time": datetime.now(UTC).isoformat(timespec="seconds"), "file": str(path), **_outcome(scorer, path, alarm)}


def _outcome(scorer: "Scorer", path: Path, alarm: Alarm | None) -> dict[str, Any]:
    try:
        scores = scorer.score([path])
    except OutOfGpuMemoryError:  # not the fault of this recording
        raise
    except AsdError as error:
        return {"error": str(error)}
    (row,) = file_rows(scores)
    told = {**row, "cut": bool(scores.cut), "padded": bool(scores.padded)}
    return {**told, "alarm": alarm.after(row["decision"])} if alarm else told
