"""Every model of the table, at toy size: all its parameters learn, and a clip is represented the same way twice."""

import pyarrow as pa
import pytest
import torch

from asdlib.blocks.clips import Batch, Clips
from asdlib.models import MODELS

# Toy arguments and the (frames, bands) of a clip for each kind; a new model is tested the day it has a row here.
TOYS = {"dense_autoencoder": ({"frames": 3, "bands": 8, "hidden": 16, "latent": 4}, (12, 8))}


def toy_clips(shape: tuple[int, ...], count: int = 6) -> Clips:
    features = torch.randn(count, *shape, generator=torch.Generator().manual_seed(2))
    table = pa.table(
        {
            "frames": pa.array([shape[0]] * count, pa.int32()),
            "domain": ["source"] * (count - 2) + ["target"] * 2,
        }
    )
    return Clips(table, features)


def whole(clips: Clips) -> Batch:
    return Batch(clips.features, clips.frames, clips.target)


@pytest.fixture(params=sorted(MODELS))
def toy(request: pytest.FixtureRequest):
    arguments, shape = TOYS[request.param]
    torch.manual_seed(0)
    return MODELS[request.param](**arguments), toy_clips(shape)


def test_the_table_has_toys_for_every_model() -> None:
    assert TOYS.keys() == MODELS.keys()


def test_the_loss_is_finite_and_reaches_every_parameter(toy) -> None:
    model, clips = toy
    examples = model.examples(clips)
    loss = model.loss(examples.batch(torch.arange(len(examples))))
    assert torch.isfinite(loss)
    loss.backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert without == []


def test_the_same_clip_is_represented_the_same_way_twice_and_alone(toy) -> None:
    model, clips = toy
    model.eval()
    batch = whole(clips)
    first, again = model.embed(batch), model.embed(batch)
    alone = model.embed(Batch(batch.features[:1], batch.frames[:1], batch.target[:1]))
    for name, representation in first.items():
        assert representation.shape[0] == len(clips.table)
        assert representation.dim() == 2
        torch.testing.assert_close(representation, again[name], rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(representation[:1], alone[name], equal_nan=True)
