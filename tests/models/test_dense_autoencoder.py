"""The official baseline's autoencoder; parity with its outputs is tested in tests/parity."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.model_clips import clips

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch
from asdlib.models.clip_shares import decomposed
from asdlib.models.dense_autoencoder import DenseAutoencoder, FrameVectors


def network() -> DenseAutoencoder:
    torch.manual_seed(1)
    return DenseAutoencoder(frames=2, bands=3, hidden=8, latent=2).eval()


def batch(count: int, target: list[bool]) -> Batch:
    vectors = torch.randn(count, 6, generator=torch.Generator().manual_seed(count))
    return Batch(vectors, torch.ones(count), torch.tensor(target))


def test_the_official_size() -> None:
    official = DenseAutoencoder()
    assert sum(p.numel() for p in official.parameters()) == 267_928
    assert len(official.state_dict()) == 67


def test_vectors_are_consecutive_frames_oldest_first_and_never_cross_clips() -> None:
    given = clips(torch.arange(2 * 4 * 3).reshape(2, 4, 3).float(), frames=[4, 3], domains=["source", "target"])
    examples = FrameVectors(given, 2)
    found = examples.batch(torch.arange(len(examples)))
    expected = [
        torch.cat([clip[i], clip[i + 1]])
        for clip, last in zip(given.features, (3, 2), strict=True)
        for i in range(last)
    ]
    assert torch.equal(found.features, torch.stack(expected))
    assert found.target.tolist() == [False, False, False, True, True]


def test_a_clip_shorter_than_a_vector_has_none() -> None:
    given = clips(torch.zeros(2, 5, 3), frames=[1, 5], domains=["source", "source"])
    assert len(FrameVectors(given, 2)) == 4


def test_the_scatter_is_centred_per_batch_and_divided_by_vectors() -> None:
    model = network()
    batches = [batch(4, [False, False, True, True]), batch(3, [False, True, False])]
    with torch.no_grad():
        source, target = model.residual_scatter(batches)
        expected = torch.zeros(2, 3, 3)
        for each in batches:
            residuals = each.features - model(each.features)
            for domain in (0, 1):
                rows = residuals[each.target == bool(domain)].reshape(-1, 3)
                expected[domain] += (rows - rows.mean(0)).T @ (rows - rows.mean(0))
    torch.testing.assert_close(source, expected[0] / (4 - 1))
    torch.testing.assert_close(target, expected[1] / (3 - 1))


def test_without_target_vectors_both_scatters_are_the_sources() -> None:
    with torch.no_grad():
        source, target = network().residual_scatter([batch(5, [False] * 5)])
    assert torch.equal(source, target)


def test_the_distance_is_that_of_the_mean_residual() -> None:
    """Averaging all entries of δ Σ⁻¹ δᵀ, as the official code does, is the quadratic form of the mean row."""
    model = network()
    root = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    model.cov_source, model.cov_target = root @ root.T + torch.eye(3), 2 * torch.eye(3)
    rows = torch.randn(10, 3, generator=torch.Generator().manual_seed(4))
    official = [float((rows @ torch.linalg.inv(cov) @ rows.T).mean()) for cov in (model.cov_source, model.cov_target)]
    assert model.distances(rows.mean(0)[None])[0].tolist() == pytest.approx(official, rel=1e-5)


# For each number of source and target clips of 2 s: the domains whose scatter is not positive definite.
FEW = {
    (1, 0): ["source", "target"],
    (1, 1): ["source", "target"],
    (2, 1): ["target"],
    (20, 1): ["target"],
    (20, 0): [],
    (20, 20): [],
}


@pytest.mark.parametrize(("count", "short"), FEW.items(), ids=map(str, FEW))
def test_few_and_short_clips_have_no_negative_distance(
    count: tuple[int, int], short: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """One target clip of 2 s gave scores from 23 to −44,261,364: its residuals do not vary in all 128 directions."""
    torch.manual_seed(1)
    model = DenseAutoencoder().eval()
    drawn = torch.Generator().manual_seed(sum(count))
    frames = torch.randn(sum(count) + 8, 63, 128, generator=drawn) - 40
    given = clips(frames[:-8], [63] * sum(count), ["source"] * count[0] + ["target"] * count[1])
    examples = model.examples(given)
    order = torch.randperm(len(examples), generator=drawn)
    batches = [examples.batch(part) for part in order.split(256)]
    with torch.no_grad():
        scatters = model.residual_scatter(batches)
    sample = model.finish(batches, [], torch.zeros(len(batches)))["mahalanobis"]
    for kept, scatter in zip((model.cov_source, model.cov_target), scatters, strict=True):
        assert (kept - scatter).abs().max() < 1e-4 * scatter.abs().max()
    tested = model.embed(Batch(frames, torch.full((len(frames),), 63), torch.zeros(len(frames), dtype=torch.bool)))
    distances = torch.cat([sample, tested["mahalanobis"].flatten()])
    assert distances.isfinite().all()
    assert distances.min() >= 0
    assert [name for name in ("source", "target") if f"of the {name} domain is not positive" in caplog.text] == short
    assert {record.name for record in caplog.records} <= {"asdlib.notice"}, "which a training also shows on stderr"


@pytest.mark.parametrize("loud", [1e-6, 1.0, 1e6])
def test_the_least_eigenvalue_is_a_share_of_the_largest(loud: float) -> None:
    """Rounding grows with the residuals. The scatter a aᵀ of a = (1, 2, 2) has the eigenvalues 0, 0 and |a|² = 9."""
    row = torch.tensor([1.0, 2.0, 2.0])
    values, vectors, raised = decomposed(loud * torch.outer(row, row))
    least = 3 * 2.0**-23 * 9  # bands, precision of float32, largest
    assert raised == 2
    assert (values / loud).tolist() == pytest.approx([least, least, 9], rel=1e-6)
    torch.testing.assert_close(vectors[:, 2].abs(), row.double() / 3)


def test_a_scatter_to_working_precision_is_kept_to_the_bit(caplog: pytest.LogCaptureFixture) -> None:
    model = network()
    batches = [batch(40, [False, True] * 20)]
    expected = model.residual_scatter(batches)
    model.finish(batches, [], torch.zeros(1))
    assert torch.equal(model.cov_source, expected[0])
    assert torch.equal(model.cov_target, expected[1])
    assert not caplog.text


def test_a_scatter_that_is_not_positive_definite_is_refused() -> None:
    model = network()
    model.cov_target = torch.diag(torch.tensor([1.0, 1.0, -1e-7]))
    with pytest.raises(
        AsdError, match=r"^model dense_autoencoder: a residual scatter is singular .*: add training clips$"
    ):
        model.distances(torch.ones(1, 3))


def test_padding_does_not_reach_the_score() -> None:
    model = network()
    model.cov_source = model.cov_target = torch.eye(3)
    clip = torch.randn(1, 6, 3, generator=torch.Generator().manual_seed(5))
    padded = torch.cat([clip, torch.full((1, 4, 3), -156.5)], dim=1)
    six = torch.tensor([6])
    alone, real = model.embed(Batch(clip, six, six > 0)), model.embed(Batch(padded, six, six > 0))
    for name in alone:
        torch.testing.assert_close(alone[name], real[name])


def test_finish_returns_the_official_threshold_samples() -> None:
    model = network()
    training, validation = [batch(6, [False] * 4 + [True] * 2), batch(5, [False] * 5)], [batch(4, [False] * 4)]
    sample = model.finish(training, validation, torch.tensor([3.0, 4.0]))
    assert sample["mse"].shape == (3,)  # one loss per training batch and per validation batch
    assert sample["mse"][:2].tolist() == [3.0, 4.0]
    assert sample["mse"][2] == model.loss(validation[0])
    means = [model.residuals(one.features).mean(0).detach().double().numpy() for one in training + validation]
    inverse = np.linalg.inv(torch.stack([model.cov_source, model.cov_target]).double().numpy())
    nearest = [min(mean @ domain @ mean for domain in inverse) for mean in means]
    np.testing.assert_allclose(sample["mahalanobis"], nearest, rtol=1e-3)


def test_features_stored_in_half_precision_are_trained_on_in_single() -> None:
    given = clips(torch.randn(2, 5, 3).half(), frames=[5, 5], domains=["source", "source"])
    examples = network().examples(given)
    sent = examples.batch(torch.arange(len(examples))).to(torch.device("cpu"))
    assert sent.features.dtype == torch.float32


# Numbers of source and target clips, the share of the vectors that the scatter is of, and the pieces of a recording.
LEFT_OUT = {
    "two domains": (6, 3, 0.9, 1),
    "one domain": (5, 0, 0.9, 1),
    "one target clip": (4, 1, 1.0, 1),
    "two clips": (2, 0, 1.0, 1),
    "part of them": (6, 3, 0.5, 1),
    "pieces of recordings": (6, 4, 0.9, 2),
}


@pytest.mark.parametrize(("source", "target", "share", "pieces"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_training_clip_is_scored_by_the_scatter_of_other_recordings(
    source: int, target: int, share: float, pieces: int
) -> None:
    """As if its vectors had been taken out of every batch; the threshold was below 50 and 62 % of new normal clips."""
    model, drawn, count = network(), torch.Generator().manual_seed(1), source + target
    frames = torch.randn(count, 12, 3, generator=drawn) + 2 * torch.randn(count, 1, 3, generator=drawn)
    lengths = [12 - index % 3 for index in range(count)]
    given = clips(frames, lengths, ["source"] * source + ["target"] * target)
    names = [f"train/rec{index // pieces}@{10 * (index % pieces):05}.000.wav" for index in range(count)]
    place = given.table.schema.get_field_index("source_file")
    examples = model.examples(replace(given, table=given.table.set_column(place, "source_file", [names])))
    order = torch.randperm(len(examples), generator=drawn)
    batches = [examples.batch(part) for part in order[: round(share * len(order))].split(7)]
    known, left_out = model.finish(batches, [], torch.zeros(1))["mahalanobis_left_out"]
    whole = Batch(frames, torch.tensor(lengths), torch.zeros(count, dtype=torch.bool))
    torch.testing.assert_close(known, model.embed(whole)["mahalanobis"].amin(1))
    for clip in range(count):
        others = [_without(clip // pieces, pieces, batch) for batch in batches]
        with torch.no_grad():
            model.cov_source, model.cov_target = model.residual_scatter(others)
        expected = model.embed(whole)["mahalanobis"][clip].amin()  # of a single target clip, that to the source
        torch.testing.assert_close(left_out[clip], expected, rtol=1e-4, atol=0)
    assert left_out.mean() > known.mean()
    assert pieces > 1 or len(known) == 2 or (left_out > known).float().mean() > 0.5


def _without(recording: int, pieces: int, batch: Batch) -> Batch:
    kept = batch.labels // pieces != recording
    names = ("features", "frames", "target", "labels")
    return replace(batch, **{name: getattr(batch, name)[kept] for name in names})


def test_a_single_clip_cannot_be_left_out() -> None:
    model = network()
    examples = model.examples(clips(torch.randn(1, 12, 3), [12], ["source"]))
    batches = [examples.batch(torch.arange(len(examples)))]
    assert model.finish(batches, [], torch.zeros(1)).keys() == {"mse", "mahalanobis"}


FINISH = """
import torch
from helpers.model_clips import clips
from asdlib.models.dense_autoencoder import DenseAutoencoder

def peak() -> int:
    status = open("/proc/self/status", encoding="ascii").read()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

torch.set_num_threads(1)
model = DenseAutoencoder().eval()
examples = model.examples(clips(torch.randn(400, 309, 128).half(), [309] * 400, ["source"] * 400))
batches = [examples.batch(part) for part in torch.arange(0, len(examples), 300).split(256)]
before = peak()
assert "mahalanobis_left_out" in model.finish(batches, [], torch.zeros(1))
print(peak() - before)
"""


def test_the_residuals_of_clips_that_are_left_out_do_not_stay_in_memory() -> None:
    """They would take 200 MB, and what is kept of the clips 26. It needs a process with no memory to reuse."""
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join([str(tests), str(tests.parent / "src")])
    command = [sys.executable, "-c", FINISH]
    found = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=True, capture_output=True, text=True)
    assert int(found.stdout) < 100, "MB"
