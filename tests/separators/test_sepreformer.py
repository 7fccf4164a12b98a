"""Tests of SepReformer; parity with the official code is tested in tests/parity."""

from pathlib import Path

import pytest
import torch
from helpers.separation_toys import RATE, check_that_it_learns
from torch.nn.functional import scaled_dot_product_attention

from asdlib.errors import AsdError
from asdlib.losses.multi_stage import magnitude_loss, waveform_loss
from asdlib.separation.levels import at_unit_level
from asdlib.separation.mixtures import Mixtures
from asdlib.separators.sepreformer import VARIANTS, SepReformer
from asdlib.separators.sepreformer_layers import GlobalBlock, LocalBlock, SelfAttention, SourceAttention
from asdlib.separators.sepreformer_stages import RelativePositions, Sizes, SourceSeparator
from asdlib.training.settings import Training

TINY = {
    "channels": 16, "stages": 2, "encoder_channels": 16, "heads": 2, "local_kernel": 5, "positions": 20,
    "dropout": 0.0, "stft_frame": 16.0, "stft_hop": 4.0, "sample_rate": RATE,
}  # fmt: skip


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.1


def mixtures() -> Mixtures:
    sources = noise(2, 2, 1000)
    return Mixtures(sources.sum(1), sources)


@pytest.fixture
def network() -> SepReformer:
    torch.manual_seed(0)
    return SepReformer(**TINY)


# Millions of parameters without and with the earlier stages' heads, as published (L: only without).
@pytest.mark.parametrize(
    ("size", "without", "with_heads"),
    [("T", 3.71, 3.93), ("S", 4.53, 4.79), ("B", 14.15, 14.69), ("M", 17.31, 17.98), ("L", 59.4, None)],
)
def test_the_variants_have_the_published_sizes(size: str, without: float, with_heads: float | None) -> None:
    with torch.device("meta"):
        network = SepReformer(size, sample_rate=8000)
    counts = {name: parameter.numel() for name, parameter in network.named_parameters()}
    heads = sum(count for name, count in counts.items() if name.startswith(("out_layer_bn", "decoder_bn")))
    assert (sum(counts.values()) - heads) / 1e6 == pytest.approx(without, abs=0.1 if size == "L" else 0.006)
    assert with_heads is None or sum(counts.values()) / 1e6 == pytest.approx(with_heads, abs=0.006)


@pytest.mark.parametrize("size", VARIANTS)
def test_frames_last_as_long_at_any_sampling_rate_and_dropout_is_the_published_one(size: str) -> None:
    with torch.device("meta"):
        networks = [SepReformer(size, sample_rate=rate) for rate in (8000, 16000)]
    slow, fast = (network.audio_encoder.conv1d for network in networks)
    assert (slow.kernel_size, slow.stride) == (((8,), (2,)) if size in "SM" else ((16,), (4,)))
    assert (fast.kernel_size, fast.stride) == (((16,), (4,)) if size in "SM" else ((32,), (8,)))
    assert [network.stft for network in networks] == [(512, 128), (1024, 256)]
    dropped = {part.p for part in networks[0].modules() if isinstance(part, torch.nn.Dropout)}
    assert dropped == {0.1 if size == "L" else 0.05}


def test_single_sizes_replace_those_of_the_variant() -> None:
    changed = SepReformer(**{**TINY, "size": "L", "shared_split": True})
    assert hasattr(changed.separator, "spk_split_block")
    assert not hasattr(SepReformer(**TINY).separator, "spk_split_blocks")
    splits = SepReformer(**{**TINY, "size": "L"})
    assert len(splits.separator.spk_split_blocks) == 3  # two stages and the bottleneck
    splits.loss(mixtures()).backward()
    assert all(weight.grad.any() for weight in splits.separator.spk_split_blocks.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "XL"}, "size 'XL': use one of"),
        ({"heads": 3}, "heads 3: give a divisor of the 16"),
        ({"sources": 3}, "sources 3: use 1"),
    ],
)
def test_impossible_sizes_are_refused(change: dict, message: str) -> None:
    with pytest.raises(AsdError, match=f"separator sepreformer: {message}"):
        SepReformer(**{**TINY, **change})


@torch.no_grad()
@pytest.mark.parametrize("samples", [9, 16, 17, 999, 1000, 1003])
def test_every_sample_of_any_length_is_estimated(network: SepReformer, samples: int) -> None:
    estimate = network.eval()(noise(2, samples))
    assert estimate.shape == (2, 2, samples)
    assert estimate[..., -1].all()


@torch.no_grad()
def test_every_stage_halves_the_frame_rate_after_the_end_is_padded() -> None:
    """With one or two stages, twice their number would do as well as a power of two."""
    separator = SourceSeparator(Sizes(16, 3, 2, 5, 5, 20, 0.0, shared_split=True)).eval()
    hidden, starts = separator(noise(1, 16, 17))
    assert [start.shape[-1] for start in (*starts, hidden)] == [3, 6, 12, 24]


@torch.no_grad()
def test_every_block_begins_near_the_identity() -> None:
    """Layer scales start at 1e-5, so that a deep network initially learns like a shallow one."""
    torch.manual_seed(0)
    features = noise(4, 24, 16)
    positions = RelativePositions(20, 8)(6)
    blocks = [GlobalBlock(16, 2, 0.0), LocalBlock(16, 5, 0.0), SourceAttention(16, 2, 0.0)]
    for block, extra in zip(blocks, [(positions,), (), (2,)], strict=True):
        changed = block(features, *extra)
        assert 0 < (changed - features).abs().max() < 1e-3


@torch.no_grad()
def test_positions_are_relative_and_far_ones_are_alike() -> None:
    keys = RelativePositions(5, 4)(12)
    assert torch.equal(keys[:-1, :-1], keys[1:, 1:])
    assert torch.equal(keys[0, 5], keys[0, 11])
    assert torch.equal(keys[11, 0], keys[11, 7])
    assert not torch.equal(keys[0, 1], keys[1, 0])


@torch.no_grad()
def test_attention_is_scaled_by_the_width_of_a_head_and_positions_are_keys() -> None:
    torch.manual_seed(0)
    attention, features, positions = SelfAttention(12, 2, 0.0), torch.randn(3, 5, 12), torch.randn(5, 5, 6)
    attention.Layer_scale.layer_scale.fill_(1.0)
    normed = attention.layer_norm(features)
    linears = (attention.linear_q, attention.linear_k, attention.linear_v)
    query, key, value = (linear(normed).view(3, 5, 2, 6).transpose(1, 2) for linear in linears)
    for given, extra in ((None, 0.0), (positions, (query[:, :, :, None] * positions).sum(-1) / 6**0.5)):
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=torch.zeros(3, 2, 5, 5) + extra)
        expected = attention.linear_out(mixed.transpose(1, 2).reshape(3, 5, 12))
        torch.testing.assert_close(attention(features, given), expected)


@torch.no_grad()
def test_the_attention_between_sources_has_no_order_and_sees_one_mixture_alone() -> None:
    torch.manual_seed(0)
    attention = SourceAttention(16, 2, 0.0)
    attention.self_attn.Layer_scale.layer_scale.fill_(1.0)
    features = noise(3, 2, 10, 16)  # (mixture, source, frames, F)
    result = attention(features.flatten(0, 1), 2).view_as(features)
    swapped = attention(features.flip(1).flatten(0, 1), 2).view_as(features)
    torch.testing.assert_close(swapped, result.flip(1))
    torch.testing.assert_close(attention(features[1], 2), result[1])
    without = attention(features.index_fill(1, torch.tensor(1), 0.0).flatten(0, 1), 2).view_as(features)
    assert not torch.allclose(without[:, 0], result[:, 0])


def test_training_adds_the_earlier_stages_and_watching_does_not(network: SepReformer) -> None:
    """The share changes between epochs, so validation losses that include it would not be comparable."""
    heads = [name for name, _ in network.named_parameters() if name.startswith(("out_layer_bn", "decoder_bn"))]
    network.loss(mixtures()).backward()
    assert all(network.get_parameter(name).grad.any() for name in heads)
    network.zero_grad()
    network.eval().loss(mixtures()).backward()
    assert all(network.get_parameter(name).grad is None for name in heads)


def test_the_terms_are_the_loss(network: SepReformer) -> None:
    for learning, names in ((True, {"final", "earlier"}), (False, {"final"})):
        terms = network.train(learning).terms(mixtures())
        assert terms.keys() == names
        torch.testing.assert_close(sum(terms.values()), network.loss(mixtures()))


@torch.no_grad()
def test_both_terms_are_means_over_sources_in_fixed_order_and_the_earlier_one_over_stages(network: SepReformer) -> None:
    scaled = at_unit_level(mixtures())
    final, earlier = network.train().stages(scaled.mixture)
    pairs = [(each[:, source], scaled.sources[:, source]) for each in earlier for source in (0, 1)]
    magnitude = torch.stack([magnitude_loss(*pair, 128, 32) for pair in pairs]).mean()  # 16 and 4 ms at 8 kHz
    waveform = torch.stack([waveform_loss(final[:, source], scaled.sources[:, source]) for source in (0, 1)]).mean()
    terms = network.terms(mixtures())
    torch.testing.assert_close(terms, {"final": 0.6 * waveform, "earlier": 0.4 * magnitude})
    watched = waveform_loss(network.eval()(scaled.mixture), scaled.sources).mean()
    torch.testing.assert_close(network.loss(mixtures()), watched)


@torch.no_grad()
def test_the_share_of_the_earlier_stages(network: SepReformer) -> None:
    def loss(epoch: int) -> torch.Tensor:
        network.begin_epoch(epoch, 200)
        return network.loss(mixtures())

    network.train()
    official = {0: 1.0, 99: 1.0, 100: 0.8, 104: 0.8, 105: 0.64, 199: 0.8**20}
    network.auxiliary_share = 0.0
    final = loss(0)
    network.auxiliary_share = 0.4
    added = loss(0) - final
    for epoch, share in official.items():
        torch.testing.assert_close(loss(epoch) - final, share * added, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_louder_mixture_is_separated_the_same_way(network: SepReformer) -> None:
    """Machines differ in level by tens of dB, and the encoder's GELU depends on the level."""
    mixture = noise(2, 1000)
    torch.testing.assert_close(network.eval().separate(8 * mixture), 8 * network.separate(mixture))


@torch.no_grad()
def test_a_pause_that_is_longer_than_a_window_stays_quiet(network: SepReformer, monkeypatch) -> None:
    """With 3 % of the noise left, it is 30 dB below the noise, and not as loud as it in every window of the pause."""

    def leaking(mixture: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft(mixture)
        low = spectrum * (torch.arange(spectrum.shape[-1]) < spectrum.shape[-1] // 2)
        parts = (low + 0.03 * (spectrum - low), spectrum - low + 0.03 * low)
        return torch.stack([torch.fft.irfft(part, mixture.shape[-1]) for part in parts], 1)

    monkeypatch.setattr(network, "forward", leaking)
    network.window = 200
    machine = torch.sin(0.2 * torch.arange(2000.0)) * (torch.arange(2000) < 1000)
    noise = 0.5 * torch.sin(2.5 * torch.arange(2000.0))
    separated = network.eval().separate((machine + noise)[None])[0]
    assert separated[1200:].std() < 0.05 * noise.std()
    torch.testing.assert_close(separated[20:800], machine[20:800], atol=0.1, rtol=0)


@torch.no_grad()
def test_a_constant_clip_stays_finite(network: SepReformer) -> None:
    assert network.eval().separate(torch.full((1, 1000), 0.5)).isfinite().all()


def test_training_improves_the_si_sdr_of_held_out_mixtures(tmp_path: Path) -> None:
    torch.manual_seed(0)
    change = {"stages": 1, "kernel": 4.0, "stride": 2.0, "encoder_channels": 16, "local_kernel": 17, "positions": 50}
    settings = Training(epochs=3, batch_size=8, learning_rate=0.01, clip_norm=5.0)
    check_that_it_learns(SepReformer(**{**TINY, **change}), settings, tmp_path, improvement=3.0)  # 4.5 dB when written
