"""The settings of the step `score`: one section of a machine, one variant."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BranchSettings:
    """A branch's backend, as its resolved recipe, and the number of views that it scores."""

    backend: dict[str, Any]
    views: int


@dataclass(frozen=True)
class Decision:
    """The threshold: `published`, the backend's own if it defines one, or `fitted`, a quantile of left-out scores."""

    threshold: str
    quantile: float


@dataclass(frozen=True)
class ScoreSettings:
    """A variant's branches, how their scores are combined (a `Fusion`), the decision, and the section, such as "00"."""

    branches: list[BranchSettings]
    fusion: str
    decision: Decision
    section: str
