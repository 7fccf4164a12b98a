"""The input files of the stages, from the wildcards of their rules."""

import os
import sys
from functools import cache
from pathlib import Path

from asdlib.data import made
from asdlib.data.listing import TRUTH_FILE, machine_files
from asdlib.errors import AsdError, printable
from asdlib.workflow import paths
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.variants import Variant
from asdlib.workflow.words import ALL, CORPUS, FAR, RAW


def protect_users_files(path: str, by_hand: str) -> list[str]:
    """Return a missing input if the user has put or changed something at `path`, otherwise no input.

    Snakemake removes what is at `path` before it starts a job that makes it, for example with --forceall. With a
    missing input there is no such job, and Snakemake uses what is there. `by_hand` is the place for the user's files.
    """
    found = made.altered(Path(path))
    if not found:
        return []
    place = f"your own files belong in {by_hand}"
    _print_once(f"{path}: {found} was added or changed by hand: used as it is and never made again; {place}")
    return [f"({found} was added or changed by hand, so no rule makes {path}: {place})"]


def fetched_recordings(graph: Graph, dataset: str, machine: str) -> list[str]:
    """Return the folder that `download` makes; an empty list if the recordings are in a user's folder.

    Raises AsdError for an unknown machine, or if labels are requested for recordings that the user has placed.
    """
    chosen = graph.all_datasets[dataset]
    if machine not in chosen.machines:
        known = ", ".join(chosen.machines)
        raise AsdError(f"config: datasets.{dataset}: there is no machine {machine}: use one of: {known}")
    by_hand = chosen.by_hand(machine)
    wants_truth = chosen.ground_truth and graph.config["ground_truth"]
    if by_hand and wants_truth and not machine_files(by_hand).truth:
        raise AsdError(
            f"{by_hand}: has no {TRUTH_FILE}, and labels are fetched only together with recordings: add it, or move "
            "the folder away"
        )
    return [] if by_hand else [paths.recordings(dataset, machine)]


def noise_for_separator(graph: Graph, dataset: str, machine: str) -> list[str]:
    """Return the tables with background noise for a machine: the dataset's other machines, and its noise pool."""
    return _noise(graph, [dataset], dataset, machine)


def noise_for_augmentation(graph: Graph, augmentation: str, dataset: str, machine: str) -> list[str]:
    """Return the tables of noise that an augmentation draws from; an empty list unless it has `noise: pool`.

    A recipe's `noise_from` names the datasets whose noise clips are added to public recordings. Recordings in a user's
    folder meet the noise of their own dataset.
    """
    recipe = graph.recipe("augmentations", augmentation)
    if recipe.settings.get("noise") != "pool":
        return []
    own = graph.all_datasets[dataset].folder or not recipe.noise_from
    return _noise(graph, [dataset] if own else recipe.noise_from, dataset, machine)


def separated_for(graph: Graph, augmentation: str, dataset: str, machine: str) -> list[str]:
    """Return the table of separated clips that an augmentation mixes; an empty list if it has no separator."""
    separator = graph.recipe("augmentations", augmentation).separator
    return [paths.audio(f"separated/{separator.key}", dataset, machine)] if separator else []


def separator_weights(graph: Graph, separator: str, dataset: str, machine: str) -> list[str]:
    """Return the weights of a machine's separator; an empty list for one that is not trained."""
    return [paths.separator(separator, dataset, machine)] if graph.recipe("separators", separator).trained else []


def far_recordings(graph: Graph, separator: str, dataset: str, machine: str) -> list[str]:
    """Return what the far microphone recorded, which a separator without a training compares; otherwise no table."""
    return [] if graph.recipe("separators", separator).trained else [paths.audio(FAR, dataset, machine)]


def training_features(graph: Graph, model: str, dataset: str, machine: str) -> list[str]:
    """Return the feature files that a model is trained on; `machine` is one of `trainings`.

    Their order does not depend on the config. Raises AsdError if the recipe has another scope, for an unknown section,
    or if only one of recipe and dataset is that of a corpus.
    """
    recipe = graph.recipe("models", model)
    where = f"{paths.model(model, dataset, machine)}"
    if not recipe.trained:
        raise AsdError(f"{where}: {recipe.name} is not trained and has no such file: request its embeddings")
    machine, section = paths.machine_and_section(machine)
    if (machine == ALL) != recipe.joint or bool(section) != _by_section(graph, recipe, dataset, machine):
        raise AsdError(f"{where}: its scope is {recipe.settings['scope']}: request that scope")
    if section and section not in graph.all_datasets[dataset].machines[machine]:
        known = ", ".join(graph.all_datasets[dataset].machines[machine])
        raise AsdError(f"{where}: {machine} has no section {section}: request one of: {known}")
    if (dataset == CORPUS) != bool(recipe.corpus):
        meant = f"a corpus: request {CORPUS}" if recipe.corpus else "one dataset: request that dataset"
        raise AsdError(f"{where}: the model is trained on {meant}")
    names = recipe.corpus if recipe.corpus else [dataset]
    machines = sorted((name, m) for name in names for m in (graph.machines(name) if recipe.joint else [machine]))
    parts = {name: paths.TRAIN_PART if name in _earlier(graph, recipe) else "" for name in names}
    return [_features(recipe, view, *one, parts[one[0]]) for one in machines for view in recipe.views]


def embedded_features(graph: Graph, model: str, view: str, dataset: str, machine: str) -> str:
    """Return the feature file of a view of a machine's clips, for a model to embed."""
    return _features(graph.recipe("models", model), view, dataset, machine)


def init_weights(graph: Graph, model: str, dataset: str, machine: str) -> list[str]:
    """Return the weights of the models that a model is initialised from; `machine` is one of `trainings`.

    A model of one section starts from that section's model, if the other recipe has the same scope.
    """
    own, _ = paths.machine_and_section(machine)
    return [
        weights(init, dataset, machine if _by_section(graph, init, dataset, own) else own)
        for init in graph.recipe("models", model).init
    ]


def public_weights(recipe: Recipe) -> list[str]:
    """Return the file of public weights that a model starts from: a list with at most one path."""
    if not recipe.public:
        return []
    file = recipe.public["name"], recipe.public["file"]
    by_hand = paths.own_weights(*file)
    return [by_hand if os.path.lexists(by_hand) else paths.public_weights(*file)]


def weights(model: Recipe, dataset: str, machine: str) -> str:
    """Return the weights that are used for a machine, or for one of its sections: its own, or those of the joint model.

    `machine` is one of `trainings`.
    """
    return paths.model(model.key, CORPUS if model.corpus else dataset, ALL if model.joint else machine)


def trainings(graph: Graph, model: Recipe, dataset: str, machine: str) -> list[str]:
    """Return what stands for the machine in the paths of the models that embed its clips.

    It is `all` for a joint model, and one name per section for a machine with several sections and a recipe of that
    scope. A machine with a single section has one model, whatever the scope. A model that is not trained has none.
    """
    if not model.trained:
        return []
    if model.joint:
        return [ALL]
    if not _by_section(graph, model, dataset, machine):
        return [machine]
    return [paths.of_section(machine, section) for section in graph.all_datasets[dataset].machines[machine]]


def all_weights(graph: Graph, model: Recipe, dataset: str, machine: str) -> list[str]:
    """Return the weights of all models that embed a machine's clips, in the order of `trainings`."""
    return [weights(model, dataset, trained) for trained in trainings(graph, model, dataset, machine)]


def embedded_with(graph: Graph, model: Recipe, dataset: str, machine: str) -> list[str]:
    """Return the files of weights that embed a machine's clips: trained ones, or the public file of a frozen model."""
    return all_weights(graph, model, dataset, machine) if model.trained else public_weights(model)


def section_models(graph: Graph, model: Recipe, dataset: str, machine: str) -> dict[str, str]:
    """Return {section: weights} if each section of a machine has a model of its own, otherwise nothing."""
    named = [paths.machine_and_section(trained)[1] for trained in trainings(graph, model, dataset, machine)]
    return dict(zip(named, all_weights(graph, model, dataset, machine), strict=True)) if all(named) else {}


def weights_of_section(graph: Graph, model: Recipe, dataset: str, machine: str, section: str) -> str:
    """Return the weights that embed a section's clips: those of its own model, if it has one."""
    own = section_models(graph, model, dataset, machine)
    return own.get(section, all_weights(graph, model, dataset, machine)[0])


def _by_section(graph: Graph, model: Recipe, dataset: str, machine: str) -> bool:
    """Return whether each section of a machine has a model of its own."""
    if not model.of_sections or dataset not in graph.all_datasets:
        return False
    return len(graph.all_datasets[dataset].machines.get(machine, ())) > 1


def embeddings_of(variant: Variant, dataset: str, machine: str) -> list[str]:
    """Return the embeddings that a variant scores, ordered by branch and view."""
    return [
        paths.embeddings(branch.model.key, view, dataset, machine)
        for branch in variant.branches
        for view in branch.views
    ]


def score_folder(graph: Graph, variant: Variant, dataset: str) -> str:
    """Return the folder of a variant's submission files; if there are several seeds, each has its own folder."""
    seeded = f"/seed_{variant.seed}" if len(graph.config["seeds"]) > 1 else ""
    return paths.score_folder(variant.system, variant.name, dataset, seeded)


def scored_file(graph: Graph, variant: Variant, dataset: str, machine: str, section: str, prefix: str) -> str:
    """Return one of the files that `score` writes for a section; `prefix` is a key of `paths.SCORED`."""
    return paths.scored(prefix, score_folder(graph, variant, dataset), machine, section)


def score_files(graph: Graph, system: str, prefix: str) -> list[str]:
    """Return all files with the given prefix that `score` writes for a system, in the order of its table's rows."""
    variants = graph.variants_of(system)
    return [scored_file(graph, variant, *section, prefix) for variant in variants for section in graph.sections]


def reported_file(graph: Graph, system: str) -> list[str]:
    """Return the table of the reported figures; an empty list for a system without a report."""
    path = graph.root / paths.reported(system)
    return [os.path.relpath(path)] if path.is_file() else []  # relative, so that moving the clone re-runs nothing


def audio_files(graph: Graph) -> list[str]:
    """Return the tables of prepared clips of all machines of the run."""
    return [paths.audio(RAW, dataset, machine) for dataset, machine in graph.run_machines]


@cache
def _print_once(message: str) -> None:
    """Print a message once; Snakemake calls an input function several times."""
    print(printable(message), file=sys.stderr)


def _noise(graph: Graph, origins: list[str], dataset: str, machine: str) -> list[str]:
    """Return the tables of the machines of some datasets, except the given one, and the noise pool of its dataset."""
    machines = sorted((name, m) for name in origins for m in graph.machines(name))
    others = [paths.audio(RAW, *one) for one in machines if one != (dataset, machine)]
    return [*others, *([paths.noise(dataset)] if graph.all_datasets[dataset].noise_pool else [])]


def _earlier(graph: Graph, model: Recipe) -> set[str]:
    """Return the datasets of a model's corpus that are of an earlier year than the newest: only training reads them.

    This does not depend on what is scored, so that scoring another dataset trains nothing again.
    """
    years = {name: year for name in model.corpus if (year := graph.all_datasets[name].year)}
    return {name for name, year in years.items() if year < max(years.values())}


def _features(model: Recipe, view: str, dataset: str, machine: str, part: str = "") -> str:
    """Return a feature file; an augmented view has training clips only, so its tables are whole."""
    return paths.features(model.frontend.key, view, dataset, machine, "" if view.startswith("augmented/") else part)
