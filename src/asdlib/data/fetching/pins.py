"""The lock file: checksums of downloads, pinned the first time and verified from then on.

It is a JSON document with three tables: `archives` (`<record>/<file>` → md5 and size, null if unknown), `truth`
(address → sha256) and `weights` (`<repository>/<revision>/<file>` on the hub, otherwise `<name>/<file>` → commit, null
if unknown, and sha256). It belongs under version control. Several jobs may read and extend it at the same time.
"""

import fcntl
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asdlib.data.files import atomic, opened_lock
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)
Pin = dict[str, str | int | None]
_REQUIRED = {"archives": "md5", "truth": "sha256", "weights": "sha256"}  # the others may be missing or null
_FORMS = {name: re.compile(rf"[0-9a-f]{{{length}}}") for name, length in (("md5", 32), ("sha256", 64), ("commit", 40))}


def read_pins(lock_file: Path, table: str) -> dict[str, Pin]:
    """Return a table of the lock file, empty if the file does not exist; raise AsdError if it is not a lock file."""
    if not lock_file.exists():
        return {}
    try:
        pins = json.loads(lock_file.read_text("utf-8")).get(table, {})
        pins = {key: dict(pin) for key, pin in pins.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise AsdError(f"{lock_file}: not a lock file ({error}): restore it from version control") from error
    for key, pinned in pins.items():
        wrong = [field for field, value in pinned.items() if value is not None and not is_pin(field, value)]
        wrong += [field for field in [_REQUIRED[table]] if pinned.get(field) is None]
        if wrong:
            found = repr(pinned.get(wrong[0]))[:80]
            raise AsdError(f"{lock_file}: {key}: {wrong[0]} is {found}: restore the file from version control")
    return pins


def is_pin(field: str, value: Any) -> bool:
    """Return whether a value can be pinned: a size, or a checksum or commit in lower case hexadecimal digits."""
    if field == "size":
        return type(value) is int and 0 <= value < 10**15
    return field in _FORMS and isinstance(value, str) and bool(_FORMS[field].fullmatch(value))


def pin(lock_file: Path, table: str, found: Mapping[str, Pin]) -> dict[str, Pin]:
    """Add the pins in `found` to a table and return the table.

    A value replaces a null. Raises AsdError if a value differs from the pinned one. Without a new value nothing is
    written, so that a shared, read-only lock file is enough.
    """
    pins = read_pins(lock_file, table)
    if _merged(lock_file, pins, found) == pins:
        return pins
    with waiting_lock(lock_file):
        pins = read_pins(lock_file, table)
        fresh = sorted(key for key in found if key not in pins)
        merged = _merged(lock_file, pins, found)
        if merged != pins:
            _write(lock_file, table, merged)
            _log.warning("%s: pinned %s: commit this file", lock_file, ", ".join(fresh) or "missing sizes")
    return merged


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold the lock `.<name>.queue` beside `path` while the block runs; wait while another job holds it.

    `files.locked` raises an error instead, because there a second writer is a mistake; here it is normal.
    """
    with opened_lock(path.with_name(f".{path.name}.queue")) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _merged(lock_file: Path, pins: dict[str, Pin], found: Mapping[str, Pin]) -> dict[str, Pin]:
    return pins | {key: _agreed(lock_file, key, pins.get(key, {}), value) for key, value in found.items()}


def _agreed(lock_file: Path, key: str, old: Pin, new: Pin) -> Pin:
    for field, value in new.items():
        known = old.get(field)
        if known is not None and value is not None and known != value:
            raise AsdError(
                f"{lock_file}: {key}: {field} is {value} at its source but {known} is pinned: the published file has "
                "changed; compare it with the publisher's page before you remove this entry"
            )
    return old | {field: value for field, value in new.items() if old.get(field) is None}


def _write(lock_file: Path, table: str, pins: dict[str, Pin]) -> None:
    document = json.loads(lock_file.read_text("utf-8")) if lock_file.exists() else {}
    document[table] = pins
    with atomic(lock_file.resolve()) as temporary:  # a link stays a link
        temporary.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", "utf-8")
