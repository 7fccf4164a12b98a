"""Checkpoints: the same content gives the same bytes, and no wrong byte is read as another weight."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from asdlib.errors import AsdError
from asdlib.weights.checkpoints import Checkpoint, load, save
from asdlib.weights.parameter_counts import count_parameters

REFUSED = r"^[^\n]*model\.safetensors: (is|has)[^\n]*: delete it and run again$"
CHECKPOINT = Checkpoint(
    {"kind": "toy", "seed": 1},
    {
        "weight": torch.arange(12.0).reshape(3, 4),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "steps": torch.tensor(5),
        "empty": torch.zeros(0),
    },
    {"mse": torch.ones(2)},
    {"classes": ["a", "b"]},
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save(tmp_path / "model.safetensors", CHECKPOINT)
    return tmp_path / "model.safetensors"


def test_a_round_trip(model: Path) -> None:
    read = load(model)
    assert (read.recipe, read.facts) == (CHECKPOINT.recipe, CHECKPOINT.facts)
    for found, given in ((read.weights, CHECKPOINT.weights), (read.calibration, CHECKPOINT.calibration)):
        assert found.keys() == given.keys()
        for name, tensor in given.items():
            torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)
    assert count_parameters(model) == 15


def test_momentum_is_no_parameter(model: Path) -> None:
    weights = {name: torch.ones(6) for name in ("head.0.weight", "head.velocity_0_weight", "velocity_0_bias")}
    save(model, Checkpoint({}, weights))
    assert count_parameters(model) == 6


def test_the_same_content_gives_the_same_bytes(model: Path) -> None:
    first = model.read_bytes()
    save(model, CHECKPOINT)
    assert model.read_bytes() == first


def test_a_checkpoint_without_weights(model: Path) -> None:
    """As of a separator with nothing to train on."""
    save(model, Checkpoint({}, {}, facts={"identity": "no noise"}))
    assert load(model).weights == {}


@pytest.mark.parametrize("bits", [0x01, 0x80])
@pytest.mark.parametrize("read", [load, count_parameters])
def test_no_wrong_byte_is_read(model: Path, read, bits: int) -> None:
    """The format has no checksum: every error in a tensor was silent."""
    data = model.read_bytes()
    for index in range(0, len(data), 3):
        model.write_bytes(data[:index] + bytes([data[index] ^ bits]) + data[index + 1 :])
        with pytest.raises(AsdError, match=REFUSED):
            read(model)


def test_a_file_without_a_digest_is_refused(model: Path) -> None:
    save_file(CHECKPOINT.weights, model, metadata={"asdlib": '{"facts": {}, "recipe": {}}'})
    with pytest.raises(AsdError, match=r"has no digest .*an earlier version wrote it.*: delete it and run again$"):
        load(model)


def test_an_exchanged_recipe_is_refused(model: Path) -> None:
    data = model.read_bytes()
    changed = data.replace(b'seed\\": 1', b'seed\\": 2')
    assert changed != data
    model.write_bytes(changed)
    with pytest.raises(AsdError, match="does not match its digest"):
        load(model)
