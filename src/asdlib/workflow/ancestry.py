"""The models, views and separators that a variant's scores depend on."""

from collections.abc import Iterator

from asdlib.workflow import inputs, paths
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.recipes import VIEWS
from asdlib.workflow.variants import Variant
from asdlib.workflow.words import FAR

Key = tuple[str, str]  # (registry, key)


def models_of(variant: Variant) -> Iterator[Recipe]:
    """Yield a variant's models and the models that their trainings start from; some are repeated."""
    for branch in variant.branches:
        yield from _with_ancestors(branch.model)


def recipes_of(graph: Graph, variant: Variant) -> list[Key]:
    """Return (registry, key) of every recipe that a variant is built from, except its backends."""
    views = list(variant.views)
    found: dict[Key, None] = {}
    for model in models_of(variant):
        found |= {("models", model.key): None, ("frontends", model.frontend.key): None}
        found |= {("labellers", model.labeller.key): None} if model.labeller else {}
        views += model.views
    for view in views:
        found |= dict.fromkeys(_recipes_of_view(graph, view))
    return list(found)


def trained_for(graph: Graph, variant: Variant, dataset: str, machine: str) -> Iterator[str]:
    """Yield the weights of all models and separators that a variant's scores of a machine depend on.

    Some are repeated.
    """
    for model in models_of(variant):
        yield from inputs.all_weights(graph, model, dataset, machine)
    for view, name, heard in _views_for(graph, variant, dataset, machine):
        yield from separators_of(graph, view, name, heard)


def public_for(variant: Variant) -> Iterator[str]:
    """Yield the public weights that a variant's models start from; some are repeated."""
    for model in models_of(variant):
        yield from inputs.public_weights(model)


def networks_for(graph: Graph, variant: Variant, dataset: str, machine: str) -> list[str]:
    """Return the weights of the separators and models that process a machine's clips for a variant's scores."""
    separators = [path for view in variant.views for path in separators_of(graph, view, dataset, machine)]
    models = [branch.model for branch in variant.branches]
    weights = [path for model in models for path in inputs.embedded_with(graph, model, dataset, machine)]
    return list(dict.fromkeys([*separators, *weights]))


def sizes_for(graph: Graph, variant: Variant, dataset: str, machine: str) -> list[str]:
    """Return the files that say how large the networks are that process a machine's clips for a variant's scores.

    They are the weights of separators and trained models, and the embeddings of frozen models.
    """
    separators = [path for view in variant.views for path in separators_of(graph, view, dataset, machine)]
    found = []
    for branch in variant.branches:
        embedded = paths.embeddings(branch.model.key, branch.views[0], dataset, machine)
        found += inputs.all_weights(graph, branch.model, dataset, machine) if branch.model.trained else [embedded]
    return list(dict.fromkeys([*separators, *found]))


def separators_of(graph: Graph, view: str, dataset: str, machine: str) -> list[str]:
    """Return the weights of the separator that a view needs: a list with at most one path."""
    key = _separator(graph, view)
    return inputs.separator_weights(graph, key, dataset, machine) if key else []


def reads_far(graph: Graph, view: str) -> bool:
    """Return whether a view is that of the far microphone, or compares both."""
    key = _separator(graph, view)
    return view == FAR or bool(key and not graph.recipe("separators", key).trained)


def variant_reads_far(graph: Graph, variant: Variant, dataset: str, machine: str) -> bool:
    """Return whether a variant's scores depend on what the far microphone recorded of a machine's own clips."""
    own = {view for view, *heard in _views_for(graph, variant, dataset, machine) if heard == [dataset, machine]}
    return any(reads_far(graph, view) for view in own)


def separators_for(graph: Graph, variant: Variant, dataset: str, machine: str) -> list[str]:
    """Return the keys of the separators that process a machine's own clips for a variant's scores.

    A model that is trained on a corpus without this dataset reads other clips; their separators are not included.
    """
    views = _views_for(graph, variant, dataset, machine)
    keys = [_separator(graph, view) for view, name, heard in views if (name, heard) == (dataset, machine)]
    return list(dict.fromkeys(key for key in keys if key))


def augmentations_for(graph: Graph, variant: Variant, dataset: str, machine: str) -> list[str]:
    """Return the keys of the augmentations of a machine's own clips, chosen as in `separators_for`."""
    views = _views_for(graph, variant, dataset, machine)
    own = [view for view, name, heard in views if (name, heard) == (dataset, machine)]
    return list(dict.fromkeys(view.partition("/")[2] for view in own if view.startswith("augmented/")))


def _views_for(graph: Graph, variant: Variant, dataset: str, machine: str) -> Iterator[tuple[str, str, str]]:
    """Yield every (view, dataset, machine) that a variant's scores of a machine depend on; some are repeated."""
    yield from ((view, dataset, machine) for view in variant.views)
    for model in models_of(variant):
        for name in model.corpus or [dataset]:
            for heard in graph.machines(name) if model.joint else [machine]:
                yield from ((view, name, heard) for view in model.views)


def _recipes_of_view(graph: Graph, view: str) -> Iterator[Key]:
    """Yield the recipes that a view is made with; the view `raw` has none."""
    kind, _, key = view.partition("/")
    if kind in VIEWS:
        yield VIEWS[kind], key
    separator = _separator(graph, view)
    if separator:
        yield "separators", separator


def _separator(graph: Graph, view: str) -> str | None:
    """Return the key of the separator that a view is made with, or None."""
    kind, _, key = view.partition("/")
    if kind == "augmented":
        separator = graph.recipe("augmentations", key).separator
        return separator.key if separator else None
    return key if kind == "separated" else None


def _with_ancestors(model: Recipe) -> Iterator[Recipe]:
    """Yield a model and, recursively, the models that its training starts from."""
    yield model
    for start in model.starts:
        yield from _with_ancestors(start)
