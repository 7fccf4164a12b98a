"""BEATs with adapters: what it is at first, what learns, how clips are cut and mixed, and how whole ones are scored."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.golden import Golden, golden
from helpers.model_toys import built, toy_clips
from helpers.system4_models import published_beats
from torch import Tensor

from asdlib.backends.band_memory import BandMemory
from asdlib.backends.embeddings import Embeddings
from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips
from asdlib.frontends.fbank import Fbank
from asdlib.layers.adapters import adapt
from asdlib.layers.encoders.beats import Beats
from asdlib.models.adapted_beats import UNITS, AdaptedBeats
from asdlib.models.frozen_encoder import FrozenEncoder
from asdlib.weights.published.beats import encoder_weights

SIZES = {"width": 16, "depth": 2, "heads": 2, "patch_width": 8}
HEAD = {"attention": 4, "dimensions": 8, "sub_clusters": 2}
SAMPLES = 6000


def clips() -> Clips:
    return toy_clips((SAMPLES,))


def model(**settings) -> AdaptedBeats:
    return built("adapted_beats", clips(), {"lora_rank": 2, "crop": 4000, **HEAD, **SIZES, **settings})


def waveforms(count: int, samples: int = SAMPLES) -> Tensor:
    return 0.1 * torch.randn(count, samples, generator=torch.Generator().manual_seed(3))


def batch(features: Tensor, samples: list[int], labels: list[int] | None = None) -> Batch:
    numbers = None if labels is None else torch.tensor(labels)
    return Batch(features, torch.tensor(samples), torch.zeros(len(samples), dtype=torch.bool), numbers)


def frozen_rows(network: AdaptedBeats, weights: dict[str, Tensor], features: Tensor, samples: list[int]) -> Tensor:
    """Return the rows of a frozen encoder with the same public weights, from the frontend's log-mel."""
    frozen = FrozenEncoder("beats", **SIZES).eval()
    frozen.encoder.network.load_state_dict(weights)
    frontend = Fbank("povey", scale=32768.0, remove_mean=False, mean=0.0, std=0.5)
    return frozen.embed(batch(frontend(features), [frontend.frames(one) for one in samples]))["rows"]


def test_before_any_training_it_is_the_frozen_encoder(tmp_path: Path) -> None:
    """Also of clips of several lengths, with padding."""
    torch.manual_seed(7)
    beats = Beats(**SIZES)
    network = model()
    network.start_from_public(published_beats(tmp_path / "a.pt", beats))
    features, samples = waveforms(3), [SAMPLES, 4100, SAMPLES]
    found = network.eval().embed(batch(features, samples))
    assert found.keys() == {"rows"}
    torch.testing.assert_close(found["rows"], frozen_rows(network, beats.state_dict(), features, samples))
    features[1, 4100:] = 9.0
    torch.testing.assert_close(network.embed(batch(features, samples))["rows"], found["rows"])


def test_adapters_on_query_key_and_value_and_the_head_learn_and_nothing_else() -> None:
    network = model(layer_drop=0.0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    examples = network.examples(clips())
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=0.01)
    for _ in range(2):  # in the first step, only the second factor of an adapter has a gradient
        optimizer.zero_grad()
        network.train().loss(examples.batch(torch.arange(8))).backward()
        optimizer.step()
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    adapters = {
        f"encoder.network.encoder.layers.{layer}.self_attn.{part}_proj.lora_{factor}.default.weight"
        for layer in range(2)
        for part in "qkv"
        for factor in "AB"
    }
    assert {name for name in moved if name.startswith("encoder.")} == adapters
    assert {name.partition(".")[0] for name in moved} == {"encoder", "pooling", "head", "centres"}
    assert {name for name, p in network.named_parameters() if p.requires_grad and name.startswith("enc")} == adapters
    assert float(network.centres.scale) == pytest.approx(float(before["centres.scale"]))


def test_an_adapter_adds_its_product_times_the_scale() -> None:
    torch.manual_seed(0)
    beats = Beats(**SIZES)
    plain = beats.encoder.layers[0].self_attn.v_proj.weight.clone()
    adapted = adapt(beats, True, 2, 0.125, ("v_proj",)).encoder.layers[0].self_attn.v_proj
    a, b = adapted.lora_A["default"].weight, adapted.lora_B["default"].weight
    torch.nn.init.normal_(b)
    vectors = torch.randn(3, 16)
    expected = vectors @ (plain + 0.125 * b @ a).T + adapted.base_layer.bias
    torch.testing.assert_close(adapted(vectors), expected)


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 0), (0.5, 100), (1.0, 200)])
def test_in_the_training_clips_are_mixed_with_their_labels(
    monkeypatch: pytest.MonkeyPatch, chance: float, expected: int
) -> None:
    network, features, seen = model(mixup=chance).train(), waveforms(4, 4000), []
    network.classes = [str(number) for number in range(4)]
    network.log_mel.register_forward_pre_hook(lambda _, given: seen.append(given[0] / UNITS))
    monkeypatch.setattr(network.centres, "forward", lambda _, labels: (seen.append(labels), labels.sum())[1])
    monkeypatch.setattr(network.encoder, "forward", lambda spectrogram: torch.randn(4, 2, 8, 16))
    mixed, shares = 0, []
    torch.manual_seed(0)
    for _ in range(50):
        network.loss(batch(features, [4000] * 4, [0, 1, 2, 3]))
        heard, labels = seen[-2:]
        torch.testing.assert_close(heard, labels @ features)
        assert (labels.diagonal() > 0).all()
        assert (labels >= 0).all()
        torch.testing.assert_close(labels.sum(1), torch.ones(4))
        mixed += int((labels.diagonal() < 1).sum())
        shares += labels.diagonal()[labels.diagonal() < 0.999].tolist()
    # A quarter of the partners are the clips themselves.
    assert mixed == pytest.approx(0.75 * expected, abs=30 if expected else 0)
    if expected:
        assert np.mean(shares) == pytest.approx(0.5, abs=0.1)  # drawn evenly from 0 to 1, whatever the chance


def test_evaluation_draws_nothing() -> None:
    network = model().eval()
    examples = network.examples(clips())
    first, again = (network.loss(examples.batch(torch.arange(8))) for _ in range(2))
    assert torch.equal(first, again)
    network.train()
    torch.manual_seed(0)
    assert network.loss(examples.batch(torch.arange(8))) != network.loss(examples.batch(torch.arange(8)))


def test_the_scale_of_the_loss_is_the_published_one() -> None:
    """√2 · ln(16 · 116 − 1) for the classes of 2026."""
    network = AdaptedBeats(lora_rank=2, **SIZES)
    network.grow({"classes": [str(number) for number in range(116)]})
    assert float(network.centres.scale) == pytest.approx(math.sqrt(2) * math.log(16 * 116 - 1))
    assert float(network.centres.scale) == pytest.approx(10.64, abs=0.005)


def test_the_head_has_the_published_sizes() -> None:
    with torch.device("meta"):
        network = AdaptedBeats()
    shapes = {name: tuple(tensor.shape) for name, tensor in network.named_parameters() if not name.startswith("enc")}
    assert shapes == {
        "pooling.hidden.weight": (48, 2304), "pooling.hidden.bias": (48,), "pooling.norm.weight": (48,),
        "pooling.norm.bias": (48,), "pooling.score.weight": (768, 48), "head.0.weight": (1536,),
        "head.0.bias": (1536,), "head.1.weight": (768, 1536), "head.1.bias": (768,), "head.2.weight": (768,),
        "head.2.bias": (768,), "head.3.weight": (256, 768), "head.3.bias": (256,),
    }  # fmt: skip


def test_from_the_waveform_to_the_score_with_the_official_encoder() -> None:
    """With adapters that add nothing yet, the score is that of the frozen encoder, which is tested against goldens."""
    case = Golden.read(golden("beats_tiny"))
    cfg = case.sizes
    network = model()
    network.encoder.network = adapt(
        Beats(
            cfg["encoder_embed_dim"], cfg["encoder_layers"], cfg["encoder_attention_heads"],
            cfg["encoder_ffn_embed_dim"], cfg["embed_dim"], cfg["num_buckets"], cfg["max_distance"], 1.0,
            cfg["conv_pos"], cfg["conv_pos_groups"], cfg["conv_bias"], dropout=0.1, layer_drop=0.05,
        ), False, 0,
    )  # fmt: skip
    network.encoder.network.load_state_dict(encoder_weights(case.folder, case.weights))
    adapt(network.encoder.network, True, **network.adapters)
    given = case.io["waveform"]
    found = network.eval().embed(batch(given, [given.shape[1]] * len(given)))["rows"].double().numpy()
    theirs = case.io["features"].double().unflatten(1, (-1, 8)).numpy()
    offsets = np.linalg.norm(theirs - theirs.mean(1, keepdims=True), axis=3)
    weights = (1 + offsets / offsets.max(1, keepdims=True)) ** 4
    rows = (weights[..., None] * theirs).sum(1) / weights.sum(1)[..., None]
    np.testing.assert_allclose(found, rows, atol=2e-4)
    memory = np.random.default_rng(0).normal(size=(5, *rows.shape[1:])) + rows[:1]
    backend = BandMemory("rows", neighbours=2).fit(Embeddings({"rows": memory}, ["source"] * len(memory)))
    scores = [backend.anomaly_score(Embeddings({"rows": one})) for one in (found, rows)]
    np.testing.assert_allclose(*scores, rtol=1e-3, atol=1e-5)


def test_a_single_class_is_refused() -> None:
    given = clips()
    chosen = [row for row, domain in enumerate(given.column("domain")) if domain == "source"][-3:]
    alone = Clips(given.table.take(chosen), given.features[chosen])
    message = r"model adapted_beats: all training clips are of one class \(00, slider, source\): add machines, domains"
    with pytest.raises(AsdError, match=message):
        AdaptedBeats.refuse(alone)
    with pytest.raises(AsdError, match=message):
        model().survey(alone)


@pytest.mark.parametrize("settings", [{"lora_rank": 0}, {"crop": 2799}])
def test_bad_settings_are_named(settings: dict) -> None:
    with pytest.raises(
        AsdError, match=r"model adapted_beats: lora_rank \d, crop \d+: use a rank of 1 and 2800 samples, or more"
    ):
        AdaptedBeats(**({"lora_rank": 1} | settings), **SIZES)
    AdaptedBeats(lora_rank=1, crop=2800, **SIZES)
