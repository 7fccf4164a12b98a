"""System 5: what its variants share, and that its parts match."""

import re
from pathlib import Path

import pytest
import yaml

from asdlib.workflow.config import read_config
from asdlib.workflow.recipes import Recipes
from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]


def test_one_training_serves_both_backends_and_models_are_joint() -> None:
    density, topics, acae = Recipes(ROOT / "config" / "systems").variants("system5", seed=0)
    assert [density.name, topics.name, acae.name] == ["cnn_ds", "cnn_dtmm", "acae"]
    assert density.branches[0].model == topics.branches[0].model
    assert density.branches[0].model.settings["scope"] == acae.branches[0].model.settings["scope"] == "all"


def test_the_network_may_learn_from_the_machines_of_both_sets() -> None:
    """As the public code of [5] does; docs/system5.md, Training."""
    page = (ROOT / "docs" / "system5.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n# both_sets.yaml\n(.*?)```", page, re.DOTALL)
    recipes = Recipes(ROOT / "config" / "systems", yaml.safe_load(block)["override"])
    models = [variant.branches[0].model for variant in recipes.variants("system5", seed=0)]
    assert [model.corpus for model in models] == [["dcase2025_dev", "dcase2025_eval"]] * 2 + [[]]


def test_defaults_are_the_readings_that_docs_justify() -> None:
    recipes = Recipes(ROOT / "config" / "systems")
    topics = recipes.resolve("backends", "topic_mixture", 0).settings
    assert (topics["divergence"], topics["responsibilities"]) == ("components", "student_t")
    assert topics["smallest_weight"] == 0.005
    assert recipes.resolve("models", "acae", 0).settings["labels"] == "machine"
    assert recipes.resolve("models", "dual_branch_cnn", 0).settings["kernel_penalty"] == 0


def test_model_and_frontend_use_the_same_stft() -> None:
    model = Recipes(ROOT / "config" / "systems").resolve("models", "dual_branch_cnn", 0).settings
    for key in ("n_fft", "hop_length"):
        assert model[key] == model["frontend"][key]


@pytest.mark.parametrize("sizes", [None, "config/demo.yaml", "tests/end_to_end/toy_sizes/system5.yaml"])
def test_the_temperature_equals_the_number_of_components(sizes: str | None) -> None:
    recipes = Recipes(ROOT / "config" / "systems", sizes and read_yaml(ROOT / sizes)["override"])
    components = recipes.resolve("models", "dual_branch_cnn", 0).settings["density_components"]
    assert recipes.resolve("backends", "density_softmax", 0).settings["temperature"] == components


@pytest.mark.parametrize("sizes", [None, "config/demo.yaml"])
def test_the_network_reads_clips_of_the_prepared_length(sizes: str | None) -> None:
    config = read_config([ROOT / sizes] if sizes else [], [])
    settings = Recipes(ROOT / "config" / "systems", config["override"]).resolve("models", "dual_branch_cnn", 0).settings
    assert settings["samples"] == config["prepare"]["seconds"] * config["prepare"]["sample_rate"]
