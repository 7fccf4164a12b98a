"""What a training refuses before it starts: public weights without the pinned checksum, and too short clips."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from helpers.condition_clips import BANDS, condition_clips

from asdlib.backends.embeddings import read_embeddings
from asdlib.data.tables import writing
from asdlib.errors import AsdError
from asdlib.steps import embed as embed_step
from asdlib.steps.embed import embed
from asdlib.steps.train_model import train_model
from asdlib.training import job, trainer
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
            "cpu", 0, 1, None, str(tmp_path),
        )  # fmt: skip
    assert not out.exists()


def test_embedding_and_what_a_model_finishes_with_are_in_float32(tmp_path: Path, monkeypatch) -> None:
    """Also after a training in TF32: its calibration samples, and the check for a collapse, are those of embeddings."""
    asked = []

    @contextmanager
    def note(precision: str, *_: object) -> Iterator[None]:
        asked.append(precision)
        yield

    for module in (embed_step, job, trainer):
        monkeypatch.setattr(module, "computing", note)
    monkeypatch.setitem(SETTINGS, "training", {**SETTINGS["training"], "precision": "tf32"})
    features = two_sections(tmp_path / "both.parquet", "00")
    model = trained(features, tmp_path / "model.safetensors", None)
    assert asked == ["tf32", "float32", "float32"]
    embed(features, model, tmp_path / "out.parquet", "cpu", 0, 1)
    assert set(asked[3:]) == {"float32"}


def test_a_setting_that_does_not_fit_the_clips_is_told_with_the_line_to_paste(tmp_path: Path) -> None:
    features = two_sections(tmp_path / "both.parquet", "00")
    own = {"kind": "dismae", "bands": BANDS, "frames": 8, "patch": 4}
    with pytest.raises(AsdError) as error:
        trained(features, tmp_path / "model.safetensors", None, **own)
    said = "frames 8, features have 24: set it to 24 with --config 'override={models: {toy: {frames: 24}}}'"
    assert str(error.value) == f"model dismae: {said}"


def two_sections(path: Path, *sections: str) -> Path:
    """Write a table of features: six training and six test clips of each section, which sound differently."""
    clips = condition_clips({("fan", "1", "source"): 4, ("fan", "2", "target"): 2})
    with writing(path, {}, NOTES, features=("float32", (24, BANDS))) as table:
        for kind in ("train", "test"):
            for section in sections:
                rows = clips.table
                names = [f"fan/{kind}/section_{section}_{i}.wav" for i in range(6)]
                for name, column in (("section", [section] * 6), ("kind", [kind] * 6), ("source_file", names)):
                    rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(column))
                table.write(rows, features=clips.features.numpy() + int(section))
    return path


def trained(features: Path, out: Path, section: str | None, **own: str | int) -> Path:
    settings = {name: value for name, value in SETTINGS.items() if name != "checkpoint"}
    settings |= own or {"bands": BANDS, "hidden": 8}
    history = out.with_suffix(".csv")
    train_model([features], [], [], [], out, history, settings, "c", "cpu", 0, 1, None, str(out.parent), section)
    return out


def test_a_training_starts_from_the_weights_that_it_is_given_or_says_that_they_are_random(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    features = two_sections(tmp_path / "both.parquet", "00")
    given = trained(features, tmp_path / "given.safetensors", None)
    settings = {name: value for name, value in SETTINGS.items() if name != "checkpoint"}
    settings |= {"bands": BANDS, "hidden": 8, "seed": 9}
    settings["training"] = settings["training"] | {"learning_rate": 1e-9}  # what it starts with is what it ends with
    found = []
    for init, own in (([given], settings), ([], settings), ([], settings | {"checkpoint": None})):
        out = tmp_path / "out.safetensors"
        train_model([features], init, [], [], out, tmp_path / "out.csv", own, "c", "cpu", 0, 1, None, str(tmp_path))
        found.append({name: value for name, value in checkpoints.load(out).weights.items() if name.endswith("weight")})
        warned = "toy starts from random weights instead of public ones" in caplog.text
        assert warned == ("checkpoint" in own)
    expected = checkpoints.load(given).weights
    for name, weights in found[0].items():
        torch.testing.assert_close(weights, expected[name], rtol=0, atol=1e-6)
    assert not all(torch.allclose(weights, expected[name], atol=1e-3) for name, weights in found[1].items())


def test_each_section_is_learned_embedded_and_calibrated_by_its_own_model(tmp_path: Path) -> None:
    """The models of two sections give the same as if each section were a machine of its own."""
    both = two_sections(tmp_path / "both.parquet", "00", "03")
    models = {one: trained(both, tmp_path / f"{one}.safetensors", one) for one in ("00", "03")}
    embed(both, models["00"], tmp_path / "out.parquet", "cpu", 0, 1, models)
    for section, model in models.items():
        alone = two_sections(tmp_path / "alone.parquet", section)
        own = trained(alone, tmp_path / "alone.safetensors", None)
        for name, tensor in checkpoints.load(own).weights.items():
            assert torch.equal(tensor, checkpoints.load(model).weights[name]), name
        embed(alone, own, tmp_path / "own.parquet", "cpu", 0, 1)
        for kind in ("train", "test"):
            rows, expected = read_embeddings(tmp_path / "own.parquet", kind, section)
            found_rows, found = read_embeddings(tmp_path / "out.parquet", kind, section)
            assert found_rows.equals(rows)
            for name, array in expected.representations.items():
                np.testing.assert_array_equal(found.representations[name], array)
            assert found.calibration.keys() == expected.calibration.keys()
            for name, sample in expected.calibration.items():
                np.testing.assert_array_equal(found.calibration[name], sample)
    first, second = (read_embeddings(tmp_path / "out.parquet", "train", one)[1].calibration["mse"] for one in models)
    assert not np.array_equal(first, second)


def test_a_section_without_a_model_is_refused(tmp_path: Path) -> None:
    features = two_sections(tmp_path / "both.parquet", "00", "03")
    model = trained(features, tmp_path / "model.safetensors", "00")
    with pytest.raises(AsdError, match=r"^section 03: has no model: prepare the recordings and train again$"):
        embed(features, model, tmp_path / "out.parquet", "cpu", 0, 1, {"00": model})


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
            [features], [], [], [], model, tmp_path / "training.csv", settings, "code", "cpu", 0, 1, None, str(tmp_path)
        )
    assert {path.name for path in tmp_path.iterdir()} == {"fan.parquet"}
    checkpoints.save(model, Checkpoint(settings, {}, {}, {}))
    with pytest.raises(AsdError, match=complaint):
        embed(features, model, tmp_path / "out.parquet", "cpu", 0, 1)
