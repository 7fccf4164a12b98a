"""Problems as lines: `where: what: remedy`."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from asdlib.errors import and_more

ERROR = "error"  # a run would stop, or its figures would be wrong
WARNING = "warning"  # a run works, but probably not as it was meant
NOTE = "note"  # what a run will do
LEVELS = (ERROR, WARNING, NOTE)


@dataclass(frozen=True)
class Problem:
    """A line, how much it matters, and the settings of `prepare` that it recommends, such as `resample: true`."""

    level: str
    line: str
    settings: tuple[str, ...] = ()


def pasted(settings: Iterable[str]) -> str:
    """Return settings of `prepare` as a line for a config file."""
    return f"prepare: {{{', '.join(settings)}}}"


def grouped(messages: Iterable[tuple[Path, str]]) -> list[Problem]:
    """Return errors about files, of which those that say the same of several files become one line."""
    alike: dict[str, list[str]] = defaultdict(list)
    for path, message in messages:
        alike[message.replace(str(path), "").replace(path.stem, "")].append(message)
    return [Problem(ERROR, f"{found[0]}{and_more(found)}") for found in alike.values()]
