"""The checks of `gpu_check.py` that concern the work of a job: training from files, resuming, embedding."""

import csv
import os
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from gpu_recipes import MACHINES, RATE, artificial_clips, case
from safetensors.torch import load_file

from asdlib.data.tables import CLIP_FIELDS, ClipTable, writing
from asdlib.steps.embed import embed
from asdlib.steps.train_model import train_model
from asdlib.training.state import StoredState
from asdlib.workflow.recipe import Recipe

EPOCHS = 3
CLIPS = 1050  # of all machines
FREE = 1 << 30  # bytes that another program leaves on a full card


def trained(name: str, small: bool, device: str) -> dict[str, Any]:
    """Train a recipe from feature tables, embed a machine's clips, and compare a resumed training with it."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe, tables = _tables(name, small, folder)
        epochs = _train(recipe, tables, folder / "whole", device)
        embed(tables[0], folder / "whole" / "model.safetensors", folder / "out.parquet", device, 1, 2)
        (vectors, *_) = (array for _, array in ClipTable(folder / "out.parquet").batches("embedding"))
        _train_and_kill(recipe, tables, folder / "resumed", device)
        faults = [] if (folder / "resumed" / "training.ckpt").is_file() else ["a killed training left no state"]
        resumed = _train(recipe, tables, folder / "resumed", device)
        apart = _apart(folder / "whole", folder / "resumed")
    losses = [float(row["loss"]) for row in epochs]
    if not losses[-1] < losses[0]:
        faults.append(f"the loss does not fall: {losses}")
    if not torch.isfinite(torch.from_numpy(vectors.copy())).all():
        faults.append("embeddings are not finite")
    if device == "cpu" and [row["loss"] for row in resumed] != [row["loss"] for row in epochs]:
        faults.append("the resumed training has other losses")
    return {
        "faults": faults,
        "losses": " ".join(f"{loss:.4g}" for loss in losses),
        "clips/s": float(epochs[-1]["clips_per_second"]),
        "resumed: weights apart": f"{apart:.1e}",
    }


def full_card(small: bool, device: str) -> dict[str, Any]:
    """Resume a training on a card that another program has filled: the error is raised, and the state is kept."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe, tables = _tables("eat_10k_2025", small, folder)
        _train_and_kill(recipe, tables, folder / "resumed", device)
        store = folder / "resumed" / "training.ckpt"
        before = store.read_bytes()
        free, _ = torch.cuda.mem_get_info()
        taken = torch.empty(max(0, free - FREE), dtype=torch.uint8, device=device)
        try:
            _train(recipe, tables, folder / "resumed", device)
            faults = ["no error on a full card"]
        except Exception as error:
            found = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
            faults = [] if "out of memory" in str(error) else [found]
        del taken
        if not store.is_file() or store.read_bytes() != before:
            faults.append("the stored state was overwritten")
    return {"faults": faults}


def _tables(name: str, small: bool, folder: Path) -> tuple[Recipe, list[Path]]:
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


def _train(recipe: Recipe, tables: list[Path], folder: Path, device: str) -> list[dict[str, str]]:
    """Train as the workflow does; return the rows of the training's log."""
    folder.mkdir(exist_ok=True)
    history = folder / "history.csv"
    train_model(
        tables, [], [], [], folder / "model.safetensors", history, recipe.settings, "check", device, 1, 2, str(folder)
    )
    with history.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def _train_and_kill(*training: Any) -> None:
    """Run a training in a process that dies after an epoch."""
    process = get_context("spawn").Process(target=_die_after_an_epoch, args=training)
    process.start()
    process.join()


def _die_after_an_epoch(recipe: Recipe, tables: list[Path], folder: Path, device: str) -> None:
    keep = StoredState.keep

    def once(self: StoredState, *given: Any) -> None:
        keep(self, *given)
        os._exit(9)

    StoredState.keep = once
    _train(recipe, tables, folder, device)


def _apart(first: Path, second: Path) -> float:
    """Return the relative difference of two networks' weights."""
    one, other = (load_file(folder / "model.safetensors") for folder in (first, second))
    difference = sum(float((one[name].double() - other[name].double()).square().sum()) for name in one)
    return (difference / sum(float(one[name].double().square().sum()) for name in one)) ** 0.5
