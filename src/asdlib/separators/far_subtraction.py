"""The separator `far_subtraction`: what the far microphone heard is subtracted from what the near one heard.

The formula and its settings are those that the project asd-experiments describes for the two microphones of DCASE 2026,
where Ozeki's report uses the same subtraction. Nothing is trained.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad


class FarSubtraction:
    """Complex least squares: for each frequency k of a clip, one factor H scales the far spectrum F to the near one, C.

    H_k = sum_t C_kt conj(F_kt) / (sum_t |F_kt|² + floor), and the result is C - H F. Spectra have periodic Hann windows
    of `n_fft` samples every `hop` samples. Before, one factor scales both channels to a joint `peak`; it is undone
    afterwards. What both microphones hear by the same path, which is most of the background, is removed. So is
    the part of the machine's own sound that reaches the far microphone, as far as it resembles the near one.
    """

    def __init__(self, n_fft: int = 1024, hop: int = 512, peak: float = 0.9, floor: float = 1e-12):
        self.n_fft = n_fft
        self.hop = hop
        self.peak = peak
        self.floor = floor

    def subtract(self, near: Tensor, far: Tensor) -> Tensor:
        """Return what is left of a clip of the near microphone, (samples,), float32, at its level."""
        loudest = float(torch.stack([near, far]).abs().max())
        scale = self.peak / loudest if loudest > 1e-12 else 1.0
        whole = self._whole(len(near))
        spectrum, other = (self._spectrum(pad(one.float() * scale, (0, whole - len(one)))) for one in (near, far))
        power = (other * other.conj()).real.sum(1, keepdim=True)
        factor = (spectrum * other.conj()).sum(1, keepdim=True) / (power + self.floor)
        left = torch.istft(spectrum - factor * other, self.n_fft, self.hop, window=self._window(), length=whole)
        return left[: len(near)] / scale

    def _whole(self, samples: int) -> int:
        """Return the length to which a clip is padded with zeros: mostly its own.

        The edges are reflected, for which very short clips are too short. Where a clip ends just before the next hop,
        its last samples are at the edge of their only window, and dividing by that would make them loud.
        """
        rest = samples % self.hop
        padded = samples + self.hop - rest if rest > 0.75 * self.hop else samples
        return max(padded, self.n_fft // 2 + 1)

    def _spectrum(self, channel: Tensor) -> Tensor:
        """Return the complex spectrum, (frequencies, frames)."""
        return torch.stft(channel, self.n_fft, self.hop, window=self._window(), pad_mode="reflect", return_complex=True)

    def _window(self) -> Tensor:
        return torch.hann_window(self.n_fft)
