"""Every step computes with the threads that its job has: more would get in the way of other jobs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from asdlib.steps.embed import embed
from asdlib.steps.extract_features import extract_features
from asdlib.steps.separate import separate
from asdlib.steps.train_model import train_model
from asdlib.steps.train_separator import train_separator
from asdlib.training.frozen_model import FrozenModel
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint

GIVEN, OUT, HISTORY = Path("given"), Path("out"), Path("history.csv")
PARTS = FrozenModel({"name": "parts", "kind": "feature_parts", "names": ["all"], "sizes": [2]}, [], [])
FAR = {"name": "far", "kind": "far_subtraction", "n_fft": 256, "hop": 128}
NOTHING_LEARNED = Checkpoint({"name": "toy", "kind": "conv_tasnet"}, {}, {}, {"identity": "no clean reference"})


class SetError(Exception):
    """Ends a step as soon as it has said how many threads it uses."""


STEPS: dict[str, tuple[Callable[[], None], int]] = {
    "train_model": (
        lambda: train_model([GIVEN], [], [], [], OUT, HISTORY, {"name": "x", "kind": "x"}, "", "cpu", 0, 3, None, ""),
        3,
    ),
    "train_separator": (lambda: train_separator(GIVEN, [], OUT, HISTORY, {}, "", "cpu", 0, 3, None), 3),
    "embed": (lambda: embed(GIVEN, None, OUT, "cpu", 0, 3, frozen=PARTS), 3),
    "separate": (lambda: separate(GIVEN, Path("model.safetensors"), OUT, "cpu", 0, 3), 3),
    "separate_far": (lambda: separate(GIVEN, None, OUT, "cpu", 0, 3, settings=FAR, far=GIVEN), 3),
    "extract_features": (lambda: extract_features(GIVEN, OUT, {}), 1),  # several machines run side by side
}


@pytest.mark.parametrize(("step", "threads"), STEPS.values(), ids=STEPS)
def test_a_step_uses_the_threads_of_its_job(
    step: Callable[[], None], threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(count: int) -> None:
        raise SetError(count)

    monkeypatch.chdir(tmp_path)
    checkpoints.save(Path("model.safetensors"), NOTHING_LEARNED)
    monkeypatch.setattr(torch, "set_num_threads", note)
    with pytest.raises(SetError) as found:
        step()
    assert found.value.args == (threads,)
