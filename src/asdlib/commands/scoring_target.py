"""The variant and machine for which new clips are scored, and the files that scoring reads."""

from dataclasses import dataclass

from asdlib.workflow.ancestry import networks_for
from asdlib.workflow.graph import Graph
from asdlib.workflow.inputs import embeddings_of
from asdlib.workflow.variants import Variant


@dataclass(frozen=True)
class ScoringTarget:
    """The machine and section that new clips belong to, and the variant that scores them."""

    variant: Variant
    dataset: str
    machine: str
    section: str


def needed_to_score(graph: Graph, target: ScoringTarget) -> list[str]:
    """Return the files that scoring reads: separators, models, and the embeddings of the training clips."""
    variant, dataset, machine = target.variant, target.dataset, target.machine
    return [*networks_for(graph, variant, dataset, machine), *embeddings_of(variant, dataset, machine)]
