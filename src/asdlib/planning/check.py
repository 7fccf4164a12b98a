"""Everything that can be said about the recordings of a run before it starts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asdlib.data.checks.copies import copies
from asdlib.data.checks.groups import Group, groups, labels
from asdlib.data.checks.levels import levels
from asdlib.data.checks.notices import notices
from asdlib.data.checks.preparation import forms, preparation
from asdlib.data.checks.problem import ERROR, NOTE, WARNING, Problem, grouped
from asdlib.data.checks.sounds import Sound, measure
from asdlib.data.checks.strays import capitals, unused_in, unused_recordings
from asdlib.data.clip import Clip
from asdlib.data.clip_format import ClipFormat, prepared_samples
from asdlib.data.layout import parse
from asdlib.data.layouts.folders import CHALLENGE, FORMS, MVTEC, lacks_train, layout_of
from asdlib.data.layouts.table import is_table
from asdlib.data.listing import FOLDERS, entries, is_folder, machine_files, recordings
from asdlib.data.selection import of_sections, read_machine
from asdlib.errors import AsdError
from asdlib.planning.requirements import Present
from asdlib.workflow.datasets import Dataset
from asdlib.workflow.graph import Graph
from asdlib.workflow.own_machines import doubts_about, unread_tables
from asdlib.workflow.settings import clip_format
from asdlib.workflow.typed_settings import typed

_CHALLENGE_FORM = "<machine>/{train,test,supplemental}"
Machine = tuple[str, str]  # dataset, machine


@dataclass
class Checked:
    """What was found: recordings that can be read, by dataset and machine, and the lines about all of them."""

    sounds: dict[Machine, list[Sound]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    pools: dict[str, int] = field(default_factory=dict)  # dataset → recordings of its noise pool


def check_recordings(graph: Graph, everything: bool = False) -> Checked:
    """Check the recordings of all machines of the run; with `everything`, the level of every recording is measured."""
    checked = Checked()
    for dataset in graph.datasets.values():
        wanted = typed(ClipFormat, clip_format(graph.config["prepare"], dataset))
        missing = [one for one in dataset.machines if dataset.source and not is_folder(dataset.recordings(one))]
        if missing:
            what = f"the recordings of {', '.join(missing)} are not here yet"
            remedy = f"a run fetches them, or asdlib fetch --data {dataset.name}"
            checked.problems.append(Problem(NOTE, f"{dataset.name}: {what}: {remedy}"))
        for machine in (one for one in dataset.machines if one not in missing):
            _check_machine(checked, dataset, machine, wanted, everything)
        checked.problems += [Problem(WARNING, line) for line in doubts_about(dataset.own)]
        _check_pool(checked, dataset, wanted, everything)
        checked.problems += _alike(dataset)
        checked.problems += _strays(checked, dataset)
        checked.problems += [Problem(WARNING, line) for line in unread_tables(dataset.folder, dataset.own)]
    checked.problems += copies([one for sounds in checked.sounds.values() for one in sounds])
    return checked


def strays_in(data: str | list[str]) -> list[Problem]:
    """Return lines about the recordings in what was to be checked, if it is a folder that cannot be understood."""
    if not isinstance(data, str) or not is_folder(folder := Path(data).expanduser()):
        return []
    if layout_of(folder) == CHALLENGE:
        return [Problem(WARNING, f"{folder}: is the folder of a machine: name the one above it: {folder.parent}")]
    others = [
        Path(one) for one in entries(folder) if is_folder(one) and not one.is_symlink() and not layout_of(Path(one))
    ]
    remedy = f"expected {_CHALLENGE_FORM}, or another layout"
    strays = unused_recordings(others, set(), set(), remedy)  # if machines are there, something else is wrong
    return [*capitals(folder), *unused_in(folder, set(), remedy), *strays]


def _check_machine(checked: Checked, dataset: Dataset, machine: str, wanted: ClipFormat, everything: bool) -> None:
    place = dataset.recordings(machine)
    with notices() as said:
        clips, refused = _clips(dataset, machine, place)
    sounds, unreadable = measure(clips, wanted, everything)
    checked.sounds[dataset.name, machine] = sounds
    checked.groups += groups(machine, sounds, wanted)
    checked.problems += [*refused, *said, *unreadable, *preparation(machine, sounds, wanted), *levels(sounds, wanted)]
    checked.problems += [] if refused else labels(machine, sounds, dataset.layout(machine))  # else: not all are read


def _clips(dataset: Dataset, machine: str, place: Path) -> tuple[list[Clip], list[Problem]]:
    """Return the clips of a machine, and why `prepare` would refuse it; without such a reason, those of the run."""
    how = dataset.layout(machine), not dataset.official, dataset.supplements.get(machine), dataset.test_share
    try:
        clips = read_machine(place, machine, *how)
        return of_sections(clips, place, machine, dataset.machines[machine]), []
    except AsdError as error:
        if machine in dataset.own:
            return list(dataset.own[machine].clips), [Problem(ERROR, str(error))]
        clips, failed = _parsed(place, machine, dataset)
        return clips, failed or [Problem(ERROR, str(error))]


def _parsed(place: Path, machine: str, dataset: Dataset) -> tuple[list[Clip], list[Problem]]:
    """Return the clips whose names are understood, and what is wrong with the others."""
    clips, failed = [], []
    for entry in machine_files(place).recordings.values() if is_folder(place) else ():
        try:
            clips.append(parse(Path(entry), machine, dataset.supplements.get(machine)))
        except AsdError as error:
            failed.append((Path(entry), str(error)))
    return clips, grouped(failed)


def _check_pool(checked: Checked, dataset: Dataset, wanted: ClipFormat, everything: bool) -> None:
    if not dataset.noise_pool:
        return
    found = [Clip(Path(entry), entry.name, "00", "noise", None, None) for entry in recordings(dataset.noise_pool)]
    sounds, unreadable = measure(found, wanted, everything)
    lengths = [prepared_samples(one.samples, one.rate, wanted) for one in sounds]
    checked.pools[dataset.name] = sum(length > 0 for length in lengths)
    checked.problems += [*unreadable, *forms("noise_pool", sounds, wanted), *levels(sounds, wanted)]


def _alike(dataset: Dataset) -> Iterator[Problem]:
    """Yield a line for machines whose names differ only in upper and lower case."""
    names: dict[str, list[str]] = {}
    for machine in dataset.machines:
        names.setdefault(machine.casefold(), []).append(machine)
    for alike in names.values():
        if len(alike) > 1:
            what = f"machines {', '.join(alike)}: differ only in capitals and are {len(alike)} machines"
            yield Problem(WARNING, f"{dataset.name}: {what}: use one name if they are one, otherwise clearer ones")


def _strays(checked: Checked, dataset: Dataset) -> Iterator[Problem]:
    """Yield lines about recordings of a user that nothing reads."""
    if not dataset.folder:
        return
    places = [dataset.recordings(machine) for machine in dataset.machines]
    used = {sound.path for (name, _), sounds in checked.sounds.items() if name == dataset.name for sound in sounds}
    used |= {clip.path for one in dataset.own.values() for clip in one.clips}
    if is_table(dataset.folder):
        for folder in sorted({path.parent for path in used}):
            yield from unused_in(folder, used, f"add a row for each to {dataset.folder.name}, if they belong to it")
        return
    for place in places:
        yield from capitals(place)
    chosen = {dataset.layout(machine) for machine in dataset.machines}
    chosen |= {MVTEC for place in places if lacks_train(place)}
    form = " or ".join(FORMS.get(layout, _CHALLENGE_FORM) for layout in sorted(chosen))
    remedy = f"this layout has its recordings in {form}"
    yield from unused_recordings([dataset.folder, *places], used, _told(dataset), remedy)


def _told(dataset: Dataset) -> set[Path]:
    """Return the folders of which `scan` says itself what is not used in them."""
    places = [dataset.recordings(one) for one in dataset.machines if dataset.layout(one) == CHALLENGE]
    inner = [Path(entry) for place in places for entry in entries(place) if entry.name.lower() in FOLDERS]
    return {*places, *inner}


def present(graph: Graph, checked: Checked) -> Present:
    """Return the recordings that systems can use, each of several clips that often."""
    wanted = typed(ClipFormat, graph.config["prepare"])
    usable = {one: sounds for one, sounds in checked.sounds.items() if sounds}
    lengths = {
        one: [
            wanted.least(prepared_samples(sound.samples, sound.rate, wanted))
            for sound in sounds
            if sound.clip.kind in ("train", "test")
        ]
        for one, sounds in usable.items()
    }
    lengths = {one: [length for length in of if length >= wanted.shortest] for one, of in lengths.items()}
    return Present(
        {one: [sound.clip for sound in sounds for _ in range(sound.made(wanted))] for one, sounds in usable.items()},
        checked.pools,
        {one: min(samples, default=wanted.samples) for one, samples in lengths.items()},
        frozenset(one for one, sounds in usable.items() if any(sound.channels == 1 for sound in sounds)),
    )
