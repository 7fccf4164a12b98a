"""The names and shapes of EAT's published checkpoints, in both layouts, are those of our default model."""

import csv
from pathlib import Path

import pytest
import torch
from helpers.golden import golden

from asdlib.models.eat import Eat
from asdlib.weights.published.eat import read_eat

POSITIONS = "modality_encoders.IMAGE.fixed_positional_encoder.positions"


def published_keys(name: str) -> dict[str, tuple[int, ...]]:
    with (golden("keys") / name).open() as handle:
        return {row["name"]: tuple(map(int, row["shape"].split("x"))) for row in csv.DictReader(handle)}


@pytest.fixture(scope="module")
def base() -> dict[str, tuple[int, ...]]:
    """Return names and shapes of our EAT-base, with positions as long as the published table."""
    with torch.device("meta"):
        model = Eat()
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    longest = published_keys("eat_base.csv")[POSITIONS]
    return {name: longest if name.endswith(".positions") else shape for name, shape in shapes.items()}


def tensors(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Return tensors of the given shapes that take up no space, in memory or in a file."""
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


def test_every_key_of_the_fairseq_file_is_ours(tmp_path: Path, base: dict[str, tuple[int, ...]]) -> None:
    keys = published_keys("eat_base.csv")
    teacher = {name.removeprefix("_ema."): shape for name, shape in keys.items() if name.startswith("_ema.")}
    student = {name: shape for name, shape in keys.items() if not name.startswith("_ema.")}
    torch.save({"model": {**tensors(student), "_ema": tensors(teacher)}}, tmp_path / "base.pt")
    read = read_eat(tmp_path / "base.pt")
    assert len(read) == len(keys)
    assert {name: tuple(tensor.shape) for name, tensor in read.items()} == base


def test_every_key_of_the_hub_s_file_is_ours(tmp_path: Path, base: dict[str, tuple[int, ...]]) -> None:
    keys = published_keys("eat_base_hf.csv")
    torch.save(tensors(keys), tmp_path / "hub.pt")
    read = read_eat(tmp_path / "hub.pt")
    encoder = {name: shape for name, shape in base.items() if name.startswith("encoder.")}
    assert len(read) == len(keys)
    assert {name: tuple(tensor.shape) for name, tensor in read.items()} == encoder
