"""Tests of reading BEATs' public files: the settings, the repeated table and the classifier."""

from pathlib import Path

import pytest
import torch
from helpers.refusals import refused
from helpers.system4_models import published_beats

from asdlib.layers.encoders.beats import Beats
from asdlib.weights.published.beats import read_beats

TABLE = "encoder.layers.1.self_attn.relative_attention_bias.weight"


@pytest.fixture
def encoder() -> Beats:
    torch.manual_seed(0)
    return Beats(width=16, depth=2, heads=2, patch_width=8)


def altered(path: Path, part: str, **values: object) -> Path:
    content = torch.load(path, weights_only=True)
    content[part] |= values
    torch.save(content, path)
    return path


def test_the_encoder_is_read_under_its_own_names(encoder: Beats, tmp_path: Path) -> None:
    weights = read_beats(published_beats(tmp_path / "a.pt", encoder))
    encoder.load_state_dict(weights, strict=True)
    assert TABLE not in weights


@pytest.mark.parametrize(("key", "value"), [("max_distance", 1280), ("deep_norm", False), ("layer_norm_first", True)])
def test_the_settings_of_another_network_are_refused(key: str, value: object, encoder: Beats, tmp_path: Path) -> None:
    path = altered(published_beats(tmp_path / "a.pt", encoder), "cfg", **{key: value})
    refused(
        lambda: read_beats(path), rf".*a\.pt: its cfg says {key}: {value}, not .*: use a published BEATs checkpoint"
    )


def test_tables_that_differ_are_refused(encoder: Beats, tmp_path: Path) -> None:
    path = altered(published_beats(tmp_path / "a.pt", encoder), "model", **{TABLE: torch.zeros(320, 2)})
    refused(lambda: read_beats(path), rf".*a\.pt: {TABLE} differs from that of layer 0: .*")


@pytest.mark.parametrize("content", [{"model": {}}, {"weights": torch.zeros(1)}])
def test_another_file_is_refused(content: dict, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pt")
    refused(lambda: read_beats(tmp_path / "a.pt"), r".*a\.pt: contains no `cfg` and `model`: .*")
