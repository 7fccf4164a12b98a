"""The measured costs of recipes at full size (resources/costs.yaml)."""

from pathlib import Path
from typing import Any, Literal

from asdlib.workflow import yaml_files
from asdlib.workflow.recipe import Recipe

# Settings to which a cost is proportional or on which it does not depend. Any other change gives another network.
SCALED = {"training", "pairs", "count", "per_clip", "snr", "corpus", "checkpoint", "init", "views", "noise_from"}


class Costs:
    """The measured costs, and the recipes of the config that they are valid for."""

    def __init__(self, path: Path, override: dict[str, Any]):
        content = yaml_files.read_yaml(path)
        self.start: dict[str, float] = content["start"]  # CPU s that a job of a rule needs to start
        self.prepare: float = content["prepare"]  # CPU s for each clip of 10 s
        self.checkpoints: dict[str, float] = content["checkpoints"]  # GB
        self._peaks: dict[str, float] = content["peaks"]  # TFLOP/s of a GPU
        self._recipes: dict[str, Any] = content["recipes"]
        self._override = override

    def of(self, recipe: Recipe) -> dict[str, Any] | None:
        """Return the costs of a recipe; None if they are unknown or if the config turns it into another network."""
        changed = self._override.get(recipe.registry, {}).get(recipe.name, {})
        return None if changed.keys() - SCALED else self._recipes[recipe.registry].get(recipe.name)

    def on_gpu(self, cost: dict[str, Any], work: Literal["train", "clip"]) -> float:
        """Return the GPU seconds of a unit of work: its operations divided by the rate that the recipe reaches."""
        number = ("train", "clip").index(work)
        return cost["gflop"][number] / (1000 * self._peaks[cost["peak"]] * cost["share"][number])
