"""The steps with a conditional autoencoder: metadata of test clips are never used, and a crash changes no result."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from helpers.condition_clips import BANDS, condition_clips
from helpers.killed_trainings import killed_after

from asdlib.data.tables import ClipTable, writing
from asdlib.examples.clips import Clips
from asdlib.steps.embed import embed
from asdlib.steps.train_model import train_model
from asdlib.weights import checkpoints

FAN = {("fan", "1", "source"): 8, ("fan", "2", "source"): 8, ("fan", "3", "target"): 3}
SLIDER = {("slider", None, "source"): 8, ("slider", None, "target"): 3}
SETTINGS = {
    "name": "toy",
    "seed": 3,
    "scope": "machine",
    "training": {"epochs": 3, "batch_size": 16, "learning_rate": 0.002, "validation": 0.1},
}
CONV = {"kind": "conditional_autoencoder", "frames": 8, "hop": 4, "channels": [4, 6], "latent": 5}
DENSE = {"kind": "conditional_dense_autoencoder", "frames": 3, "hidden": 8}


def write(path: Path, machine: str, train: Clips, test: Clips) -> Path:
    notes = {"dataset": "toy", "machine": machine, "view_kind": "raw"}
    path.parent.mkdir(exist_ok=True)
    with writing(path, {}, notes, features=("float32", (24, BANDS))) as table:
        table.write(train.table, features=train.features.numpy())
        table.write(test.table, features=test.features.numpy())
    return path


def clips_to_score(attributes: dict[str, str], domain: str | None, label: str = "anomaly", name: str = "a") -> Clips:
    """Return test clips with the given metadata, on which their features do not depend."""
    clips = condition_clips(FAN, seed=5)
    count = len(clips.table)
    columns = {"kind": ["test"] * count, "split": ["test"] * count, "domain": [domain] * count,
               "attributes": [list(attributes.items())] * count, "label": [label] * count,
               "clip": [f"{name}{number}" for number in range(count)],
               "source_file": [f"test/{name}{number}.wav" for number in range(count)]}  # fmt: skip
    table = clips.table
    for name, values in columns.items():
        field = table.schema.field(name)
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, field.type))
    return Clips(table, clips.features)


def train(folder: Path, features: list[Path], recipe: dict) -> Path:
    folder.mkdir(exist_ok=True)
    out = folder / "model.safetensors"
    train_model(
        features, [], [], [], out, folder / "training.csv", SETTINGS | recipe, "code", "cpu", 0, 1, None, str(folder)
    )
    return out


def embedded(features: Path, model: Path) -> dict[str, np.ndarray]:
    out = features.with_suffix(".embedded")
    embed(features, model, out, "cpu", 0, 1)
    return {kind: ClipTable(out).load("error", kind)[1] for kind in ("train", "test")}


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """Write two tables of the same recordings of a fan, with different metadata of the test clips."""
    fan = condition_clips(FAN)
    first = write(tmp_path / "one" / "fan.parquet", "fan", fan, clips_to_score({"spd": "1"}, "source"))
    return [
        first,
        write(tmp_path / "other" / "fan.parquet", "fan", fan, clips_to_score({"spd": "9"}, None, "normal", "b")),
    ]


@pytest.mark.parametrize("recipe", [CONV, DENSE], ids=["conv", "dense"])
def test_what_a_test_clips_row_says_changes_neither_model_nor_embedding(tmp_path, tables, recipe: dict) -> None:
    models = [train(tmp_path / f"model{number}", [table], recipe) for number, table in enumerate(tables)]
    one, other = (embedded(table, model) for table, model in zip(tables, models, strict=True))
    for split in ("train", "test"):
        np.testing.assert_array_equal(one[split], other[split])
    assert one["test"].shape == (19, BANDS)


def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(tmp_path, tables) -> None:
    unbroken = checkpoints.load(train(tmp_path / "unbroken", tables[:1], CONV))
    for _ in range(2):
        with killed_after():
            train(tmp_path / "killed", tables[:1], CONV)
    resumed = checkpoints.load(train(tmp_path / "killed", tables[:1], CONV))
    assert unbroken.facts == resumed.facts
    for name, weights in unbroken.weights.items():
        assert torch.equal(weights, resumed.weights[name]), name


def test_a_joint_model_is_trained_on_all_machines_and_embeds_each(tmp_path, tables) -> None:
    slider = condition_clips(SLIDER)
    other = write(tmp_path / "one" / "slider.parquet", "slider", slider, clips_to_score({}, None))
    model = train(tmp_path / "joint", [tables[0], other], CONV | {"scope": "all"})
    names = checkpoints.load(model).facts["conditions"]["names"]
    assert [name.partition(" | ")[0] for name in names] == ["fan"] * 3 + ["slider"] * 4
    for table in (tables[0], other):
        assert np.isfinite(embedded(table, model)["test"]).all()
