"""Training on several devices, which here are processes on a CPU."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed
from helpers import data_parallel_job

from asdlib.errors import AsdError
from asdlib.training.batches import Batches
from asdlib.training.interruption import Interruption
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer
from asdlib.weights import checkpoints

HERE = Path(__file__).resolve().parent


def train(folder: Path, *words: str) -> tuple[int, str]:
    """Train in `folder` on two devices and return the exit code and the output on stderr."""
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": f"{HERE.parents[1]}/src", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, HERE.parent / "helpers" / "data_parallel_job.py", folder, "2", *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return ended.returncode, ended.stderr


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "training.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    data_parallel_job.main(tmp_path / "one", 1, stop=False)  # in this process: a new one must first import torch
    code, said = train(tmp_path / "two")
    assert code == 0, said
    one, two = (checkpoints.load(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, weights in one.weights.items():
        torch.testing.assert_close(two.weights[name], weights, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(two.calibration["losses"], one.calibration["losses"], rtol=1e-4, atol=1e-6)
    assert two.calibration["seen"].tolist() == one.calibration["seen"].tolist()
    for first, second in zip(history(tmp_path / "one"), history(tmp_path / "two"), strict=True):
        for name in ("loss", "validation_loss", "error", "distance", "size"):
            assert float(second[name]) == pytest.approx(float(first[name]), rel=1e-4)
        assert float(second["distance_gradient"]) + float(second["size_gradient"]) == pytest.approx(1)
    assert sorted(path.name for path in (tmp_path / "two").iterdir() if not path.name.startswith(".")) == [
        "model.safetensors", "training.csv",
    ]  # fmt: skip
    stopped, said = train(tmp_path / "stopped", "stop")
    assert stopped != 0
    assert "SIGTERM: the training is stored and ends" in said
    assert [path.name for path in (tmp_path / "stopped").iterdir() if path.name[0] != "."] == ["training.ckpt"]
    code, said = train(tmp_path / "stopped")
    assert code == 0, said
    again = checkpoints.load(tmp_path / "stopped" / "model.safetensors")
    assert all(torch.equal(again.weights[name], weights) for name, weights in two.weights.items())
    assert [row["loss"] for row in history(tmp_path / "stopped")] == [row["loss"] for row in history(tmp_path / "two")]


def test_processes_agree_without_waiting_for_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value on the device `meta` cannot be read, as one on a GPU cannot without waiting for it.

    The usual group of processes with GPUs moves no values of hosts, and another one is not needed for every step.
    """
    groups = []
    new_group = torch.distributed.new_group
    monkeypatch.setattr(torch.distributed, "new_group", lambda **kind: groups.append(kind) or new_group(**kind))
    fabric = SimpleNamespace(world_size=2, device=torch.device("meta"), is_global_zero=False)
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        with Interruption() as interruption:
            assert interruption.agree(fabric, due=True) == (False, False)  # only the first process says when
            fabric.is_global_zero = True
            assert interruption.agree(fabric, due=True) == (False, True)
            signal.raise_signal(signal.SIGTERM)
            assert interruption.agree(fabric, due=False) == (True, False)
        assert groups == [{"backend": "gloo"}]
    finally:
        torch.distributed.destroy_process_group()


def test_a_process_without_a_signal_ends_like_one_with_it_and_waits_for_the_others() -> None:
    """The first process may still be writing the state, and ends with any other."""
    waited = []
    with pytest.raises(SystemExit) as end:
        Interruption().end(SimpleNamespace(barrier=lambda: waited.append(True)))
    assert end.value.code == 128 + signal.SIGTERM
    assert waited


class Numbers:
    def __len__(self) -> int:
        return 7

    def batch(self, indices: torch.Tensor) -> torch.Tensor:
        return indices.float()


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_the_parts_of_a_batch_weigh_what_they_hold(world: int) -> None:
    batches = Batches(Numbers(), torch.arange(7), 5, torch.device("cpu"))
    parts = zip(*(batches.parts(rank, world) for rank in range(world)), strict=True)
    for whole, shared in zip(batches, parts, strict=True):
        assert sum(float(part.mean()) * weight for part, weight in shared) / world == pytest.approx(float(whole.mean()))


@pytest.mark.parametrize("devices", [0, 5])
def test_impossible_numbers_of_devices_are_refused(tmp_path: Path, devices: int) -> None:
    settings = Training(epochs=1, batch_size=4, learning_rate=0.1, devices=devices)
    with pytest.raises(AsdError, match=rf"training\.devices: {devices}: give 1 to 4"):
        Trainer(settings, 1, torch.device("cpu"), tmp_path / "training.ckpt", "")
