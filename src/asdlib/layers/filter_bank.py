"""Kaldi's log-mel filter bank: of one waveform, by `torchaudio.compliance.kaldi`, and of a batch on its device."""

import torch
from torch import Tensor, nn

LENGTH, HOP = 0.025, 0.010  # s, of a frame
PREEMPHASIS = 0.97
LOWEST = 20.0  # Hz


def log_mel(waveform: Tensor, n_mels: int, window: str, sample_rate: int) -> Tensor:
    """Return the log-mel (frames, n_mels) of a waveform (samples,); `window` is one that Kaldi knows."""
    from torchaudio.compliance import kaldi  # takes a tenth of a second, and other frontends do without it

    return kaldi.fbank(waveform[None], num_mel_bins=n_mels, sample_frequency=sample_rate, window_type=window)


def frame_samples(sample_rate: int) -> int:
    """Return the number of samples of a frame."""
    return int(LENGTH * sample_rate)


def whole_frames(samples: int, sample_rate: int) -> int:
    """Return the number of whole frames in so many samples."""
    return max(0, 1 + (samples - frame_samples(sample_rate)) // int(HOP * sample_rate))


class FilterBank(nn.Module):
    """Waveforms (B, samples) → log-mel (B, frames, n_mels), with the window povey, as `log_mel` to rounding.

    For waveforms that a network changes in its training: torchaudio computes one at a time, and makes its filters on
    the CPU every time, for which a GPU waits.
    """

    def __init__(self, n_mels: int, sample_rate: int):
        super().__init__()
        self.frame = frame_samples(sample_rate)
        self.hop = int(HOP * sample_rate)
        self.points = 1 << (self.frame - 1).bit_length()
        from torchaudio.compliance import kaldi

        # high_freq 0 is the Nyquist frequency. All are the defaults of `kaldi.fbank`, which `log_mel` uses.
        usual = {"high_freq": 0.0, "vtln_low": 100.0, "vtln_high": -500.0, "vtln_warp_factor": 1.0}
        filters, _ = kaldi.get_mel_banks(n_mels, self.points, sample_rate, LOWEST, **usual)
        window = torch.hann_window(self.frame, periodic=False) ** 0.85
        self.register_buffer("filters", nn.functional.pad(filters, (0, 1)).T.contiguous(), persistent=False)
        self.register_buffer("window", window, persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the log-mel, always in float32."""
        with torch.autocast(waveforms.device.type, enabled=False):
            frames = waveforms.float().unfold(-1, self.frame, self.hop)
            frames = frames - frames.mean(-1, keepdim=True)
            before = torch.cat([frames[..., :1], frames[..., :-1]], -1)
            spectra = torch.fft.rfft((frames - PREEMPHASIS * before) * self.window, self.points).abs().square()
            return (spectra @ self.filters).clamp_min(torch.finfo(torch.float32).eps).log()
