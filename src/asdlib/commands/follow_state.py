"""What `asdlib score --follow` remembers over a restart: a small JSON file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdlib.data.arrivals import Seen
from asdlib.data.files import atomic
from asdlib.data.listing import refuse_special
from asdlib.errors import AsdError

if TYPE_CHECKING:
    from asdlib.commands.scoring_target import ScoringTarget

ABOUT = "follows"  # the key of what the file is about, by which it is recognised


@dataclass(frozen=True)
class Remembered:
    """The recordings that were seen, and the decisions about the last ones, 0 or 1, the oldest first."""

    seen: Seen
    decisions: list[int]


class StateFile:
    """The file of one folder, scored by one variant for one machine.

    It is written anew, as a whole, after every recording: what was printed before a crash may be printed once more, but
    nothing is left out.
    """

    def __init__(self, path: Path, folder: Path, target: "ScoringTarget"):
        self._path = path
        self._about = {
            "folder": str(folder.absolute()),
            "system": target.variant.system,
            "variant": target.variant.name,
            "seed": target.variant.seed,
            "dataset": target.dataset,
            "machine": target.machine,
            "section": target.section,
        }

    def read(self) -> Remembered | None:
        """Return what was remembered; None if there is no file yet.

        Raises AsdError for a file that is not such a state, or is about something else: it would be overwritten.
        """
        if not self._path.exists():
            return None
        refuse_special(self._path)
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            about, remembered = content[ABOUT], _remembered(content)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise AsdError(
                f"{self._path}: is not a state of --follow ({reason}): delete it to start anew, or name another file"
            ) from error
        for name, value in self._about.items():
            if about.get(name) != value:
                other = f"another {name}, {about.get(name)}"
                raise AsdError(f"{self._path}: is the state for {other}: name another file with --state")
        return remembered

    def write(self, remembered: Remembered) -> None:
        """Replace the file; raise AsdError if that is not possible."""
        seen = {"finished": sorted(remembered.seen.finished), "failed": remembered.seen.failed}
        with atomic(self._path) as temporary:
            text = json.dumps({ABOUT: self._about, **seen, "decisions": remembered.decisions}, indent=1)
            temporary.write_text(f"{text}\n", encoding="utf-8")


def _remembered(content: dict[str, Any]) -> Remembered:
    failed = {str(name): (int(size), int(time)) for name, (size, time) in content["failed"].items()}
    finished, decisions = content["finished"], content["decisions"]
    if not all(isinstance(name, str) for name in finished) or not all(one in (0, 1) for one in decisions):
        raise ValueError("finished or decisions have other values")
    return Remembered(Seen(frozenset(finished), failed), list(decisions))
