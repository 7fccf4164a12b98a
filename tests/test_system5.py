"""System 5 as a whole: what its variants share, and that its page tells the reported figures and worked examples."""

import re
from pathlib import Path

import pytest

from asdlib.recipes import Recipes
from asdlib.reported import load_reported, recomputed_overall
from asdlib.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "system5.md").read_text()
VARIANTS = ("cnn_ds", "cnn_dtmm", "acae")
REPORTED = load_reported(ROOT / "resources" / "reported" / "system5.csv")


def rows(after: str) -> list[list[str]]:
    """Return the body of the first table behind a text of the page."""
    table = re.search(r"(?:^\|.*\n)+", PAGE.partition(after)[2], re.MULTILINE)[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.strip().splitlines()[2:]]


def test_one_training_serves_both_backends_and_models_are_joint() -> None:
    density, topics, acae = Recipes(ROOT / "config" / "systems").variants("system5", seed=0)
    assert (density.name, topics.name, acae.name) == VARIANTS
    assert density.branches[0].model == topics.branches[0].model
    assert density.branches[0].model.settings["scope"] == acae.branches[0].model.settings["scope"] == "all"


def test_model_and_frontend_speak_of_the_same_row() -> None:
    model = Recipes(ROOT / "config" / "systems").resolve("models", "dual_branch_cnn", 0).settings
    for key in ("n_fft", "hop_length"):
        assert model[key] == model["frontend"][key]


@pytest.mark.parametrize("sizes", [None, "config/demo.yaml", "tests/workflow/toy_sizes/system5.yaml"])
def test_the_softmax_is_as_warm_as_there_are_components(sizes: str | None) -> None:
    recipes = Recipes(ROOT / "config" / "systems", sizes and read_yaml(ROOT / sizes)["override"])
    components = recipes.resolve("models", "dual_branch_cnn", 0).settings["density_components"]
    assert recipes.resolve("backends", "density_softmax", 0).settings["temperature"] == components


def test_the_reported_table() -> None:
    machines = [machine for variant, _, machine in REPORTED if variant == "acae" and machine != "all"]
    table = rows("<!-- reported: dcase2025_dev -->")
    assert [row[0] for row in table] == machines
    for machine, *cells in table:
        found = [REPORTED[variant, "dcase2025_dev", machine] for variant in VARIANTS]
        assert cells == [f"{value:.2f}" for row in found for value in (row.auc_source, row.auc_target, row.pauc)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_official_scores(variant: str) -> None:
    assert f"{recomputed_overall(REPORTED, variant, 'dcase2025_dev').hmean:.2f}" in PAGE
