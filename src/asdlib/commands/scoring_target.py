"""The variant and machine for which new clips are scored, and the files that scoring reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asdlib.workflow import settings
from asdlib.workflow.ancestry import networks_for
from asdlib.workflow.graph import Graph
from asdlib.workflow.inputs import embeddings_of
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.variants import Variant

if TYPE_CHECKING:
    from asdlib.scoring.fitted_variant import FittedVariant


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


def fitted(graph: Graph, target: ScoringTarget) -> "FittedVariant":
    """Return a target's variant, fitted to the embeddings of the training clips that the run has stored."""
    from asdlib.scoring.fitted_variant import fit_variant  # imports numpy, which is slow
    from asdlib.scoring.settings import ScoreSettings

    stored = [Path(path) for path in embeddings_of(target.variant, target.dataset, target.machine)]
    chosen = settings.score(graph, target.variant, target.dataset, target.section)
    return fit_variant(stored, typed(ScoreSettings, chosen))
