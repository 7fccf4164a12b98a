"""Recipes as config/systems has them, so that what is measured is what runs."""

from pathlib import Path
from typing import Any

import yaml

from asdlib.workflow.recipes import Recipes

CONFIG = Path(__file__).resolve().parents[1] / "config"


def resolved(section: str, name: str, override: Path | None) -> dict[str, Any]:
    """Return a recipe with all that it is built from; `override` is a YAML file with a block of that name."""
    changes = yaml.safe_load(override.read_text())["override"] if override else {}
    public = yaml.safe_load((CONFIG / "checkpoints.yaml").read_text())["checkpoints"]
    return Recipes(CONFIG / "systems", changes, public).resolve(section, name, seed=0).settings
