"""Tests of reading AudioMAE's public files: the autoencoder, the fine-tuned encoder and the hub's port."""

from pathlib import Path

import pytest
import torch
from helpers.refusals import refused
from helpers.system4_models import published_audiomae

from asdlib.weights.published.audiomae import read_audiomae

ENCODER = {"cls_token": torch.ones(1, 1, 4), "blocks.0.norm1.weight": torch.ones(4)}
DECODER = {"mask_token": torch.ones(1, 1, 2), "decoder_pred.bias": torch.ones(2)}


def test_an_autoencoder_beside_its_trainings_state(tmp_path: Path) -> None:
    read = read_audiomae(published_audiomae(tmp_path / "a.pth", ENCODER | DECODER))
    assert read.keys() == (ENCODER | DECODER).keys()


def test_a_fine_tuned_encoder_without_its_classifier(tmp_path: Path) -> None:
    tuned = {"fc_norm.weight": torch.ones(4), "head.weight": torch.ones(3, 4), "head.bias": torch.ones(3)}
    read = read_audiomae(published_audiomae(tmp_path / "a.pth", ENCODER | tuned))
    assert read.keys() == ENCODER.keys() | {"fc_norm.weight"}


def test_a_port_is_a_plain_dictionary(tmp_path: Path) -> None:
    torch.save(ENCODER, tmp_path / "pytorch_model.bin")
    assert read_audiomae(tmp_path / "pytorch_model.bin").keys() == ENCODER.keys()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({**ENCODER, "other.weight": torch.ones(1)}, r"other\.weight is unknown"),
        ({"blocks.0.norm1.weight": torch.ones(4)}, "cls_token is missing"),
        ({"model": torch.ones(1)}, "its `model` is not a dictionary of weights"),
    ],
)
def test_another_file_is_refused(content: dict, complaint: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pth")
    refused(lambda: read_audiomae(tmp_path / "a.pth"), rf".*a\.pth: {complaint}: use a published AudioMAE checkpoint")
