"""What the page is made of: paths and settings of the rules `illustrate` and `report`, from the graph."""

import hashlib
from pathlib import Path
from typing import Any

from asdlib.graph import CORPUS, JOINT, Graph
from asdlib.recipes import Recipe, Variant, as_list, key_of

SHOWN_SETTINGS = ("data", "noise_pool", "systems", "seeds", "threads", "ground_truth", "prepare", "override", "report")
TEMPLATES = Path(__file__).parent / "report" / "templates"
NESTED = {"frontend": "frontends", "separator": "separators", "init": "models"}  # keys of resolved recipes within one
VIEWS = {"separated": "separators", "augmented": "augmentations"}
Key = tuple[str, str]  # (section, key)


def part_path(system: str, dataset: str, machine: str) -> str:
    """Return the file of a system's illustrations of one machine."""
    return f"results/{system}/report/{dataset}/{machine}.json"


def part_paths(graph: Graph) -> list[str]:
    """Return the illustrations that the run's report joins."""
    places = list(dict.fromkeys((dataset, machine) for dataset, machine, _ in graph.places))
    return [part_path(system, *place) for system in graph.config["systems"] for place in places]


def illustrated(graph: Graph, system: str, dataset: str, machine: str) -> list[str]:
    """Return everything that a machine's illustrations are drawn from."""
    settings = illustrate_settings(graph, system, dataset, machine)
    paths = [settings["audio"], *(block["path"] for block in settings["maps"])]
    for variant in settings["variants"]:
        paths += [*variant["training_scores"].values(), *variant["separators"].values()]
    return list(dict.fromkeys(paths))


def illustrate_settings(graph: Graph, system: str, dataset: str, machine: str) -> dict[str, Any]:
    """Return what a machine's illustrations show: of the first seed, the variants and their embeddings."""
    variants = first_variants(graph, system)
    sections = list(graph.datasets[dataset].machines[machine])
    return {
        "system": system,
        "dataset": dataset,
        "machine": machine,
        "seed": graph.config["seeds"][0],
        "sections": sections,
        "audio": f"results/audio/raw/{dataset}/{machine}.parquet",
        "variants": [
            {
                "variant": variant.name,
                "training_scores": {s: training_score(graph, variant, dataset, machine, s) for s in sections},
                "separators": {
                    f"separated/{key}": f"results/audio/separated/{key}/{dataset}/{machine}.parquet"
                    for section, key in ancestry(graph, variant)
                    if section == "separators"
                },
            }
            for variant in variants
        ],
        "maps": _maps(variants, dataset, machine),
        **graph.config["report"],
    }


def training_score(graph: Graph, variant: Variant, dataset: str, machine: str, section: str) -> str:
    """Return the file of a variant's threshold and training scores."""
    return f"{graph.score_folder(variant, dataset)}/training_score_{machine}_section_{section}_train.json"


def first_variants(graph: Graph, system: str) -> list[Variant]:
    """Return a system's variants under the first seed: those that are drawn."""
    seed = graph.config["seeds"][0]
    return [v for v in graph.variants.values() if v.system == system and v.seed == seed]


def _maps(variants: list[Variant], dataset: str, machine: str) -> list[dict[str, Any]]:
    """Return the embeddings to draw, one that variants share once, with the representation that the backend reads."""
    found: dict[tuple, dict[str, Any]] = {}
    for variant in variants:
        for branch in variant.branches:
            representation = branch.backend.settings.get("representation")
            for view in branch.views:
                path = f"results/embeddings/{branch.model.key}/{view}/{dataset}/{machine}.parquet"
                name = f"{representation or 'representations'} of {branch.model.key}, {view}"
                block = {"path": path, "representation": representation, "name": name, "variants": []}
                found.setdefault((path, representation), block)["variants"].append(variant.name)
    return list(found.values())


# --- the page ------------------------------------------------------------------------------------------------------


def report_settings(graph: Graph) -> dict[str, Any]:
    """Return what the page shows beside its inputs: systems, datasets, recipes and the run's config.

    It travels on a command line, whose length is limited: paths are left for the step to put together.
    """
    config = graph.config
    datasets = {name: config["datasets"][name] for name in graph.datasets if name in config["datasets"]}
    return {
        "systems": [_system(graph, name) for name in config["systems"]],
        "datasets": {name: list(dataset.machines) for name, dataset in graph.datasets.items()},
        "recipes": _recipes(graph, config["systems"]),
        "recorded": [*graph.all_datasets, CORPUS],
        "config": {name: config[name] for name in SHOWN_SETTINGS} | {"datasets": datasets},
    }


def _system(graph: Graph, name: str) -> dict[str, Any]:
    """Return a system's title and its trainings under the first seed: the joint ones with their places."""
    keys = dict.fromkeys(key for variant in first_variants(graph, name) for key in ancestry(graph, variant))
    content = graph.recipes.systems[name]
    return {
        "name": name,
        "title": content["title"],
        "report": content["report"],
        "separators": [key for section, key in keys if section == "separators"],
        "models": {key: _joint_places(graph, key) for section, key in keys if section == "models"},
    }


def _joint_places(graph: Graph, key: str) -> list[str]:
    """Return <dataset>/<place> of a joint model's trainings; none for a model that each machine has of its own."""
    recipe = graph.recipe("models", key)
    if recipe.settings["scope"] != JOINT:
        return []
    paths = [Path(graph.checkpoint(recipe, dataset, JOINT)) for dataset in graph.datasets]
    return list(dict.fromkeys("/".join(path.parts[-3:-1]) for path in paths))


def _recipes(graph: Graph, systems: list[str]) -> dict[str, dict[str, list[str]]]:
    """Return {section: {key: the systems that use it}} of every recipe of the systems, under all seeds."""
    users: dict[str, dict[str, list[str]]] = {}
    for variant in graph.variants.values():
        for section, key in ancestry(graph, variant) if variant.system in systems else ():
            used_by = users.setdefault(section, {}).setdefault(key, [])
            if variant.system not in used_by:
                used_by.append(variant.system)
    return {section: dict(sorted(keys.items())) for section, keys in users.items()}


def ancestry(graph: Graph, variant: Variant) -> tuple[Key, ...]:
    """Return (section, key) of every recipe that a variant is built from."""
    found: dict[Key, None] = {}
    for branch in variant.branches:
        _gather(branch.model, found)
        for view in branch.views:
            _gather_view(graph, view, found)
    return tuple(found)


def _gather_view(graph: Graph, view: str, found: dict[Key, None]) -> None:
    kind, _, key = view.partition("/")
    if kind in VIEWS:
        _gather(graph.recipe(VIEWS[kind], key), found)


def _gather(recipe: Recipe, found: dict[Key, None]) -> None:
    """Add a recipe and, from its resolved settings, everything that it is built from."""
    _gather_settings(recipe.section, recipe.settings, found)


def _gather_settings(section: str, settings: dict[str, Any], found: dict[Key, None]) -> None:
    found[section, key_of(settings)] = None
    for name, nested_section in NESTED.items():
        for nested in as_list(settings.get(name)):
            _gather_settings(nested_section, nested, found)
    views = settings.get("audio") or {}
    for view, nested in views.items() if section == "models" else ():
        if nested:
            _gather_settings(VIEWS[view.partition("/")[0]], nested, found)


def template_hash() -> str:
    """Hash the page's templates: no code, but a change of theirs makes another page."""
    content = b"".join(path.name.encode() + path.read_bytes() for path in sorted(TEMPLATES.iterdir()))
    return hashlib.sha256(content).hexdigest()[:16]
