"""The phases of system4: trainable weights, initial weights, adapters and padding."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.refusals import refused
from helpers.system4_models import (
    ADAPTATION,
    AUDIOMAE,
    BEATS,
    SMALL,
    TUNED,
    begun,
    changed,
    clips,
    published_audiomae,
    published_beats,
    stored,
    trained,
    with_spectra_of_their_own,
)

from asdlib.examples.clips import Batch
from asdlib.layers.encoders.audiomae import normalised
from asdlib.layers.encoders.beats import Beats
from asdlib.models.audiomae_classifier import AudioMaeClassifier
from asdlib.models.beats_classifier import BeatsClassifier
from asdlib.training.build import restore_model
from asdlib.weights import checkpoints

ALL_YEARS, THIS_YEAR = clips(("fan", "pump", "valve")), clips(("fan", "gearbox"))
HEADS = {
    "audiomae_classifier": {"head", "fc_norm"},
    "beats_classifier": {"head", "pooling"},
}  # after the encoder
FIXED = {"encoder.pos_embed"}  # of AudioMAE: the table of positions is not trained
ENOUGH = {
    "audiomae_classifier": ({"width": 32}, 40, 0.003),
    "beats_classifier": ({"width": 32, "patch_width": 16}, 140, 0.001),
}  # sizes, steps and rate with which phase I learns
PHASES = pytest.mark.parametrize("first", [AUDIOMAE, BEATS], ids=["audiomae", "beats"])


def whole(given) -> Batch:
    return Batch(given.features, given.frames, given.target)


def phase_1(first: dict):
    """Return a trained phase I; AudioMAE's starts from an adapted autoencoder."""
    torch.manual_seed(0)
    inits = [stored(begun(ADAPTATION, ALL_YEARS), ADAPTATION)] if first is AUDIOMAE else []
    network = begun(first, ALL_YEARS, *inits)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    trained(network, ALL_YEARS)
    return network, before


def test_labels_are_machine_and_attributes() -> None:
    network = begun(AUDIOMAE, ALL_YEARS)
    assert network.classes == [f"{m}, spd={s}" for m in ("fan", "pump", "valve") for s in "12"]
    labels = network.examples(ALL_YEARS).batch(torch.tensor([0, 1, 5])).labels
    assert labels.tolist() == [0, 1, 5]


@PHASES
def test_a_new_head_has_weights_of_the_usual_size(first: dict) -> None:
    """With far smaller ones, BEATs learns in fewer directions (test_beats_collapse.py)."""
    weights = begun(first, ALL_YEARS).head.weight
    assert float(weights.detach().std()) == pytest.approx((3 * SMALL["width"]) ** -0.5, rel=0.3)


def test_labels_may_be_machines_alone() -> None:
    network = begun({**BEATS, "labels": "machine"}, ALL_YEARS)
    assert network.classes == ["fan", "pump", "valve"]
    assert network.examples(ALL_YEARS).batch(torch.tensor([0, 1, 5])).labels.tolist() == [0, 0, 2]
    expected = "model: labels 'sections': use one of: attributes, machine"
    refused(lambda: begun({**BEATS, "labels": "sections"}, ALL_YEARS), expected)


def test_audiomaes_phase_1_starts_from_the_adapted_encoder_and_may_leave_it() -> None:
    adapted = begun(ADAPTATION, ALL_YEARS)
    network = begun({**AUDIOMAE, "frozen": True}, ALL_YEARS, stored(adapted, ADAPTATION))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    trained(network, ALL_YEARS)
    assert {name.partition(".")[0] for name in changed(network, before)} == {"head", "fc_norm"}
    assert torch.equal(network.encoder.blocks[0].attn.qkv.weight, adapted.encoder.blocks[0].attn.qkv.weight)


@PHASES
def test_phase_1_changes_everything(first: dict) -> None:
    network, before = phase_1(first)
    assert changed(network, before) == set(before) - FIXED


@PHASES
def test_phase_2_changes_adapters_and_head_alone(first: dict) -> None:
    network, _ = phase_1(first)
    second = begun({**first, **TUNED}, THIS_YEAR, stored(network, first))
    before = {name: tensor.clone() for name, tensor in second.state_dict().items()}
    trained(second, THIS_YEAR)
    found = changed(second, before)
    adapters = {name for name in found if "lora_" in name}
    assert {name.partition(".")[0] for name in found - adapters} == HEADS[first["kind"]]
    assert adapters == {name for name in before if "lora_" in name}
    assert len(adapters) == 2 * 2  # query and key, A and B


@PHASES
def test_adapters_are_on_query_and_key(first: dict) -> None:
    network = begun({**first, **TUNED}, THIS_YEAR)
    learning = {name for name, p in network.encoder.named_parameters() if p.requires_grad}
    assert all(".query." in name or ".key." in name or ".q_proj." in name or ".k_proj." in name for name in learning)
    shapes = {tuple(p.shape) for name, p in network.encoder.named_parameters() if name in learning}
    assert shapes == {(3, 16), (16, 3)}


@PHASES
def test_phase_2_begins_as_phase_1_ended(first: dict) -> None:
    network, _ = phase_1(first)
    second = begun({**first, **TUNED}, THIS_YEAR, stored(network, first))
    batch = whole(THIS_YEAR)
    torch.testing.assert_close(second.embed(batch)["embedding"], network.embed(batch)["embedding"])


@PHASES
def test_the_head_keeps_the_rows_of_labels_that_both_phases_know(first: dict) -> None:
    network, _ = phase_1(first)
    second = begun({**first, **TUNED}, THIS_YEAR, stored(network, first))
    for of_second, of_first in zip(second.head.parameters(), network.head.parameters(), strict=True):  # weight, bias
        rows = dict(zip(second.classes, of_second, strict=True))
        earlier = dict(zip(network.classes, of_first, strict=True))
        assert torch.equal(rows["fan, spd=2"], earlier["fan, spd=2"])
        assert not any(torch.equal(rows["gearbox, spd=1"], row) for row in earlier.values())  # a new label


def test_accuracy_is_the_share_of_clips_with_the_most_likely_label() -> None:
    torch.manual_seed(0)
    network = begun(BEATS, ALL_YEARS).eval()
    batch = whole(ALL_YEARS)
    _, likely = network.head(network.embed(batch)["embedding"]).topk(2)
    labels = torch.cat([likely[:4, 0], likely[4:, 1]])
    assert float(network.metrics(replace(batch, labels=labels))["accuracy"]) == pytest.approx(4 / 6)


@PHASES
def test_the_phases_learn(first: dict) -> None:
    """Clips with spectra of their own are told apart, from random weights and then with adapters."""
    torch.manual_seed(0)
    given = with_spectra_of_their_own(ALL_YEARS)
    sizes, steps, rate = ENOUGH[first["kind"]]
    first = {**first, **sizes}
    network = begun(first, given)
    batch = network.examples(given).batch(torch.arange(6))
    chance = math.log(6)
    assert float(network.loss(batch).detach()) == pytest.approx(chance, abs=0.3)
    trained(network, given, steps, rate)
    learned = float(network.loss(batch).detach())
    assert learned < 0.75 * chance
    second = begun({**first, **TUNED}, given, stored(network, first))
    trained(second, given, steps=15)
    assert float(second.loss(batch).detach()) < 0.9 * learned
    assert float(second.metrics(batch)["accuracy"]) > 1 / 6


@PHASES
def test_a_network_with_adapters_is_stored_and_restored(first: dict, tmp_path: Path) -> None:
    settings = {**first, **TUNED}
    network = begun(settings, THIS_YEAR)
    trained(network, THIS_YEAR)
    checkpoints.save(tmp_path / "model.safetensors", stored(network, settings))
    restored = restore_model(checkpoints.load(tmp_path / "model.safetensors"))
    batch = whole(THIS_YEAR)
    assert torch.equal(restored.embed(batch)["embedding"], network.eval().embed(batch)["embedding"])


def test_audiomae_s_clip_is_the_mean_of_its_512_patches() -> None:
    network, batch = begun({**AUDIOMAE, "frozen": True}, THIS_YEAR).eval(), whole(THIS_YEAR)
    with torch.no_grad():
        _, patches = network.encoder(normalised(batch.features, batch.frames)).split([1, 512], dim=1)
        mean = torch.einsum("btd->bd", patches) / 512
        torch.testing.assert_close(network.frozen_part(batch), mean)
        torch.testing.assert_close(network.embed(batch)["embedding"], network.fc_norm(mean))
        for learning in (AUDIOMAE, {**AUDIOMAE, **TUNED}):  # the whole encoder, or its adapters
            assert begun(learning, THIS_YEAR).frozen_part(batch) is None


@PHASES
def test_padding_does_not_reach_the_embedding(first: dict) -> None:
    """32 of 48 frames, two time steps of patches, are real; the frames after them are arbitrary."""
    network = begun(first, THIS_YEAR).eval()
    features = THIS_YEAR.features[:2]
    frames, target = torch.tensor([32, 48]), torch.zeros(2, dtype=torch.bool)
    other = features.clone()
    other[0, 32:] = 99.0
    one, same = (network.embed(Batch(x, frames, target))["embedding"] for x in (features, other))
    assert torch.equal(one, same)
    alone = network.embed(Batch(features[:1, :32], frames[:1], target[:1]))["embedding"]
    torch.testing.assert_close(alone, one[:1])


def test_the_gradient_of_beats_decays_at_every_layer_as_it_is_set() -> None:
    gradients = []
    for decay in (1.0, 0.5):
        torch.manual_seed(0)
        network = begun({**BEATS, "depth": 2, "gradient_decay": decay}, THIS_YEAR)
        network.loss(network.examples(THIS_YEAR).batch(torch.arange(4))).backward()
        gradients.append(network.encoder.post_extract_proj.weight.grad)
    torch.testing.assert_close(gradients[1], 0.5**2 * gradients[0])


def test_a_public_beats_is_taken_over(tmp_path: Path) -> None:
    torch.manual_seed(0)
    given = BeatsClassifier(False, **{key: BEATS[key] for key in ("width", "depth", "heads", "patch_width")}).encoder
    public = published_beats(tmp_path / "BEATs.pt", given)
    for settings in ({**BEATS, **TUNED}, BEATS):
        network = begun(settings, THIS_YEAR)
        network.start_from_public(public)
        ours, theirs = (encoder(THIS_YEAR.features, THIS_YEAR.frames)[0] for encoder in (network.encoder, given))
        torch.testing.assert_close(ours, theirs)
    deeper = published_beats(tmp_path / "deeper.pt", Beats(**{**network.sizes, "depth": network.sizes["depth"] + 1}))
    refused(lambda: network.start_from_public(deeper), r".*deeper\.pt: encoder\.layers\..* is unknown: use .*")


def test_a_public_audiomae_is_taken_over_with_the_norm_of_a_fine_tuned_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    autoencoder = begun(ADAPTATION, ALL_YEARS).encoder
    encoder = begun(AUDIOMAE, THIS_YEAR).encoder.state_dict() | {"fc_norm.weight": torch.full((16,), 2.0)}
    tuned = encoder | {"fc_norm.bias": torch.ones(16), "head.weight": torch.zeros(3, 16), "head.bias": torch.zeros(3)}
    network = begun({**AUDIOMAE, **TUNED}, THIS_YEAR)
    network.start_from_public(published_audiomae(tmp_path / "pretrained.pth", autoencoder.state_dict()))
    spectrograms = torch.randn(1, 1024, 128)
    torch.testing.assert_close(network.encoder(spectrograms), autoencoder(spectrograms))
    assert torch.equal(network.fc_norm.weight, torch.ones(16))
    network.start_from_public(published_audiomae(tmp_path / "finetuned.pth", tuned))
    assert torch.equal(network.fc_norm.weight, torch.full((16,), 2.0))
    assert torch.equal(network.encoder.cls_token, encoder["cls_token"])


def test_weights_that_do_not_fit_are_refused() -> None:
    network = begun(AUDIOMAE, THIS_YEAR)
    tuned = stored(begun({**AUDIOMAE, **TUNED}, THIS_YEAR), AUDIOMAE)
    wide = stored(begun({**AUDIOMAE, "width": 32}, THIS_YEAR), AUDIOMAE)
    refused(
        lambda: network.start_from(tuned), r"init: audiomae: has no weight encoder\.blocks\.0\.attn\.qkv\.weight: .*"
    )
    refused(lambda: network.start_from(wide), r"init: audiomae: encoder\.cls_token is 1 × 1 × 32, not 1 × 1 × 16: .*")


def test_adapters_on_an_encoder_that_learns_are_refused() -> None:
    refused(
        lambda: AudioMaeClassifier(False, lora_rank=8, **SMALL), r"lora_rank: 8: adapters need a frozen encoder: .*"
    )


def test_clips_of_one_label_are_refused() -> None:
    lone = clips(("fan",))
    some = type(lone)(lone.table.slice(0, 1), lone.features[:1])
    refused(lambda: begun(AUDIOMAE, some), r"model: all training clips have one label \(fan, spd=1\): .*")
    of_machine = {**BEATS, "labels": "machine"}
    refused(lambda: begun(of_machine, lone), r"model: all training clips have one label \(fan\): .*")
