"""Toy sizes of every recipe of config/systems: those of tests/end_to_end/toy_sizes, or a training cut short.

Systems share recipes and therefore toy sizes: every run applies the sizes from all files.
"""

from typing import Any

from helpers.checkout import ROOT
from helpers.registry_toys import all_recipes

from asdlib.workflow.yaml_files import read_yaml

FOLDER = ROOT / "tests" / "end_to_end" / "toy_sizes"
PAIRS = {"segment": 0.5, "per_epoch": 4, "validation_mixtures": 2}


def toy_sizes(corpus: list[str]) -> dict[str, Any]:
    """Return the config's block `override`; `corpus` are the toy datasets of joint models that name theirs."""
    sizes: dict[str, Any] = {registry: {} for registry in ("separators", "models")}
    for path in sorted(FOLDER.glob("*.yaml")):
        for registry, recipes in read_yaml(path)["override"].items():
            sizes.setdefault(registry, {}).update(recipes)
    for name, block in all_recipes("separators").items():
        sizes["separators"].setdefault(name, {"pairs": PAIRS, "training": _short(block["training"])})
    for name, block in all_recipes("models").items():
        sizes["models"].setdefault(name, small_model(block, corpus))
    return sizes


def small_model(block: dict[str, Any], corpus: list[str]) -> dict[str, Any]:
    """Cut a model's training, and let it start from nothing instead of public weights, which a test cannot fetch."""
    changes: dict[str, Any] = {"training": _short(block["training"])} if "training" in block else {}
    if block.get("checkpoint"):
        changes["checkpoint"] = None
    if block.get("corpus"):
        changes["corpus"] = corpus
    return changes


def _short(training: dict[str, Any]) -> dict[str, Any]:
    """Cut a training to one epoch of small batches."""
    limits = {"epochs": 1, "batch_size": 8, "steps_per_epoch": 2, "warmup_epochs": 1, "devices": 1}
    return {name: min(training[name], limit) for name, limit in limits.items() if training.get(name)}
