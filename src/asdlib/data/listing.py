"""The files in a user's folders. One function lists recordings, so that all parts of the library see the same ones."""

import os
import re
import shlex
import stat
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from asdlib.errors import AsdError

FOLDERS = ("train", "test", "source_test", "target_test", "supplemental")
TRUTH_FILE = "ground_truth.csv"
# Endings of recordings, and their formats: what libsndfile reads.
FORMATS = {
    ".wav": "WAV",
    ".rf64": "WAV",
    ".flac": "FLAC",
    ".ogg": "OGG",
    ".oga": "OGG",
    ".opus": "OGG",
    ".mp3": "MP3",
    ".aiff": "AIFF",
    ".aif": "AIFF",
    ".w64": "W64",
    ".caf": "CAF",
}
OTHER_FORMATS = (".m4a", ".mp4", ".aac", ".wma", ".amr", ".3gp", ".webm", ".mkv", ".mov", ".avi", ".ape", ".wv")
TEST_FOLDERS = ("test", "source_test", "target_test")  # the last two: 2021
_AUDIO = re.compile(rf"({'|'.join(map(re.escape, FORMATS))})\Z", re.IGNORECASE)
_LOST = "lost+found"  # of the file system, at the top of a disk; only root can read it
_SHOWN = 5  # names of tables, and kinds of files, in a message
_TABLE = re.compile(r"attributes_.+\.csv|ground_truth\.csv", re.IGNORECASE)
_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket"}


@dataclass(frozen=True)
class MachineFiles:
    """What lies in a machine's folder; names (keys, and `unused`) are relative to it, in a fixed order."""

    recordings: dict[str, os.DirEntry]
    tables: dict[str, os.DirEntry]  # attributes_<section>.csv and ground_truth.csv
    unused: list[str]

    @property
    def attributes(self) -> list[Path]:
        """The attributes tables."""
        return [Path(entry) for name, entry in self.tables.items() if name.lower() != TRUTH_FILE]

    @property
    def truth(self) -> Path | None:
        """The table of ground truth. Raises AsdError for two, whose names differ only in upper and lower case."""
        found = [Path(entry) for name, entry in self.tables.items() if name.lower() == TRUTH_FILE]
        if len(found) > 1:
            raise AsdError(f"{found[0]}: {found[1].name} has the same name: remove one of them")
        return found[0] if found else None


def entries(folder: str | Path | os.DirEntry) -> list[os.DirEntry]:
    """Return the entries of a folder, except hidden ones and `_LOST`, sorted by name.

    Uses os.scandir, because Path takes twice as long for a folder of 15,000 files.
    """
    try:
        with os.scandir(folder) as found:
            shown = [entry for entry in found if not entry.name.startswith(".") and entry.name != _LOST]
    except OSError as error:
        raise AsdError(f"{os.fspath(folder)}: cannot be read ({error.strerror}): check its permissions") from error
    return sorted(shown, key=lambda entry: entry.name)


def recordings(folder: str | Path | os.DirEntry) -> list[os.DirEntry]:
    """Return the recordings in a folder: what ends as a key of FORMATS, in any case, and is not a folder.

    What has such a name and is a pipe or a broken link is refused when it is read.
    """
    return recordings_and_others(folder)[0]


def recordings_and_others(folder: str | Path | os.DirEntry) -> tuple[list[os.DirEntry], list[str]]:
    """Return the recordings in a folder, and the names of everything else; those of folders end in `/`."""
    found, others = [], []
    for entry in entries(folder):
        if is_folder(entry):
            others.append(f"{entry.name}/")
        elif _AUDIO.search(entry.name):
            found.append(entry)
        else:
            others.append(entry.name)
    return found, others


def is_folder(entry: os.DirEntry | Path) -> bool:
    """Return whether an entry or a path is a folder, or a link to one.

    What cannot be looked up is none: a link that leads to itself, a name that is too long, a folder that this user may
    not enter. Path.is_dir raises errors for these.
    """
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Return whether a path is a file, or a link to one; what cannot be looked up is none, as in `is_folder`."""
    try:
        return path.is_file()
    except OSError:
        return False


def machine_files(folder: str | Path | os.DirEntry) -> MachineFiles:
    """Return the recordings and tables of a machine, and the names of everything else in its folder."""
    found = MachineFiles({}, {}, [])
    for entry in entries(folder):
        if entry.name.lower() in FOLDERS and is_folder(entry):
            own, others = recordings_and_others(entry)
            found.recordings.update({f"{entry.name}/{inner.name}": inner for inner in own})
            found.unused.extend(f"{entry.name}/{name}" for name in others)
        elif _TABLE.fullmatch(entry.name) and not is_folder(entry):
            found.tables[entry.name] = entry
        else:
            found.unused.append(f"{entry.name}/" if is_folder(entry) else entry.name)
    return found


def recordings_to_test(folder: str | Path | os.DirEntry) -> list[os.DirEntry]:
    """Return the recordings in the test folders of a machine."""
    tests = [entry for entry in entries(folder) if entry.name.lower() in TEST_FOLDERS and is_folder(entry)]
    return [recording for test in tests for recording in recordings(test)]


def unused(names: Sequence[str]) -> str:
    """Return a phrase that counts unused files by their endings and names tables, which are easily misnamed.

    >>> unused(["train/a.flac", "train/b.flac", "attributes.csv", "old/"])
    '4 entries are not used: attributes.csv, 2 × .flac, 1 × folder'
    """
    tables = [name for name in names if name.lower().endswith(".csv")]
    others = Counter("folder" if name.endswith("/") else _ending(name) for name in names if name not in tables)
    counted = [f"{number} × {kind}" for kind, number in others.most_common()]
    head = "1 entry is" if len(names) == 1 else f"{len(names)} entries are"
    said = f"{head} not used: {', '.join([*_first(tables), *_first(counted)])}"
    convertible = next((name for name in names if _ending(name) in OTHER_FORMATS), None)
    return f"{said}; {conversion(convertible)}" if convertible else said


def status(entry: os.DirEntry | Path) -> os.stat_result:
    """Return the status of a file; for a broken link, that of the link. The job that reads it reports the error."""
    try:
        return entry.stat()
    except OSError:
        return entry.stat(follow_symlinks=False)


def bare_name(name: str) -> str:
    """Return the form in which names of clips are compared: without folders (with / or \\) and ending, in NFC.

    Some systems store names with accents decomposed (NFD).
    """
    return unicodedata.normalize("NFC", _AUDIO.sub("", re.split(r"[/\\]", name)[-1]))


def encodable(name: str) -> str:
    """Return a name as tables can hold it: bytes outside UTF-8 are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def conversion(name: str) -> str:
    """Return a phrase with the command that converts a file which libsndfile does not read."""
    path = PurePosixPath(name)
    return f"convert what is to be used: ffmpeg -i {shlex.quote(path.name)} {shlex.quote(f'{path.stem}.wav')}"


def refuse_unreadable_format(path: Path) -> None:
    """Raise AsdError for a file whose ending is not that of a format that is read."""
    if not _AUDIO.search(path.name):
        raise AsdError(f"{path}: is not in a format that is read ({', '.join(FORMATS)}): {conversion(path.name)}")


def refuse_special(path: Path) -> None:
    """Raise AsdError for a pipe, a device or anything else that is not a regular file: reading it may never end."""
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # a NUL in the name
        raise AsdError(f"{path}: is not a file name ({error}): correct it") from error
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): check the file and its permissions") from error
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "a device")
        raise AsdError(f"{path}: is {kind}, not a file: replace or remove it")


def _first(items: list[str]) -> list[str]:
    return items if len(items) <= _SHOWN else [*items[:_SHOWN], "…"]


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower() or "without an ending"
