"""System 4's recipes follow the report's phases."""

from pathlib import Path

from asdlib.workflow.recipes import Recipes
from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = read_yaml(ROOT / "config" / "checkpoints.yaml")["checkpoints"]


def model(name: str) -> dict:
    return Recipes(ROOT / "config" / "systems", checkpoints=PUBLIC).resolve("models", name, 0).settings


def test_phase_1_trains_both_networks_and_phase_2_their_adapters() -> None:
    """§2.3.2: "frozen backbone weights trained from phase I"; §2.2: BEATs' phases are "similar" to AudioMAE's."""
    for name in ("audiomae_phase1", "beats_phase1"):
        assert (model(name)["frozen"], model(name)["lora_rank"]) == (False, 0)
    for name in ("audiomae_phase2", "beats_phase2"):
        assert (model(name)["frozen"], model(name)["lora_rank"]) == (True, 8)


def test_all_years_are_learned_first_and_2025_alone_second() -> None:
    for name in ("audiomae_adapted", "audiomae_phase1", "beats_phase1"):
        assert len(model(name)["corpus"]) == 12
    for name in ("audiomae_phase2", "beats_phase2", "fusion_attention", "fusion_mean"):
        assert model(name)["corpus"] == ["dcase2025_dev", "dcase2025_eval"]


def test_phase_2_may_learn_from_separated_clips() -> None:
    """§2.1: "identical data preprocessing pipelines" of both phases."""
    for name in ("audiomae_phase2", "beats_phase2", "fusion_attention", "fusion_mean"):
        assert list(model(name)["views"]) == ["raw"]
        changed = {"models": {name: {"views": ["separated/tfgridnet"]}}}
        recipes = Recipes(ROOT / "config" / "systems", changed, checkpoints=PUBLIC)
        (view,) = recipes.resolve("models", name, 0).settings["views"]
        assert view.startswith("separated/tfgridnet")


def test_noise_is_that_of_2025_and_never_estimated() -> None:
    (settings,) = model("beats_phase1")["views"].values()
    assert settings["noise_from"] == ["dcase2025_dev", "dcase2025_eval"]
    assert settings["estimate"] is False
