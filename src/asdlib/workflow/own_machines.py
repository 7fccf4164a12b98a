"""Machines in a table of clips or in a layout of folders that is not the challenge's."""

import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from asdlib.data.clip import Clip
from asdlib.data.layouts.folders import CHALLENGE, FLAT, FORMS, MVTEC, is_flat_folder, layout_of, read_folder
from asdlib.data.layouts.labels import unread_truth
from asdlib.data.layouts.machine_clips import TABLE, clips_of
from asdlib.data.layouts.meanings import meanings
from asdlib.data.layouts.table import read_table
from asdlib.data.listing import entries, is_folder, status
from asdlib.errors import AsdError, and_more
from asdlib.workflow.names import RULE, examples, unusable_machines


@dataclass(frozen=True)
class OwnMachine:
    """The recordings of a machine; `place` is the machine's folder, or the table, and `doubts` are about the table."""

    layout: str
    place: Path
    clips: tuple[Clip, ...]
    doubts: tuple[str, ...] = ()

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections of the test clips, sorted."""
        return tuple(sorted({clip.section for clip in self.clips if clip.kind == "test"}))

    @property
    def counts(self) -> Counter[str]:
        """The number of recordings of each kind."""
        return Counter(clip.kind for clip in self.clips)

    def fingerprint(self) -> str:
        """Return a fingerprint of what is known about the recordings, of their sizes and modification times."""
        digest = hashlib.sha256()
        for clip in self.clips:
            found = status(clip.path)
            known = (clip.source_file, clip.section, clip.kind, clip.domain, clip.label, clip.attributes)
            digest.update(f"{known}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
        return digest.hexdigest()[:16]


def doubts_about(machines: dict[str, OwnMachine]) -> list[str]:
    """Return lines about what may be a mistake in the tables of machines, each once."""
    return list(dict.fromkeys(line for one in machines.values() for line in one.doubts))


def warnings_of(folder: Path | None, machines: dict[str, OwnMachine]) -> list[str]:
    """Return what a run prints about possible mistakes in a dataset's folder or tables."""
    return [f"Warning: {line}" for line in (*doubts_about(machines), *unread_tables(folder, machines))]


Machines = dict[str, OwnMachine | None]  # None: in the layout of the challenge


def in_table(path: Path, where: str, test_share: float) -> tuple[Machines, list[str]]:
    """Return the machines of a table, and phrases that say how it was understood."""
    found = read_table(path)
    said, machines = [f"{path}: {phrase}" for phrase in found.understood], {}
    doubts = tuple(f"{path}: {phrase}" for phrase in found.doubts)
    _refuse_unusable(found.machines, path, where)
    for machine in found.machines:
        clips, more = clips_of(found.of(machine), path, test_share)
        machines[machine] = OwnMachine(TABLE, path, tuple(clips), doubts)
        said += [f"{path}: {phrase}" for phrase in more]
    return machines, [*said, *_summary(machines)]


def in_folder(
    folder: Path, where: str, name: str, test_share: float, asked: Collection[str] | None
) -> tuple[Machines, list[str]]:
    """Return the machines in a folder, and phrases that say how its layout was understood, if not the challenge's.

    A folder that is itself a machine in another layout is one machine with the `name` of the dataset. Of folders that
    are not `asked` for, nothing is read.
    """
    folders = [entry for entry in entries(folder) if asked is None or entry.name in asked]
    places = {entry.name: Path(entry) for entry in folders if is_folder(entry)}
    layouts = {machine: layout for machine, place in places.items() if (layout := layout_of(place))}
    own = _of_one_machine(folder)
    if own and (not layouts or _are_splits(places, layouts)):
        places, layouts = {name: folder}, {name: own}
    _refuse_unusable(layouts, folder, where)
    said, machines = [], {}
    for machine, layout in layouts.items():
        machines[machine] = None
        if layout != CHALLENGE:
            recordings = list(read_folder(places[machine], machine, layout))
            clips, more = clips_of(recordings, places[machine], test_share)
            machines[machine] = OwnMachine(layout, places[machine], tuple(clips))
            said += [*meanings(recordings, machine, layout), *(f"{folder}: {phrase}" for phrase in more)]
    used = sorted({one.layout for one in machines.values() if one})
    known = [f"{folder}: layout {layout} ({FORMS[layout]}); every clip is of the source domain" for layout in used]
    return machines, [*known, *said, *_summary(machines)]


def unread_tables(folder: Path | None, own: dict[str, OwnMachine]) -> list[str]:
    """Return lines about tables of labels in a user's folder, or beside a table, that nothing reads."""
    if folder is None:
        return []
    machines = [(one.layout, one.place, [clip.path for clip in one.clips]) for one in own.values()]
    return list(unread_truth(folder, machines))


def _are_splits(places: Collection[str], machines: Collection[str]) -> bool:
    """Return whether what look like machines are the splits of one: train/good looks like a machine named train."""
    splits = {"train", "test"}
    return splits <= {name.lower() for name in places} and {name.lower() for name in machines} <= splits


def no_machine(folder: Path, where: str) -> str:
    """Return why a folder is no dataset, and what to name in its place: a folder in it, if one is a dataset."""
    inner = [Path(entry) for entry in entries(folder) if is_folder(entry)] if is_folder(folder) else []
    meant = [] if layout_of(folder) else [one for one in inner if _has_machines(one)]
    if not meant:
        return f"{folder} contains no machine: expected <machine>/train/*.wav and <machine>/test/*.wav"
    entry = f"data={meant[0]}" if where == "config: data" else meant[0]
    return f"{folder} contains no machine: use {entry}{and_more(meant)}"


def _has_machines(folder: Path) -> bool:
    try:
        return bool(_of_one_machine(folder)) or any(is_folder(one) and layout_of(Path(one)) for one in entries(folder))
    except AsdError:  # a folder that cannot be read
        return False


def _of_one_machine(folder: Path) -> str | None:
    """Return the layout of a folder that is a machine itself; one of the challenge must be in a folder of machines."""
    layout = layout_of(folder)
    if layout is None and is_flat_folder(folder):
        return FLAT
    return layout if layout in (FLAT, MVTEC) else None


def _refuse_unusable(machines: Collection[str], path: Path, where: str) -> None:
    bad = unusable_machines(list(machines))
    if bad:
        which, what = path, f"{len(bad)} machines have names that cannot be used"
        if len(bad) == 1:
            which, what = path / bad[0], "not a usable machine name"
        raise AsdError(f"{where}: {which}: {what}: use {RULE} (not 'all'){examples(bad)}")


def _summary(machines: Machines) -> list[str]:
    return [
        f"{machine}: {', '.join(f'{number} {kind}' for kind, number in one.counts.items())}"
        for machine, one in machines.items()
        if one
    ]
