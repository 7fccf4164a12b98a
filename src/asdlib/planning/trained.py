"""Where further clips are scored, and what that reads."""

from dataclasses import dataclass

from asdlib.workflow.ancestry import separators_of
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipes import Variant


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
