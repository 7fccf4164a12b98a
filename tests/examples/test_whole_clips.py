"""Tests of whole clips as examples: features, labels and memory."""

import pyarrow as pa
import torch

from asdlib.data.tables import clip_rows
from asdlib.examples.clips import Clips, origins
from asdlib.examples.whole_clips import WholeClips


def clips(*names: str) -> Clips:
    """Return three clips of two machines; `names` are those of their recordings' files."""
    common = {"section": "00", "split": "train", "label": "normal", "kind": "train", "frames": 5}
    rows = [
        {**common, "clip": "a", "domain": "source", "attributes": {"spd": "2", "m-n": "X"}},
        {**common, "clip": "b", "domain": "target", "attributes": {}},
        {**common, "clip": "b_separated", "domain": None, "attributes": {}},
    ]
    for row, machine, name in zip(rows, ("fan", "valve", "valve"), names or ("x", "x", "x"), strict=True):
        row["source_file"] = f"{machine}/train/{name}.wav"
    table = clip_rows(rows).append_column("machine", pa.array(["fan", "valve", "valve"]))
    table = table.append_column("dataset", pa.array(["toy"] * 3))
    table = table.append_column("view_kind", pa.array(["raw", "raw", "separated"]))
    return Clips(table, torch.arange(30, dtype=torch.float16).view(3, 5, 2))


def test_a_batch_holds_the_chosen_clips_and_their_labels() -> None:
    batch = WholeClips(clips(), torch.tensor([0, 1, 0])).batch(torch.tensor([2, 1]))
    assert torch.equal(batch.features, clips().features[[2, 1]])
    sent = batch.to(torch.device("cpu")).features
    assert sent.dtype == torch.float32
    assert torch.equal(sent, clips().features[[2, 1]].float())
    assert batch.labels.tolist() == [0, 1]
    assert batch.target.tolist() == [False, True]
    assert batch.frames.tolist() == [5, 5]
    assert WholeClips(clips()).batch(torch.tensor([0])).labels is None


def test_a_recording_is_known_by_dataset_machine_and_file() -> None:
    examples = WholeClips(clips())
    assert examples.recordings == ["toy: fan/train/x.wav", "toy: valve/train/x.wav", "toy: valve/train/x.wav"]
    assert examples.recordings == [origin.recording for origin in origins(clips().table)]
    assert examples.target.tolist() == [False, True, False]


def test_pieces_of_a_recording_belong_together() -> None:
    """Otherwise a training would be watched by pieces of recordings whose other pieces it learns from."""
    given = clips("long@00000.000", "long@00000.000", "long@00010.000")
    assert given.recordings == ["toy: fan/train/long.wav", "toy: valve/train/long.wav", "toy: valve/train/long.wav"]
    assert given.wholes.tolist() == [0, 1, 1]
    lone = Clips(given.table[1:], given.features[1:])
    assert lone.wholes.tolist() == [0, 1]


def test_a_corpus_larger_than_memory_is_read_clip_by_clip() -> None:
    """A hundred thousand clips of EAT's size would take 52 GB; here they all share one clip's memory."""
    count = 100_000
    rows = [{"clip": "a", "domain": "source", "attributes": {}, "kind": "train", "frames": 1024}]
    table = clip_rows(rows).take([0] * count)
    corpus = Clips(table, torch.zeros(1, 1024, 128).expand(count, -1, -1))
    examples = WholeClips(corpus)
    assert len(examples) == count
    assert examples.batch(torch.tensor([0, count - 1])).features.shape == (2, 1024, 128)
