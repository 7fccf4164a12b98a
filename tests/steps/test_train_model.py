"""What a training refuses before it starts: public weights without the pinned checksum, and too short clips."""

from pathlib import Path

import pyarrow as pa
import pytest
from helpers.condition_clips import BANDS, condition_clips

from asdlib.data.tables import writing
from asdlib.errors import AsdError
from asdlib.steps.embed import embed
from asdlib.steps.train_model import train_model
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint

SETTINGS = {
    "name": "toy",
    "kind": "dense_autoencoder",
    "seed": 3,
    "scope": "machine",
    "checkpoint": {"name": "net", "file": "net.pt"},
    "training": {"epochs": 1, "batch_size": 16, "learning_rate": 0.002},
}


NOTES = {"dataset": "toy", "machine": "fan", "view_kind": "raw"}


def test_public_weights_other_than_the_pinned_are_refused(tmp_path: Path) -> None:
    clips = condition_clips({("fan", "1", "source"): 4})
    with writing(tmp_path / "fan.parquet", {}, NOTES, features=("float32", (24, BANDS))) as table:
        table.write(clips.table, features=clips.features.numpy())
    public, out = tmp_path / "net.pt", tmp_path / "model.safetensors"
    public.write_bytes(b"other weights")
    with pytest.raises(AsdError, match=r"net\.pt: has sha256 .*, but checkpoints\.net\.sha256 is 000"):
        train_model(
            [tmp_path / "fan.parquet"], [], [public], ["0" * 64], out, tmp_path / "training.csv", SETTINGS, "code",
            "cpu", 0, 1, str(tmp_path),
        )  # fmt: skip
    assert not out.exists()


@pytest.mark.parametrize("kind", ["train", "test"])
def test_a_clip_too_short_for_the_model_is_refused_before_the_training(tmp_path: Path, kind: str) -> None:
    clips = condition_clips({("fan", "1", "source"): 4})
    features, model = tmp_path / "fan.parquet", tmp_path / "model.safetensors"
    with writing(features, {}, NOTES, features=("float32", (24, BANDS))) as table:
        table.write(clips.table, features=clips.features.numpy())
        frames = pa.array([5, 4, 24, 24], pa.int32())
        short = clips.table.set_column(clips.table.schema.get_field_index("frames"), "frames", frames)
        names = pa.array(["a.wav", "b.wav", "c.wav", "d.wav"])
        short = short.set_column(short.schema.get_field_index("source_file"), "source_file", names)
        short = short.set_column(short.schema.get_field_index("kind"), "kind", pa.array([kind] * 4))
        table.write(short, features=clips.features.numpy())
    complaint = r"fan\.parquet: b\.wav has 4 frames, toy needs 5: replace or remove the recording"
    settings = {name: value for name, value in SETTINGS.items() if name != "checkpoint"}
    with pytest.raises(AsdError, match=complaint):
        train_model(
            [features], [], [], [], model, tmp_path / "training.csv", settings, "code", "cpu", 0, 1, str(tmp_path)
        )
    assert {path.name for path in tmp_path.iterdir()} == {"fan.parquet"}
    checkpoints.save(model, Checkpoint(settings, {}, {}, {}))
    with pytest.raises(AsdError, match=complaint):
        embed(features, model, tmp_path / "out.parquet", "cpu", 0, 1)
