"""All models of the registry: all parameters learn, and embeddings are deterministic."""

import pytest
import torch
from helpers.model_toys import TOYS, TRAINED, built, toy_clips, toy_of, whole
from torch import nn

from asdlib.examples.clips import Batch
from asdlib.models import MODELS
from asdlib.workflow import class_facts

# The least cosine of gradients in bf16 and float32: toy clips differ little, and batch norms amplify the rounding.
LEAST_ALIKE = {"dual_branch_cnn": 0.7}


@pytest.fixture(params=sorted(MODELS))
def toy(request: pytest.FixtureRequest):
    clips = toy_clips(toy_of(request.param)[1])
    return built(request.param, clips), clips


def test_the_graph_reads_from_the_text_of_a_class_whether_it_is_trained() -> None:
    assert [kind for kind in sorted(MODELS) if class_facts.is_trained(kind)] == TRAINED
    assert all(hasattr(MODELS[kind], "loss") == (kind in TRAINED) for kind in MODELS)
    for kind, made in MODELS.items():
        assert class_facts.uses_gpu("models", kind) == getattr(made, "uses_gpu", True)
        assert class_facts.takes_labels(kind) == getattr(made, "takes_labels", False)


def test_toys_are_of_models_that_exist() -> None:
    assert TOYS.keys() <= MODELS.keys()


@pytest.mark.parametrize("kind", TRAINED)
def test_the_loss_is_finite_and_reaches_every_parameter(kind: str) -> None:
    clips = toy_clips(toy_of(kind)[1])
    model = built(kind, clips)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zeros at first, so that A gets no gradient
            nn.init.normal_(parameter, std=0.1)
    examples = model.examples(clips)
    loss = model.loss(examples.batch(torch.arange(len(examples))))
    assert torch.isfinite(loss)
    loss.backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert without == []


def test_classes_are_sorted_so_that_they_have_the_same_numbers_in_every_process() -> None:
    """The order of a set of names differs from process to process."""
    numbered = {}
    for kind in TRAINED:
        arguments, shape = toy_of(kind)
        model = MODELS[kind](**arguments)
        facts = model.survey(toy_clips(shape)) if hasattr(model, "survey") else {}
        numbered |= {(kind, name): facts[name] for name in ("classes", "domains", "machines") if name in facts}
    assert len(numbered[("dual_branch_cnn", "classes")]) > 2
    assert {place: names for place, names in numbered.items() if names != sorted(names)} == {}


@pytest.mark.parametrize("kind", TRAINED)
def test_in_bf16_the_loss_and_its_gradient_are_those_of_float32_but_for_the_rounding(kind: str) -> None:
    """A recipe can set `precision: bf16`, and the training loop then uses autocast with any model."""
    clips = toy_clips(toy_of(kind)[1])

    def trained(rounded: bool) -> tuple[torch.Tensor, torch.Tensor]:
        model = built(kind, clips)
        examples = model.examples(clips)
        torch.manual_seed(5)  # for masks, mixtures and dropout
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            loss = model.loss(examples.batch(torch.arange(len(examples))))
        loss.backward()
        return loss.detach(), torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])

    (loss, gradient), (exact, exact_gradient) = trained(rounded=True), trained(rounded=False)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=0.02, atol=0)
    assert torch.isfinite(gradient).all()
    assert torch.cosine_similarity(gradient, exact_gradient, dim=0) > LEAST_ALIKE.get(kind, 0.98)


def test_the_same_clip_is_represented_the_same_way_twice_and_alone(toy) -> None:
    model, clips = toy
    model.eval()
    batch = whole(clips)
    first, again = model.embed(batch), model.embed(batch)
    alone = model.embed(Batch(batch.features[:1], batch.frames[:1], batch.target[:1], origins=batch.origins[:1]))
    for name, representation in first.items():
        assert representation.shape[0] == len(clips.table)
        assert representation.dim() in (2, 3)
        torch.testing.assert_close(representation, again[name], rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(representation[:1], alone[name], equal_nan=True)
