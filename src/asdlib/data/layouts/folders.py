"""Layouts of folders other than the challenge's, recognised by the names of folders and the form of file names.

mimii    <machine>/id_<NN>/{normal,abnormal}/*.wav     MIMII and its relatives; an ID is a section
mvtec    <machine>/train/[good/]*.wav and <machine>/test/[<anything>/]*.wav, as in MVTec AD
flat     <machine>/normal/*.wav and <machine>/<anything>/*.wav; or one folder of normal recordings
"""

import re
from collections.abc import Iterator
from pathlib import Path

from asdlib.data.layouts.recording import FIRST, LayoutError, Recording
from asdlib.data.listing import TEST_FOLDERS, entries, is_folder, recordings

CHALLENGE, MIMII, MVTEC, FLAT = "challenge", "mimii", "mvtec", "flat"
# Names of folders in lower case. Windows drops the last dot of `i.O.` and `n.i.O.` (in Ordnung, nicht in Ordnung).
NORMAL = ("normal", "good", "ok", "i.o.", "i.o", "io", "gut")
ANOMALOUS = (
    "abnormal", "anomaly", "anomalous", "bad", "faulty", "broken", "defect", "defekt", "nok", "n.i.o.", "n.i.o", "nio",
    "ng",
)  # fmt: skip
NOISE = "noise"
UNKNOWN = ("unknown", "unlabelled", "unlabeled", "judge", "to_judge", "tojudge", "new", "check")  # to be judged
FORMS = {
    MIMII: f"<machine>/id_<NN>/{{normal,abnormal}}; normal may also be {', '.join(NORMAL[1:])}, and abnormal "
    f"{', '.join(ANOMALOUS[1:])}",
    MVTEC: "<machine>/{train,test}; folders in test are anomalies unless named "
    f"{', '.join(NORMAL)}, or for clips to be judged {', '.join(UNKNOWN)}",
    FLAT: f"<machine>/{{normal,<others>}}; normal recordings have no folder or one named {', '.join(NORMAL)}; other "
    f"folders are clips to be judged unless named, for anomalies, {', '.join(ANOMALOUS)}",
}
_ID = re.compile(r"(?:id|section)_([0-9][0-9])")
_CHALLENGE_NAME = re.compile(r"section_\d\d_|((normal|anomaly)_)?id_\d\d_", re.IGNORECASE)


def layout_of(folder: Path) -> str | None:
    """Return the layout of a machine's folder, or None if it is no machine."""
    inner = {entry.name.lower(): Path(entry) for entry in entries(folder) if is_folder(entry)}
    if any(name in inner for name in ("train", *TEST_FOLDERS)):
        return MVTEC if _is_mvtec(inner) else CHALLENGE
    if any(_ID.fullmatch(name) and _folders(path) & {*NORMAL, *ANOMALOUS} for name, path in inner.items()):
        return MIMII
    if any(name in NORMAL and recordings(path) for name, path in inner.items()):
        return FLAT
    return None


def lacks_train(folder: Path) -> bool:
    """Return whether a folder would be a machine of the layout mvtec if it had a folder train."""
    inner = {entry.name.lower(): Path(entry) for entry in entries(folder) if is_folder(entry)}
    tests = entries(inner["test"]) if "test" in inner and "train" not in inner else []
    return any(is_folder(entry) and recordings(entry) for entry in tests)


def is_flat_folder(folder: Path) -> bool:
    """Return whether a folder has recordings and no folders, so that all of them are of one machine, and normal."""
    found = entries(folder)
    return not any(map(is_folder, found)) and bool(recordings(folder))


def read_folder(folder: Path, machine: str, layout: str) -> Iterator[Recording]:
    """Yield the recordings of a machine; those of a folder `noise` are of the background.

    Raises AsdError for a folder of which nobody said what it contains.
    """
    readers = {MIMII: _mimii, MVTEC: _mvtec, FLAT: _flat}
    yield from readers[layout](folder, machine)
    for inner in entries(folder):
        if inner.name.lower() == NOISE and is_folder(inner):
            yield from _all(Path(inner), folder, machine, "noise", None)


def _is_mvtec(inner: dict[str, Path]) -> bool:
    """Return whether there are recordings for training, and no recording of the splits has a name of the challenge.

    One name of the challenge is enough to be read, and checked, as a folder of the challenge.
    """
    if set(inner) & {"source_test", "target_test", "supplemental"} or "train" not in inner:
        return False
    own = [entry.name for name in ("train", "test") if name in inner for entry in recordings(inner[name])]
    if any(_CHALLENGE_NAME.match(name) for name in own):
        return False
    return bool(recordings(inner["train"])) or any(name in NORMAL for name in _folders(inner["train"]))


def _mimii(folder: Path, machine: str) -> Iterator[Recording]:
    for section in entries(folder):
        match = _ID.fullmatch(section.name.lower())
        for inner in entries(section) if match and is_folder(section) else []:
            name = inner.name.lower()
            if name in (*NORMAL, *ANOMALOUS) and is_folder(inner):
                kind, label = (None, "normal") if name in NORMAL else ("test", "anomaly")
                yield from _all(Path(inner), folder, machine, kind, label, match[1])


def _mvtec(folder: Path, machine: str) -> Iterator[Recording]:
    for split in filter(is_folder, entries(folder)):
        inside = [Path(inner) for inner in entries(split) if is_folder(inner)]
        if split.name.lower() == "train":
            for inner in [Path(split), *inside]:
                if inner in inside and inner.name.lower() not in NORMAL:
                    known = ", ".join(NORMAL)
                    raise LayoutError(f"{inner}: is in train/ and not named as normal ({known}): move or rename it")
                yield from _all(inner, folder, machine, None, "normal")
        elif split.name.lower() == "test":
            yield from _all(Path(split), folder, machine, "test", None)
            for inner in inside:
                yield from _judged(inner, folder, machine)


def _flat(folder: Path, machine: str) -> Iterator[Recording]:
    yield from _all(folder, folder, machine, None, "normal")
    for inner in filter(is_folder, entries(folder)):
        name = inner.name.lower()
        if name in NORMAL:
            yield from _all(Path(inner), folder, machine, None, "normal")
        elif name != NOISE:
            yield from _all(Path(inner), folder, machine, "test", "anomaly" if name in ANOMALOUS else None)


def _judged(inner: Path, folder: Path, machine: str) -> Iterator[Recording]:
    """Yield the recordings of a folder whose name says what they are; another name is a kind of anomaly."""
    name = inner.name.lower()
    label = "normal" if name in NORMAL else None if name in UNKNOWN else "anomaly"
    known = {} if label != "anomaly" or name in ANOMALOUS else {"anomaly": inner.name}
    yield from _all(inner, folder, machine, "test", label, attributes=known)


def _all(
    inner: Path,
    folder: Path,
    machine: str,
    kind: str | None,
    label: str | None,
    section: str = FIRST,
    attributes: dict[str, str] | None = None,
) -> Iterator[Recording]:
    for entry in recordings(inner):
        path = Path(entry)
        file = path.relative_to(folder).as_posix()
        yield Recording(path, file, machine, section, kind, label, attributes=attributes or {})


def _folders(folder: Path) -> set[str]:
    return {entry.name.lower() for entry in entries(folder) if is_folder(entry)}
