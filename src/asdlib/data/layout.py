"""DCASE Task 2 names and folders, 2020 to 2025: what a file's name and place say about a clip.

<machine>/train/section_00_source_train_normal_0000_<attributes>.wav        2021–2025
<machine>/test/section_00_target_test_anomaly_0000_<attributes>.wav         2022–2025, labelled
<machine>/{source_test,target_test}/section_00_source_test_normal_0000.wav  2021
<machine>/test/section_00_0000.wav                                          evaluation sets: no domain, no label
<machine>/supplemental/section_00_{machine,noise}_0000_<attributes>.wav     2025
<machine>/{train,test}/normal_id_00_00000000.wav                            2020: an ID is a section, no domains
<machine>/attributes_00.csv                                                 2022–2025
"""

import csv
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from asdlib.data.truth import load_truth
from asdlib.errors import AsdError

KINDS = ("train", "test", "clean", "noise")
FOLDERS = ("train", "test", "source_test", "target_test", "supplemental")
NO_ATTRIBUTE = "noAttribute"

_PATTERNS = [
    re.compile(
        r"section_(?P<section>\d\d)_(?P<domain>source|target)_(?P<split>train|test)"
        r"_(?P<label>normal|anomaly)_(?P<number>\d+)(_(?P<tail>.+))?"
    ),
    re.compile(r"section_(?P<section>\d\d)_(?P<domain>source|target)_(?P<split>test)_(?P<number>\d+)"),
    re.compile(r"section_(?P<section>\d\d)(_(?P<split>test))?_(?P<number>\d+)"),
    re.compile(r"((?P<label>normal|anomaly)_)?id_(?P<section>\d\d)_(?P<number>\d+)"),
]
_SUPPLEMENT = re.compile(r"section_(?P<section>\d\d)_(?P<kind>machine|noise)_((?P<domain>source|target)_)?.*\d+.*")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """A recording and what is known of it; `domain` and `label` are None where the name does not tell."""

    path: Path
    source_file: str  # <machine>/<folder>/<name>.wav
    section: str
    kind: str  # train, test, clean or noise
    domain: str | None
    label: str | None
    tail: str = ""  # the name's own attribute text
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def split(self) -> str:
        """The clip's part of the challenge's data: train, test or supplemental."""
        return self.kind if self.kind in ("train", "test") else "supplemental"


def scan(folder: Path, machine: str, strict: bool = True) -> list[Clip]:
    """List a machine's clips in a fixed order: by kind, then by name.

    `strict` refuses a missing or inconsistent attributes file; otherwise (official archives, whose checksums
    already match) the log only mentions it.
    """
    if not folder.is_dir():
        raise AsdError(f"{folder}: there is no such folder: restore the recordings of {machine}")
    clips = sorted(_clips(folder, machine), key=lambda clip: (KINDS.index(clip.kind), clip.name, clip.source_file))
    _refuse_duplicates(clips)
    for kind in ("train", "test"):
        if not any(clip.kind == kind for clip in clips):
            raise AsdError(
                f"{folder / kind}: machine {machine} has no {kind} clips: add recordings, or leave the machine out"
            )
    return _with_attributes(_with_truth(clips, folder), folder, strict)


def parse(path: Path, machine: str) -> Clip:
    """Read a clip's section, kind, domain and label from its name and folder."""
    place = path.parent.name
    source_file = f"{machine}/{place}/{path.name}"
    if place == "supplemental":
        match = _SUPPLEMENT.fullmatch(path.stem)
        if not match:
            raise AsdError(
                f"{path}: not a supplement's name: use section_<NN>_machine_<NNNN>… or section_<NN>_noise_<NNNN>…"
            )
        clean = match["kind"] == "machine"
        domain = match["domain"] or ("source" if clean else None)
        return Clip(
            path,
            source_file,
            match["section"],
            "clean" if clean else "noise",
            domain,
            "normal" if clean else None,
        )
    found = next((match for pattern in _PATTERNS if (match := pattern.fullmatch(path.stem))), None)
    if not found:
        raise AsdError(
            f"{path}: not a DCASE name: use section_<NN>_<source|target>_{place}_<normal|anomaly>_<NNNN>_….wav"
        )
    parts = found.groupdict()
    kind = "train" if place == "train" else "test"
    if parts.get("split") not in (None, kind) or (
        kind == "train" and parts.get("split") is None and "tail" not in parts and not parts.get("label")
    ):
        raise AsdError(f"{path}: lies in {place}/ but is not named as a {kind} clip: move or rename it")
    if kind == "train" and parts.get("label") == "anomaly":
        raise AsdError(f"{path}: an anomaly among the training clips: move it to test/")
    return Clip(
        path,
        source_file,
        parts["section"],
        kind,
        parts.get("domain"),
        parts.get("label"),
        parts.get("tail") or "",
    )


def _clips(folder: Path, machine: str) -> Iterator[Clip]:
    for place in FOLDERS:
        for path in sorted((folder / place).glob("*")):
            if path.name.startswith("."):
                continue
            if path.suffix.lower() == ".wav":
                yield parse(path, machine)
            else:
                _log.warning("%s: not a WAV file: ignored", path)


def _refuse_duplicates(clips: list[Clip]) -> None:
    seen: dict[tuple[str, str], Clip] = {}
    for clip in clips:
        other = seen.setdefault((clip.split, clip.name.lower()), clip)
        if other is not clip:
            raise AsdError(f"{clip.path}: {other.source_file} has the same name: remove one of them")


def _with_truth(clips: list[Clip], folder: Path) -> list[Clip]:
    """Complete anonymous test clips by `ground_truth.csv`, if it lies beside them."""
    truth = load_truth(folder)
    unlabelled = [clip for clip in clips if clip.kind == "test" and clip.label is None]
    missing = [clip for clip in unlabelled if clip.path.name not in truth]
    if truth and missing:
        raise AsdError(
            f"{folder / 'ground_truth.csv'}: has no row for {missing[0].path.name}: complete or remove the file"
        )
    return [
        replace(clip, label=truth[clip.path.name].label, domain=truth[clip.path.name].domain or clip.domain)
        if truth and clip in unlabelled
        else clip
        for clip in clips
    ]


def _with_attributes(clips: list[Clip], folder: Path, strict: bool) -> list[Clip]:
    """Join the attributes files by bare file name; a test clip without a row has no attributes."""
    complain = _refuse if strict else _log.warning
    rows = read_attributes(folder)
    named = {clip.name for clip in clips}
    for name, (path, _) in rows.items():
        if name not in named:
            complain(f"{path}: row {name}: there is no such clip: restore the clip or remove the row")
    without = [
        clip for clip in clips if clip.kind == "train" and clip.name not in rows and clip.tail not in ("", NO_ATTRIBUTE)
    ]
    if without and not rows:
        year_2021 = any((folder / place).is_dir() for place in ("source_test", "target_test"))
        path = folder / f"attributes_{without[0].section}.csv"
        (_log.warning if year_2021 else complain)(
            f"{path}: is missing: add it, or name clips without attributes …_{NO_ATTRIBUTE}.wav"
        )
    elif without:
        path = next(iter(rows.values()))[0]
        complain(f"{path}: has no row for the training clip {without[0].path.name}: add it")
    return [replace(clip, attributes=rows[clip.name][1]) if clip.name in rows else clip for clip in clips]


def read_attributes(folder: Path) -> dict[str, tuple[Path, dict[str, str]]]:
    """Read `attributes_*.csv`: {bare file name: (file, {parameter: value})}, in all three styles of the challenge.

    `file_name` may be a path with `.wav`, or a bare name; attribute-less machines have no further columns.
    """
    rows: dict[str, tuple[Path, dict[str, str]]] = {}
    for path in sorted(folder.glob("attributes_*.csv")):
        try:
            with path.open(newline="", encoding="utf-8-sig") as handle:
                lines = list(csv.reader(handle))
        except (UnicodeDecodeError, csv.Error) as error:
            raise AsdError(f"{path}: is not a CSV file in UTF-8 ({error}): save it again") from error
        if not lines or lines[0][:1] != ["file_name"]:
            raise AsdError(f"{path}: has no header file_name,d1p,d1v,…: add it")
        for number, line in enumerate(lines[1:], 2):
            if not any(line):
                continue
            name = line[0].rpartition("/")[2].removesuffix(".wav")
            if len(line) % 2 == 0 or not name:
                raise AsdError(f"{path}: line {number}: expected a file name and pairs of parameter and value: mend it")
            if name in rows:
                raise AsdError(f"{path}: line {number}: {name} has a row already: remove one")
            rows[name] = (
                path,
                {key: value for key, value in zip(line[1::2], line[2::2], strict=True) if key},
            )
    return rows


def _refuse(message: str) -> None:
    raise AsdError(message)
