"""The backends a recipe can name by its `kind`: representations of clips → one anomaly score a clip.

`fit(train) -> self` learns from normal training clips (names of what it learned end in `_`: `train_score_`, and
`threshold_` if the method defines its own decision threshold); `anomaly_score(test) -> (N,)`, higher is stranger.
"""

from asdlib.backends.density_softmax import DensitySoftmax
from asdlib.backends.minimum_covering_volume import MinimumCoveringVolume
from asdlib.backends.nearest_neighbours import NearestNeighbours
from asdlib.backends.prototypes import Prototypes
from asdlib.backends.reconstruction_error import ReconstructionError
from asdlib.backends.smallest_distance import SmallestDistance
from asdlib.backends.topic_mixture import TopicMixture

BACKENDS: dict[str, type] = {
    "density_softmax": DensitySoftmax,
    "minimum_covering_volume": MinimumCoveringVolume,
    "nearest_neighbours": NearestNeighbours,
    "prototypes": Prototypes,
    "reconstruction_error": ReconstructionError,
    "smallest_distance": SmallestDistance,
    "topic_mixture": TopicMixture,
}
