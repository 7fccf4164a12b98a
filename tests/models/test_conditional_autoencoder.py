"""The conditional autoencoders of report 3: sizes, condition, error and restored networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.condition_clips import BANDS, condition_clips, joined, made_from, to_score
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.nearest_neighbours import NearestNeighbours
from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips, origins
from asdlib.models.conditional_autoencoder import ConditionalAutoencoder
from asdlib.models.conditional_dense_autoencoder import ConditionalDenseAutoencoder

CONDITIONS = {("fan", "1", "source"): 10, ("fan", "2", "source"): 10, ("fan", "3", "target"): 4}


def conv(**settings) -> ConditionalAutoencoder:
    return ConditionalAutoencoder(**{"frames": 8, "hop": 4, "channels": [4, 8], "latent": 6, **settings})


def dense(**settings) -> ConditionalDenseAutoencoder:
    return ConditionalDenseAutoencoder(
        **{"frames": 3, "hidden": 16, "depth": 1, "batch_norm_momentum": 0.1, **settings}
    )


def grown(network: nn.Module, clips: Clips) -> nn.Module:
    torch.manual_seed(0)
    network.grow(network.survey(clips))
    return network.eval()


def trained(network: nn.Module, clips: Clips, epochs: int = 60) -> nn.Module:
    grown(network, clips).train()
    examples = network.examples(clips)
    optimizer = torch.optim.Adam(network.parameters(), 0.003)
    for epoch in range(epochs):
        examples.begin_epoch(epoch)
        optimizer.zero_grad()
        network.loss(examples.batch(torch.arange(len(examples)))).backward()
        optimizer.step()
    return network.eval()


def whole(clips: Clips) -> Batch:
    unknown = torch.zeros(len(clips.table), dtype=torch.bool)
    return Batch(clips.features, clips.frames, unknown, origins=origins(clips.table))


def errors(network: nn.Module, clips: Clips) -> torch.Tensor:
    return network.embed(whole(clips))["error"]


both = pytest.mark.parametrize("make", [conv, dense])


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bands", [128, 256])
def test_the_sizes_are_those_of_the_system(bands: int) -> None:
    network = ConditionalAutoencoder()
    network.grow({"bands": {"mean": [0.0] * bands, "std": [1.0] * bands}, "conditions": facts(5)})
    windows = torch.zeros(2, 64, bands)
    assert network(windows, torch.zeros(2, 16)).shape == windows.shape
    size = sum(parameter.numel() for parameter in network.parameters())
    assert size == pytest.approx({128: 1.28e6, 256: 1.88e6}[bands], rel=0.01)
    latent = network.encoder(torch.zeros(2, 17, bands, 64))
    assert latent.shape == (2, 64)
    assert network.encoder[:-2](torch.zeros(2, 17, bands, 64)).shape == (2, 128, bands // 16, 4)


def test_the_condition_is_further_channels_which_come_last_in_memory() -> None:
    torch.manual_seed(0)
    network = ConditionalAutoencoder(channels=[8], condition=3)
    network.grow({"bands": {"mean": [0.0] * 4, "std": [1.0] * 4}, "conditions": facts(2)})
    called, before, seen = [], [], []

    class Calls(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, arguments=(), named=None):
            called.append(operation.overloadpacket.__name__)
            return operation(*arguments, **named or {})

    network.encoder.register_forward_pre_hook(lambda _, arguments: seen.extend(arguments))
    network.encoder.register_forward_pre_hook(lambda *_: before.extend(called))
    windows, condition = torch.randn(2, 64, 4), torch.randn(2, 3)
    with Calls():
        network(windows, condition)
    assert "cat" in before
    assert "clone" not in before  # a second copy, into another order
    channels = torch.cat([windows.transpose(1, 2)[:, None], condition[:, :, None, None].expand(-1, -1, 4, 64)], dim=1)
    assert torch.equal(seen[0], channels)
    assert seen[0].stride() == (4 * 64 * 4, 1, 64 * 4, 4)
    kernels = [weight for weight in network.parameters() if weight.dim() == 4]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in kernels)


def test_the_fully_connected_one_is_the_baselines_but_for_the_condition() -> None:
    network = ConditionalDenseAutoencoder()
    network.grow({"bands": {"mean": [0.0] * 128, "std": [1.0] * 128}, "conditions": facts(5)})
    condition = 5 * 16 + 16
    assert sum(parameter.numel() for parameter in network.parameters()) == 267_928 + 2 * 16 * 128 + condition


def facts(conditions: int) -> dict:
    return {"names": [str(number) for number in range(conditions)], "rules": []}


def test_a_window_that_cannot_be_halved_so_often_is_refused() -> None:
    with pytest.raises(AsdError, match="10 frames: choose a multiple of 4"):
        grown(conv(frames=10), condition_clips(CONDITIONS))
    with pytest.raises(AsdError, match="16 bands of the frontend: choose a multiple of 32"):
        grown(conv(frames=32, channels=[2] * 5), condition_clips(CONDITIONS))


# --- condition ------------------------------------------------------------------------------------------------------


@both
def test_without_its_condition_a_window_is_reconstructed_otherwise(make) -> None:
    network = grown(make(), condition_clips(CONDITIONS))
    windows = torch.randn(5, network.frames, BANDS, generator=torch.Generator().manual_seed(1))
    condition = network.describe(torch.tensor([0, 0, 1, 2, 2]))
    given, zeroed = network(windows, condition), network(windows, torch.zeros_like(condition))
    assert ((given - zeroed).abs().amax((1, 2)) > 1e-4).all()


@both
def test_the_wrong_condition_costs(make) -> None:
    """The windows hold only the levels of their condition: given another condition, the error is larger."""
    right, wrong = right_and_wrong(make())
    assert wrong > 2 * right


@both
def test_the_decoder_gets_the_condition_unless_told_otherwise(make) -> None:
    """An encoder that has seen the window knows the condition already; a decoder that needs it uses it more."""
    network = grown(make(), condition_clips(CONDITIONS))
    latent, condition = torch.zeros(2, network.latent), network.describe(torch.tensor([0, 1]))
    one, other = network.decoder(network.with_condition(latent, condition))
    assert not torch.equal(one, other)
    alone = grown(make(condition_decoder=False), condition_clips(CONDITIONS))
    one, other = alone.decoder(alone.with_condition(latent, condition))
    assert torch.equal(one, other)


def right_and_wrong(network: nn.Module) -> tuple[float, float]:
    """Return the loss of a trained network with the right and the wrong conditions."""
    clips = condition_clips(CONDITIONS)
    trained(network, clips, epochs=100)
    examples = network.examples(clips)
    batch = examples.batch(torch.arange(len(examples)))
    wrong = replace(batch, labels=(batch.labels + 1) % len(network.names))
    with torch.no_grad():
        return float(network.loss(batch)), float(network.loss(wrong))


@both
def test_the_unconditional_one_has_no_condition_at_all(make) -> None:
    clips = condition_clips(CONDITIONS)
    network = grown(make(conditional=False), clips)
    assert network.survey(clips).keys() == {"bands"}
    assert not [name for name, _ in network.named_parameters() if "condition" in name]
    batch = network.examples(clips).batch(torch.arange(4))
    assert batch.labels is None
    relabelled = Batch(batch.features, batch.frames, batch.target, torch.arange(4))
    assert network.loss(relabelled) == network.loss(batch)


@both
def test_what_is_known_of_a_clip_cannot_change_its_embedding(make) -> None:
    clips = condition_clips(CONDITIONS)
    network = grown(make(), clips)
    sounds = whole(clips)
    known = replace(sounds, target=~sounds.target, labels=torch.ones(len(clips.table), dtype=torch.int64))
    assert torch.equal(network.embed(known)["error"], errors(network, clips))


@both
def test_the_inferred_condition_is_the_one_that_the_network_is_told(make) -> None:
    clips = condition_clips(CONDITIONS)
    network = grown(make(), clips)
    plain = errors(network, clips)
    new = to_score(clips)
    torch.testing.assert_close(errors(network, new), plain)
    (rule,) = network.inference.rules.values()
    rule["bias"] += torch.tensor([0.0, 0.0, 1e6])  # now every new clip sounds like the third condition
    assert not torch.allclose(errors(network, new)[:20], plain[:20])
    torch.testing.assert_close(errors(network, new)[20:], plain[20:])


# --- error ----------------------------------------------------------------------------------------------------------


@both
def test_the_error_is_the_mean_square_per_band_over_windows_and_frames(make) -> None:
    clips = condition_clips(CONDITIONS, frames=22)
    network = grown(make(), clips)
    network.hop, length = 4, network.frames
    last = 22 - length
    clip = (clips.features[3] - network.mean) / network.std
    windows = torch.stack([clip[s : s + length] for s in sorted({*range(0, last + 1, 4), last})])
    found = network.inference(clips.features[3:4], clips.frames[3:4], origins(clips.table)[3:4])
    condition = network.describe(found.expand(len(windows)))
    with torch.no_grad():
        expected = (network(windows, condition) - windows).square().flatten(0, 1).mean(0)
    torch.testing.assert_close(errors(network, clips)[3], expected)


@both
@pytest.mark.parametrize("frames", [24, 2])
def test_padding_does_not_matter(make, frames: int) -> None:
    clips = condition_clips(CONDITIONS, frames=frames)
    padding = torch.full((len(clips.table), 11, BANDS), -156.5)
    padded = Clips(clips.table, torch.cat([clips.features, padding], dim=1))
    network, other = grown(make(), clips), grown(make(), padded)
    torch.testing.assert_close(errors(network, padded), errors(network, clips))
    torch.testing.assert_close(errors(other, padded), errors(network, clips))


@both
def test_levels_do_not_matter_for_training(make) -> None:
    """Bands are standardised, so the same clips 20 dB louder give the same loss."""
    clips = condition_clips(CONDITIONS)
    louder = Clips(clips.table, clips.features + 20)
    losses = [network.loss(network.examples(given).batch(torch.arange(9))).item()
              for given in (clips, louder) for network in [grown(make(), given)]]  # fmt: skip
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@both
def test_a_strange_clip_is_reconstructed_worse_where_it_is_strange(make) -> None:
    clips = condition_clips(CONDITIONS)
    network = trained(make(), clips)
    new = condition_clips(CONDITIONS, seed=1)
    strange = Clips(new.table, new.features.clone())
    strange.features[:, ::2, 5] += 6
    difference = (errors(network, strange) - errors(network, new)).mean(0)
    assert difference.argmax() == 5


@both
def test_a_duplicated_training_clip_scores_below_the_median(make) -> None:
    clips = condition_clips(CONDITIONS)
    vectors = errors(trained(make(), clips), clips).numpy()
    domains = clips.column("domain")
    fitted = NearestNeighbours("error", 5).fit(Embeddings({"error": vectors}, domains))
    again = fitted.anomaly_score(Embeddings({"error": vectors}))
    assert (again < fitted.train_score_).all()
    nearest_the_middle = np.argsort(fitted.train_score_)[:12]
    assert (again[nearest_the_middle] < np.median(fitted.train_score_)).all()


# --- what is remembered ---------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("speed", ["1", None])
def test_a_restored_network_embeds_the_same(make, speed: str | None) -> None:
    conditions = {("fan", speed, "source"): 10, ("fan", speed and "3", "target"): 4}
    clips = condition_clips(conditions)
    network = make()
    torch.manual_seed(0)
    stored = network.survey(clips)
    network.grow(stored)
    network.eval()
    torch.manual_seed(1)
    restored = make()
    restored.grow(stored)
    restored.load_state_dict(network.state_dict())
    assert torch.equal(errors(restored.eval(), clips), errors(network, clips))


@both
def test_training_labels_are_the_conditions_of_the_windows_clips(make) -> None:
    clips = condition_clips(CONDITIONS)
    network = grown(make(), clips)
    examples = network.examples(clips)
    labels = examples.batch(torch.arange(len(examples))).labels
    each = len(examples) // len(clips.table)
    assert labels.tolist() == [number for number, count in enumerate(CONDITIONS.values()) for _ in range(each * count)]


def test_a_joint_model_knows_the_conditions_of_every_machine() -> None:
    clips = condition_clips({**CONDITIONS, ("slider", None, "source"): 12})
    network = grown(conv(), clips)
    assert {name.split(" | ")[0] for name in network.names} == {"fan", "slider"}
    assert len(network.names) == 3 + 4
    alone = Clips(clips.table.slice(24), clips.features[24:])
    torch.testing.assert_close(errors(network, alone), errors(network, clips)[24:])
    copies = made_from(clips, torch.zeros(BANDS))  # a model of separated clips alone
    assert network.survey(copies)["conditions"]["names"] == network.names
    torch.testing.assert_close(errors(grown(conv(), copies), clips), errors(network, clips))


def test_a_joint_model_is_not_guessed_for_clips_of_unknown_origin() -> None:
    clips = condition_clips({**CONDITIONS, ("slider", None, "source"): 12})
    with pytest.raises(ValueError, match="give their origins"):
        grown(conv(), clips).embed(replace(whole(clips), origins=None))


@both
def test_a_separated_copy_has_the_condition_of_its_recording(make) -> None:
    recordings = condition_clips({("slider", None, f"state {state}"): 6 for state in range(3)})
    both_views = joined(recordings, made_from(recordings, torch.linspace(-30, 30, BANDS)))
    network = grown(make(), both_views)
    examples = network.examples(both_views)
    recorded, copied = examples.batch(torch.arange(len(examples))).labels.chunk(2)
    assert recorded.tolist() == copied.tolist()
