"""The settings of the steps `illustrate` and `report`."""

from dataclasses import dataclass, replace
from typing import Any

from asdlib.workflow.paths import of_section
from asdlib.workflow.words import RAW

# In a pattern of files: the machine, the section, and what stands for the machine in the path of a model that each
# section of a machine may have.
MACHINE, SECTION, TRAINED = "{machine}", "{section}", "{trained}"
# Sampling rates (Hz) of MP3, which every browser plays; at 24 kbit/s it keeps noise up to 7 of 8 kHz. FLAC supports
# every rate but is ten times as large, or more.
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


@dataclass(frozen=True)
class ShownVariant:
    """A variant of a system: the pattern of its files of training scores, and {view: file of separated clips}."""

    variant: str
    training_scores: str
    separators: dict[str, str]

    def training_scores_of(self, section: str) -> str:
        """Return the file of training scores of a section."""
        return self.training_scores.replace(SECTION, section)


@dataclass(frozen=True)
class EmbeddingMap:
    """Embeddings to draw: file, representation that backends read (None: all), name, view, and variants that use it."""

    path: str
    representation: str | None
    name: str
    view: str
    variants: list[str]


@dataclass(frozen=True)
class ErrorMaps:
    """An autoencoder whose errors over time and frequency are drawn: its name, the view it reads, and its variants.

    `weights` is the pattern of its files. `embeddings` have the errors of the training clips.
    """

    name: str
    view: str
    weights: str
    embeddings: str
    variants: list[str]

    def weights_of(self, section: str) -> str:
        """Return the file of weights by which the clips of a section are embedded."""
        return self.weights.replace(SECTION, section)


@dataclass(frozen=True)
class Shown:
    """What is shown of a machine of a system.

    `points` training clips are on a map. The `clips` most and least anomalous clips of each variant have players, and
    so have `players` further ones, of the machine or of all machines together.
    """

    system: str
    dataset: str
    year: int | None  # of the challenge, which decides the official definition
    seed: int
    audio: str
    variants: list[ShownVariant]
    maps: list[EmbeddingMap]
    errors: list[ErrorMaps]
    clips: int
    players: int
    points: int


@dataclass(frozen=True)
class ShownMachine(Shown):
    """One machine, with the paths of its files; only in those of a section, the section is still to be named."""

    machine: str
    sections: list[str]

    @property
    def compared(self) -> list[EmbeddingMap]:
        """The embeddings of models without maps of errors, by which a clip is compared with its neighbours."""
        drawn = {one.embeddings for one in self.errors}
        return [one for one in self.maps if one.path not in drawn]

    @property
    def views(self) -> dict[str, str]:
        """The audio tables by view, as recorded and as separated for any variant; not all of them may exist."""
        return {RAW: self.audio} | {view: path for one in self.variants for view, path in one.separators.items()}

    @property
    def files(self) -> list[str]:
        """The files from which the machine's illustrations are drawn; some are repeated."""
        return [
            self.audio,
            *(one.path for one in self.maps),
            *(path for one in self.variants for path in one.separators.values()),
            *(one.training_scores_of(section) for one in self.variants for section in self.sections),
            *(one.weights_of(section) for one in self.errors for section in self.sections),
        ]


@dataclass(frozen=True)
class IllustrateSettings(Shown):
    """What is shown of the machines of a dataset, {machine: sections}: patterns of files instead of their paths.

    The settings of a job are one argument of a command, which is too short for the paths of a hundred machines.
    `players` are shared among the machines: the first ones have one more if it does not divide evenly.
    """

    machines: dict[str, list[str]]

    def of(self, machine: str) -> ShownMachine:
        """Return what is shown of one of the machines."""
        sections = self.machines[machine]
        players, rest = divmod(self.players, len(self.machines))
        trained = of_section(machine, SECTION) if len(sections) > 1 else machine

        def at(pattern: str) -> str:
            return pattern.replace(MACHINE, machine).replace(TRAINED, trained)

        def separated(variant: ShownVariant) -> dict[str, str]:
            return {view: at(pattern) for view, pattern in variant.separators.items()}

        own = {name: value for name, value in vars(self).items() if name != "machines"} | {
            "audio": at(self.audio),
            "players": players + (list(self.machines).index(machine) < rest),
            "variants": [
                replace(one, training_scores=at(one.training_scores), separators=separated(one))
                for one in self.variants
            ],
            "maps": [replace(one, path=at(one.path)) for one in self.maps],
            "errors": [replace(one, weights=at(one.weights), embeddings=at(one.embeddings)) for one in self.errors],
        }
        return ShownMachine(**own, machine=machine, sections=sections)


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
