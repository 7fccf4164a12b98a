"""The params of the stages: everything, besides the input files and the code, that decides their results."""

from functools import cache

from asdlib.errors import AsdError
from asdlib.workflow import datasets, inputs, paths
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe, Settings
from asdlib.workflow.variants import Variant


@cache
def download(graph: Graph, dataset: str) -> Settings:
    """Return the settings of `download`: the part of the dataset's block that it uses."""
    chosen = graph.all_datasets[dataset]
    truth = chosen.ground_truth if graph.config["ground_truth"] else None
    return {
        "name": dataset,
        "year": chosen.year,
        "source": chosen.source,
        "ground_truth": truth,
        "own_archives": paths.own_archives(dataset),
    }


@cache
def prepare(graph: Graph, dataset: str, machine: str) -> Settings:
    """Return the settings of `prepare`: the clip format and, for a user's folder, a fingerprint of the recordings."""
    chosen = graph.all_datasets[dataset]
    return {
        **graph.config["prepare"],
        "sections": list(chosen.machines[machine]),
        "recordings": chosen.fingerprint(machine),
        "strict": not chosen.official,
        "layout": chosen.layout(machine),
        "test_share": chosen.test_share if machine in chosen.own else 0.0,
        "supplements": chosen.supplements.get(machine),
    }


@cache
def prepare_noise(graph: Graph, dataset: str) -> Settings:
    """Return the settings of `prepare_noise`: the clip format and a fingerprint of the noise pool's files."""
    pool = graph.all_datasets[dataset].noise_pool
    return {**graph.config["prepare"], "recordings": datasets.pool_fingerprint(pool)}


def checkpoint(graph: Graph, name: str, file: str) -> Settings:
    """Return the settings of `fetch_checkpoint`: a block of the config's `checkpoints`.

    Raises AsdError if `file` is that of another block.
    """
    block = graph.config["checkpoints"][name]
    if file != block["file"]:
        own = paths.public_weights(name, block["file"])
        raise AsdError(f"{paths.public_weights(name, file)}: is not the file of {name}: request {own}")
    return block


def public_pins(graph: Graph, recipe: Recipe) -> list[str]:
    """Return the pinned SHA-256 of a model's public weights: a list with at most one entry."""
    pin = graph.config["checkpoints"][recipe.public["name"]].get("sha256") if recipe.public else None
    return [pin] if pin else []


def score(graph: Graph, variant: Variant, dataset: str, section: str) -> Settings:
    """Return the settings of `score`: the backends of a variant, the fusion of their scores, and the threshold."""
    return {
        "branches": [{"backend": branch.backend.settings, "views": len(branch.views)} for branch in variant.branches],
        "fusion": variant.fusion,
        "decision": decision(graph, variant, dataset),
        "section": section,
    }


def decision(graph: Graph, variant: Variant, dataset: str) -> Settings:
    """Return how a variant's threshold for a dataset is chosen, and the quantile of a fitted one.

    Decisions on the challenge's own recordings stay comparable with those of the published methods.
    """
    chosen = graph.config["threshold"]
    if chosen == "auto":
        chosen = "published" if graph.all_datasets[dataset].official else "fitted"
    return {"threshold": chosen, "quantile": graph.config["quantile"] or variant.decision["quantile"]}


def tabulate(graph: Graph, system: str) -> Settings:
    """Return the settings of `tabulate`: the system's variants for every seed, and the run's sections and years."""
    variants = [
        {
            "variant": variant.name,
            "seed": variant.seed,
            "recipe": variant.recipe,
            "folders": {name: inputs.score_folder(graph, variant, name) for name in graph.datasets},
        }
        for variant in graph.variants_of(system)
    ]
    return {
        "system": system,
        "variants": variants,
        "sections": [section._asdict() for section in graph.sections],
        "years": {name: dataset.year for name, dataset in graph.datasets.items()},
    }
