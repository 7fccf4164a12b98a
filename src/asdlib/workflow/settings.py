"""The params of the stages: everything, besides the input files and the code, that decides their results."""

from functools import cache

from asdlib.data.channels import FAR, NEAR, channel_number
from asdlib.errors import AsdError
from asdlib.workflow import class_facts, datasets, inputs, paths
from asdlib.workflow.datasets import Dataset
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe, Settings
from asdlib.workflow.variants import Variant
from asdlib.workflow.words import RAW


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


def clip_format(wanted: Settings, dataset: Dataset, view: str = RAW) -> Settings:
    """Return the clip format of a dataset: the config's `prepare`, with the dataset's own channel if it has none.

    Raises AsdError for the far microphone of a run that does not use the near one.
    """
    if wanted["channel"] is None:
        wanted = wanted | {"channel": dataset.channel}
    if view == RAW:
        return wanted
    channel = wanted["channel"]
    if channel_number(channel) != channel_number(NEAR):
        is_now = "null" if channel is None else channel
        raise AsdError(
            f"config: prepare.channel: is {is_now}, but a recipe compares both microphones of {dataset.name}: use near"
        )
    return wanted | {"channel": FAR}


@cache
def prepare(graph: Graph, dataset: str, machine: str, view: str = RAW) -> Settings:
    """Return the settings of `prepare`: the clip format and, for a user's folder, a fingerprint of the recordings.

    Those of `prepare_far` are the same, with the view `far`.
    """
    chosen = graph.all_datasets[dataset]
    return {
        **clip_format(graph.config["prepare"], chosen, view),
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
    chosen = graph.all_datasets[dataset]
    recordings = datasets.pool_fingerprint(chosen.noise_pool)
    return {**clip_format(graph.config["prepare"], chosen), "recordings": recordings}


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


def gpus_to_embed(graph: Graph, key: str) -> int:
    """Return the number of GPUs that a job requests that embeds clips with a model."""
    return graph.gpus if class_facts.uses_gpu("models", graph.recipe("models", key).kind) else 0


def frozen(graph: Graph, recipe: Recipe) -> Settings | None:
    """Return what `embed` builds a model from that is not trained; None for a trained one."""
    if recipe.trained:
        return None
    public = inputs.public_weights(recipe)
    return {"settings": recipe.settings, "public": public, "pins": public_pins(graph, recipe)}


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
