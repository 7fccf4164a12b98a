"""The checks of `gpu_check.py` that concern the work of a job: training from files, resuming, embedding."""

import csv
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from gpu_recipes import MACHINES, RATE, artificial_clips, case
from own_process import alone as in_new_process
from own_process import die_with_parent
from safetensors.torch import load_file

from asdlib.data.tables import CLIP_FIELDS, ClipTable, writing
from asdlib.errors import AsdError
from asdlib.steps.embed import embed
from asdlib.steps.train_model import train_model
from asdlib.training.state import StoredState
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.recipes import merge

EPOCHS = 2
CLIPS = 1050  # of all machines
TRAINED = "eat_10k_2025"  # trained in full size from files
MORE_APART = 2  # times as far as two unbroken trainings on a GPU, whose sums vary; on the CPU none may differ
START = "forkserver"  # of the processes that train: they need not import anything
MEMORY, ROOM = Path("/dev/shm"), 16 << 30  # bytes, for the states of five trainings
TRAINED_COLUMNS = (
    "losses", "trained again: weights apart", "deterministic: weights apart", "resumed: weights apart", "row s",
)  # fmt: skip


def trained(name: str, small: bool, device: str) -> dict[str, Any]:
    """Train a recipe from feature tables, embed a machine's clips, and compare other trainings with it.

    Every training has a process of its own, as in the workflow. They compute at the same time, because starting them
    and storing their states takes longer than the training. Their speed is that of the table `timed`.
    """
    with TemporaryDirectory(dir=in_memory()) as temporary:
        folder = Path(temporary)
        recipe, tables = tables_of(name, small, folder)
        strict = Recipe(recipe.registry, merge(recipe.settings, {"training": {"deterministic": True}}))
        whole, again, cut = (folder / name for name in ("whole", "again", "resumed"))
        epochs, _, (fixed, refused), _ = together(
            lambda: alone(_sharing, recipe, tables, whole, device),
            lambda: alone(_sharing, recipe, tables, again, device),
            lambda: _deterministic(strict, tables, folder, device),
            lambda: train_and_kill(recipe, tables, cut, device),
        )
        faults = [] if (cut / "training.ckpt").is_file() else ["a killed training left no state"]
        vectors, resumed = together(
            lambda: alone(_embed, tables[0], whole / "model.safetensors", folder / "out.parquet", device),
            lambda: alone(_sharing, recipe, tables, cut, device),
        )
        again_apart, resumed_apart = (apart(whole, other) for other in (again, cut))
    losses = [float(row["loss"]) for row in epochs]
    if not losses[-1] < losses[0]:
        faults.append(f"the loss does not fall: {losses}")
    if not np.isfinite(vectors).all():
        faults.append("embeddings are not finite")
    if fixed:
        faults.append(f"deterministic trainings are {fixed:.1e} apart")
    if resumed_apart > MORE_APART * again_apart:
        faults.append(
            f"weights are {resumed_apart:.1e} apart after resuming, {again_apart:.1e} after two unbroken trainings"
        )
    if device == "cpu" and [row["loss"] for row in resumed] != [row["loss"] for row in epochs]:
        faults.append("the resumed training has other losses")
    return {
        "faults": faults,
        "losses": " ".join(f"{loss:.4g}" for loss in losses),
        "trained again: weights apart": f"{again_apart:.1e}",
        "deterministic: weights apart": refused or f"{fixed:.1e}",
        "resumed: weights apart": f"{resumed_apart:.1e}",
    }


def in_memory() -> Path | None:
    """Return where files lie in memory, if a training's state has room there: disks are not what is checked."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


def together(*works: Callable[[], Any]) -> list[Any]:
    """Return the results of functions that are called at the same time."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [one.result() for one in [pool.submit(work) for work in works]]


def alone(work: Callable, *arguments: Any) -> Any:
    """Return the result of a function that is called in a process of its own."""
    get_context(START).set_forkserver_preload([__name__])
    return in_new_process(work, *arguments, start=START)


def _deterministic(recipe: Recipe, tables: list[Path], folder: Path, device: str) -> tuple[float, str]:
    """Return how far two deterministic trainings are apart, or why there are none."""
    folders = [folder / f"deterministic_{number}" for number in range(2)]
    try:
        together(*(partial(alone, _sharing, recipe, tables, one, device) for one in folders))
    except AsdError as error:
        return 0.0, str(error)
    return apart(*folders), ""


def _embed(features: Path, weights: Path, out: Path, device: str) -> np.ndarray:
    """Return the embeddings of the first clips, computed by the step `embed`."""
    embed(features, weights, out, device, 1, 2)
    return next(array for _, array in ClipTable(out).batches("embedding")).copy()


def tables_of(name: str, small: bool, folder: Path) -> tuple[Recipe, list[Path]]:
    """Write one feature table per machine; return the recipe, with few epochs, and the tables."""
    recipe = case("models", name, small, clips=112, training={"epochs": EPOCHS, "warmup_epochs": 1}).recipe
    clips = artificial_clips(recipe, 112 if small else CLIPS, 2.0 if small else 10.0)
    paths = []
    for machine in MACHINES:
        chosen = [row for row, one in enumerate(clips.column("machine")) if one == machine]
        path = folder / f"{machine}.parquet"
        features = clips.features[chosen].numpy()
        notes = {"audio": machine, "dataset": "artificial", "machine": machine, "view_kind": "raw"}
        declared = {"features": (str(features.dtype), features.shape[1:])}
        with writing(path, {**recipe.frontend.settings, "sample_rate": RATE}, notes, **declared) as table:
            table.write(clips.table.take(chosen).select(CLIP_FIELDS.names), features=features)
        paths.append(path)
    return recipe, paths


def train(recipe: Recipe, tables: list[Path], folder: Path, device: str, gpus: int = 1) -> list[dict[str, str]]:
    """Train as the workflow does; return the rows of the training's log."""
    folder.mkdir(exist_ok=True)
    history = folder / "history.csv"
    out = folder / "model.safetensors"
    train_model(tables, [], [], [], out, history, recipe.settings, "check", device, gpus, 1, None, str(folder))
    with history.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def _sharing(recipe: Recipe, tables: list[Path], folder: Path, device: str) -> list[dict[str, str]]:
    """Train on a card that others use: without a lease that they would wait for."""
    folder.mkdir(exist_ok=True)
    tempfile.tempdir = str(folder)
    return train(recipe, tables, folder, device)


def train_and_kill(*training: Any) -> None:
    """Run a training in a process that dies after an epoch."""
    process = get_context(START).Process(target=_die_after_an_epoch, args=training)
    process.start()
    process.join()


def _die_after_an_epoch(recipe: Recipe, tables: list[Path], folder: Path, device: str) -> None:
    die_with_parent()
    keep = StoredState.keep

    def once(self: StoredState, *given: Any) -> None:
        keep(self, *given)
        os._exit(9)

    StoredState.keep = once
    _sharing(recipe, tables, folder, device)


def apart(first: Path, second: Path) -> float:
    """Return the relative difference of two networks' weights."""
    one, other = (load_file(folder / "model.safetensors") for folder in (first, second))
    difference = sum(float((one[name].double() - other[name].double()).square().sum()) for name in one)
    return (difference / sum(float(one[name].double().square().sum()) for name in one)) ** 0.5
