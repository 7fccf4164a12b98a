"""A training starts from public weights only if they have the pinned checksum."""

from pathlib import Path

import pytest
from helpers.condition_clips import BANDS, condition_clips

from asdlib.data.tables import writing
from asdlib.errors import AsdError
from asdlib.steps.train_model import train_model

SETTINGS = {
    "name": "toy",
    "kind": "dense_autoencoder",
    "seed": 3,
    "scope": "machine",
    "checkpoint": {"name": "net", "file": "net.pt"},
    "training": {"epochs": 1, "batch_size": 16, "learning_rate": 0.002},
}


def test_public_weights_other_than_the_pinned_are_refused(tmp_path: Path) -> None:
    clips = condition_clips({("fan", "1", "source"): 4})
    notes = {"dataset": "toy", "machine": "fan", "view_kind": "raw"}
    with writing(tmp_path / "fan.parquet", {}, notes, features=("float32", (24, BANDS))) as table:
        table.write(clips.table, features=clips.features.numpy())
    public, out = tmp_path / "net.pt", tmp_path / "model.safetensors"
    public.write_bytes(b"other weights")
    with pytest.raises(AsdError, match=r"net\.pt: has sha256 .*, but checkpoints\.net\.sha256 is 000"):
        train_model(
            [tmp_path / "fan.parquet"], [], [public], ["0" * 64], out, tmp_path / "training.csv", SETTINGS, "code",
            "cpu", 0, 1, str(tmp_path),
        )  # fmt: skip
    assert not out.exists()
