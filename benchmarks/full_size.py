"""Recipes of config/systems for the benchmarks."""

from pathlib import Path
from typing import Any

import yaml

from asdlib.workflow.recipes import Recipes

CONFIG = Path(__file__).resolve().parents[1] / "config"


def resolved(registry: str, name: str, override: Path | None) -> dict[str, Any]:
    """Return the resolved settings of a recipe; `override` is a YAML file with a block of that name."""
    changes = yaml.safe_load(override.read_text(encoding="utf-8"))["override"] if override else {}
    public = yaml.safe_load((CONFIG / "checkpoints.yaml").read_text(encoding="utf-8"))["checkpoints"]
    return Recipes(CONFIG / "systems", changes, public).resolve(registry, name, seed=0).settings
