"""Benchmark of what the trainings learn: losses against trivial predictors, scores against untrained networks.

    python benchmarks/bench_learning.py FOLDER [--settings FILE] [--systems system3 …] [--seeds 1 2 3] [--cores 2]

The workflow runs twice at the sizes of config/demo.yaml in FOLDER, once as it is and once with a learning rate of every
model that leaves its initial weights as they are. Everything else is the same: separators, statistics, fits and
backends. `--settings` is a config file that changes the demo's settings, for example to other recordings. The tables of
both runs are copied to FOLDER/trained and FOLDER/untrained. Finished runs in FOLDER are not repeated.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from full_size import CONFIG
from measure import machine
from torch import nn
from trivial_losses import Trivial, trivial

from asdlib.evaluation.score_table import read_score_table
from asdlib.examples.clips import Clips, load_clips
from asdlib.training.build import build_model
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.recipes import merge
from asdlib.workflow.words import ALL

ROOT = CONFIG.parent
NEEDED = ("Snakefile", "workflow", "config", "src", "profiles", "envs", "resources", "pyproject.toml")
EXAMPLES = 512
# A learning rate whose steps are smaller than the precision of a weight; one epoch of it is enough.
IDLE = {"learning_rate": 1e-12, "epochs": 1, "warmup_epochs": 0}


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--settings", type=Path)
    parser.add_argument("--systems", nargs="+", default=sorted(path.stem for path in (CONFIG / "systems").glob("*")))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--cores", default="2")
    options = parser.parse_args()
    _prepare(options.folder)
    scores = {name: _run(options, name) for name in ("trained", "untrained")}
    data = _settings(options, idle=False)["data"]
    print(f"{machine()}, torch {torch.__version__}; {len(options.seeds)} seeds, {data}\n")
    print("| Variant | Trained | Untrained | Difference |\n| --- | --- | --- | --- |")
    for variant in scores["trained"]:
        trained, untrained = (scores[name][variant] for name in ("trained", "untrained"))
        difference = (trained - untrained).mean()
        print(f"| {' '.join(variant)} | {_spread(trained)} | {_spread(untrained)} | {difference:+.1f} |")
    print("\n| Recipe | Trivial predictor | Its loss | First epoch | Last epoch |\n| --- | --- | --- | --- | --- |")
    for row in [*_separators(options.folder), *_losses(options.folder)]:
        print(f"| {' | '.join(row)} |")


def _prepare(folder: Path) -> None:
    """Copy the workflow into a folder, unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NEEDED:
        source, target = ROOT / name, folder / name
        if not target.exists() and source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "downloads"))
        elif not target.exists():
            shutil.copy2(source, target)


def _run(options: argparse.Namespace, name: str) -> dict[tuple[str, str], pd.Series]:
    """Run the workflow and return {(system, variant): harmonic mean in % by seed}."""
    settings = _settings(options, idle=name == "untrained")
    file = options.folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    targets = [f"results/{system}/scores.csv" for system in options.systems]
    command = [sys.executable, "-m", "snakemake", *targets, "--cores", options.cores, "--quiet", "rules",
               "--keep-going", "--rerun-triggers", "mtime", "params", "input", "--configfile", file.name]  # fmt: skip
    subprocess.run(command, cwd=options.folder, check=True)
    kept = options.folder / name
    kept.mkdir(exist_ok=True)
    for system in options.systems:
        shutil.copy2(options.folder / "results" / system / "scores.csv", kept / f"{system}.csv")
    tables = [read_score_table(kept / f"{system}.csv") for system in options.systems]
    return {variant: found for table in tables for variant, found in _by_seed(table).items()}


def _settings(options: argparse.Namespace, idle: bool) -> dict[str, Any]:
    """Return the demo's settings with the changes and seeds; if `idle`, no model learns."""
    settings = yaml.safe_load((CONFIG / "demo.yaml").read_text(encoding="utf-8"))
    settings["seeds"] = options.seeds
    if options.settings:
        settings = merge(settings, yaml.safe_load(options.settings.read_text(encoding="utf-8")))
    return without_learning(settings) if idle else settings


def without_learning(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a run with a learning rate for every model that is trained that leaves it as it is."""
    models = [
        (name, block)
        for path in sorted((CONFIG / "systems").glob("*.yaml"))
        for name, block in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", {}).items()
    ]
    idle = {name: {"training": IDLE} for name, block in models if "training" in block}
    return merge(settings, {"override": {"models": idle}})


def _by_seed(table: pd.DataFrame) -> dict[tuple[str, str], pd.Series]:
    """Return the harmonic mean of all machines and figures, in %, of each variant and seed."""
    overall = table[table["seed"].str.isdigit() & (table["machine"] == ALL)]
    return {variant: rows.set_index("seed")["hmean"] for variant, rows in overall.groupby(["system", "variant"])}


def _spread(values: pd.Series) -> str:
    return f"{values.mean():.1f} ± {values.std(ddof=1):.1f}" if len(values) > 1 else f"{values.mean():.1f}"


def _separators(folder: Path) -> list[list[str]]:
    """Return for one training of each separator its SI-SDR on validation mixtures, in dB, in the place of a loss."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("results/separators/**/metrics.csv")):
        name = path.parts[len(folder.parts) + 2].rpartition("-")[0]
        with path.open(encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        if rows and name not in found:
            reached, gained = ([float(row[column]) for row in rows] for column in ("si_sdr", "si_sdr_improvement"))
            figures = (f"{x:.1f} dB" for x in (reached[0] - gained[0], reached[0], reached[-1]))
            found[name] = [name, "the mixture (SI-SDR, higher is better)", *figures]
    return list(found.values())


def _losses(folder: Path) -> list[list[str]]:
    """Return for one training of each recipe: the trivial loss, and those of its first and last epoch."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("results/logs/train_model/**/*.json")):
        job = json.loads(path.read_text(encoding="utf-8"))
        recipe, arguments = Recipe("models", job["settings"]), job["arguments"]
        if recipe.name in found or recipe.training["learning_rate"] == IDLE["learning_rate"]:
            continue
        clips = load_clips([folder / table for table in arguments["features"]], "train")
        network, _ = build_model(recipe, clips)
        least = trivial_on(network, clips)
        with (folder / arguments["history"]).open(encoding="utf-8") as handle:
            losses = [float(row[least.term]) for row in csv.DictReader(handle)]
        found[recipe.name] = [recipe.name, least.predictor, *(f"{x:.4g}" for x in (least.loss, losses[0], losses[-1]))]
    return list(found.values())


def trivial_on(network: nn.Module, clips: Clips) -> Trivial:
    """Return the trivial loss on some training examples, in the precision in which they are computed with."""
    examples = network.examples(clips)
    chosen = torch.randperm(len(examples), generator=torch.Generator().manual_seed(0))[:EXAMPLES]
    return trivial(network.eval(), examples.batch(chosen).to(torch.device("cpu")))


if __name__ == "__main__":
    main()
