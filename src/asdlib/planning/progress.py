"""Which files of every system exist: its table, its trained and public weights, its recordings."""

import csv
import io
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from asdlib.data.text_files import read_text
from asdlib.errors import AsdError
from asdlib.workflow import paths
from asdlib.workflow.ancestry import models_of, public_for, trained_for
from asdlib.workflow.graph import Graph
from asdlib.workflow.variants import Variant

Count = dict[str, int]  # "there", and "needed"


def progress(graph: Graph) -> list[dict[str, Any]]:
    """Return one entry for each system: its description, its variants and recipes, and counts of existing files.

    A variant has one recipe per seed. The current folder must be that of the workflow.
    """
    entries = []
    for name, content in graph.recipes.systems.items():
        variants = graph.variants_of(name)
        trained = {
            path for variant in variants for one in graph.run_machines for path in trained_for(graph, variant, *one)
        }
        entries.append(
            {
                "name": name,
                "report": content.get("report"),
                "title": content["title"],
                "variants": [
                    {
                        "name": variant,
                        "note": block.get("note", ""),
                        "recipes": [one.recipe for one in variants if one.name == variant],
                    }
                    for variant, block in content["variants"].items()
                ],
                "scores": Path(paths.scores(name)).is_file(),
                "scored_with": scored_with(Path(paths.scores(name)), graph, variants),
                "trained": _count(trained),
                "public_weights": _count({path for variant in variants for path in public_for(variant)}),
                "recordings": _count(_recordings(graph, variants)),
            }
        )
    return entries


def scored_with(table: Path, graph: Graph, variants: list[Variant]) -> dict[str, Any] | None:
    """Return the datasets of a scores.csv, and whether any of its rows has data and a recipe of this config.

    A table that cannot be read is of no config. Its readers say what is wrong with it.
    """
    if not table.is_file():
        return None
    rows: list[dict[str, str]] = []
    with suppress(AsdError, OSError, csv.Error):
        rows = list(csv.DictReader(io.StringIO(read_text(table), newline="")))
    recipes = {variant.recipe for variant in variants}
    same = [row for row in rows if row.get("dataset") in graph.datasets and row.get("recipe") in recipes]
    datasets = sorted({row.get("dataset") or "unknown" for row in rows}) or ["unknown"]
    return {"data": datasets, "this_config": bool(same)}


def _recordings(graph: Graph, variants: list[Variant]) -> set[str]:
    """Return the folders of recordings that a system uses, corpora included."""
    corpora = {name for variant in variants for model in models_of(variant) for name in model.corpus}
    names = corpora | set(graph.datasets)
    return {str(graph.all_datasets[name].recordings(machine)) for name in names for machine in graph.machines(name)}


def _count(paths: Iterable[str]) -> Count:
    found = [Path(path).exists() for path in paths]
    return {"there": sum(found), "needed": len(found)}
