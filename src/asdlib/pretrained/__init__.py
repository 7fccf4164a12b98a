"""The public checkpoints a config can name by their `kind`: a file → weights under the names of our own networks.

A reader takes the path of a file as it was published and returns {name: float32 tensor}; a model's
`start_from_public(weights)` checks every name and shape against its own.
"""

from collections.abc import Callable

from asdlib.pretrained.audiomae import read_audiomae
from asdlib.pretrained.beats import read_beats
from asdlib.pretrained.eat import read_eat

PRETRAINED: dict[str, Callable] = {"audiomae": read_audiomae, "beats": read_beats, "eat": read_eat}
