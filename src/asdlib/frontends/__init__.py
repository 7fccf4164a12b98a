"""The registry of frontends, by the `kind` of a recipe. A frontend turns a batch of waveforms into one of features.

A frontend is deterministic and transforms every clip independently of the others. `shape(samples)` returns the shape
of one clip's features, `frames(samples)` the number of frames that come from real samples if the clip is padded, and
`sample_rate` is the rate it expects, in Hz. If the features depend on a clip's real length, the class sets
`needs_samples = True` and is also called with the number of real samples of each clip, (B,).
"""

from asdlib.frontends.averaged_spectrogram import AveragedSpectrogram
from asdlib.frontends.dual_spectra import DualSpectraRow
from asdlib.frontends.fbank import Fbank
from asdlib.frontends.fbank_pair import FbankPair
from asdlib.frontends.log_mel import LogMel
from asdlib.frontends.magnitude_spectrogram import MagnitudeSpectrogram
from asdlib.frontends.magnitude_spectrum import MagnitudeSpectrum
from asdlib.frontends.spectral_statistics import SpectralStatistics
from asdlib.frontends.waveform import Waveform

FRONTENDS: dict[str, type] = {
    "averaged_spectrogram": AveragedSpectrogram,
    "dual_spectra": DualSpectraRow,
    "fbank": Fbank,
    "fbank_pair": FbankPair,
    "log_mel": LogMel,
    "magnitude_spectrogram": MagnitudeSpectrogram,
    "magnitude_spectrum": MagnitudeSpectrum,
    "spectral_statistics": SpectralStatistics,
    "waveform": Waveform,
}
