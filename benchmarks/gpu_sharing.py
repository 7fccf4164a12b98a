"""The checks of `gpu_check.py` of several jobs on one card, and of one training on two cards."""

import json
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gpu_work import apart, tables_of, train

from asdlib.runtime.gpu_leases import claim
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.recipes import merge

HELD = 2.0  # s for which the first of two jobs keeps the only card
PARALLEL = "conditional_dense_ae"
LIMIT = 0.1  # of weights after a training on two devices, whose batch norms see half a batch each


def leases(_small: bool, _device: str) -> dict[str, Any]:
    """Start two jobs that see one card: the second must wait until the first ends."""
    with TemporaryDirectory() as folder:
        context = get_context("fork")  # they do not compute, so that they need no modules of their own
        times = context.Queue()
        jobs = [context.Process(target=_hold, args=(folder, times)) for _ in range(2)]
        for job in jobs:
            job.start()
        spans = sorted(times.get(timeout=120) for _ in jobs)
        for job in jobs:
            job.join()
    waited = spans[1][0] - spans[0][1]
    faults = [] if waited >= 0 else [f"both jobs had the card for {-waited:.1f} s"]
    return {"faults": faults, "second starts after, s": waited}


def parallel(small: bool, device: str) -> dict[str, Any]:
    """Train a recipe on one and on two devices, and compare losses and weights."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe, tables = tables_of(PARALLEL, small, folder)
        for devices in (1, 2):
            changed = {"training": {"devices": devices, "batch_size": 16, "epochs": 1}}
            (folder / "settings.json").write_text(json.dumps(merge(recipe.settings, changed)), encoding="utf-8")
            command = [sys.executable, __file__, str(folder), str(tables[0]), str(devices), device]
            done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=180)
            if done.returncode:
                return {"faults": [f"on {devices} devices: {(done.stderr.strip().splitlines() or [''])[-1][:200]}"]}
        distance = apart(folder / "1", folder / "2")
    return {"faults": [] if distance < LIMIT else ["other weights"], "weights apart": distance}


def _hold(folder: str, times: Any) -> None:
    tempfile.tempdir = folder
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0] or "0"
    claim(1)
    start = time.monotonic()
    time.sleep(HELD)
    times.put((start, time.monotonic()))


def _main(folder: Path, table: Path, devices: int, device: str) -> None:
    """Train; each of the processes of a training on several devices runs this script from its beginning."""
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    train(Recipe("models", settings), [table], folder / str(devices), device, devices)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
