"""The settings of the steps `illustrate` and `report`."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ShownVariant:
    """A variant of a system.

    `training_scores` are {section: file of training scores}, `separators` {view: file of separated clips}.
    """

    variant: str
    training_scores: dict[str, str]
    separators: dict[str, str]


@dataclass(frozen=True)
class EmbeddingMap:
    """Embeddings to draw: file, representation that backends read (None: all), name, and the variants that use it."""

    path: str
    representation: str | None
    name: str
    variants: list[str]


@dataclass(frozen=True)
class ErrorMaps:
    """An autoencoder whose errors over time and frequency are drawn: its name, the view it reads, and its variants.

    `weights` are {section: file}. `embeddings` have the errors of the training clips.
    """

    name: str
    view: str
    weights: dict[str, str]
    embeddings: str
    variants: list[str]


@dataclass(frozen=True)
class IllustrateSettings:
    """What is shown of a machine.

    `points` training clips are on a map. The `clips` most and least anomalous clips of each variant have players, and
    so have `players` further ones of the machine.
    """

    system: str
    dataset: str
    machine: str
    year: int | None  # of the challenge, which decides the official definition
    seed: int
    sections: list[str]
    audio: str
    variants: list[ShownVariant]
    maps: list[EmbeddingMap]
    errors: list[ErrorMaps]
    clips: int
    players: int
    points: int


@dataclass(frozen=True)
class ShownSystem:
    """A system on the page.

    `variants` are the names of all its variants. `separators` are keys; `models` are {key: folders of its trainings,
    below that of the key; nothing for the scope `machine`}; `early_stop` are the keys whose training keeps the weights
    of its best epoch.
    """

    name: str
    title: str
    report: str | None
    variants: list[str]
    separators: list[str]
    models: dict[str, list[str]]
    early_stop: list[str]


@dataclass(frozen=True)
class ReportSettings:
    """What the page shows in addition to the content of its input files.

    `datasets` are {dataset: machines}, `recipes` {registry: {key: the systems that use it}}, and `recorded` the
    datasets whose jobs count as costs.
    """

    systems: list[ShownSystem]
    datasets: dict[str, list[str]]
    recipes: dict[str, dict[str, list[str]]]
    recorded: list[str]
    config: dict[str, Any]
