"""The settings of scoring one section of a machine with one variant."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BranchSettings:
    """A branch's backend, as its resolved recipe, and the number of views that it scores."""

    backend: dict[str, Any]
    views: int


@dataclass(frozen=True)
class Decision:
    """How the threshold is chosen where no backend defines it: a quantile of the fitted gamma distribution."""

    quantile: float


@dataclass(frozen=True)
class ScoreSettings:
    """A variant's branches, how their scores are joined (`mean`), the decision, and the section, such as "00"."""

    branches: list[BranchSettings]
    fusion: str
    decision: Decision
    section: str
