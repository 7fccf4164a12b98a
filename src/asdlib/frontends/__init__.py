"""The frontends a recipe can name by its `kind`: waveform batch → feature batch.

A frontend is deterministic, treats every clip alone, and says what comes out: `shape(samples)` of one clip and
`frames(samples)`, the part of a padded clip's frames that real samples made. `sample_rate` is what it expects, in Hz.
"""

from asdlib.frontends.fbank import Fbank
from asdlib.frontends.fbank_pair import FbankPair
from asdlib.frontends.log_mel import LogMel

FRONTENDS: dict[str, type] = {"fbank": Fbank, "fbank_pair": FbankPair, "log_mel": LogMel}
