"""Which trained files a variant rests on."""

from collections.abc import Iterator
from dataclasses import dataclass

from asdlib.graph import JOINT, Graph
from asdlib.recipes import Recipe, Variant


@dataclass(frozen=True)
class Place:
    """The machine and section that clips belong to, and the variant that scores them."""

    variant: Variant
    dataset: str
    machine: str
    section: str


def needed_to_score(graph: Graph, place: Place) -> list[str]:
    """Return what scoring further clips reads: separators, models, the training clips' embeddings."""
    variant, dataset, machine = place.variant, place.dataset, place.machine
    views = [view for branch in variant.branches for view in branch.views]
    separators = [path for view in views for path in separators_of(graph, view, dataset, machine)]
    models = [graph.checkpoint(branch.model, dataset, machine) for branch in variant.branches]
    return list(dict.fromkeys([*separators, *models, *graph.embeddings_of(variant, dataset, machine)]))


def trained_for(graph: Graph, variant: Variant, dataset: str, machine: str) -> Iterator[str]:
    """Yield every trained file that a variant's scores of a machine rest on; some come more than once."""
    for branch in variant.branches:
        yield from _of_model(graph, branch.model, dataset, machine)
        for view in branch.views:
            yield from separators_of(graph, view, dataset, machine)


def public_for(graph: Graph, variant: Variant) -> Iterator[str]:
    """Yield the public weights that a variant's models start from; some come more than once."""
    for model in models_of(graph, variant):
        yield from graph.public_weights(model.key)


def models_of(graph: Graph, variant: Variant) -> Iterator[Recipe]:
    """Yield a variant's models and those that their trainings start from; some come more than once."""
    for branch in variant.branches:
        yield from _with_ancestors(graph, branch.model)


def separators_of(graph: Graph, view: str, dataset: str, machine: str) -> list[str]:
    """Return the separator without which a view cannot be made, if there is one."""
    kind, _, key = view.partition("/")
    if kind == "augmented":
        key = graph.recipe("augmentations", key).separator
    return [f"results/separators/{key}/{dataset}/{machine}/model.safetensors"] if key else []


def _of_model(graph: Graph, model: Recipe, dataset: str, machine: str) -> Iterator[str]:
    for each in _with_ancestors(graph, model):
        yield graph.checkpoint(each, dataset, machine)
        for name in each.corpus or [dataset]:
            for heard in graph.machines(name) if each.settings["scope"] == JOINT else [machine]:
                for view in each.views:
                    yield from separators_of(graph, view, name, heard)


def _with_ancestors(graph: Graph, model: Recipe) -> Iterator[Recipe]:
    """Yield a model and those that its training starts from."""
    yield model
    for init in model.init:
        yield from _with_ancestors(graph, graph.recipe("models", init))
