"""The files of the systems; a system is named after its file."""

from pathlib import Path

from asdlib.errors import AsdError


def system_files(folder: Path) -> list[Path]:
    """Return the files of the systems in a folder, sorted. Raises AsdError if there is none."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise AsdError(f"{folder}: contains no system files: restore config/systems")
    return files
