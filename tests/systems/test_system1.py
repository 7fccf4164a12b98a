"""System 1: the sizes of its networks match those of the frontend."""

from pathlib import Path

import pytest

from asdlib.workflow.recipes import Recipes
from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["dismae_base", "dismae_tiny"])
def test_a_network_has_the_frontends_bands_and_room_for_a_clips_frames(name: str) -> None:
    model = Recipes(ROOT / "config" / "systems").resolve("models", name, 0).settings
    frontend, prepare = model["frontend"], read_yaml(ROOT / "config" / "config.yaml")["prepare"]
    assert model["bands"] == frontend["n_mels"]
    assert 1 + prepare["seconds"] * prepare["sample_rate"] // frontend["hop_length"] <= model["frames"]
