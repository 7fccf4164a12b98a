"""Where further clips are scored, and what that reads."""

from dataclasses import dataclass

from asdlib.workflow.ancestry import networks_for
from asdlib.workflow.graph import Graph
from asdlib.workflow.inputs import embeddings_of
from asdlib.workflow.variants import Variant


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
    return [*networks_for(graph, variant, dataset, machine), *embeddings_of(variant, dataset, machine)]
