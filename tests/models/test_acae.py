"""The ACAE; docs/system5.md states what it has to do."""

from dataclasses import replace

import pyarrow as pa
import pytest
import torch

from asdlib.data.tables import clip_rows
from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips
from asdlib.models.acae import Acae

OFFICIAL = {"channels": [16, 32, 64, 128], "pools": [[2, 4], [2, 4], [2, 2], [1, 2]]}
TINY = {"channels": [4, 8], "pools": [[2, 2], [1, 2]], "heads": 2, "hidden": 8, "latent": 6}


def clips(windows: int, bins: int, frames: list[int], attributes: dict[str, str] | None = None) -> Clips:
    """Return clips of noise with mean 7 and deviation 3 and far-off padding.

    The last clip is of the target domain and has the given attributes.
    """
    features = 7 + 3 * torch.randn(len(frames), windows, bins, generator=torch.Generator().manual_seed(0))
    for clip, real in zip(features, frames, strict=True):
        clip[real:] = -99
    rows = [
        {"clip": str(i), "section": "00", "domain": "source", "attributes": {}, "kind": "train", "frames": count}
        for i, count in enumerate(frames)
    ]
    rows[-1] |= {"domain": "target", "attributes": attributes or {}}
    return Clips(clip_rows(rows).append_column("machine", pa.array(["fan"] * len(rows))), features)


def built(given: Clips, **arguments) -> Acae:
    torch.manual_seed(0)
    model = Acae(**arguments)
    model.grow(model.survey(given))
    return model


def whole(given: Clips) -> Batch:
    return Batch(given.features, given.frames, given.target)


def standardised(model: Acae, given: Clips) -> torch.Tensor:
    """Return the clips, standardised with the statistics of their only machine."""
    return model.standardised(whole(given), model.mean, model.std)


def test_the_size_of_the_notes() -> None:
    model = built(clips(31, 512, [31, 31]), **OFFICIAL)
    assert 0.34e6 < sum(p.numel() for p in model.parameters()) < 0.36e6
    spectra = standardised(model, clips(31, 512, [31, 31]))
    assert spectra.shape == (2, 32, 512)
    assert model.encoder(spectra[:, None]).shape == (2, 128, 4, 8)
    tokens = model.encode(spectra)
    assert tokens.shape == (2, 32, 128)
    assert model.latent(tokens).shape == (2, 128)
    torch.testing.assert_close(model.latent(tokens), model.latent(tokens.repeat(1, 3, 1)))  # from a mean of tokens
    assert model.decode(tokens).shape == spectra.shape


def test_bins_are_standardised_over_real_windows() -> None:
    given = clips(8, 8, [8, 8, 8, 3])
    model = built(given, **TINY)
    torch.testing.assert_close(model.mean, torch.full((1, 8), 7.0), rtol=0.2, atol=0)
    spectra = standardised(model, given)
    real = torch.cat([clip[:count] for clip, count in zip(spectra, given.frames, strict=True)])
    torch.testing.assert_close(real.mean(0), torch.zeros(8), rtol=0, atol=1e-4)
    torch.testing.assert_close(real.std(0, correction=0), torch.ones(8), rtol=0, atol=1e-4)


def test_every_machine_is_standardised_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    """A machine that is louder in all bins is represented like the other one, in training and embedding."""
    quiet = clips(6, 8, [6] * 4)
    machines = pa.array(["fan"] * 4 + ["valve"] * 4)
    table = pa.concat_tables([quiet.table.drop(["machine"])] * 2).append_column("machine", machines)
    both = Clips(table, torch.cat([quiet.features, quiet.features + 20]))
    model = built(both, **TINY).eval()
    batch = model.examples(both).batch(torch.arange(8))
    spectra = model.standardised(batch, *(facts[batch.labels[:, 1]] for facts in (model.mean, model.std)))
    torch.testing.assert_close(spectra[:4], spectra[4:], rtol=0, atol=1e-4)
    model.embed(whole(both))
    assert "the machine of these clips is not known" in caplog.text
    alone = built(quiet, **TINY).eval()
    caplog.clear()
    alone.embed(whole(quiet))  # of the only machine
    latents = []
    for machine, features in (("fan", both.features[:4]), ("valve", both.features[4:])):
        model.for_machine(machine)
        latents.append(model.embed(Batch(features, quiet.frames, quiet.target))["latent"])
    torch.testing.assert_close(*latents, rtol=0, atol=1e-4)
    assert not caplog.text
    with pytest.raises(AsdError, match="model acae: was not trained on pump: use one of: fan, valve"):
        model.for_machine("pump")


def test_the_last_real_window_is_repeated() -> None:
    given = clips(5, 8, [5, 3, 1])
    spectra = standardised(built(given, **TINY), given)
    assert spectra.shape[1] == 6  # a multiple of the pooling in time
    assert torch.equal(spectra[0, 5], spectra[0, 4])
    assert all(torch.equal(spectra[1, window], spectra[1, 2]) for window in (3, 4, 5))
    assert all(torch.equal(spectra[2, window], spectra[2, 0]) for window in range(1, 6))


def test_padding_does_not_reach_the_latent() -> None:
    given = clips(6, 8, [6, 4])
    model = built(given, **TINY).eval()
    other = replace(whole(given), features=given.features.clone())
    other.features[1, 4:] = 1e4
    assert torch.equal(model.embed(whole(given))["latent"], model.embed(other)["latent"])


def test_evaluation_mixes_nothing() -> None:
    given = clips(6, 8, [6] * 4)
    model = built(given, **TINY).eval()
    batch = model.examples(given).batch(torch.arange(4))
    spectra = standardised(model, given)
    tokens = model.encode(spectra)
    error = torch.nn.functional.mse_loss(model.decode(tokens), spectra)
    classes = batch.labels[:, 0]
    told = model.class_loss(model.latent(tokens), classes, classes, torch.tensor(1.0))
    torch.testing.assert_close(model.loss(batch), error + 0.1 * told)


def test_training_mixes_two_clips_by_one_share(monkeypatch: pytest.MonkeyPatch) -> None:
    given = clips(6, 8, [6] * 4)
    model = built(given, **TINY)
    order = torch.tensor([1, 2, 3, 0])
    monkeypatch.setattr(model, "_draw", lambda count: (torch.tensor(0.25), order))
    seen = []
    model.encoder.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0][:, 0]))
    model.class_loss.register_forward_hook(lambda _, inputs, __: seen.append(inputs))
    batch = model.examples(given).batch(torch.arange(4))
    model.loss(batch)
    spectra = standardised(model, given)
    torch.testing.assert_close(seen[0], 0.25 * spectra + 0.75 * spectra[order])
    assert torch.equal(seen[1][2], batch.labels[order, 0])


def test_the_share_is_that_of_a_beta_distribution_and_follows_the_seed() -> None:
    model = built(clips(6, 8, [6, 6]), **TINY)
    torch.manual_seed(3)
    shares = torch.stack([model._draw(2)[0] for _ in range(2000)])
    assert abs(shares.mean() - 0.5) < 0.03
    assert abs(shares.var() - 0.125) < 0.01  # of Beta(½, ½)
    torch.manual_seed(3)
    assert model._draw(2)[0] == shares[0]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ({}, ["00, fan"]),
        ({"labels": "machine"}, ["00, fan"]),
        ({"labels": "attributes"}, ["00, fan", "00, fan, spd=2"]),
        ({"labels": "attributes_and_domain"}, ["00, fan, source", "00, fan, target, spd=2"]),
    ],
    ids=str,
)
def test_classes_are_machines_unless_attributes_are_asked_for(
    labels: dict, classes: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    given = clips(6, 8, [6, 6], attributes={"spd": "2"})
    model = built(given, **TINY, **labels)
    assert model.classes == classes
    assert ("all clips are of one class, and the class loss learns nothing" in caplog.text) == (len(classes) == 1)
    numbers = model.examples(given).batch(torch.arange(2)).labels[:, 0]
    assert numbers.tolist() == [0, len(classes) - 1]


def test_unknown_labels_are_refused() -> None:
    with pytest.raises(
        AsdError, match=r"model acae: labels 'domain': use one of: machine, attributes, attributes_and_domain"
    ):
        Acae(**TINY, labels="domain")


def test_the_loss_is_the_sum_of_its_terms() -> None:
    given = clips(6, 8, [6] * 4)
    model = built(given, **TINY).eval()
    batch = model.examples(given).batch(torch.arange(4))
    terms = model.terms(batch)
    assert list(terms) == ["reconstruction", "classes"]
    torch.testing.assert_close(model.loss(batch), sum(terms.values()))


def test_a_stored_network_grows_from_its_facts() -> None:
    given = clips(6, 8, [6, 6])
    model = built(given, **TINY)
    again = Acae(**TINY)
    again.grow(model.survey(given))
    again.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(model.eval().embed(whole(given))["latent"], again.eval().embed(whole(given))["latent"])


def test_bins_that_cannot_be_pooled_are_refused() -> None:
    with pytest.raises(AsdError, match="model acae: 7 bins cannot be pooled by 4"):
        built(clips(6, 7, [6, 6]), **TINY)
