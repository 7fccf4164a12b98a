"""Variants: the branches of models and backends that a system scores with."""

from dataclasses import dataclass

from asdlib.workflow.recipe import Recipe, Settings
from asdlib.workflow.words import RAW


@dataclass(frozen=True)
class Branch:
    """One model, one backend, and the views of a clip that the model reads at test time."""

    model: Recipe
    backend: Recipe
    views: tuple[str, ...]

    @property
    def recipe(self) -> str:
        """The keys that made it: model (from scratch) (views, unless they are the recordings alone) > backend."""
        begun = " (from scratch)" if self.model.from_scratch else ""
        read = "" if self.views == (RAW,) else f" ({', '.join(self.views)})"
        return f"{self.model.key}{begun}{read} > {self.backend.key}"


@dataclass(frozen=True)
class Variant:
    """One of a system's own variants under one seed: its branches and how their scores are joined."""

    system: str
    name: str
    seed: int
    branches: tuple[Branch, ...]
    fusion: str
    decision: Settings

    @property
    def recipe(self) -> str:
        """The keys that made it, as `scores.csv` states them: its branches, added up."""
        return " + ".join(branch.recipe for branch in self.branches)

    @property
    def views(self) -> list[str]:
        """The views that its branches read, branch by branch."""
        return [view for branch in self.branches for view in branch.views]
