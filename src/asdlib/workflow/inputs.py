"""Which files a stage reads: what a rule's wildcards stand for."""

import os

from asdlib.errors import AsdError
from asdlib.workflow import paths
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.variants import Variant
from asdlib.workflow.words import ALL, CORPUS, RAW


def fetched_recordings(graph: Graph, dataset: str, machine: str) -> list[str]:
    """Return the folder that `download` makes; nothing for recordings that lie in a folder of the user's."""
    chosen = graph.all_datasets[dataset]
    if machine not in chosen.machines:
        known = ", ".join(chosen.machines)
        raise AsdError(f"config: datasets.{dataset}: there is no machine {machine}: use one of: {known}")
    return [str(chosen.recordings(machine))] if chosen.source else []


def noise_of(graph: Graph, dataset: str, machine: str) -> list[str]:
    """Return where background noise for a machine is found: the dataset's other machines, and its noise pool."""
    others = [paths.audio(RAW, dataset, m) for m in sorted(graph.machines(dataset)) if m != machine]
    return [*others, *([paths.noise(dataset)] if graph.all_datasets[dataset].noise_pool else [])]


def noise_for(graph: Graph, augmentation: str, dataset: str, machine: str) -> list[str]:
    """Return the noise that an augmentation draws from, if its recipe says `noise: pool`."""
    wanted = graph.recipe("augmentations", augmentation).settings.get("noise") == "pool"
    return noise_of(graph, dataset, machine) if wanted else []


def separated_for(graph: Graph, augmentation: str, dataset: str, machine: str) -> list[str]:
    """Return the separated clips that an augmentation mixes, if its recipe names a separator."""
    separator = graph.recipe("augmentations", augmentation).separator
    return [paths.audio(f"separated/{separator.key}", dataset, machine)] if separator else []


def training_features(graph: Graph, model: str, dataset: str, machine: str) -> list[str]:
    """Return the feature files that a model is trained on, `all` standing for every machine.

    Their order depends on no config. Raises AsdError for a training that the recipe does not have.
    """
    recipe = graph.recipe("models", model)
    where = f"{paths.model(model, dataset, machine)}"
    if (machine == ALL) != recipe.joint:
        raise AsdError(f"{where}: its scope is {recipe.settings['scope']}: ask for that")
    if (dataset == CORPUS) != bool(recipe.corpus):
        meant = f"trained on a corpus: ask for {CORPUS}" if recipe.corpus else "trained on one dataset: ask for that"
        raise AsdError(f"{where}: it is {meant}")
    names = recipe.corpus if recipe.corpus else [dataset]
    heard = sorted((name, m) for name in names for m in (graph.machines(name) if recipe.joint else [machine]))
    return [_features(recipe, view, *one) for one in heard for view in recipe.views]


def embedded_features(graph: Graph, model: str, view: str, dataset: str, machine: str) -> str:
    """Return the features that a model embeds: those of one view of a machine's clips."""
    return _features(graph.recipe("models", model), view, dataset, machine)


def init_weights(graph: Graph, model: str, dataset: str, machine: str) -> list[str]:
    """Return the weights that a model's training starts from, if its recipe names any."""
    return [weights(init, dataset, machine) for init in graph.recipe("models", model).init]


def public_weights(recipe: Recipe) -> list[str]:
    """Return the file of published weights that a model's training starts from, if its recipe names any."""
    return [paths.public_weights(recipe.public["name"], recipe.public["file"])] if recipe.public else []


def weights(model: Recipe, dataset: str, machine: str) -> str:
    """Return the weights that serve a machine: its own, or the joint model's."""
    return paths.model(model.key, CORPUS if model.corpus else dataset, ALL if model.joint else machine)


def embeddings_of(variant: Variant, dataset: str, machine: str) -> list[str]:
    """Return the embeddings that a variant scores, branch by branch and view by view."""
    return [
        paths.embeddings(branch.model.key, view, dataset, machine)
        for branch in variant.branches
        for view in branch.views
    ]


def score_folder(graph: Graph, variant: Variant, dataset: str) -> str:
    """Return the folder of a variant's submission files; several seeds have folders of their own."""
    seeded = f"/seed_{variant.seed}" if len(graph.config["seeds"]) > 1 else ""
    return paths.score_folder(variant.system, variant.name, dataset, seeded)


def scored_file(graph: Graph, variant: Variant, dataset: str, machine: str, section: str, prefix: str) -> str:
    """Return one of the files that `score` makes of a section; `prefix` is one of `paths.SCORED`."""
    return paths.scored(prefix, score_folder(graph, variant, dataset), machine, section)


def score_files(graph: Graph, system: str, prefix: str) -> list[str]:
    """Return all files of a system that begin with `prefix`, in the order of its table's rows."""
    variants = graph.variants_of(system)
    return [scored_file(graph, variant, *section, prefix) for variant in variants for section in graph.sections]


def reported_file(graph: Graph, system: str) -> list[str]:
    """Return the file of a report's own figures; a system without a report has none."""
    path = graph.root / paths.reported(system)
    return [os.path.relpath(path)] if path.is_file() else []  # relative: a moved clone re-runs nothing


def audio_files(graph: Graph) -> list[str]:
    """Return the prepared clips of every machine of the run."""
    return [paths.audio(RAW, dataset, machine) for dataset, machine in graph.run_machines]


def _features(model: Recipe, view: str, dataset: str, machine: str) -> str:
    return paths.features(model.frontend.key, view, dataset, machine)
