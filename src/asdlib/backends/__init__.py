"""The backends a recipe can name by its `kind`: representations of clips → one anomaly score a clip.

`fit(train) -> self` learns from normal training clips (names of what it learned end in `_`: `train_score_`, and
`threshold_` if the method defines its own decision threshold); `anomaly_score(test) -> (N,)`, higher is stranger.
"""

from asdlib.backends.nearest_neighbours import NearestNeighbours
from asdlib.backends.prototypes import Prototypes
from asdlib.backends.smallest_distance import SmallestDistance

BACKENDS: dict[str, type] = {
    "nearest_neighbours": NearestNeighbours,
    "prototypes": Prototypes,
    "smallest_distance": SmallestDistance,
}
