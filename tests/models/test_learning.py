"""The model of every recipe learns: its loss falls well below that of a predictor that has learned nothing."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.model_toys import built, learnable_clips, toy_of, toy_recipes
from torch import nn

from asdlib.models import MODELS
from asdlib.training.batch_norm import settle
from asdlib.training.optimisation import build_optimizer
from asdlib.training.settings import Training

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@dataclass(frozen=True)
class Course:
    """A short training: the largest share of the trivial loss that may be left after it, and how it is done.

    It ends when no more is left; `steps` is the most that it may take.
    """

    left: float = 0.5
    steps: int = 50
    rate: float = 0.01
    scale: float = 1.0  # of the features; large for encoders that expect decibels
    every: int = 1  # uses every n-th clip


COURSES = {
    "acae": Course(steps=250),
    "audiomae_adaptation": Course(steps=35, scale=8.0, every=4),  # its clips have 1024 frames, whatever the toy's size
    "audiomae_classifier": Course(steps=40, scale=50.0, every=4),  # 40 of these frames are real
    "beats_classifier": Course(scale=8.0),
    "dismae": Course(steps=150),
    "dual_branch_cnn": Course(steps=150, rate=0.003),
    "eat": Course(steps=100),
    "ssl_fusion": Course(steps=30, scale=50.0, every=4),
}

LOOK = 10  # steps between two looks at the loss
RECIPES = {name: made for name, made in toy_recipes().items() if hasattr(MODELS[made[0]], "loss")}


def test_every_kind_has_a_recipe() -> None:
    assert {kind for kind, _ in RECIPES.values()} == {kind for kind, made in MODELS.items() if hasattr(made, "loss")}


@pytest.mark.parametrize("name", RECIPES)
def test_a_short_training_beats_the_trivial_predictor(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from trivial_losses import trivial

    kind, arguments = RECIPES[name]
    course = COURSES.get(kind, Course())
    clips = learnable_clips(toy_of(kind)[1], course.scale)
    network = built(kind, clips, arguments)
    examples = network.examples(clips)
    batch = examples.batch(torch.arange(0, len(examples), course.every))
    least = trivial(network, batch)
    untrained = settled_loss(network, batch, least.term)
    trained = train(network, batch, course, least.term, course.left * least.loss)
    print(f"{name}: {least.predictor} {least.loss:.4g}, untrained {untrained:.4g}, trained {trained:.4g}")
    assert untrained > course.left * least.loss  # otherwise the test could not fail
    assert trained < course.left * least.loss


def test_the_classes_of_the_attention_autoencoder_are_learned_too() -> None:
    """Its trivial loss is that of the spectra; a constant guess of the class has the logarithm of their number."""
    kind, arguments = RECIPES["acae"]
    clips = learnable_clips(toy_of(kind)[1], 1.0)
    network = built(kind, clips, arguments | {"labels": "attributes"})
    batch = network.examples(clips).batch(torch.arange(len(clips.table)))
    guessed = network.class_weight * math.log(len(set(batch.labels[:, 0].tolist())))
    assert settled_loss(network, batch, "classes") > 0.5 * guessed
    assert train(network, batch, COURSES[kind], "classes", 0.5 * guessed) < 0.5 * guessed


def train(network: nn.Module, batch: Any, course: Course, term: str, enough: float) -> float:
    """Train until a term of the loss is below `enough`, or for all steps of the course; return the term."""
    optimizer = build_optimizer(network, Training(epochs=1, batch_size=1, learning_rate=course.rate))
    for step in range(course.steps):
        network.train()
        optimizer.zero_grad()
        network.loss(batch).backward()
        optimizer.step()
        if hasattr(network, "after_step"):
            network.after_step(step, course.steps)
        if (step + 1) % LOOK == 0 or step + 1 == course.steps:
            reached = settled_loss(network, batch, term)
            if reached < enough:
                break
    return reached


@torch.no_grad()
def settled_loss(network: nn.Module, batch: Any, term: str) -> float:
    """Return the loss in evaluation mode, or one of its terms, with batch norms as at the end of a training."""
    network.eval()
    settle(network, [batch])
    terms = network.terms(batch) if hasattr(network, "terms") else {"loss": network.loss(batch)}
    return float(terms.get(term, sum(terms.values())))
