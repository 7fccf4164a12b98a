"""Variants of a system, and their branches."""

from dataclasses import dataclass

from asdlib.workflow.recipe import Recipe, Settings
from asdlib.workflow.words import RAW


@dataclass(frozen=True)
class Branch:
    """A model, a backend, and the views of the test clips that the model embeds."""

    model: Recipe
    backend: Recipe
    views: tuple[str, ...]

    @property
    def recipe(self) -> str:
        """The keys of the branch: `<model> (from scratch) (<views>) > <backend>`; the view `raw` alone is omitted."""
        begun = " (from scratch)" if self.model.from_scratch else ""
        read = "" if self.views == (RAW,) else f" ({', '.join(self.views)})"
        return f"{self.model.key}{begun}{read} > {self.backend.key}"


@dataclass(frozen=True)
class Variant:
    """A variant of a system for one seed: its branches, and the fusion of their scores."""

    system: str
    name: str
    seed: int
    branches: tuple[Branch, ...]
    fusion: str
    decision: Settings

    @property
    def recipe(self) -> str:
        """The keys of all branches, joined by ` + `: the column `recipe` of `scores.csv`."""
        return " + ".join(branch.recipe for branch in self.branches)

    @property
    def views(self) -> list[str]:
        """The views of all branches, in the order of the branches."""
        return [view for branch in self.branches for view in branch.views]
