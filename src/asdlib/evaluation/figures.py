"""The figures in all tables, by the names of their columns, and the official definitions that they follow.

A definition is named after the first year of the challenge to which it applies. Standard library only, because the
graph imports this module.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Area:
    """An area under the ROC curve, and the clips that it compares; None stands for the clips of both domains."""

    column: str
    partial: bool = False  # only false positive rates up to 0.1
    normal: str | None = None  # domain of the normal clips
    anomalous: str | None = None  # domain of the anomalies


@dataclass(frozen=True)
class Definition:
    """The official metric of some years: areas of each section, and the mean that makes one score of them.

    `others` are areas that are no part of the score; they need no domains.
    """

    name: str
    areas: tuple[Area, ...]
    score: str  # hmean (harmonic) or amean (arithmetic)
    others: tuple[Area, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the areas."""
        return tuple(area.column for area in self.areas)

    @property
    def figures(self) -> tuple[str, ...]:
        """The columns of the areas and of the score."""
        return (*self.columns, self.score)

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns of the areas, of the score, and of the other areas."""
        return (*self.figures, *(area.column for area in self.others))


DOMAINS = ("source", "target")
ALL_CLIPS = (Area("auc"), Area("pauc", partial=True))
SINCE_2022 = Definition(
    "2022",
    (*(Area(f"auc_{domain}", normal=domain) for domain in DOMAINS), ALL_CLIPS[1]),
    "hmean",
    ALL_CLIPS[:1],
)
OF_2021 = Definition(  # each domain by itself
    "2021",
    (
        *(Area(f"auc_{domain}", normal=domain, anomalous=domain) for domain in DOMAINS),
        *(Area(f"pauc_{domain}", partial=True, normal=domain, anomalous=domain) for domain in DOMAINS),
    ),
    "hmean",
    ALL_CLIPS,
)
OF_2020 = Definition("2020", ALL_CLIPS, "amean")  # no domains
DEFINITIONS = {one.name: one for one in (OF_2020, OF_2021, SINCE_2022)}

AREAS = SINCE_2022.columns
FIGURES = SINCE_2022.figures
ALL_FIGURES = tuple(dict.fromkeys(name for one in reversed(DEFINITIONS.values()) for name in one.shown))
MEAN_OF = "mean_of"  # the column with the areas that the score is the mean of
DECISION_FIGURES = ("false_alarms", "recall", "precision", "f1")  # of the decisions on labelled clips
BOUNDS = ("low", "high")  # of the 95 % interval: the columns auc_source_low, auc_source_high, …
TITLES = {
    "auc_source": "AUC source",
    "auc_target": "AUC target",
    "auc": "AUC",
    "pauc": "pAUC",
    "pauc_source": "pAUC source",
    "pauc_target": "pAUC target",
    "hmean": "h-mean",
    "amean": "a-mean",
    "false_alarms": "false alarms",
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
}


def definition_of(year: int | None) -> Definition:
    """Return the official definition of a year; recordings without a year are scored as those of 2022 and later."""
    if year is None or year >= 2022:
        return SINCE_2022
    return OF_2021 if year == 2021 else OF_2020
