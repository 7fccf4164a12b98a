"""The settings of the step `submission`: the variants of a package, their files, and what is known about them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Development:
    """The dataset whose figures the meta files contain."""

    dataset: str
    machines: list[str]


@dataclass(frozen=True)
class SubmittedSystem:
    """One variant of a package.

    `scores` is the folder of its score files, `networks` are {machine: the weights of all networks that process one of
    its clips, and the embeddings of frozen models}, `meta` are the fields of the meta file from the config. `figures`
    are the variant's rows of scores.csv on the development set, `evaluated` those on the submitted dataset.
    """

    label: str
    scores: str
    title: str
    branches: int
    networks: dict[str, list[str]]
    meta: dict[str, Any]
    figures: list[dict[str, Any]]
    evaluated: list[dict[str, Any]]

    @property
    def ensemble(self) -> int | None:
        """The number of models whose scores are averaged; None for a single one."""
        return self.branches if self.branches > 1 else None


@dataclass(frozen=True)
class SubmissionSettings:
    """One package. `clips` are the files of prepared clips, `declared_clips` their published number per section."""

    label: str
    authors: list[dict[str, Any]]
    clips: list[str]
    declared_clips: int | None
    sample_rate: int
    report: str | None
    development: Development
    systems: list[SubmittedSystem]
