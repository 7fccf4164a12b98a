"""The training clips that are nearest to a test clip in the embedding that a backend reads."""

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asdlib.report.maps import clips_and_values, flaw

NEAREST = 4  # training clips that a test clip is compared with, or fewer if there are fewer
SAMPLE = 30  # training clips that show how much a normal clip differs from its neighbours, evenly spaced


@dataclass(frozen=True)
class Neighbours:
    """The nearest training clips, the nearest first: of test clips and, for comparison, of some training clips.

    Test clips are file names, training clips are files as in the tables. `flaw` says why there are none.
    """

    of_test: dict[str, list[str]] = field(default_factory=dict)
    of_training: dict[str, list[str]] = field(default_factory=dict)
    flaw: str | None = None

    @property
    def count(self) -> int:
        """The number of training clips that each test clip is compared with."""
        return max(map(len, self.of_test.values()), default=0)

    @property
    def training(self) -> set[str]:
        """All training clips that are named."""
        return set(self.of_training).union(*self.of_training.values(), *self.of_test.values())


def neighbours(path: Path, representation: str | None, section: str, most: int, names: Container[str]) -> Neighbours:
    """Return the nearest of `most` training clips of a section for those of its test clips that are in `names`.

    The distance is Euclidean, of values that are standardised by the mean and deviation of these training clips.
    `representation` is the one that the backend uses; None concatenates all of them. A training clip is not its own
    neighbour.
    """
    clips, values = clips_and_values(path, representation, section, most)
    files = [clip["source_file"] for clip in clips if clip["kind"] == "train"]
    reason = flaw(values) or ("there are fewer than 2 training clips" if len(files) < 2 else None)
    if reason:
        return Neighbours(flaw=reason)
    count = len(files)
    mean, spread = values[:count].mean(axis=0), values[:count].std(axis=0)
    scaled = (values - mean) / np.where(spread > 0, spread, 1)

    def nearest(number: int) -> list[str]:
        distances = np.square(scaled[:count] - scaled[number]).sum(axis=1)
        order = [other for other in distances.argsort(kind="stable")[: NEAREST + 1] if other != number]
        return [files[other] for other in order[:NEAREST]]

    tests = {clip["source_file"].rpartition("/")[2]: count + row for row, clip in enumerate(clips[count:])}
    of_test = {name: nearest(number) for name, number in tests.items() if name in names}
    if not of_test:  # there is nothing to compare
        return Neighbours()
    sample = np.linspace(0, count - 1, min(SAMPLE, count)).round().astype(int)
    return Neighbours(of_test, {files[number]: nearest(number) for number in sample})
