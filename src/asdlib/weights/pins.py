"""The verification of public weights by the hashes pinned in the config."""

import hashlib
import logging
from pathlib import Path

from asdlib.errors import AsdError

_log = logging.getLogger(__name__)


def verify(path: Path, name: str, sha256: str | None) -> None:
    """Raise AsdError if a file's SHA-256 is not the pinned one; without a pin, log the file's as a warning."""
    with path.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if sha256 is None:
        _log.warning("%s: no sha256 is pinned in checkpoints.%s: this file has %s", path, name, found)
    elif found != sha256:
        raise AsdError(
            f"{path}: has sha256 {found}, but checkpoints.{name}.sha256 is {sha256}: delete it, or correct the pin"
        )
