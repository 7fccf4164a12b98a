"""Seeds for purposes, and the states of the global generators."""

import itertools
import random

import numpy as np
import torch

from asdlib.examples.seeding import generator, generator_states, mix, seed_everything, set_generator_states

CPU = torch.device("cpu")


def drawn() -> tuple[float, float, float]:
    """Draw a number from each of the global generators."""
    return random.random(), np.random.random(), float(torch.rand(()))  # noqa: NPY002


def test_every_seed_and_purpose_has_numbers_of_its_own() -> None:
    pairs = list(itertools.product((0, 1, 2), ("order", "ordes", "draws 1")))
    assert len({mix(*pair) for pair in pairs}) == 9
    assert len({float(torch.rand((), generator=generator(*pair))) for pair in pairs}) == 9
    assert torch.equal(torch.rand(3, generator=generator(1, "order")), torch.rand(3, generator=generator(1, "order")))


def test_seed_epoch_and_process_decide_what_all_global_generators_draw() -> None:
    found = []
    for settings in itertools.product((0, 1), (0, 1), (0, 1, 2)):
        seed_everything(*settings)
        found.append(drawn())
        seed_everything(*settings)
        assert drawn() == found[-1]
    assert [len(set(numbers)) for numbers in zip(*found, strict=True)] == [12] * 3
    seed_everything(0, 0)
    assert drawn() == found[0]  # the first process is that of a training without others


def test_generators_set_to_an_earlier_state_draw_the_same_again() -> None:
    seed_everything(0, 0)
    drawn()
    states = generator_states(CPU)
    first = [drawn() for _ in range(3)]
    set_generator_states(states, CPU)
    assert [drawn() for _ in range(3)] == first
