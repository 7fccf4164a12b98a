"""The registry of backends, by the `kind` of a recipe.

A backend turns representations of clips into anomaly scores. `fit(train) -> self` learns from normal training clips and
sets attributes whose names end in `_`: `train_score_` (N,); `left_out_score_` (N,), the scores of the training clips by
a backend fitted to the others, if they differ; and `threshold_` if the method defines a decision threshold of its own.
Its attribute `quantile` is the share of normal clips that shall stay below this threshold, if the method promises one.
`model_leaves_out` and `fit_known`, which some have, are explained in asdlib.scoring.left_out.
`refuse(domains)`, a static method that some have, raises TooFewClipsError if the backend cannot be fitted to training
clips of these domains; `fit` calls it, and `asdlib check` before any run.
`anomaly_score(test) -> (N,)` returns one score per clip; a higher score is more anomalous.
"""

from asdlib.backends.band_memory import BandMemory
from asdlib.backends.density_softmax import DensitySoftmax
from asdlib.backends.minimum_covering_volume import MinimumCoveringVolume
from asdlib.backends.nearest_neighbours import NearestNeighbours
from asdlib.backends.neighbour_views import NeighbourViews
from asdlib.backends.prototypes import Prototypes
from asdlib.backends.reconstruction_error import ReconstructionError
from asdlib.backends.smallest_distance import SmallestDistance
from asdlib.backends.topic_mixture import TopicMixture

BACKENDS: dict[str, type] = {
    "band_memory": BandMemory,
    "density_softmax": DensitySoftmax,
    "minimum_covering_volume": MinimumCoveringVolume,
    "nearest_neighbours": NearestNeighbours,
    "neighbour_views": NeighbourViews,
    "prototypes": Prototypes,
    "reconstruction_error": ReconstructionError,
    "smallest_distance": SmallestDistance,
    "topic_mixture": TopicMixture,
}
