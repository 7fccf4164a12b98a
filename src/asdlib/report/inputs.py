"""The input files and settings of the rules `illustrate` and `report`, from the graph."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from asdlib.report.settings import MACHINE, MP3_RATES, TRAINED, IllustrateSettings
from asdlib.workflow import inputs, paths
from asdlib.workflow.ancestry import models_of, recipes_of, separators_for
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe, canonical
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.variants import Branch, Variant
from asdlib.workflow.words import CORPUS, RAW
from asdlib.workflow.yaml_files import read_yaml

SHOWN_SETTINGS = ("data", "noise_pool", "systems", "seeds", "threads", "ground_truth", "prepare", "override", "report")
# Kinds of models and frontends with maps of errors over time and frequency (docs/report.md says what others have).
MAPPED = ("conditional_autoencoder", "conditional_dense_autoencoder", "dense_autoencoder")
BANDED = "log_mel"
PLAYER_SECONDS = 10.0  # of a clip as MP3 that counts as one player
FLAC_PER_MP3 = 10  # about the ratio of their sizes
TEMPLATES = Path(__file__).parent / "templates"


def part_paths(graph: Graph) -> list[str]:
    """Return the files of illustrations that the run's report consists of."""
    return [paths.illustrations(system, dataset) for system in graph.config["systems"] for dataset in graph.datasets]


def illustrated(graph: Graph, system: str, dataset: str) -> list[str]:
    """Return the files from which the illustrations of a dataset's machines are drawn."""
    settings = typed(IllustrateSettings, illustrate_settings(graph, system, dataset))
    return list(dict.fromkeys(path for machine in settings.machines for path in settings.of(machine).files))


def illustrate_settings(graph: Graph, system: str, dataset: str) -> dict[str, Any]:
    """Return the settings of the illustrations of a dataset's machines: variants and embeddings of the first seed."""
    variants = first_variants(graph, system)
    first, *_ = graph.machines(dataset)  # its separators are those of every machine of the dataset
    return {
        "system": system,
        "dataset": dataset,
        "machines": {machine: list(sections) for machine, sections in graph.datasets[dataset].machines.items()},
        "year": graph.datasets[dataset].year,
        "seed": graph.config["seeds"][0],
        "audio": paths.audio(RAW, dataset),
        "variants": [
            {
                "variant": variant.name,
                "training_scores": paths.scored("training_score", inputs.score_folder(graph, variant, dataset)),
                "separators": {
                    f"separated/{key}": paths.audio(f"separated/{key}", dataset)
                    for key in separators_for(graph, variant, dataset, first)
                },
            }
            for variant in variants
        ],
        "maps": _maps(variants, dataset),
        "errors": _errors(variants, dataset),
        **graph.config["report"],
        "players": _players(graph),
    }


def _players(graph: Graph) -> int:
    """Return how many further clips of a dataset can be heard: fewer than the config says if they take more space."""
    wanted, prepare = graph.config["report"]["players"], graph.config["prepare"]
    size = max(prepare["seconds"] / PLAYER_SECONDS, 1) * (1 if prepare["sample_rate"] in MP3_RATES else FLAC_PER_MP3)
    return math.ceil(wanted / size)


def first_variants(graph: Graph, system: str) -> list[Variant]:
    """Return a system's variants with the first seed, which are those that are drawn."""
    seed = graph.config["seeds"][0]
    return [variant for variant in graph.variants_of(system) if variant.seed == seed]


def _maps(variants: list[Variant], dataset: str) -> list[dict[str, Any]]:
    """Return the embeddings to draw, with the representation that the backend reads; shared ones appear once."""
    found: dict[tuple, dict[str, Any]] = {}
    for variant, branch, view, path in _read(variants, dataset):
        representation = branch.backend.settings.get("representation")
        name = f"{representation or 'representations'} of {branch.model.key}, {view}"
        block = {"path": path, "representation": representation, "name": name, "view": view, "variants": []}
        found.setdefault((path, representation), block)["variants"].append(variant.name)
    return list(found.values())


def _errors(variants: list[Variant], dataset: str) -> list[dict[str, Any]]:
    """Return the autoencoders whose errors are drawn, with the pattern of their weights; shared ones appear once."""
    found: dict[str, dict[str, Any]] = {}
    for variant, branch, view, path in _read(variants, dataset):
        model = branch.model
        if model.kind not in MAPPED or model.frontend.kind != BANDED:
            continue
        weights = inputs.weights(model, dataset, TRAINED if model.of_sections else MACHINE)
        block = {"name": model.key, "view": view, "weights": weights, "embeddings": path, "variants": []}
        users = found.setdefault(path, block)["variants"]
        users += [variant.name] if variant.name not in users else []
    return list(found.values())


def _read(variants: list[Variant], dataset: str) -> Iterator[tuple[Variant, Branch, str, str]]:
    """Yield every variant with each of its branches, views and patterns of embeddings."""
    for variant in variants:
        read = [(branch, view) for branch in variant.branches for view in branch.views]
        for (branch, view), path in zip(read, inputs.embeddings_of(variant, dataset, MACHINE), strict=True):
            yield variant, branch, view, path


# --- the page ------------------------------------------------------------------------------------------------------


def report_settings(graph: Graph) -> dict[str, Any]:
    """Return the settings of the page: systems, datasets, recipes and the run's config.

    The step constructs the paths itself.
    """
    config = graph.config
    corpora, noise = _corpora(graph), _noise_datasets(graph)
    others = [*corpora, *noise]
    declared = {name: config["datasets"][name] for name in graph.datasets if name in config["datasets"]}
    blocks = {
        "datasets": declared | _changed(graph, "datasets", others),
        "checkpoints": _changed(graph, "checkpoints", config["checkpoints"]),
    }
    return {
        "systems": [_system(graph, name) for name in config["systems"]],
        "datasets": {name: list(dataset.machines) for name, dataset in graph.datasets.items()},
        "recipes": _recipes(graph),
        "recorded": list(dict.fromkeys([*graph.datasets, *others, *([CORPUS] if corpora else [])])),
        "config": {name: config[name] for name in SHOWN_SETTINGS} | blocks,
    }


def _system(graph: Graph, name: str) -> dict[str, Any]:
    """Return a system's title and its trainings with the first seed; joint models with the dataset of the training.

    `early_stop` are the keys whose training keeps the weights of its best epoch.
    """
    variants = first_variants(graph, name)
    separators = dict.fromkeys(
        key for v in variants for one in graph.run_machines for key in separators_for(graph, v, *one)
    )
    models = {model.key: model for v in variants for model in models_of(v)}
    models = {key: model for key, model in models.items() if model.trained}
    trained = [*(graph.recipe("separators", key) for key in separators), *models.values()]
    content = graph.recipes.systems[name]
    return {
        "name": name,
        "title": content["title"],
        "report": content.get("report"),
        "variants": [v.name for v in variants],
        "separators": [key for key in separators if graph.recipe("separators", key).trained],
        "models": {key: _own_trainings(graph, model) for key, model in models.items()},
        "early_stop": [recipe.key for recipe in trained if (recipe.training or {}).get("early_stop")],
    }


def _own_trainings(graph: Graph, model: Recipe) -> list[str]:
    """Return `<dataset>/all`, `corpus/all`, `<dataset>/<machine>` or `<dataset>/<machine>@<section>` of each training.

    Nothing is returned for the scope `machine`.
    """
    if not (model.joint or model.of_sections):
        return []
    found = [Path(path) for one in graph.run_machines for path in inputs.all_weights(graph, model, *one)]
    return list(dict.fromkeys("/".join(path.parts[-3:-1]) for path in found))


def _chosen(graph: Graph) -> list[Variant]:
    """Return the variants of the run's systems with all seeds."""
    return [variant for variant in graph.variants.values() if variant.system in graph.config["systems"]]


def _corpora(graph: Graph) -> list[str]:
    """Return the datasets in the corpora of the models of the run's systems."""
    named = [name for variant in _chosen(graph) for model in models_of(variant) for name in model.corpus]
    return list(dict.fromkeys(named))


def _noise_datasets(graph: Graph) -> list[str]:
    """Return the datasets whose noise the run's systems add to the recordings of others."""
    used = {recipe for variant in _chosen(graph) for recipe in recipes_of(graph, variant)}
    augmentations = sorted(key for registry, key in used if registry == "augmentations")
    return [name for key in augmentations for name in graph.recipe("augmentations", key).noise_from]


def _recipes(graph: Graph) -> dict[str, dict[str, list[str]]]:
    """Return {registry: {key: the systems that use it}} of every recipe of the run's systems, with all seeds.

    The additional entry `checkpoints` has the names of the public weights that models start from.
    """
    users: dict[str, dict[str, list[str]]] = {}
    for variant in _chosen(graph):
        public = [("checkpoints", model.public["name"]) for model in models_of(variant) if model.public]
        for registry, key in [*recipes_of(graph, variant), *public]:
            used_by = users.setdefault(registry, {}).setdefault(key, [])
            if variant.system not in used_by:
                used_by.append(variant.system)
    return {registry: dict(sorted(keys.items())) for registry, keys in users.items()}


def _changed(graph: Graph, block: str, names: Iterable[str]) -> dict[str, Any]:
    """Return those of the named blocks (datasets or checkpoints) that differ from the repository's.

    A folder of recordings that is not declared has no block.
    """
    shipped = canonical(read_yaml(graph.root / "config" / f"{block}.yaml"))[block]
    blocks = graph.config[block]
    return {name: blocks[name] for name in names if name in blocks and blocks[name] != shipped.get(name)}


def template_hash() -> str:
    """Return a hash of the page's templates, which are not code but determine the page."""
    content = b"".join(path.name.encode() + path.read_bytes() for path in sorted(TEMPLATES.iterdir()))
    return hashlib.sha256(content).hexdigest()[:16]
