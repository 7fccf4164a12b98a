"""The adaptation of AudioMAE: masks, the error and the initial weights."""

import logging
from pathlib import Path

import pytest
import torch
from helpers.refusals import refused
from helpers.system4_models import ADAPTATION, SMALL, begun, clips, published_audiomae, stored, trained

from asdlib.examples.clips import Batch, Clips
from asdlib.layers.encoders.audiomae import normalised
from asdlib.layers.patches import patchify
from asdlib.models.audiomae_adaptation import AudioMaeAdaptation, draw_rectangles

SIZES = {"mask_bins": [64, 128], "mask_frames": [256, 768], **SMALL, "decoder_width": 16, "decoder_heads": 2}


def whole(features: torch.Tensor, frames: int) -> Batch:
    return Batch(features, torch.full((len(features),), frames), torch.zeros(len(features), dtype=torch.bool))


def test_masks_are_rectangles_of_the_given_sides_of_one_size_in_a_batch() -> None:
    torch.manual_seed(0)
    heights, widths, positions = set(), set(), set()
    for _ in range(200):
        grid = draw_rectangles(3, (16, 48), (4, 8)).view(3, 64, 8)
        rows, columns = grid.any(2), grid.any(1)
        assert torch.equal(grid, rows[:, :, None] & columns[:, None, :])
        for line in (*rows, *columns):
            marked = line.nonzero().squeeze(1)
            assert len(marked) == marked[-1] - marked[0] + 1  # no gap
        assert len(rows.sum(1).unique()) == len(columns.sum(1).unique()) == 1
        heights.add(int(rows[0].sum()))
        widths.add(int(columns[0].sum()))
        positions |= {tuple(row.nonzero()[0].tolist()) for row in rows}
    assert widths == {4, 5, 6, 7, 8}
    assert min(heights) == 16
    assert max(heights) == 48
    assert len(positions) > 20


def test_what_is_masked_is_not_seen() -> None:
    torch.manual_seed(0)
    network = AudioMaeAdaptation(**SIZES).eval()
    spectrograms = torch.randn(2, 1024, 128)
    visible = torch.arange(100).expand(2, -1)
    other = spectrograms.clone()
    other[:, 16 * 13 :] = 7.0  # tokens from index 104
    with torch.no_grad():
        first, second = (
            network.encoder.decode(network.encoder.encode(x, visible), visible) for x in (spectrograms, other)
        )
    assert torch.equal(first, second)


def test_the_error_is_absolute_and_of_the_log_mel_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prediction that is off by a half everywhere has an error of a half, whatever the level of a patch."""
    network = AudioMaeAdaptation(**SIZES)
    batch = whole(torch.randn(2, 1024, 128) * 20 - 5, 1024)
    patches = patchify(normalised(batch.features, batch.frames))
    monkeypatch.setattr(network.encoder, "decode", lambda latent, visible: patches + 0.5)
    assert float(network.loss(batch)) == pytest.approx(0.5)


def test_the_adaptation_learns() -> None:
    """The level of a clip is heard in what is not masked: the error falls below that of the mean spectrum."""
    torch.manual_seed(0)
    noise = clips(("fan",), shape=(1024, 128))
    given = Clips(noise.table, noise.features + torch.tensor([-4.0, 4.0])[:, None, None])
    network = begun(ADAPTATION, given)
    batch = network.examples(given).batch(torch.arange(2))
    spectrograms = normalised(batch.features, batch.frames)
    trivial = float((spectrograms - spectrograms.mean((0, 1))).abs().mean())
    trained(network, given, steps=20)
    assert float(network.loss(batch).detach()) < 0.75 * trivial


def test_the_public_autoencoder_is_taken_whole_and_an_encoder_alone_with_a_warning(caplog, tmp_path: Path) -> None:
    torch.manual_seed(0)
    public = AudioMaeAdaptation(**SIZES).encoder.state_dict()
    encoder = {name: tensor for name, tensor in public.items() if not name.startswith(("decoder_", "mask_token"))}
    network = AudioMaeAdaptation(**SIZES)
    fresh = network.encoder.decoder_pred.weight.clone()
    torch.save(encoder, tmp_path / "port.bin")
    with caplog.at_level(logging.WARNING):
        network.start_from_public(tmp_path / "port.bin")
    assert "no decoder" in caplog.text
    assert torch.equal(network.encoder.norm.weight, public["norm.weight"])
    assert torch.equal(network.encoder.blocks[0].mlp.fc1.weight, public["blocks.0.mlp.fc1.weight"])
    assert torch.equal(network.encoder.decoder_pred.weight, fresh)
    caplog.clear()
    network.start_from_public(published_audiomae(tmp_path / "pretrained.pth", public))
    assert not caplog.text
    assert torch.equal(network.encoder.decoder_pred.weight, public["decoder_pred.weight"])
    del encoder["norm.weight"]
    tuned = published_audiomae(tmp_path / "finetuned.pth", encoder)
    refused(lambda: network.start_from_public(tuned), r".*finetuned\.pth: has no weight norm\.weight: .*")


def test_a_clip_is_the_mean_of_its_512_patches() -> None:
    network, given = AudioMaeAdaptation(**SIZES).eval(), clips()
    batch = whole(given.features, 48)
    with torch.no_grad():
        _, patches = network.encoder.encode(normalised(batch.features, batch.frames)).split([1, 512], dim=1)
    torch.testing.assert_close(network.embed(batch)["embedding"], torch.einsum("btd->bd", patches) / 512)


def test_a_stored_adaptation_is_restored() -> None:
    given = clips()
    network = begun(ADAPTATION, given)
    again = begun(ADAPTATION, given)
    again.load_state_dict(stored(network, ADAPTATION).weights)
    batch = whole(given.features, 48)
    assert torch.equal(network.embed(batch)["embedding"], again.embed(batch)["embedding"])


@pytest.mark.parametrize("sides", [[64], [60, 128], [128, 64], [64, 144], [0, 64]])
def test_sides_that_no_rectangle_has_are_refused(sides: list[int]) -> None:
    refused(lambda: AudioMaeAdaptation(**{**SIZES, "mask_bins": sides}), r"model audiomae_adaptation: mask_bins .*: .*")


def test_a_mask_of_everything_is_refused() -> None:
    refused(
        lambda: AudioMaeAdaptation(**{**SIZES, "mask_frames": [64, 1024]}),
        r"model audiomae_adaptation: mask_frames .*: .*",
    )
