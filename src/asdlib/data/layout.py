"""File and folder names of DCASE Task 2, 2020 to 2026, and what they say about a clip.

<machine>/train/section_00_source_train_normal_0000_<attributes>.wav        2021–2026
<machine>/test/section_00_target_test_anomaly_0000_<attributes>.wav         2022–2026, labelled
<machine>/{source_test,target_test}/section_00_source_test_normal_0000.wav  2021; evaluation set: without the label
<machine>/test/section_00_0000.wav                                          evaluation sets: no domain, no label
<machine>/supplemental/section_00_{machine,noise}_0000_<attributes>.wav     2025, see `asdlib.data.supplements`
<machine>/{train,test}/normal_id_00_00000000.wav                            2020: an ID is a section, no domains
<machine>/attributes_00.csv                                                 2022–2026
"""

import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from asdlib.data.attributes import Rows, read_attributes, with_case_of_training
from asdlib.data.clip import KINDS, UNPRINTABLE, Clip
from asdlib.data.layouts.folders import lacks_train
from asdlib.data.listing import MachineFiles, entries, is_folder, machine_files, unused
from asdlib.data.supplements import UnknownSupplementError, read_name
from asdlib.data.truth import Truth, load_truth
from asdlib.errors import AsdError, and_more

NO_ATTRIBUTE = "noAttribute"

_SECTION = r"section_(?P<section>\d\d)"
_LABEL = r"(?P<label>normal|anomaly)"
_NUMBER = r"(?P<number>\d+)"
_TAIL = r"(_(?P<tail>.*))?"
_NAMES = [
    # The list of 2024 leaves the split out of RoboticArm's names.
    re.compile(rf"{_SECTION}_(?P<domain>source|target)(_(?P<split>train|test))?_{_LABEL}_{_NUMBER}{_TAIL}"),
    re.compile(rf"{_SECTION}_(?P<domain>source|target)_(?P<split>test)_{_NUMBER}"),
    re.compile(rf"{_SECTION}(_(?P<split>test))?_{_NUMBER}"),
    re.compile(rf"({_LABEL}_)?id_(?P<section>\d\d)_{_NUMBER}"),
]
_log = logging.getLogger(__name__)
_notice = logging.getLogger("asdlib.notice")  # also shown on stderr


def scan(folder: Path, machine: str, strict: bool = True, supplements: str | None = None) -> list[Clip]:
    """Return a machine's clips in a fixed order: by kind, then by name.

    With `strict`, a missing or inconsistent attributes file and an unknown name of a supplement raise AsdError. Without
    it, a warning is logged and the supplement left out; this is meant for official archives, whose checksums have been
    verified. `supplements` states the kind of the machine's supplements. One line says what in the folder is not used.
    """
    if not folder.is_dir():
        raise AsdError(f"{folder}: there is no such folder: restore the recordings of {machine}")
    files = machine_files(folder)
    if files.unused:  # said before any refusal: recordings in another format explain why there are no clips
        _notice.warning("%s: %s", folder, unused(files.unused))
    clips = parse_all(map(Path, files.recordings.values()), machine, strict, supplements)
    clips.sort(key=lambda clip: (KINDS.index(clip.kind), clip.name, clip.source_file))
    _refuse_duplicates(clips)
    for kind in ("train", "test"):
        if not any(clip.kind == kind for clip in clips):
            what = f"{folder / kind}: machine {machine} has no {kind} clips: add recordings, or leave the machine out"
            raise AsdError(what + (_otherwise(folder, kind) if strict else ""))
    return _with_attributes(_with_truth(clips, files), folder, files, strict)


def _otherwise(folder: Path, kind: str) -> str:
    """Return what else may be meant with own recordings without training or test clips."""
    if kind == "test":
        return "; a table of clips needs none (docs/own_data.md)"
    return "; mvtec has folders in test, and in train normal clips with any names" if lacks_train(folder) else ""


def parse_all(paths: Iterable[Path], machine: str, strict: bool, supplements: str | None) -> list[Clip]:
    """Return the clips of all files; without `strict`, supplements with unknown names are left out, with a warning."""
    clips: list[Clip] = []
    unknown: list[AsdError] = []
    for path in paths:
        try:
            clips.append(parse(path, machine, supplements))
        except UnknownSupplementError as error:
            if strict:
                raise
            unknown.append(error)
    if unknown:
        _notice.warning("%s%s; left out", unknown[0], and_more(unknown))
    return clips


def parse(path: Path, machine: str, supplements: str | None = None) -> Clip:
    """Return the clip that a file's name and folder describe: section, kind, domain and label.

    `supplements` is the kind, clean or noise, of the machine's supplements, if the dataset's block states it.
    """
    subfolder = path.parent.name.lower()
    if any(unicodedata.category(character) in UNPRINTABLE for character in path.name):
        raise AsdError(f"{path}: its name has control characters or bytes outside UTF-8: rename it")
    return (
        _supplement(path, machine, supplements) if subfolder == "supplemental" else _recording(path, subfolder, machine)
    )


def _supplement(path: Path, machine: str, stated: str | None) -> Clip:
    found = read_name(path, stated)
    return Clip(
        path,
        f"{machine}/supplemental/{path.name}",
        section=found.section,
        kind=found.kind,
        domain=found.domain,
        label="normal" if found.kind == "clean" else None,
        tail=found.tail,
    )


def _recording(path: Path, subfolder: str, machine: str) -> Clip:
    """Return a training or test clip; its name must not contradict its folder."""
    kind = "train" if subfolder == "train" else "test"
    match = next((match for name in _NAMES if (match := name.fullmatch(path.stem))), None)
    if not match:
        raise AsdError(
            f"{path}: not a DCASE name: use section_<NN>_<source|target>_{kind}_<normal|anomaly>_<NNNN>_….wav"
        )
    parts = {"split": None, "domain": None, "label": None, "tail": None, **match.groupdict()}
    if parts["split"] not in (None, kind):
        raise AsdError(f"{path}: is in {subfolder}/ but is named as a {parts['split']} clip: move or rename it")
    if kind == "train" and parts["label"] != "normal":
        found = "an anomaly" if parts["label"] else "a clip without a label"
        raise AsdError(f"{path}: {found} among the training clips: move it to test/, or rename it")
    domain = subfolder.removesuffix("_test") if subfolder in ("source_test", "target_test") else parts["domain"]
    if parts["domain"] not in (None, domain):
        raise AsdError(f"{path}: is in {subfolder}/ but is named as a {parts['domain']} clip: move or rename it")
    return Clip(
        path, f"{machine}/{subfolder}/{path.name}", parts["section"], kind, domain, parts["label"], parts["tail"] or ""
    )


def _refuse_duplicates(clips: list[Clip]) -> None:
    seen: dict[tuple[str, str], Clip] = {}
    for clip in clips:
        other = seen.setdefault((clip.split, clip.bare.casefold()), clip)
        if other is not clip:
            raise AsdError(f"{clip.path}: {other.source_file} has the same name: remove one of them")


def _with_truth(clips: list[Clip], files: MachineFiles) -> list[Clip]:
    """Add the labels and domains of the machine's `ground_truth.csv`, if there is one, to the test clips.

    Raises AsdError if it contradicts the name or the folder of a clip.
    """
    path = files.truth
    if path is None:
        return clips
    truth = load_truth(path)
    _refuse_wrong_names(path, clips, truth)
    return [_labelled(path, clip, truth) for clip in clips]


def _refuse_wrong_names(path: Path, clips: list[Clip], truth: dict[str, Truth]) -> None:
    """Raise AsdError if clips without labels have no row while rows have no clip; without such rows, say so only."""
    without = [clip.path.name for clip in clips if clip.kind == "test" and not clip.label and clip.bare not in truth]
    if not without:
        return
    strays = truth.keys() - {clip.bare for clip in clips if clip.kind == "test"}
    if strays:
        raise AsdError(f"{path}: has no row for {without[0]}, but one for {min(strays)}, which is no clip: correct it")
    if not truth:
        raise AsdError(f"{path}: has no rows: complete or remove the file")
    said = "scored, but without a label for the figures"
    _notice.warning("%s: has no row for %s%s: %s", path, without[0], and_more(without), said)


def _labelled(path: Path, clip: Clip, truth: dict[str, Truth]) -> Clip:
    if clip.kind != "test" or clip.bare not in truth:
        return clip
    known = truth[clip.bare]
    for said, stated in ((clip.label, known.label), (clip.domain, known.domain)):
        if None not in (said, stated) and said != stated:
            what = f"{known.file_name} is {stated}, but its name or folder says {said}"
            raise AsdError(f"{path}: {what}: correct one of them")
    return replace(clip, label=known.label, domain=known.domain or clip.domain)


def _with_attributes(clips: list[Clip], folder: Path, files: MachineFiles, strict: bool) -> list[Clip]:
    """Add the attributes of each clip's row, matched by bare file name; a test clip may have no row."""
    rows, lost = read_attributes(files.attributes)
    problems = [*lost, *_misnamed_tables(folder, files.unused), *_attribute_problems(clips, rows, folder, files)]
    for problem in problems:
        if strict:
            raise AsdError(problem)
        _log.warning("%s", problem)
    if not files.attributes and _of_2021(folder):
        return [replace(clip, attributes=_from_name(clip)) for clip in clips]
    found = [replace(clip, attributes=rows[clip.bare][1]) if clip.bare in rows else clip for clip in clips]
    return found if strict else with_case_of_training(found)


def _of_2021(folder: Path) -> bool:
    """Return whether a folder has the layout of 2021, which had no attributes tables."""
    tests = ("source_test", "target_test")
    return any(entry.name.lower() in tests and is_folder(entry) for entry in entries(folder))


def _from_name(clip: Clip) -> dict[str, str]:
    """Return the attributes in a training clip's name, as one value: the names of 2021 do not separate them clearly."""
    return {"attributes": clip.tail} if clip.kind == "train" and clip.tail not in ("", NO_ATTRIBUTE) else {}


def _misnamed_tables(folder: Path, unread: list[str]) -> Iterator[str]:
    """Yield a message for each table whose name says that it contains attributes, but which is not read."""
    for name in unread:
        if re.search(r"(^|/)attributes.*\.csv\Z", name, re.IGNORECASE):
            yield f"{folder / name}: is not read: move it to {folder / 'attributes_<NN>.csv'}, NN being the section"


def _attribute_problems(clips: list[Clip], rows: Rows, folder: Path, files: MachineFiles) -> Iterator[str]:
    """Yield the mismatches between clips and rows, one message for each type of mismatch."""
    named = {clip.bare for clip in clips}
    strays = [(path, name) for name, (path, _) in rows.items() if name not in named]
    if strays:
        path, name = strays[0]
        yield f"{path}: row {name}{and_more(strays)}: there is no such clip: restore the clip, or remove the row"
    without = [
        clip for clip in clips if clip.kind == "train" and clip.bare not in rows and clip.tail not in ("", NO_ATTRIBUTE)
    ]
    if not without:
        return
    path = folder / f"attributes_{without[0].section}.csv"
    known = {table.name.lower(): table for table in files.attributes}
    if path.name in known:
        path = known[path.name]
        yield f"{path}: has no row for the training clip {without[0].path.name}{and_more(without)}: add it"
    elif not _of_2021(folder):
        yield f"{path}: is missing: add it, or name clips without attributes …_{NO_ATTRIBUTE}.wav"
