"""The frontends a recipe can name by its `kind`: waveform batch → feature batch.

A frontend is deterministic, treats every clip alone, and says what comes out: `shape(samples)` of one clip and
`frames(samples)`, the part of a padded clip's frames that real samples made. `sample_rate` is what it expects, in Hz.
Where a result depends on a clip's real length, the class says `needs_samples = True` and is called with the number of
real samples of each clip as well, (B,).
"""

from asdlib.frontends.averaged_spectrogram import AveragedSpectrogram
from asdlib.frontends.dual_view import DualViewRow
from asdlib.frontends.fbank import Fbank
from asdlib.frontends.fbank_pair import FbankPair
from asdlib.frontends.log_mel import LogMel
from asdlib.frontends.magnitude_spectrogram import MagnitudeSpectrogram
from asdlib.frontends.magnitude_spectrum import MagnitudeSpectrum

FRONTENDS: dict[str, type] = {
    "averaged_spectrogram": AveragedSpectrogram,
    "dual_view": DualViewRow,
    "fbank": Fbank,
    "fbank_pair": FbankPair,
    "log_mel": LogMel,
    "magnitude_spectrogram": MagnitudeSpectrogram,
    "magnitude_spectrum": MagnitudeSpectrum,
}
