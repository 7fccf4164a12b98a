"""Audio DisMAE: domains, levels, padding and scores; parity with the published network is tested in tests/parity."""

import pyarrow as pa
import pytest
import torch
from helpers.dismae_clips import TOY, built, clips, whole

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips
from asdlib.layers.masking import removed, structured_keep
from asdlib.layers.patches import patchify
from asdlib.models.dismae import Dismae


@pytest.mark.parametrize(
    ("settings", "size"),
    [({}, 153_527_040), ({"width": 192, "heads": 3, "decoder_depth": 1, "decoder_heads": 8}, 11_441_536)],
)
def test_the_published_sizes_less_the_heads(settings: dict, size: int) -> None:
    """With its classification heads, the published network has 162.4 M and 12.0 M parameters."""
    with torch.device("meta"):
        assert sum(weight.numel() for weight in Dismae(**settings).parameters()) == size


def test_the_class_token_and_the_mask_token_start_as_published() -> None:
    torch.manual_seed(0)
    network = Dismae(**{**TOY, "width": 256, "decoder_width": 256})
    for token in (network.cls_token, network.mask_token):
        assert float(token.detach().std()) == pytest.approx(0.02, rel=0.2)


def test_a_clip_is_a_grid_of_bands_and_frames_low_and_early_first() -> None:
    model = built(clips())
    features = torch.zeros(1, 24, 8)
    features[0, 4:8, 4:] = 1.0  # the second four frames, the upper four bands
    images, real = model.images(features, torch.tensor([24]), torch.tensor([[0.0, 1.0]]))
    assert images.shape == (1, 8, 24)
    tokens = model.tokens(images) - model.positions
    changed = (tokens - tokens[:, :1]).abs().amax(2) > 1e-6
    assert changed.nonzero().tolist() == [[0, 6 + 1]]  # second row, second column
    assert real.all()


# --- domains ---------------------------------------------------------------------------------------------------------


def test_by_default_the_machines_are_the_domains() -> None:
    given = clips()
    model = built(given)
    assert model.survey(given)["domains"] == ["fan", "slider", "valve"]
    batch = model.examples(given).batch(torch.tensor([0]))
    assert torch.equal(batch.labels[:, 0], batch.labels[:, 1])
    assert batch.labels[:, 1].view(3, 3).float().std(1).eq(0).all()


def test_or_a_machine_s_conditions_are() -> None:
    given = clips(("fan",))
    model = built(given, domains="condition")
    assert model.survey(given)["domains"] == ["augmented", "source", "target"]
    examples = model.examples(given)
    labels = {name: examples._labels[row, 1].item() for row, name in enumerate(["s", "s", "s", "t", *"aaaa"])}
    assert labels == {"a": 0, "s": 1, "t": 2}


def test_clips_without_a_domain_are_source() -> None:
    given = clips(("fan",))
    table = given.table.set_column(2, "domain", pa.array([None] * len(given.table), pa.string()))
    assert built(given, domains="condition")._domains_of(Clips(table, given.features))[:4] == ["source"] * 4


def test_conditions_of_several_machines_are_refused() -> None:
    with pytest.raises(AsdError, match=r"model dismae: domains condition is for the clips of one machine"):
        built(clips(), domains="condition")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 23}, r"model dismae: frames 23 is not a multiple of the patch size 4"),
        ({"domains": "speed"}, r"model dismae: domains 'speed': use one of: machine_type, condition"),
        ({"contrast_units": "dB"}, r"model dismae: contrast_units 'dB': use one of: variance, level"),
    ],
)
def test_bad_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(AsdError, match=message):
        Dismae(**{**TOY, **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bands": 12}, r"model dismae: bands 12, features have 8: set it to the frontend's n_mels"),
        ({"frames": 20}, r"model dismae: frames 20, features have 22: set it to 24"),
    ],
)
def test_features_of_another_size_are_refused(settings: dict, message: str) -> None:
    given = clips()
    with pytest.raises(AsdError, match=message):
        built(given, **settings)
    model = Dismae(**{**TOY, **settings})
    model.grow(built(given).facts)
    with pytest.raises(AsdError, match=message):
        model.embed(whole(given))


# --- levels ----------------------------------------------------------------------------------------------------------


def test_every_machine_has_its_own_range_of_levels() -> None:
    """A machine that is 20 dB louder in all bands is represented like the other one, in training and scoring."""
    quiet = clips(("fan", "slider"))
    given = Clips(quiet.table, torch.cat([quiet.features[:8], quiet.features[:8] + 20]))
    model = built(given).eval()
    (low, high), louder = model.facts["ranges"]
    assert louder == pytest.approx([low + 20, high + 20], abs=0.11)
    found = {}
    for machine, rows in (("fan", slice(0, 8)), ("slider", slice(8, 16))):
        model.for_machine(machine)
        found[machine] = model.embed(whole(given, rows))
    for name in found["fan"]:
        torch.testing.assert_close(found["fan"][name], found["slider"][name], rtol=0.01, atol=0.01)
    reached = [model.images(given.features, given.frames, model.ranges[machine])[0] for machine in ([0] * 16, [1] * 16)]
    mixed = model.images(given.features, given.frames, model.ranges[[0] * 8 + [1] * 8])[0]
    assert torch.equal(mixed, torch.cat([reached[0][:8], reached[1][8:]]))


def test_errors_are_in_units_of_each_machine_s_variance_or_of_the_levels() -> None:
    quiet = clips(("fan", "slider"))
    given = Clips(quiet.table, torch.cat([quiet.features[:8], quiet.features[8:] * 0 - 50]))
    relative, absolute = built(given), built(given, contrast_units="level")
    images, _ = relative.images(given.features, given.frames, relative.ranges[[0] * 8 + [1] * 8])
    assert relative.units[0] == pytest.approx(float(images[:8, :, :22].var()), rel=0.01)
    assert relative.units[1] < relative.units[0] / 100  # a constant level
    assert absolute.units.tolist() == [1.0, 1.0]


def test_an_unknown_machine_is_refused_and_an_unnamed_one_noted(caplog: pytest.LogCaptureFixture) -> None:
    given = clips()
    model = built(given).eval()
    with pytest.raises(AsdError, match=r"model dismae: was not trained on pump: use one of: fan, slider, valve"):
        model.for_machine("pump")
    model.embed(whole(given))
    assert "the machine of these clips is not known" in caplog.text
    alone = built(clips(("fan",))).eval()
    caplog.clear()
    alone.embed(whole(clips(("fan",))))  # of the only machine
    model.for_machine("slider")
    model.embed(whole(given))
    assert not caplog.text


# --- padding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [22, 13, 4, 1])
def test_padding_reaches_no_score(frames: int) -> None:
    given = clips(("fan",))
    model = built(given).eval()
    padded, silent = given.features[:4].clone(), given.features[:4].clone()
    padded[:, frames:], silent[:, frames:] = 1e3, -156.5
    found = [model.embed(Batch(part, torch.full((4,), frames), given.target[:4])) for part in (padded, silent)]
    for name, value in found[0].items():
        assert torch.isfinite(value).all()
        torch.testing.assert_close(value, found[1][name])


def test_patches_without_a_real_frame_do_not_count() -> None:
    given = clips(("fan",))
    model = built(given).eval()
    _, real = model.images(given.features[:2], torch.tensor([22, 5]), torch.tensor([[-80.0, 0.0]] * 2))
    assert real.view(2, 2, 6)[:, 0].tolist() == [[True] * 6, [True, True] + [False] * 4]
    assert torch.equal(real.view(2, 2, 6)[:, 0], real.view(2, 2, 6)[:, 1])


# --- scores ----------------------------------------------------------------------------------------------------------


def test_the_error_is_the_mean_over_the_masks_of_removed_patches() -> None:
    """The error is recomputed mask by mask with the network's own parts."""
    given = clips(("fan",))
    features = torch.nn.functional.pad(given.features, (0, 0, 0, 2), value=-60.0)
    model = built(given).eval()
    frames = torch.full((8,), 24)
    images, _ = model.images(features, frames, model.ranges[0].expand(8, 2))
    patches, tokens = patchify(images, 4), model.tokens(images)
    means = []
    for number in range(4):
        draw = torch.Generator().manual_seed(number)
        keep, other = (structured_keep(1, 2, 6, ratio, draw).expand(8, -1) for ratio in (0.75, 0.65))
        semantic = model.encode(tokens, keep, model.blocks)
        variation = model.encode(tokens, other, model.variation_blocks)[:, 0]
        errors = (model.decode(semantic, keep, variation) - patches).square().mean(2)
        means.append(torch.stack([row[gone].mean() for row, gone in zip(errors, removed(keep, 12), strict=True)]))
    found = model.embed(Batch(features, frames, frames < 0))["mse"]
    torch.testing.assert_close(found, torch.stack(means).mean(0)[:, None])


def test_without_masks_the_error_is_of_all_real_patches_and_the_latent_is_the_class_token() -> None:
    given = clips(("fan",))
    model = built(given).eval()
    features = torch.nn.functional.pad(given.features, (0, 0, 0, 2), value=-60.0)[:2]
    frames = torch.tensor([24, 13])  # six and four columns of four frames
    images, _ = model.images(features, frames, model.ranges[0].expand(2, 2))
    patches, tokens, every = patchify(images, 4), model.tokens(images), torch.arange(12).expand(2, -1)
    semantic = model.encode(tokens, every, model.blocks)
    variation = model.encode(tokens, every, model.variation_blocks)[:, 0]
    errors = (model.decode(semantic, every, variation) - patches).square().mean(2).view(2, 2, 6)
    found = model.embed(Batch(features, frames, frames < 0))
    torch.testing.assert_close(found["mse_full"][:, 0], torch.stack([errors[0].mean(), errors[1, :, :4].mean()]))
    torch.testing.assert_close(found["semantic"], semantic[:, 0])


def test_scores_draw_nothing_from_the_global_generator() -> None:
    given = clips(("fan",))
    model = built(given).eval()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    model.embed(whole(given))
    assert torch.equal(torch.get_rng_state(), state)


def test_what_is_badly_reconstructed_has_the_larger_error() -> None:
    given = clips(("fan",))
    model = built(given).eval()
    with torch.no_grad():  # make the decoder always predict one half
        model.decoder_pred.weight.zero_()
        model.decoder_pred.bias.zero_()
    low, high = model.facts["ranges"][0]
    near, far = torch.full((1, 16, 8), (low + high) / 2), torch.full((1, 16, 8), high)
    found = model.embed(Batch(torch.cat([near, far]), torch.tensor([16, 16]), torch.tensor([False, False])))
    for name in ("mse", "mse_full"):
        assert found[name][:, 0].tolist() == pytest.approx([0, 0.25], abs=1e-5)  # of levels one half and 1
