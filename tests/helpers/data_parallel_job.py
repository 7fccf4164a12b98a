"""The script of a training on several devices: python data_parallel_job.py <folder> <devices> [stop].

With `stop`, the last process gets a SIGTERM in its seventh batch, in the first epoch.

Every process runs this script from the beginning, as the processes of a job do.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from asdlib.examples.clips import Batch
from asdlib.training.batches import Batches
from asdlib.training.job import Job, Task, fit
from asdlib.workflow.recipe import Recipe


class Points:
    """53 random examples, so that no number of processes divides all batches evenly."""

    def __init__(self, stop: bool = False) -> None:
        self._left = 7 if stop else 0
        self.values = torch.randn(53, 4, generator=torch.Generator().manual_seed(3))

    def __len__(self) -> int:
        return len(self.values)

    def batch(self, indices: Tensor) -> Batch:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        chosen = self.values[indices]
        return Batch(chosen, torch.ones(len(chosen)), torch.zeros(len(chosen), dtype=torch.bool))


class Network(nn.Module):
    """A network whose results do not depend on how a batch is divided; one layer is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))
        self.unused = nn.Linear(2, 2)

    def loss(self, batch: Batch) -> Tensor:
        return sum(self.terms(batch).values())

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        guess = self.layers(batch.features)
        return {"distance": (guess - batch.features).square().mean(), "size": 0.5 * guess.square().mean()}

    def metrics(self, batch: Batch) -> dict[str, Tensor]:
        return {"error": self.loss(batch)}

    def finish(self, training: Batches, validation: Batches, losses: Tensor) -> dict[str, Tensor]:
        return {"losses": losses, "seen": torch.tensor([len(batch.features) for batch in training])}


def main(folder: Path, devices: int, stop: bool) -> None:
    training = {
        "epochs": 3, "batch_size": 5, "accumulate": 2, "learning_rate": 0.01, "validation": 0.2, "clip_norm": 0.5,
        "schedule": "plateau", "early_stop": 2, "devices": devices,
    }  # fmt: skip
    settings = {"name": "points", "seed": 7, "training": training}
    weights = folder / "model.safetensors"
    job = Job(Recipe("models", settings), "code", [], weights, folder / "training.csv", torch.device("cpu"))
    last = os.environ.get("LOCAL_RANK", "0") == str(devices - 1)
    fit(job, lambda: Task(Network(), Points(stop and last), 53))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), "stop" in sys.argv)
