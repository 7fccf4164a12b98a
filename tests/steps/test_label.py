"""The step that makes pseudo-labels: from training clips alone, and into the training of a model."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from asdlib.data.refused_tables import refusable
from asdlib.data.tables import ClipTable, clip_rows, writing
from asdlib.errors import TooFewClipsError
from asdlib.examples.pseudo_labels import CLUSTER
from asdlib.steps.label import label
from asdlib.steps.train_model import train_model
from asdlib.weights import checkpoints

LABELLER = {"name": "toy", "kind": "clusters", "representation": "embedding", "share": 0.25, "model": {"name": "net"}}
MODEL = {
    "name": "toy", "kind": "adapted_beats", "seed": 1, "scope": "all", "lora_rank": 2, "crop": 3200, "attention": 2,
    "dimensions": 4, "sub_clusters": 2, "width": 16, "depth": 1, "heads": 2, "patch_width": 4,
    "training": {"epochs": 1, "batch_size": 4, "learning_rate": 0.001},
}  # fmt: skip


def metadata(kind: str, count: int, machine: str, **changes) -> pa.Table:
    """Return the metadata of clips, the last of which is of the target domain."""
    rows = [
        {
            "clip": f"{kind}{number}", "section": "00", "domain": "target" if number == count - 1 else "source",
            "attributes": {}, "kind": kind, "samples": 4000, "frames": 4000,
            "source_file": f"{machine}/{kind}/{number}.wav", **changes,
        }
        for number in range(count)
    ]  # fmt: skip
    return clip_rows(rows)


def embeddings(path: Path, seed: int = 0, machine: str = "fan", **test) -> Path:
    """Write embeddings of nine training and five test clips; `seed` and `test` decide the test clips alone."""
    heard = np.random.default_rng(3).normal(size=(9, 6)).astype(np.float32)
    other = np.random.default_rng(seed).normal(size=(5, 6)).astype(np.float32)
    with writing(path, {}, {}, embedding=("float32", (6,))) as table:
        table.write(metadata("train", 9, machine), embedding=heard)
        table.write(metadata("test", 5, machine, **test), embedding=other)
    return path


def test_training_clips_are_labelled_and_test_clips_are_not_read(tmp_path: Path) -> None:
    found = []
    for number, test in enumerate(({}, {"label": "anomaly", "domain": "target", "attributes": {"spd": "1"}})):
        path = embeddings(tmp_path / f"e{number}.parquet", seed=number, **test)
        label(path, "toy", "fan", tmp_path / f"{number}.parquet", LABELLER)
        table = ClipTable(tmp_path / f"{number}.parquet")
        found.append(table.load(CLUSTER))
    assert found[0][0].column("source_file").to_pylist() == [f"fan/train/{number}.wav" for number in range(9)]
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert set(found[0][0].column("kind").to_pylist()) == {"train"}
    assert set(found[0][1][:8, 0].tolist()) == {0, 1}
    assert found[0][1][8:, 0].tolist() == [0]
    assert table.notes | {"embeddings": ""} == {"dataset": "toy", "machine": "fan", "embeddings": ""}
    assert table.recipe == LABELLER


def test_the_same_embeddings_give_the_same_file(tmp_path: Path) -> None:
    path = embeddings(tmp_path / "e.parquet")
    for name in ("a", "b"):
        label(path, "toy", "fan", tmp_path / name, LABELLER)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_embeddings_that_could_not_be_made_have_no_labels(tmp_path: Path) -> None:
    with refusable(tmp_path / "e.parquet"):
        raise TooFewClipsError("too few")
    label(tmp_path / "e.parquet", "toy", "fan", tmp_path / "out.parquet", LABELLER)
    with pytest.raises(TooFewClipsError, match="too few"):
        ClipTable(tmp_path / "out.parquet")


def test_a_training_learns_the_labels_of_all_its_machines(tmp_path: Path) -> None:
    features, labels = [], []
    for machine in ("fan", "pump"):
        notes = {"dataset": "toy", "machine": machine, "view_kind": "raw"}
        features.append(tmp_path / machine / "f.parquet")
        (tmp_path / machine).mkdir()
        with writing(features[-1], {}, notes, features=("float32", (4000,))) as table:
            noise = np.random.default_rng(5).normal(size=(9, 4000)).astype(np.float32) * 0.1
            table.write(metadata("train", 9, machine), features=noise)
        labels.append(tmp_path / machine / "l.parquet")
        label(embeddings(tmp_path / machine / "e.parquet", machine=machine), "toy", machine, labels[-1], LABELLER)
    out, scratch = tmp_path / "model.safetensors", str(tmp_path)
    where = out, tmp_path / "training.csv", MODEL, "code", "cpu", 0, 1, None, scratch
    train_model(features, [], [], [], *where, labels=labels)
    source = [f"00, {machine}, source, cluster {number} of toy" for machine in ("fan", "pump") for number in (0, 1)]
    target = [f"00, {machine}, target, cluster 0 of toy" for machine in ("fan", "pump")]
    assert checkpoints.load(out).facts["classes"] == sorted([*source, *target])
