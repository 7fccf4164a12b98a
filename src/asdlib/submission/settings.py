"""What the step `submission` is told: the variants of a package, their files, and what is known of them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Development:
    """The dataset whose figures the meta files state."""

    dataset: str
    machines: list[str]


@dataclass(frozen=True)
class SubmittedSystem:
    """One variant of a package.

    `scores` is the folder of its score files, `networks` are {machine: the weights that one of its clips passes
    through}, `meta` are the fields of the meta file that the config states. `figures` are the rows of the variant's own
    table on the development set, `evaluated` those on the submitted one.
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
        """The number of models that decide together; None for one alone."""
        return self.branches if self.branches > 1 else None


@dataclass(frozen=True)
class SubmissionSettings:
    """One package. `clips` are the prepared clips of every machine, `declared_clips` the published number a section."""

    label: str
    authors: list[dict[str, Any]]
    clips: list[str]
    declared_clips: int | None
    sample_rate: int
    report: str | None
    development: Development
    systems: list[SubmittedSystem]
