"""What recipes at full size were measured to cost (resources/costs.yaml)."""

from pathlib import Path
from typing import Any

from asdlib.workflow import yaml_files
from asdlib.workflow.recipe import Recipe

# Changes to a recipe that a cost is scaled by, or does not depend on; after any other it is another network.
SCALED = {"training", "pairs", "count", "per_clip", "snr", "corpus", "checkpoint", "init", "audio"}


class Costs:
    """The measured costs, and which recipes of the config they hold for."""

    def __init__(self, path: Path, override: dict[str, Any]):
        content = yaml_files.read_yaml(path)
        self.start: dict[str, float] = content["start"]  # CPU s of a job of a rule before its first useful work
        self.prepare: float = content["prepare"]  # CPU s a clip of 10 s
        self.checkpoints: dict[str, float] = content["checkpoints"]  # GB
        self._recipes: dict[str, Any] = content["recipes"]
        self._override = override

    def of(self, recipe: Recipe) -> dict[str, float] | None:
        """Return a recipe's costs; None if none are known, or if the config makes another network of it."""
        changed = self._override.get(recipe.registry, {}).get(recipe.name, {})
        return None if changed.keys() - SCALED else self._recipes[recipe.registry].get(recipe.name)
