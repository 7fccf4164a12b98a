"""The dual-branch CNN; parity with the published network is tested in tests/parity."""

from dataclasses import replace

import pyarrow as pa
import pytest
import torch
from torch.nn import functional

from asdlib.data.tables import clip_rows
from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips, origins
from asdlib.frontends.dual_spectra import DualSpectraRow
from asdlib.layers.spectra import magnitude_spectrogram, magnitude_spectrum, without_mean
from asdlib.models.dual_branch_cnn import DualBranchCnn, refuse_other_rows
from asdlib.models.dual_branch_exchange import exchange_labels, exchange_rows, exchange_statistics, mixed

TINY = {
    "samples": 512,
    "n_fft": 64,
    "hop_length": 32,
    "spectrum_channels": 4,
    "spectrogram_channels": [4, 4, 4, 4, 4],
    "dimensions": 4,
    "se_ratio": 1,
    "sub_clusters": 2,
    "density_components": 2,
}

SHORT = 200  # samples: 5 whole frames


def clips(samples: int = 512, count: int = 12) -> Clips:
    """Return noise of two machines as rows of the frontend: one is louder and has a target domain and a short clip."""
    waveforms = 0.1 * torch.randn(count, samples, generator=torch.Generator().manual_seed(0))
    waveforms[: count // 2] *= 5
    rows = [
        {
            "clip": str(number),
            "section": "00",
            "domain": "target" if number < 2 else "source",
            "attributes": {"spd": "1"} if number < count // 2 else {},
            "kind": "train",
            "samples": SHORT if number == 4 else samples,
            "frames": 1,
            "source_file": f"{number}.wav",
        }
        for number in range(count)
    ]
    table = clip_rows(rows)
    for name, values in (
        ("dataset", ["toy"] * count),
        ("machine", ["fan"] * (count // 2) + ["valve"] * (count - count // 2)),
        ("view_kind", ["raw"] * count),
    ):
        table = table.append_column(name, pa.array(values))
    lengths = torch.tensor([row["samples"] for row in rows])
    features = DualSpectraRow(n_fft=64, hop_length=32)(waveforms, lengths)
    return Clips(table, features)


def built(**changes) -> DualBranchCnn:
    torch.manual_seed(0)
    model = DualBranchCnn(**(TINY | changes))
    model.grow(model.survey(clips()))
    return model


def whole(given: Clips) -> Batch:
    return Batch(given.features, given.frames, torch.zeros(len(given.features), dtype=torch.bool))


def everything(model: DualBranchCnn) -> Batch:
    examples = model.examples(clips())
    return examples.batch(torch.arange(len(examples)))


def test_the_published_size() -> None:
    model = DualBranchCnn()
    sizes = [sum(p.numel() for p in branch.parameters()) for branch in (model.spectrum, model.spectrogram)]
    assert [round(size / 1e6, 2) for size in sizes] == [1.58, 0.97]
    assert model.spectrum.dense[0].in_features == 10 * 128
    assert model.spectrogram.embedding.in_features == 16 * 128
    assert not [
        name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear) and layer.bias is not None
    ]


def test_classes_are_machine_section_domain_and_attributes() -> None:
    classes = ["00, fan, source, spd=1", "00, fan, target, spd=1", "00, valve, source"]
    model = built()
    members = dict(zip((f"raw: toy: {number}.wav" for number in range(12)), [1, 1, *[0] * 4, *[2] * 6], strict=True))
    expected = {"classes": classes, "machines": ["fan", "fan", "valve"], "members": members}
    assert model.survey(clips()) == expected
    assert everything(model).labels.tolist() == [1] * 2 + [0] * 4 + [2] * 6
    assert model.own_loss.classes == 3
    assert model.exchange_loss.classes == 27


def test_examples_are_waveforms_of_the_rows_that_are_asked_for() -> None:
    given = clips()
    batch = built().examples(Clips(given.table, given.features.half())).batch(torch.tensor([3]))
    batch = batch.to(torch.device("cpu"))
    assert batch.features.shape == (1, 512)
    assert batch.frames.tolist() == [15]
    torch.testing.assert_close(batch.features, given.features[3, :, -512:], rtol=1e-3, atol=1e-4)


def test_training_exchanges_and_evaluation_does_not() -> None:
    model = built()
    batch = everything(model)
    torch.manual_seed(1)
    one, other = model.loss(batch), model.loss(batch)
    assert one != other
    model.eval()
    assert model.loss(batch) == model.loss(batch)


def test_the_draws_follow_the_global_generator() -> None:
    losses = []
    for _ in range(2):
        model = built()
        torch.manual_seed(5)
        losses.append(model.loss(everything(model)).item())
    assert losses[0] == losses[1]


def test_without_exchanges_the_loss_is_that_of_plain_labels() -> None:
    model = built(mixup=0.0, statex=0.0, featex=0.0)
    batch = everything(model)
    trained = model.loss(batch)
    again = built()
    own, exchange = again.own_loss, again.exchange_loss
    found = []
    for loss in (own, exchange):
        loss.register_forward_hook(lambda _, inputs, __: found.append(inputs))
    again.mixup, again.statex, again.featex = 0.0, 0.0, 0.0
    torch.testing.assert_close(again.loss(batch), trained)
    (joined, labels), (swapped, wide) = found
    assert torch.equal(joined, swapped)
    assert torch.equal(labels, wide[:, :3])
    assert not wide[:, 3:].any()


def test_sounds_are_mixed_then_frames_exchanged_then_the_mean_taken_off_then_embeddings_exchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The inputs of both losses are computed by hand. Clips 0 and 3 are partners, and so are 1 and 2 (short)."""
    model = built().eval()  # in evaluation mode batch norm is deterministic
    batch = model.examples(clips()).batch(torch.tensor([2, 3, 4, 5]))
    sounds, frames, embeddings = (torch.tensor(mask).bool() for mask in ([1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]))
    chosen = iter([sounds, frames, embeddings])
    monkeypatch.setattr(model, "_chosen", lambda chance, labels: next(chosen))
    found = []
    for loss in (model.own_loss, model.exchange_loss):
        loss.register_forward_hook(lambda _, inputs, __: found.append(inputs))
    torch.manual_seed(3)
    model.loss(batch)

    torch.manual_seed(3)
    share = torch.where(sounds, torch.rand(4), 1.0)
    waveforms = mixed(batch.features, share)
    magnitudes = exchange_statistics(magnitude_spectrogram(waveforms, 64, 32), frames)
    one = model.spectrum(magnitude_spectrum(waveforms))
    other = model.spectrogram(without_mean(magnitudes, torch.tensor([15, 5, 5, 15])))  # 1 and 2 are mixed
    labels = mixed(functional.one_hot(batch.labels, 3).float(), share)
    wide = exchange_labels(exchange_labels(labels, frames), embeddings)
    expected = [
        (torch.cat([one, other], 1), labels),
        (torch.cat([one, exchange_rows(other, embeddings)], 1), wide),
    ]
    torch.testing.assert_close(found, expected)


def test_the_penalty_is_on_kernels_alone() -> None:
    """The gradient of the penalty is 2e-5 · w for kernels and zero for batch norms and centres."""
    plain, penalised = built().eval(), built(kernel_penalty=1e-5).eval()
    batch = everything(plain)
    (penalised.loss(batch) - plain.loss(batch)).backward()
    reached = {name for name, p in penalised.named_parameters() if p.requires_grad}
    kernels = {id(kernel) for kernel in penalised.penalised()}
    excitations = [name for name in reached if name.endswith((".fc1.weight", ".fc2.weight"))]
    assert excitations
    assert not any(id(penalised.get_parameter(name)) in kernels for name in excitations), "as published"
    own = dict(plain.named_parameters())
    for name in reached:
        parameter = penalised.get_parameter(name)
        expected = 2e-5 * parameter.detach() if id(parameter) in kernels else torch.zeros_like(parameter)
        torch.testing.assert_close(parameter.grad + own[name].grad, expected, rtol=1e-2, atol=1e-6)


def test_the_loss_is_the_sum_of_its_terms() -> None:
    model = built(kernel_penalty=1e-5).eval()
    batch = everything(model)
    terms = model.terms(batch)
    assert list(terms) == ["own", "exchanged", "kernels"]
    torch.testing.assert_close(model.loss(batch), sum(terms.values()))


def test_without_a_penalty_there_is_no_term_for_it() -> None:
    model = built()
    assert list(model.terms(everything(model))) == ["own", "exchanged"]


def test_after_training_a_clip_is_likeliest_in_its_class() -> None:
    model = built()
    batch = everything(model)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 0.03)
    for _ in range(20):
        optimizer.zero_grad()
        model.loss(batch).backward()
        optimizer.step()
    assert model.eval().finish([batch], [], torch.zeros(1)) == {}
    found = model.embed(whole(clips()))
    torch.testing.assert_close(found["embedding"].norm(dim=1), torch.ones(12))
    assert found["log_density"].shape == (12, 3)
    of_valve = found["log_density"].argmax(1) == 2
    assert of_valve.tolist() == [False] * 6 + [True] * 6


def test_training_clips_are_left_out_of_their_classes_and_no_other_clip_is() -> None:
    """A copy that was remixed cannot be told from its recording's other copies, and a test clip has no class."""
    model, given = built().eval(), clips()
    model.finish([everything(model)], [], torch.zeros(1))
    model.for_machine("fan")
    known = replace(whole(given), origins=origins(given.table))
    found = model.embed(known)
    changed = found["log_density"] != found["log_density_left_out"]
    labels = model.examples(given).batch(torch.arange(12)).labels
    assert changed.nonzero().tolist() == [[row, label] for row, label in enumerate(labels.tolist())]
    torch.testing.assert_close(found["own_log_density_left_out"], found["log_density_left_out"][:, model.own])
    assert (found["log_density_left_out"] <= found["log_density"]).all()
    for others in (None, [one._replace(recording=None) for one in known.origins]):
        found = model.embed(replace(known, origins=others))
        assert torch.equal(found["log_density"], found["log_density_left_out"])
    twice = Clips(pa.concat_tables([given.table, given.table]), given.features.repeat(2, 1, 1))
    assert model.survey(twice)["members"] == {}


def test_training_views_are_those_of_the_row() -> None:
    """`finish`, from waveforms, and `embed`, from rows, give the same embedding, also for a short clip."""
    assert everything(built()).frames[4] == 5
    model = built().eval()
    model.densities.fit = lambda embeddings, labels: found.append(embeddings)
    found: list[torch.Tensor] = []
    model.finish([everything(model)], [], torch.zeros(1))
    embedded = model.embed(whole(clips()))
    torch.testing.assert_close(embedded["embedding"], found[0])


def test_a_stored_network_grows_from_its_facts() -> None:
    model = built()
    again = DualBranchCnn(**TINY)
    again.grow(model.survey(clips()))
    again.load_state_dict(model.state_dict(), strict=True)
    batch = whole(clips())
    torch.testing.assert_close(model.eval().embed(batch), again.eval().embed(batch))


def test_a_machines_own_classes_are_told_from_all(caplog: pytest.LogCaptureFixture) -> None:
    model = built().eval()
    unnamed = model.embed(whole(clips()))
    assert torch.equal(unnamed["own_log_density"], unnamed["log_density"])
    assert "the machine of these clips is not known" in caplog.text
    caplog.clear()
    for machine, own in (("fan", [0, 1]), ("valve", [2])):
        model.for_machine(machine)
        found = model.embed(whole(clips()))
        assert torch.equal(found["own_log_density"], found["log_density"][:, own])
    alone = built()
    alone.grow({**alone.survey(clips()), "machines": ["fan"] * 3})
    alone.eval().embed(whole(clips()))  # of the only machine
    assert not caplog.text
    with pytest.raises(AsdError, match="model dual_branch_cnn: was not trained on pump: use one of: fan, valve"):
        model.for_machine("pump")


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(AsdError, match=r"samples 512, clips have 768: set it to 768$"):
        built().examples(clips(samples=768))


def test_rows_of_another_frontend_are_refused() -> None:
    with pytest.raises(AsdError, match=r"rows of 1×1913 values instead of 1263: use the frontend dual_spectra with"):
        refuse_other_rows(torch.empty(2, 1, 1913), built().layout)


def test_too_short_clips_are_refused() -> None:
    with pytest.raises(AsdError, match="samples 3071 make too few frames: use clips of 3072 or more"):
        DualBranchCnn(samples=3071)
    DualBranchCnn(samples=3072)
