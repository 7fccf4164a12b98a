"""What decides a stage's result beside the files that it reads: one dictionary per stage, for a rule's params."""

from functools import cache

from asdlib.workflow import datasets, inputs
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe, Settings
from asdlib.workflow.variants import Variant


@cache
def download(graph: Graph, dataset: str) -> Settings:
    """Return everything that decides what `download` brings: the dataset's block."""
    chosen = graph.all_datasets[dataset]
    truth = chosen.ground_truth if graph.config["ground_truth"] else None
    return {"name": dataset, "year": chosen.year, "source": chosen.source, "ground_truth": truth}


@cache
def prepare(graph: Graph, dataset: str, machine: str) -> Settings:
    """Return the clip format and, for recordings in a folder of the user's, a fingerprint of the files."""
    chosen = graph.all_datasets[dataset]
    official = chosen.source is not None and chosen.source["kind"] == "zenodo"  # archives have quirks of their own
    return {
        **graph.config["prepare"],
        "sections": list(chosen.machines[machine]),
        "recordings": datasets.fingerprint(chosen.recordings(machine)) if chosen.folder else None,
        "strict": not official,
    }


@cache
def prepare_noise(graph: Graph, dataset: str) -> Settings:
    """Return the clip format of a noise pool and a fingerprint of its files."""
    pool = graph.all_datasets[dataset].noise_pool
    return {**graph.config["prepare"], "recordings": datasets.pool_fingerprint(pool)}


def public_pins(graph: Graph, recipe: Recipe) -> list[str]:
    """Return the SHA-256 that the config pins for a model's published weights, if it does."""
    pin = graph.config["checkpoints"][recipe.public["name"]].get("sha256") if recipe.public else None
    return [pin] if pin else []


def score(variant: Variant, section: str) -> Settings:
    """Return the backends of a variant and how their scores are joined."""
    return {
        "branches": [{"backend": branch.backend.settings, "views": len(branch.views)} for branch in variant.branches],
        "fusion": variant.fusion,
        "decision": variant.decision,
        "section": section,
    }


def tabulate(graph: Graph, system: str) -> Settings:
    """Return what a system's table holds: every variant and seed, and the sections that they score."""
    variants = [
        {
            "variant": variant.name,
            "seed": variant.seed,
            "recipe": variant.recipe,
            "folders": {name: inputs.score_folder(graph, variant, name) for name in graph.datasets},
        }
        for variant in graph.variants_of(system)
    ]
    return {"system": system, "variants": variants, "sections": [section._asdict() for section in graph.sections]}
