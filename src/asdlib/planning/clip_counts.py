"""The numbers of existing or future clips: counted in tables, else in folders, else as the config declares."""

from collections import Counter, defaultdict
from collections.abc import Collection
from functools import cache
from pathlib import Path

from asdlib.data.clip_format import SPLIT, ClipFormat, prepared_samples
from asdlib.data.layout import parse_all
from asdlib.data.listing import machine_files
from asdlib.errors import AsdError, TooFewClipsError
from asdlib.workflow import paths
from asdlib.workflow.datasets import Dataset
from asdlib.workflow.graph import Graph
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.words import RAW

DECLARED = "as declared"
GUESSED = "assumed to be as many as in 2025"
ASSUMED = {"train": 1000, "test": 200, "supplemental": 100}  # per section, as in the challenge since 2023


class ClipCounts:
    """Counts clips by kind. `made` are the files that jobs will make; their present content is ignored.

    If not `thorough`, only folders are counted, because what reads tables and makes recordings is slow to import.
    Recordings are opened only if long ones are split: the clips that `prepare` will make of them are counted.
    """

    def __init__(self, graph: Graph, made: Collection[str], thorough: bool = True):
        self._graph = graph
        self._made = made
        self._thorough = thorough
        self.origins: dict[str, set[tuple[str, str]]] = defaultdict(set)  # how: (dataset, machine)

    @cache  # noqa: B019 (one plan per process)
    def of(self, view: str, dataset: str, machine: str) -> Counter[str]:
        """Return how many clips of each kind one view of a machine has."""
        table = paths.audio(view, dataset, machine)
        if self._thorough and self._stays(table):
            self._note("counted in tables", view, dataset, machine)
            return in_table(Path(table))
        if view.startswith("augmented/"):
            return Counter(train=self._augmented(view.removeprefix("augmented/"), dataset, machine))
        return self.of(RAW, dataset, machine) if view != RAW else self._recorded(dataset, machine)

    def sections(self, dataset: str, machine: str) -> tuple[str, ...]:
        """Return the sections of a machine."""
        return self._graph.all_datasets[dataset].machines[machine]

    @property
    def summary(self) -> str:
        """A phrase that says how the clips of the machines were counted."""
        return "; ".join(f"{_number(machines)} {how}" for how, machines in sorted(self.origins.items()))

    @property
    def guessed(self) -> bool:
        """Return whether it is unknown for some machines if their supplements are clean or noise clips."""
        return bool(self.origins.keys() & {DECLARED, GUESSED})

    def _stays(self, path: str) -> bool:
        return path not in self._made and Path(path).exists()

    def _note(self, how: str, view: str, dataset: str, machine: str) -> None:
        if view == RAW:
            self.origins[how].add((dataset, machine))

    def _augmented(self, key: str, dataset: str, machine: str) -> int:
        """Return how many clips an augmentation makes at most; some make none for machines without a separator."""
        settings = self._graph.recipe("augmentations", key).settings
        return settings.get("count") or settings.get("per_clip", 1) * self.of(RAW, dataset, machine)["train"]

    def _recorded(self, name: str, machine: str) -> Counter[str]:
        dataset = self._graph.all_datasets[name]
        sections = dataset.machines[machine]
        if self._stays(str(dataset.recordings(machine))):
            self._note("counted in folders", RAW, name, machine)
            return in_folder(dataset, machine, sections, typed(ClipFormat, self._graph.config["prepare"]))
        if self._thorough and not dataset.clips and (made := _made_by_source(dataset.source, machine)):
            self._note("as their source makes them", RAW, name, machine)
            return made
        self._note(DECLARED if dataset.clips else GUESSED, RAW, name, machine)
        return declared(dataset.clips or ASSUMED, len(sections), dataset.supplements.get(machine, "clean"))


def in_table(path: Path) -> Counter[str]:
    """Count the rows of a clip table; one that was not made because a training was refused has none."""
    from asdlib.data.tables import ClipTable

    try:
        return Counter(ClipTable(path).clips().column("kind").to_pylist())
    except TooFewClipsError:
        return Counter()


def in_folder(dataset: Dataset, machine: str, sections: Collection[str], wanted: ClipFormat) -> Counter[str]:
    """Count the clips that `prepare` will make of a machine's recordings of some sections."""
    if machine in dataset.own:
        clips = dataset.own[machine].clips
    else:
        files = map(Path, machine_files(dataset.recordings(machine)).recordings.values())
        clips = parse_all(files, machine, not dataset.official, dataset.supplements.get(machine))
    found: Counter[str] = Counter()
    for clip in clips:
        if clip.section in sections:
            found[clip.kind] += _pieces(clip.path, wanted) if wanted.longer == SPLIT else 1
    return found


def _pieces(path: Path, wanted: ClipFormat) -> int:
    """Return how many clips are made of a recording, as its header says; 1 if it cannot be read: `prepare` says why."""
    from asdlib.data.recordings import opened  # slow to import, and not needed for recordings that are not split

    try:
        with opened(path) as file:
            return wanted.pieces(prepared_samples(file.frames, file.samplerate, wanted))
    except AsdError:
        return 1


def declared(clips: dict[str, int], sections: int, supplements: str) -> Counter[str]:
    """Return a dataset's declared counts for a number of sections.

    Whether supplements are clean sound or noise is usually known only from the recordings; clean sound costs more, so
    it is assumed unless the dataset's block states the kind.
    """
    counts = {"train": clips["train"], "test": clips["test"], supplements: clips.get("supplemental", 0)}
    return Counter({kind: sections * count for kind, count in counts.items()})


def _number(machines: set[tuple[str, str]]) -> str:
    datasets = sorted({dataset for dataset, _ in machines})
    named = ", ".join(datasets) if len(datasets) < 4 else f"{len(datasets)} datasets"
    return f"{len(machines)} machine{'s' if len(machines) > 1 else ''} of {named}"


def _made_by_source(source: dict | None, machine: str) -> Counter[str] | None:
    """Return what a source that makes recordings will make; None for one that fetches them."""
    from asdlib.data.configured_source import source_of  # slow to import, and not needed for declared counts

    if source is None:
        return None
    made = source_of(source)
    return made.count(machine) if hasattr(made, "count") else None
