"""Frozen encoders: the grid of tokens, whole clips without padding, and the road from a waveform to a score."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.eat_files import save_fairseq
from helpers.golden import Golden, golden
from helpers.refusals import refused
from helpers.system4_models import published_beats
from torch import Tensor

from asdlib.backends.band_memory import BandMemory
from asdlib.backends.embeddings import Embeddings
from asdlib.errors import AsdError
from asdlib.examples.clips import Batch
from asdlib.frontends.fbank import Fbank
from asdlib.layers.encoders.beats import Beats
from asdlib.layers.encoders.eat import EatEncoder
from asdlib.layers.time_pooling import TimePooling
from asdlib.models.frozen_encoder import FrozenEncoder, as_grid
from asdlib.weights.published.beats import encoder_weights

SMALL = {"width": 16, "depth": 2, "heads": 2}
BOTH = pytest.mark.parametrize("kind", ["beats", "eat"])
BEATS_FBANK = Fbank("povey", scale=32768.0, remove_mean=False, mean=0.0, std=0.5)


def model(kind: str, **settings) -> FrozenEncoder:
    torch.manual_seed(0)
    return FrozenEncoder(kind, patch_width=8, **SMALL, **settings).eval()


def batch(features: Tensor, frames: list[int]) -> Batch:
    return Batch(features, torch.tensor(frames), torch.zeros(len(frames), dtype=torch.bool))


def log_mel(clips: int, frames: int) -> Tensor:
    return 4 * torch.randn(clips, frames, 128, generator=torch.Generator().manual_seed(1)) + 15


def test_tokens_are_numbered_row_by_row() -> None:
    numbers = as_grid(torch.arange(6 * 8)[None, :, None])
    assert numbers.shape == (1, 6, 8, 1)
    assert numbers[0, :, :, 0].tolist() == [list(range(8 * row, 8 * row + 8)) for row in range(6)]


@BOTH
@pytest.mark.parametrize("frames", [96, 103])
def test_padding_never_enters(kind: str, frames: int) -> None:
    """A clip among longer ones, and padded, is represented as alone; also with a patch that is padded in part."""
    network, long = model(kind), log_mel(3, 160)
    alone = network.embed(batch(long[1:2, :frames], [frames]))
    padded = long.clone()
    padded[1, frames:] = 999.0
    together = network.embed(batch(padded, [160, frames, 160]))
    others = network.embed(batch(long[[0, 2]], [160, 160]))
    for name, found in together.items():
        torch.testing.assert_close(found[1:2], alone[name], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found[[0, 2]], others[name], rtol=1e-4, atol=1e-5)
    assert together["rows"].shape == (3, 8, 16)
    assert together["embedding"].shape == (3, 8 * 16)
    assert {value.dtype for value in together.values()} == {torch.float32}


@BOTH
def test_a_short_recording_is_the_same_in_clips_of_any_length(kind: str) -> None:
    """From its samples: prepared to 16 s, for others of that length, or to its own 2.5 s."""
    frontend = BEATS_FBANK if kind == "beats" else Fbank()
    short = 0.1 * torch.randn(1, 40_000, generator=torch.Generator().manual_seed(0)) + 0.02
    network, frames = model(kind), [frontend.frames(40_000)]
    alone = network.embed(batch(frontend(short), frames))
    padded = network.embed(batch(frontend(torch.nn.functional.pad(short, (0, 216_000))), frames))
    for name, found in padded.items():
        torch.testing.assert_close(found, alone[name], rtol=1e-3, atol=1e-3)


@BOTH
def test_a_clip_shorter_than_a_patch_is_repeated(kind: str) -> None:
    network, clip = model(kind), log_mel(1, 11)
    repeated = torch.cat([clip, clip], 1)[:, :16]
    short, whole = (network.embed(batch(*one)) for one in ((clip, [11]), (repeated, [16])))
    assert all(torch.equal(short[name], whole[name]) for name in whole)


@BOTH
def test_sixteen_seconds_are_encoded_to_their_end(kind: str) -> None:
    network, clip = model(kind), log_mel(1, 1598)
    changed = clip.clone()
    changed[:, 1580:1584] += 20  # in the last of 99 time steps
    first, other = (network.embed(batch(one, [1598])) for one in (clip, changed))
    for name in first:
        assert (first[name] - other[name]).abs().max() > 1e-3
    changed = clip.clone()
    changed[:, 1584:] += 20  # these frames do not fill a patch
    assert torch.equal(network.embed(batch(changed, [1598]))["rows"], first["rows"])


def test_more_clips_than_are_encoded_at_a_time_keep_their_order() -> None:
    network, many = model("beats"), log_mel(19, 48)
    frames = [48 if number % 3 else 32 for number in range(19)]
    found = network.embed(batch(many, frames))["rows"]
    for number in (0, 1, 9, 18):
        alone = network.embed(batch(many[number : number + 1], frames[number : number + 1]))["rows"]
        torch.testing.assert_close(found[number : number + 1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sequence", ["joined", "mean", "tokens"])
def test_the_vector_is_pooled_from_the_sequence(sequence: str) -> None:
    network, clip = model("beats", sequence=sequence, pooling="rdp", gamma=16.0), log_mel(1, 64)
    grid = network.encoder(clip)  # (1, 4, 8, 16)
    vectors = {"joined": grid.reshape(1, 4, 128), "mean": grid.mean(2), "tokens": grid.reshape(1, 32, 16)}[sequence]
    found = network.embed(batch(clip, [64]))
    torch.testing.assert_close(found["embedding"], TimePooling("rdp", 16.0, 3.0)(vectors))
    for band in range(8):
        expected = TimePooling("rdp", 4.0, 3.0)(grid[:, :, band])
        torch.testing.assert_close(found["rows"][:, band], expected)


def test_public_weights_are_loaded(tmp_path: Path) -> None:
    torch.manual_seed(7)
    beats = Beats(patch_width=8, **SMALL)
    network = model("beats")
    network.start_from_public(published_beats(tmp_path / "a.pt", beats))
    assert all(
        torch.equal(tensor, beats.state_dict()[name]) for name, tensor in network.encoder.network.state_dict().items()
    )
    eat = EatEncoder(800, 8, **SMALL)  # a published table of positions may be longer
    weights = {f"encoder.{name}": tensor for name, tensor in eat.state_dict().items()}
    network = model("eat")
    network.start_from_public(save_fairseq(tmp_path / "b.pt", weights))
    torch.testing.assert_close(network.encoder.network.extra_tokens, eat.extra_tokens, rtol=1e-3, atol=1e-3)


def test_public_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    path = published_beats(tmp_path / "a.pt", Beats(width=32, depth=2, heads=2, patch_width=8))
    refused(lambda: model("beats").start_from_public(path), r".*a\.pt: .* is .*, not .*: use the checkpoint .*")


def tiny_beats() -> tuple[Golden, FrozenEncoder]:
    """Return the golden of the official BEATs and a frozen encoder with its network."""
    case = Golden.read(golden("beats_tiny"))
    cfg = case.sizes
    network = model("beats")
    network.encoder.network = Beats(
        cfg["encoder_embed_dim"], cfg["encoder_layers"], cfg["encoder_attention_heads"], cfg["encoder_ffn_embed_dim"],
        cfg["embed_dim"], cfg["num_buckets"], cfg["max_distance"], 1.0, cfg["conv_pos"], cfg["conv_pos_groups"],
        cfg["conv_bias"],
    )  # fmt: skip
    network.encoder.network.load_state_dict(encoder_weights(case.folder, case.weights))
    return case, network.eval()


def test_from_the_waveform_to_the_score_with_the_official_encoder() -> None:
    """Rows, densities, α and scores are computed here from the features that the official code gave for two clips."""
    case, network = tiny_beats()
    given = case.io["waveform"]
    count = len(given)
    features = BEATS_FBANK(torch.cat([given, given.flip(0) * 0.5, given.roll(4000, 1)]))
    found = network.embed(batch(features, [features.shape[1]] * len(features)))["rows"].double().numpy()
    theirs = case.io["features"].double().unflatten(1, (-1, 8)).numpy()  # (clips, times, 8, width)
    offsets = np.linalg.norm(theirs - theirs.mean(1, keepdims=True), axis=3)
    weights = (1 + offsets / offsets.max(1, keepdims=True)) ** 4
    rows = (weights[..., None] * theirs).sum(1) / weights.sum(1)[..., None]
    np.testing.assert_allclose(found[:count], rows, atol=2e-4)

    memory, expected = found[count:], np.zeros(count)
    ours, known = (array / np.linalg.norm(array, axis=2, keepdims=True) for array in (rows, memory))
    for band in range(8):
        near = 0.5 * (1 - known[:, band] @ known[:, band].T) + np.diag(np.full(len(known), np.inf))
        density = np.sort(near, 1)[:, :2].mean(1)
        u, v = near.min(1), density[near.argmin(1)]
        alpha = np.cov(u, v, bias=True)[0, 1] / v.var()
        expected += (0.5 * (1 - ours[:, band] @ known[:, band].T) - alpha * density).min(1) / 8
    backend = BandMemory("rows", neighbours=2).fit(Embeddings({"rows": memory}, ["source"] * len(memory)))
    scores = backend.anomaly_score(Embeddings({"rows": found[:count]}))
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-5)


def test_eat_s_tokens_are_those_of_the_official_encoder(tmp_path: Path) -> None:
    """Also of a spectrogram that is longer than those of the golden's training."""
    case = Golden.read(golden("eat_tiny"))
    sizes = case.sizes
    network = model("eat")
    network.encoder.network = EatEncoder(
        sizes["modalities"]["image"]["max_length"], 8, sizes["embed_dim"], sizes["depth"], sizes["num_heads"],
        mlp_ratio=sizes["mlp_ratio"],
    )  # fmt: skip
    student = {name: tensor for name, tensor in case.weights.items() if not name.startswith("_ema.")}
    torch.save({"cfg": {}, "model": student}, tmp_path / "EAT-tiny.pt")
    network.start_from_public(tmp_path / "EAT-tiny.pt")
    for name, theirs in case.stored("features_len_").items():
        tokens = network.eval().encoder(case.io[f"source_len_{name}"].flatten(0, 1))
        torch.testing.assert_close(tokens.flatten(1, 2), theirs[:, 1:], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "clap"}, "model frozen_encoder: encoder 'clap': use one of: beats, eat"),
        (
            {"encoder": "eat", "sequence": "bands"},
            "model frozen_encoder: sequence 'bands': use one of: joined, mean, tokens",
        ),
        ({"encoder": "eat", "row_pooling": "max"}, "model: pooling 'max': use one of"),
    ],
)
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(AsdError, match=message):
        FrozenEncoder(**settings, **SMALL)


def test_clips_beyond_eat_s_positions_are_refused() -> None:
    with pytest.raises(AsdError, match="EAT has no positions beyond 12288 frames"):
        model("eat").embed(batch(torch.zeros(1, 12304, 128), [12304]))
