"""Pictures of where in time and frequency a test clip is louder or quieter than the training clips nearest to it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from asdlib.data.tables import ClipTable
from asdlib.report.cells import place
from asdlib.report.images import Picture, heat
from asdlib.report.levels import Levels, difference, in_units_of, levels_of, mel_edges, training_levels
from asdlib.report.nearest import Neighbours, neighbours
from asdlib.report.settings import ShownMachine
from asdlib.report.sounds import Waves, scaled
from asdlib.workflow.words import RAW

DARKEST, BRIGHTEST = 3, 12  # times the usual difference: up to which a map is black, and where it is brightest
SHORT = 0.5  # of the usual length: a shorter clip has no bars, because means of few frames vary more by chance
NO_MAP = "there is no map, because it or the training clips are shorter than 64 ms"
NO_BARS = "there are no bars, because it is shorter than half the length of the training clips"
LISTS = ("pictures", "parts", "furthest", "nearest", "lacks")  # what there may be for each clip
Row = dict[str, Any]
ByFile = dict[str, Levels]


def distance_maps(sections: list[Row], waves: Mapping[str, Waves], settings: ShownMachine) -> list[list[Row]]:
    """Return for each section and embedding how its test clips differ from their nearest training clips.

    `sections` have the name of the section and what `explored` returned of it. The lists of a row have one value for
    each test clip; those whose sounds are not given have None. `lacks` says why a clip has no map or no bars.
    Embeddings of models that have maps of errors, and those that only refused variants use, are left out.
    """
    compared = [list(_compared(one, waves, settings)) for one in sections]
    trained = _trained(compared, settings)  # of all sections, as one table has them
    table = ClipTable(Path(settings.audio))
    rate, (length,) = table.recipe["sample_rate"], table.tensors["audio"]
    tested = {
        view: {name: levels_of(scaled(own.get(view, own[RAW])), rate, length) for name, own in waves.items()}
        for view in trained
    }
    return [
        [
            facts | _lists(one["explored"]["clips"], facts, near, tested[facts["view"]], trained[facts["view"]])
            for facts, near in own
        ]
        for one, own in zip(sections, compared, strict=True)
    ]


def _compared(one: Row, waves: Mapping[str, Waves], settings: ShownMachine) -> Iterator[tuple[Row, Neighbours]]:
    """Yield the facts of each embedding of a section, and the neighbours of the clips whose sounds are given.

    The view is the one that the model reads, or the recording if that one is not at hand.
    """
    scored = {variant["variant"] for variant in one["explored"]["variants"]}
    for block in settings.compared:
        variants = [variant for variant in block.variants if variant in scored]
        if variants:
            near = neighbours(Path(block.path), block.representation, one["section"], settings.points, waves)
            view = block.view if block.view in settings.views else RAW
            facts = {"name": block.name, "view": view, "variants": variants, "neighbours": near.count}
            yield facts | {"flaw": near.flaw, "darkest": DARKEST, "brightest": BRIGHTEST}, near


def _trained(compared: list[list[tuple[Row, Neighbours]]], settings: ShownMachine) -> dict[str, ByFile]:
    """Return the levels of all training clips that are needed, by view."""
    wanted: dict[str, set[str]] = {}
    for own in compared:
        for facts, near in own:
            wanted.setdefault(facts["view"], set()).update(near.training)
    return {view: training_levels(Path(settings.views[view]), files) if files else {} for view, files in wanted.items()}


def _lists(clips: list[Row], facts: Row, near: Neighbours, tested: Mapping[str, Levels | None], trained: ByFile) -> Row:
    """Return what there is for each test clip: lists of one value, or None, for each."""
    usual = _usual(near, trained)
    found = {
        name: _of_clip(_apart(tested[name], files, trained), usual, facts["name"]) | {"nearest": _file_name(files[0])}
        for name, files in near.of_test.items()
    }
    return {key: [found.get(clip["clip"], {}).get(key) for clip in clips] for key in LISTS}


def _usual(near: Neighbours, trained: ByFile) -> list[Levels]:
    """Return how the sample of training clips differs from its own neighbours."""
    found = []
    for file, files in near.of_training.items():
        apart = _apart(trained.get(file), files, trained)
        if apart:
            found.append(apart)
    return found


def _of_clip(apart: Levels | None, usual: list[Levels], name: str) -> Row:
    """Return the map and the parts of the frequencies of a clip, and the words for its largest part."""
    if not (apart and usual):
        return {"lacks": NO_MAP}
    times = in_units_of(apart, usual)
    drawn = {"pictures": _drawn(times, name)}
    if apart.seconds < SHORT * np.mean([one.seconds for one in usual]):
        return drawn | {"lacks": NO_BARS}
    parts = times.parts.round(1)
    return drawn | {"parts": parts.tolist(), "furthest": _furthest(parts, apart.rate)}


def _furthest(parts: np.ndarray, rate: int) -> str:
    """Return which part differs most, as text."""
    most = np.abs(parts).argmax()
    low, high = mel_edges(rate)[most : most + 2]
    return f"{_direction(parts[most])} by {abs(parts[most]):.1f} between {low:.0f} and {high:.0f} Hz"


def _direction(value: float) -> str:
    return "louder" if value > 0 else "quieter"


def _file_name(file: str) -> str:
    return file.rpartition("/")[2]


def _apart(clip: Levels | None, files: list[str], trained: ByFile) -> Levels | None:
    """Return how a clip differs from training clips, or None if it, or all of them, are too short."""
    others = [trained[file] for file in files if file in trained]
    return difference(clip, others) if clip and others else None


def _drawn(apart: Levels, name: str) -> Picture:
    """Return the picture of how far a clip is from others; its text names the largest difference."""
    far = np.abs(apart.cells)
    row, column = np.unravel_index(far.argmax(), far.shape)
    where = place(row, column, far.shape[1], apart.seconds, apart.rate)
    direction = _direction(apart.cells[row, column])
    alt = (
        f"Difference in level from the nearest training clips by {name} over time and frequency, with the axes of the "
        f"spectrogram: largest near {where}, {direction} by {far.max():.1f} times the usual difference."
    )
    return heat(((far - DARKEST) / (BRIGHTEST - DARKEST)).clip(0, 1), alt, "magma")
