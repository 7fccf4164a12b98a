"""System 2: what is held out of a training, and the terms of the second stage's loss."""

import pytest
from helpers.registry_toys import ROOT, all_recipes

from asdlib.separators.sepreformer import VARIANTS
from asdlib.workflow.yaml_files import read_yaml

MODELS = {name: block for name, block in all_recipes("models").items() if "training" in block}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_clip_is_watched_beside_its_own_copies(name: str) -> None:
    """Separated and synthetic clips are copies of the recordings, so a share of the clips is no held-out set."""
    training = MODELS[name]["training"]
    if training.get("validation") and set(MODELS[name].get("views", ["raw"])) != {"raw"}:
        assert training["validation_recordings"] > 0


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("eat_")])
def test_watching_takes_as_long_for_any_corpus(name: str) -> None:
    assert MODELS[name]["training"]["validation_recordings"] == 100


@pytest.mark.parametrize("name", ["eat_2025", "eat_all_years"])
def test_the_utterance_loss_is_summed_because_its_mean_over_256_masks_would_be_idle(name: str) -> None:
    recipe = MODELS[name]
    assert recipe["utterance_reduction"] == "sum"
    assert recipe["training"]["batch_size"] * recipe["clones"] == 256


def test_the_separator_of_the_demo_can_reproduce_what_it_hears() -> None:
    """It estimates waveforms without masking the mixture; with half a channel per sample it stayed below its input."""
    demo = read_yaml(ROOT / "config" / "demo.yaml")["override"]["separators"]["sepreformer"]
    assert demo["channels"] >= 16 * demo["stride"]  # 16 samples per ms
    assert all(size.channels >= 16 * size.stride for size in VARIANTS.values())
    assert demo["training"]["epochs"] * demo["pairs"]["per_epoch"] / 4 >= 200  # steps


@pytest.mark.parametrize("name", ["eat_2025", "eat_all_years"])
def test_the_second_stage_of_the_demo_lasts_until_both_losses_are_learned(name: str) -> None:
    training = read_yaml(ROOT / "config" / "demo.yaml")["override"]["models"][name]["training"]
    assert training["epochs"] * training["steps_per_epoch"] * training["learning_rate"] > 1  # 0.01 before
