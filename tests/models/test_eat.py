"""EAT's pre-training: student and teacher, the teacher's moving average, and checkpoints."""

import logging
from pathlib import Path

import pytest
import torch
from helpers.eat_files import save_fairseq
from helpers.refusals import refused

from asdlib.data.tables import clip_rows
from asdlib.examples.clips import Batch, Clips
from asdlib.models.eat import Eat, ema_decay
from asdlib.models.eat_block_masks import visible_blocks
from asdlib.training.settings import Training
from asdlib.training.terms import gradient_shares
from asdlib.training.trainer import Trainer

SIZES = {"frames": 64, "bands": 64, "width": 16, "depth": 2, "heads": 2, "decoder_depth": 2, "decoder_groups": 4}


def eat(**arguments) -> Eat:
    torch.manual_seed(0)
    return Eat(**{**SIZES, "clones": 3, "mask_ratio": 0.5, **arguments})


def batch(clips: int = 4) -> Batch:
    features = torch.randn(clips, 64, 64, generator=torch.Generator().manual_seed(1))
    return Batch(features, torch.full((clips,), 64), torch.zeros(clips, dtype=torch.bool))


# --- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [{"decoder_width": 8}, {"decoder_kernel": 4}, {"mlp_ratio": 2.0}])
def test_decoder_and_blocks_may_have_other_sizes(sizes: dict) -> None:
    model = eat(**sizes)
    assert model.decoder(torch.randn(2, 16, 16)).shape == (2, 16, 16)
    assert model.loss(batch()).isfinite()


def test_targets_of_the_last_block_alone() -> None:
    last = eat(target_layers=1)
    output = last.teacher.mlp_outputs(batch().features)[-1]
    mean, deviation = output.mean(1, keepdim=True), output.std(1, correction=0, keepdim=True)
    wanted = torch.nn.functional.layer_norm((output - mean) / deviation, (16,))
    torch.testing.assert_close(last.targets(batch().features), wanted, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(eat().targets(batch().features), wanted, atol=0.1)


def test_a_clip_is_its_utterance_token_and_the_mean_of_all_patches() -> None:
    model = eat().eval()
    tokens = torch.arange(5.0)[None, :, None].repeat(2, 1, 3)
    model.encoder.forward = lambda spectrograms: tokens
    assert {name: vectors.tolist() for name, vectors in model.embed(batch(2)).items()} == {
        "cls": [[0.0] * 3] * 2,
        "mean": [[2.5] * 3] * 2,  # of 1, 2, 3 and 4
    }


# --- student and teacher ----------------------------------------------------------------------------------------------


def test_the_student_sees_its_visible_patches_and_no_other() -> None:
    model = eat().eval()
    visible = torch.tensor([[0, 5, 9]] * 3)
    one = batch(1).features
    tokens = model.student(one, visible)
    assert tokens.shape == (3, 4, 16)
    hidden = one.clone()
    hidden[:, :16, 16:32] += 1.0  # patch 1
    torch.testing.assert_close(model.student(hidden, visible), tokens, rtol=0, atol=0)
    shown = one.clone()
    shown[:, 16:32, 16:32] += 1.0  # patch 5
    assert not torch.allclose(model.student(shown, visible), tokens)


def test_clones_of_a_clip_are_neighbours() -> None:
    model = eat().eval()
    visible = visible_blocks(1, 4, 4, 0.5).repeat(6, 1)
    tokens = model.student(batch(2).features, visible)
    torch.testing.assert_close(tokens[0], tokens[2])
    torch.testing.assert_close(tokens[3], tokens[5])
    assert not torch.allclose(tokens[0], tokens[3])


def test_targets_are_normalised_over_channels_and_carry_no_gradient() -> None:
    targets = eat().targets(batch().features)
    assert not targets.requires_grad
    torch.testing.assert_close(targets.mean(2), torch.zeros(4, 16), rtol=0, atol=1e-5)
    torch.testing.assert_close(targets.var(2, correction=0), torch.ones(4, 16), rtol=0, atol=1e-2)


def test_the_frame_loss_looks_at_masked_patches_only() -> None:
    model = eat().eval()
    visible = visible_blocks(12, 4, 4, 0.5)
    noise = torch.zeros(12, 16, 16)
    model.decoder.forward = lambda tokens: (
        model.targets(batch().features).repeat_interleave(3, 0).scatter(1, visible[:, :, None].expand(-1, -1, 16), 99.0)
    )  # right everywhere except where the student saw
    frame, utterance = model.losses(batch().features, visible, noise)
    assert frame == 0
    assert utterance > 0


def test_the_mean_of_the_utterance_loss_is_its_sum_over_clips_and_clones() -> None:
    losses = []
    for weight, reduction in ((0.0, "sum"), (1.0, "sum"), (1.0, "mean")):
        model = eat(utterance_weight=weight, utterance_reduction=reduction)
        torch.manual_seed(5)
        losses.append(model.loss(batch()))
    torch.testing.assert_close((losses[1] - losses[0]) / 12, losses[2] - losses[0])
    assert [eat(utterance_reduction=reduction).divisible for reduction in ("sum", "mean")] == [False, True]


def test_the_mean_over_processes_is_the_loss_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sum, each of two processes has half."""
    terms = []
    for reduction, processes in (("sum", 1), ("sum", 2), ("mean", 2)):
        monkeypatch.setattr(torch.distributed, "is_initialized", lambda several=processes > 1: several)
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda count=processes: count)
        torch.manual_seed(5)
        terms.append(eat(utterance_reduction=reduction).terms(batch()))
    torch.testing.assert_close(terms[1]["utterance"], 2 * terms[0]["utterance"])
    torch.testing.assert_close(terms[2]["utterance"], terms[0]["utterance"] / 12)
    assert terms[0]["frame"] == terms[1]["frame"] == terms[2]["frame"]
    torch.manual_seed(5)
    assert eat().eval().terms(batch())["utterance"] == terms[0]["utterance"], "validation batches are not divided"


def test_the_terms_are_the_loss() -> None:
    model = eat()
    torch.manual_seed(5)
    terms = model.terms(batch())
    torch.manual_seed(5)
    torch.testing.assert_close(sum(terms.values()), model.loss(batch()))
    assert terms.keys() == {"frame", "utterance"}


def test_both_terms_are_learned_from_random_weights() -> None:
    """The utterance term has almost all of the gradient until the gain of the last norm has been learned."""
    model = eat()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, 0.01)
    shares, values = [], []
    for step in range(120):
        terms = model.terms(batch(8))
        if step in (0, 119):
            shares.append(gradient_shares(terms, weights)["utterance"])
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        model.after_step(step, 120)
        values.append({name: term.item() for name, term in terms.items()})
    assert shares[0] > 0.9
    assert 0.05 < shares[1] < 0.9
    assert values[-1]["frame"] < 0.9 * 16**0.5  # a decoder that predicts zeros, the targets' mean, has √width
    assert values[-1]["utterance"] < 0.05 * values[0]["utterance"]


# --- the teacher's average --------------------------------------------------------------------------------------------


def test_the_decay_rises_linearly_and_stays() -> None:
    decays = [ema_decay(update, 0.9, 0.99, 100) for update in range(150)]
    assert decays[0] == pytest.approx(0.9)
    steps = torch.tensor(decays).diff()
    torch.testing.assert_close(steps[:99], torch.full((99,), 0.09 / 100), rtol=0, atol=1e-6)
    assert set(decays[100:]) == {0.99}


def test_the_teacher_follows_the_schedule() -> None:
    """If the student is constant, the teacher's initial weights decay by the product of the decays."""
    model = eat(ema_decay=0.5, ema_end_decay=0.9, ema_updates=4, ema_updates_before=1)
    start = {name: tensor.clone() for name, tensor in model.teacher.named_parameters()}
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter += 1.0
    for step in range(5):
        model.after_step(step, 5)
    left = 0.7 * 0.8 * 0.9 * 0.9 * 0.9  # updates 2, 3, then the end
    for name, tensor in model.teacher.named_parameters():
        torch.testing.assert_close(tensor, start[name] + (1 - left), rtol=0, atol=1e-5)


def test_the_teacher_starts_as_the_student_and_is_never_trained() -> None:
    model = eat()
    for name, tensor in model.encoder.state_dict().items():
        assert torch.equal(tensor, model.teacher.state_dict()[name])
    model.loss(batch()).backward()
    assert all(parameter.grad is None for parameter in model.teacher.parameters())


def test_a_resumed_pre_training_ends_with_the_same_student_and_teacher(tmp_path: Path) -> None:
    features = batch(6).features
    rows = [{"clip": str(number), "attributes": {}, "kind": "train", "frames": 64} for number in range(6)]
    clips = Clips(clip_rows(rows), features)

    def trained(store: Path, epochs: int) -> dict[str, torch.Tensor]:
        model = eat(ema_decay=0.5)
        settings = Training(epochs=epochs, batch_size=2, learning_rate=1e-3, steps_per_epoch=3)
        Trainer(settings, 1, torch.device("cpu"), store, "same").train(model, model.examples(clips), 6)
        return model.state_dict()

    whole = trained(tmp_path / "whole.ckpt", 3)
    killed = trained(tmp_path / "killed.ckpt", 1)
    resumed = trained(tmp_path / "killed.ckpt", 3)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name
    assert not torch.equal(killed["teacher.pre_norm.weight"], resumed["teacher.pre_norm.weight"])
    assert not torch.equal(resumed["encoder.pre_norm.weight"], resumed["teacher.pre_norm.weight"])


# --- checkpoints ------------------------------------------------------------------------------------------------------


def published() -> dict[str, torch.Tensor]:
    """Return weights under our names, the student's rounded to half precision, with a longer table of positions."""
    torch.manual_seed(9)
    weights = {name: torch.randn_like(tensor).half().float() for name, tensor in Eat(**SIZES).state_dict().items()}
    for name in ("encoder.positions", "teacher.positions"):
        weights[name] = torch.cat([weights[name], torch.ones(1, 50, 16)], dim=1)
    return weights


def test_a_published_checkpoint_is_taken_over_whole(tmp_path: Path) -> None:
    weights, model = published(), eat()
    model.start_from_public(save_fairseq(tmp_path / "eat.pt", weights))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, weights[name][:, : tensor.shape[1]] if "positions" in name else weights[name]), name


@pytest.mark.parametrize("part", ["encoder", "decoder", "teacher"])
def test_a_checkpoint_with_one_key_missing_is_refused(tmp_path: Path, part: str) -> None:
    weights = published()
    missing = [name for name in weights if name.startswith(part)][-1]
    del weights[missing]
    path = save_fairseq(tmp_path / "eat.pt", weights)
    refused(lambda: eat().start_from_public(path), rf".*eat\.pt: {missing} is missing: use the checkpoint .*")


def test_positions_that_end_too_early_are_refused(tmp_path: Path) -> None:
    weights = published()
    weights["encoder.positions"] = weights["encoder.positions"][:, :3]
    path = save_fairseq(tmp_path / "eat.pt", weights)
    complaint = r".*eat\.pt: encoder.positions is 1 × 3 × 16, not 1 × 16 × 16: .*"
    refused(lambda: eat().start_from_public(path), complaint)


def test_a_file_without_an_encoder_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {"w": torch.ones(1)}}, tmp_path / "other.pt")
    refused(lambda: eat().start_from_public(tmp_path / "other.pt"), r".*other\.pt: contains no EAT encoder .*")


def test_an_encoder_alone_is_said_to_start_the_rest_afresh(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights = {name: tensor for name, tensor in published().items() if name.startswith("encoder.")}
    model = eat()
    with caplog.at_level(logging.WARNING):
        model.start_from_public(save_fairseq(tmp_path / "eat.pt", weights))
    assert [record.message.split(": ")[1] for record in caplog.records] == ["has no decoder", "has no teacher"]
    for name, tensor in model.encoder.state_dict().items():
        assert torch.equal(tensor, model.teacher.state_dict()[name])


def test_another_size_of_spectrogram_is_refused() -> None:
    row = {"clip": "a", "attributes": {}, "kind": "train", "frames": 48}
    clips = Clips(clip_rows([row]), torch.zeros(1, 48, 64))
    refused(lambda: eat().examples(clips), "model: spectrograms are 48 × 64, not 64 × 64: set rows .*")
