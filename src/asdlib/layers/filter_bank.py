"""Kaldi's log-mel filter bank of one waveform, which `torchaudio.compliance.kaldi` computes."""

from torch import Tensor
from torchaudio.compliance import kaldi

LENGTH, HOP = 0.025, 0.010  # s, of a frame


def log_mel(waveform: Tensor, n_mels: int, window: str, sample_rate: int) -> Tensor:
    """Return the log-mel (frames, n_mels) of a waveform (samples,); `window` is one that Kaldi knows."""
    return kaldi.fbank(waveform[None], num_mel_bins=n_mels, sample_frequency=sample_rate, window_type=window)


def frame_samples(sample_rate: int) -> int:
    """Return the number of samples of a frame."""
    return int(LENGTH * sample_rate)


def whole_frames(samples: int, sample_rate: int) -> int:
    """Return the number of whole frames in so many samples."""
    return max(0, 1 + (samples - frame_samples(sample_rate)) // int(HOP * sample_rate))
