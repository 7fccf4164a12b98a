"""The training of Audio DisMAE: the loss, the schedule of the domain head, memory and resuming."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.dismae_clips import built, clips
from helpers.killed_trainings import killed_after

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips
from asdlib.layers.transformer import Block
from asdlib.models import dismae
from asdlib.models.dismae import Dismae
from asdlib.runtime import compiler
from asdlib.training.settings import Training
from asdlib.training.terms import gradient_shares
from asdlib.training.trainer import Trainer

SETTINGS = Training(
    epochs=3, batch_size=1, learning_rate=1e-3, optimizer="adamw", betas=[0.9, 0.95], weight_decay=0.05, clip_norm=1.0,
    schedule="cosine", warmup_epochs=1,
)  # fmt: skip


def training_batch(model: Dismae, given: Clips) -> Batch:
    return model.examples(given).batch(torch.tensor([0, 1]))


def test_the_loss_is_its_terms_weighted() -> None:
    given = clips()
    losses = {}
    for weight in (0.0, 1e-3, 1.0):
        model = built(given, adaptive_weight=weight)
        batch = training_batch(model, given)
        torch.manual_seed(7)
        losses[weight] = model.loss(batch).item()
    adaptive = losses[1.0] - losses[0.0]
    assert adaptive > 0
    assert losses[1e-3] == pytest.approx(losses[0.0] + 1e-3 * adaptive, rel=1e-5)


def test_conditions_of_one_machine_are_learned_from_as_machines_are() -> None:
    given = clips(("fan",))
    model = built(given, domains="condition", round_clips=2)
    batch = training_batch(model, given)
    assert sorted(batch.labels[:, 1].tolist()) == [0] * 4 + [1] * 4 + [2] * 4  # two target clips, each drawn twice
    assert torch.isfinite(model.loss(batch))


def test_masks_are_drawn_anew_from_the_global_generator() -> None:
    given = clips()
    model = built(given)
    batch = training_batch(model, given)
    torch.manual_seed(7)
    first, second = model.loss(batch).item(), model.loss(batch).item()
    torch.manual_seed(7)
    assert model.loss(batch).item() == first
    assert second != first


def test_the_domain_head_has_its_own_schedule() -> None:
    model = built(clips())
    learning = []
    for epoch in range(130):
        model.begin_epoch(epoch, 130)
        learning += [epoch] if model._head_learns else []
    assert learning == [0, 1, 2, 3, 4, 5, 15, 30, 45, 60, 75, 90]


@pytest.mark.parametrize(("epoch", "moves"), [(0, True), (7, False), (15, True)])
def test_the_domain_head_moves_in_its_epochs_alone(epoch: int, moves: bool) -> None:
    given = clips()
    model = built(given)
    before = [weight.clone() for weight in model.reweight_classifier.parameters()]
    model.begin_epoch(epoch, 100)
    model.train().loss(training_batch(model, given)).backward()
    model.after_step(0, 1)
    after = list(model.reweight_classifier.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)) is not moves


def test_a_watched_batch_teaches_the_domain_head_nothing() -> None:
    given = clips()
    model = built(given)
    model.begin_epoch(0, 100)
    with torch.no_grad():
        model.eval().loss(training_batch(model, given))
    before = [weight.clone() for weight in model.reweight_classifier.parameters()]
    model.after_step(0, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, model.reweight_classifier.parameters(), strict=True))


def test_the_domain_head_moves_no_gradient_of_the_network() -> None:
    given = clips()
    gradients = []
    for epoch in (0, 7):  # epochs in which the head is and is not trained
        model = built(given)
        model.begin_epoch(epoch, 100)
        batch = training_batch(model, given)
        torch.manual_seed(3)
        model.train().loss(batch).backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=0, atol=0)


def test_in_bf16_every_parameter_still_learns_while_the_head_does() -> None:
    """Autocast caches cast weights: one first cast without a gradient would never get one."""
    given = clips()
    model = built(given)
    model.begin_epoch(0, 100)
    batch = training_batch(model, given)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.train().loss(batch)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert not [n for n, w in model.named_parameters() if w.requires_grad and (w.grad is None or not w.grad.any())]


def test_biases_and_norms_do_not_decay_and_the_domain_head_is_left_out() -> None:
    model = built(clips())
    decaying, others = model.parameter_groups()
    assert "weight_decay" not in decaying
    assert others["weight_decay"] == 0.0
    names = {id(weight): name for name, weight in model.named_parameters()}
    exempt = {names[id(weight)] for weight in others["params"]}
    assert all(name.endswith(".bias") or "norm" in name for name in exempt)
    found = exempt | {names[id(weight)] for weight in decaying["params"]}
    assert found == {name for name in names.values() if "reweight_classifier" not in name}


@pytest.mark.parametrize(("asked", "device", "times"), [(True, "cuda", 1), (True, "cpu", 0), (False, "cuda", 0)])
def test_blocks_are_compiled_once_on_cuda_if_asked(
    monkeypatch: pytest.MonkeyPatch, asked: bool, device: str, times: int
) -> None:
    compiled = []
    monkeypatch.setattr(Block, "compile", lambda block, dynamic: compiled.append(block))
    monkeypatch.setattr(dismae, "can_compile", lambda: True)
    model = built(clips(), compile=asked)
    for _ in range(2):
        model._compile_once(torch.device(device))
    assert len(compiled) == times * len(model.transformer_blocks)


def test_a_node_that_cannot_compile_runs_the_network_as_it_is_and_says_so_once(monkeypatch, caplog) -> None:
    monkeypatch.setattr(Block, "compile", lambda block, dynamic: pytest.fail("compiled"))
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    monkeypatch.setattr(compiler.sys, "path", [])
    monkeypatch.setattr(compiler.sysconfig, "get_path", lambda name: "/nowhere")
    compiler.can_compile.cache_clear()
    model = built(clips(), compile=True)
    for _ in range(2):
        model._compile_once(torch.device("cuda"))
    missing = "Triton and a C compiler (gcc or clang) and Python's headers (Python.h)"
    (warning,) = caplog.messages
    compiler.can_compile.cache_clear()
    assert warning == f"compile: true: not compiled, only slower: this node lacks {missing}"


def test_compiled_blocks_compute_what_the_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks are traced but run eagerly, because generating code for a CPU takes minutes."""
    compile = Block.compile
    monkeypatch.setattr(dismae, "can_compile", lambda: True)
    monkeypatch.setattr(Block, "compile", lambda block, dynamic: compile(block, dynamic=dynamic, backend="eager"))
    given = clips()

    def trained(compiled: bool) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        model = built(given, compile=compiled)
        model._compile_once(torch.device("cuda"))
        torch.manual_seed(3)
        loss = model.loss(training_batch(model, given))
        loss.backward()
        return loss, {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}

    torch.testing.assert_close(trained(compiled=True), trained(compiled=False))


def test_the_gradient_of_each_term_is_measured_through_compiled_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler by default reuses buffers that a second backward pass needs."""
    monkeypatch.setattr(torch._functorch.config, "donated_buffer", True)
    compile = Block.compile
    monkeypatch.setattr(dismae, "can_compile", lambda: True)
    monkeypatch.setattr(Block, "compile", lambda block, dynamic: compile(block, dynamic=dynamic, backend="aot_eager"))
    given = clips()
    model = built(given, compile=True)
    model._compile_once(torch.device("cuda"))
    terms = model.terms(training_batch(model, given))
    shares = gradient_shares(terms, model.parameters())
    sum(terms.values()).backward()
    assert sum(shares.values()) == pytest.approx(1)


# --- memory ----------------------------------------------------------------------------------------------------------


class Watched(torch.Tensor):
    """Features that record the size of the largest tensor computed from them."""

    largest = 0

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        made = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(made, torch.Tensor) and isinstance(args[0], Watched) and len(args[0]) == 24:  # all clips
            cls.largest = max(cls.largest, made.numel())
        return made


def test_the_features_of_all_machines_are_never_copied_whole() -> None:
    """The features can be a memory map of a file that is larger than the memory."""
    given = clips()
    watched = Clips(given.table, given.features.as_subclass(Watched))
    Watched.largest = 0
    model = built(watched)
    model.examples(watched).batch(torch.tensor([0]))
    assert 0 < Watched.largest <= 9 * 22 * 8  # one round


# --- the library's loop ----------------------------------------------------------------------------------------------


def trained(folder: Path, settings: Training = SETTINGS) -> dict[str, torch.Tensor]:
    given = clips()
    model = built(given, head_epochs=1, head_every=2)
    trainer = Trainer(settings, 7, torch.device("cpu"), folder / "training.ckpt", "this")
    trainer.train(model, model.examples(given), len(given.table))
    return model.state_dict()


def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    """This includes the domain head's momentum and the rounds of clips."""
    unbroken = trained(tmp_path / "unbroken")
    with killed_after(2):
        trained(tmp_path / "killed")
    resumed = trained(tmp_path / "killed")
    assert unbroken.keys() == resumed.keys()
    assert [name for name in unbroken if not torch.equal(unbroken[name], resumed[name])] == []
    assert any("velocity" in name and weight.any() for name, weight in resumed.items())


def test_no_rounds_can_be_held_out(tmp_path: Path) -> None:
    """Every epoch draws rounds from all clips, so validation clips would be trained on."""
    with pytest.raises(AsdError, match=r"training\.validation: the clips are regrouped in every epoch.*leave it at 0"):
        trained(tmp_path, replace(SETTINGS, validation=0.5))


def test_accumulated_rounds_make_one_step_of_the_domain_head(tmp_path: Path) -> None:
    given = clips()
    model = built(given)
    steps = []
    model.reweight_classifier.step = lambda: steps.append(len(model.reweight_classifier._observed))
    trainer = Trainer(replace(SETTINGS, epochs=1, accumulate=3, steps_per_epoch=2), 7, torch.device("cpu"),
                      tmp_path / "training.ckpt", "this")  # fmt: skip
    trainer.train(model, model.examples(given), len(given.table))
    assert steps[0] == 3
