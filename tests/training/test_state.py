"""The stored state of a training: used whole, or not at all and then kept under another name."""

import errno
import os
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from asdlib.errors import AsdError
from asdlib.runtime.job_environment import STARTED_BY
from asdlib.training.history import Epoch
from asdlib.training.state import State, StoredState


def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(1)
    network = nn.Linear(4, 8)
    return network, torch.optim.Adam(network.parameters(), fused=True)


def step(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    network(torch.ones(1, 4)).square().sum().backward()
    optimizer.step()


def resumed(path: Path, identity: str = "this") -> tuple[nn.Module, torch.optim.Optimizer, State]:
    network, optimizer = fresh()
    return network, optimizer, StoredState(path, identity).resume(network, optimizer)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Return the state of a training after two epochs."""
    network, optimizer = fresh()
    step(network, optimizer)
    epochs = [Epoch(number, 1.0 / number, None, 0.1, 5.0, 2.0) for number in (1, 2)]
    best = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    StoredState(tmp_path / "training.ckpt", "this").keep(
        network, optimizer, State(epochs, torch.ones(3), best, torch.zeros(3), part=4)
    )
    return tmp_path / "training.ckpt"


def test_a_whole_state_is_continued(stored: Path) -> None:
    expected = fresh()
    step(*expected)
    step(*expected)
    network, optimizer, state = resumed(stored)
    assert [epoch.epoch for epoch in state.epochs] == [1, 2]
    assert state.losses.tolist() == [1.0, 1.0, 1.0]
    assert torch.equal(state.best["weight"], network.weight)
    assert (state.best_losses.tolist(), state.part) == ([0.0, 0.0, 0.0], 4)
    step(network, optimizer)
    assert torch.equal(network.weight, expected[0].weight)


def test_no_wrong_byte_of_a_state_is_trained_on(stored: Path, caplog: pytest.LogCaptureFixture) -> None:
    """PyTorch does not compare its files with their checksums: one wrong bit in ten was another weight."""
    data = stored.read_bytes()
    said = r"training\.ckpt: is damaged \(.*\): the training starts over; the file is kept as training\.ckpt\.unused"
    for index in [*range(0, len(data), 16), *range(len(data) - 40, len(data))]:
        wrong = data[:index] + bytes([data[index] ^ 4]) + data[index + 1 :]
        stored.write_bytes(wrong)
        caplog.clear()
        network, optimizer, state = resumed(stored)
        assert state == State()
        assert torch.equal(network.weight, fresh()[0].weight)
        assert not optimizer.state
        assert re.search(said, caplog.text)
        assert not stored.exists()
        kept = stored.with_name("training.ckpt.unused")
        assert kept.read_bytes() == wrong
        kept.unlink()


def test_another_file_in_place_of_a_state_is_not_used(stored: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.save({"weights": torch.zeros(3)}, stored)
    assert resumed(stored)[2] == State()
    assert "training starts over" in caplog.text


def test_a_state_of_other_settings_is_kept_aside_until_the_training_has_ended(
    stored: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = stored.read_bytes()
    assert resumed(stored, "other settings")[2] == State()
    assert "belongs to other settings, code or inputs: the training starts over" in caplog.text
    assert stored.with_name("training.ckpt.unused").read_bytes() == data
    StoredState(stored, "other settings").remove()
    assert not list(stored.parent.iterdir())


def test_states_that_are_not_used_are_all_kept_until_the_training_has_ended(
    stored: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a GPU, then of a CPU because CUDA did not start, then of a GPU again."""
    first, path = stored.read_bytes(), stored.parent / "training.ckpt"
    assert resumed(path, "on a CPU")[2] == State()
    network, optimizer = fresh()
    StoredState(path, "on a CPU").keep(network, optimizer, State([Epoch(1, 1.0, None, 0.1, 5.0, 2.0)], torch.ones(3)))
    assert resumed(path)[2] == State()
    assert caplog.messages[-1].endswith("the file is kept as training.ckpt.unused2 until it has ended")
    assert path.with_name("training.ckpt.unused").read_bytes() == first
    assert path.with_name("training.ckpt.unused2").exists()
    StoredState(path, "this").remove()
    assert not list(path.parent.iterdir())


def test_the_end_of_a_training_removes_what_a_killed_job_on_another_node_has_begun(stored: Path) -> None:
    left = stored.with_name(".training.ckpt.othernode-4242.part")
    left.write_bytes(b"half")
    other = stored.with_name(".training.ckpt2.othernode-4242.part")
    other.write_bytes(b"of another training")
    StoredState(stored, "this").remove()
    assert list(stored.parent.iterdir()) == [other]


def test_a_state_that_cannot_be_put_aside_ends_the_training(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the next epoch would be stored in its place."""
    data = stored.read_bytes()

    def refuse(*_: Path) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(AsdError, match=r"training\.ckpt: cannot be renamed \(Permission denied\): make the folder wr"):
        resumed(stored, "other settings")
    assert stored.read_bytes() == data


def test_only_the_first_of_several_processes_renames_a_state(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv(STARTED_BY, str(os.getppid()))
    assert resumed(stored, "other settings")[2] == State()
    assert stored.exists()


def test_all_processes_do_what_the_first_one_found(stored: Path) -> None:
    """Otherwise one would start over while the others resume, and they would wait for each other."""
    network, optimizer = fresh()
    assert StoredState(stored, "this").resume(network, optimizer, lambda own: (False, "is damaged")) == State()
    assert not stored.exists()
    assert StoredState(stored, "this").resume(network, optimizer, lambda own: (False, None)) == State()
    with pytest.raises(AsdError, match=r"training\.ckpt: one process of the training cannot read it: check the disk"):
        StoredState(stored, "this").resume(network, optimizer, lambda own: (True, None))


SHORTAGES = (torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error"), MemoryError())


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: type(error).__name__)
def test_too_little_memory_is_no_damage(stored: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    data = stored.read_bytes()
    devices = []

    def fail(*arguments, map_location, **options):
        devices.append(map_location)
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(type(error)):
        resumed(stored)
    assert stored.read_bytes() == data
    assert devices == ["cpu"], "a state that is loaded to a GPU needs its memory twice"
