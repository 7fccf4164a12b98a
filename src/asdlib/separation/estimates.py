"""What all separators share: how good a separation is, its level, and clips longer than memory allows."""

from collections.abc import Callable

import torch
from torch import Tensor

from asdlib.errors import AsdError
from asdlib.separation.mixtures import Mixtures

EPS = 1e-8
TOGETHER = 2**18  # samples of short windows that go through a network at once, 16 s at 16 kHz


def si_sdr(estimate: Tensor, target: Tensor) -> Tensor:
    """Return the scale-invariant signal-to-distortion ratio in dB of (…, T), (…): higher is better.

    Le Roux et al., "SDR – half-baked or well done?", ICASSP 2019; both signals without their mean.
    """
    estimate, target = estimate.float(), target.float()  # under bf16 the batch comes in bf16
    estimate = estimate - estimate.mean(-1, keepdim=True)
    target = target - target.mean(-1, keepdim=True)
    scale = (estimate * target).sum(-1, keepdim=True) / (target.square().sum(-1, keepdim=True) + EPS)
    projection = scale * target
    distortion = (estimate - projection).square().sum(-1)
    return 10 * torch.log10(projection.square().sum(-1) / (distortion + EPS) + EPS)


def separation_metrics(estimate: Tensor, mixtures: Mixtures) -> dict[str, Tensor]:
    """Return the mean SI-SDR in dB of estimated machine sounds (B, T), and by how much the mixtures' is exceeded."""
    machine = mixtures.sources[:, 0]
    reached = si_sdr(estimate, machine).mean()
    return {"si_sdr": reached, "si_sdr_improvement": reached - si_sdr(mixtures.mixture, machine).mean()}


def restore_level(estimate: Tensor, mixture: Tensor) -> Tensor:
    """Scale estimates (B, T) so that they fit their mixtures (B, T) best in the least-squares sense.

    A scale-invariant loss leaves the level free, and the sign too; features downstream do not.
    """
    energy = estimate.square().sum(-1, keepdim=True)
    return estimate * ((mixture * estimate).sum(-1, keepdim=True) / energy.clamp_min(torch.finfo(energy.dtype).tiny))


def window_samples(window: float | None, overlap: float, sample_rate: int) -> int | None:
    """Return a window's samples from a separator's settings `window` (s; None: whole clips) and `overlap` (share)."""
    if not 0 <= overlap < 1:
        raise AsdError(f"separator: overlap: {overlap}: give a share of the window from 0 to below 1")
    if window is not None and window <= 0:
        raise AsdError(f"separator: window: {window}: give seconds, or null for whole clips")
    return None if window is None else round(window * sample_rate)


def separate_clips(
    estimate: Callable[[Tensor], Tensor], mixture: Tensor, window: int | None = None, overlap: float = 0.5
) -> Tensor:
    """Separate clips (B, T) with a network's `estimate`, (b, t) → (b, t): same length, same level.

    One clip at a time: memory does not grow with their number, and no clip's result depends on its neighbours. A clip
    of more than `window` samples is cut into windows that share `overlap` of their length with the next and are joined
    by a Hann cross-fade; every one is brought to the mixture's level first, because each has a scale of its own. Short
    windows of a clip are estimated together.
    """
    return torch.cat([_separate_clip(estimate, clip[None], window, overlap) for clip in mixture])


def _separate_clip(estimate: Callable[[Tensor], Tensor], clip: Tensor, window: int | None, overlap: float) -> Tensor:
    """Separate one clip, (1, T)."""
    length = clip.shape[1]
    if window is None or length <= window:
        return restore_level(estimate(clip).float(), clip)
    hop = max(1, round(window * (1 - overlap)))
    starts = [*range(0, length - window, hop), length - window]  # the last ends with the clip
    # Sampled between the zeros at its ends, so that the first and the last sample of a clip have some weight.
    phase = (torch.arange(window, device=clip.device) + 0.5) / window
    fade = torch.sin(torch.pi * phase).square()
    joined, weight = torch.zeros_like(clip), torch.zeros_like(clip)
    for some in torch.tensor(starts).split(max(1, TOGETHER // window)):
        pieces = torch.cat([clip[:, start : start + window] for start in some.tolist()])
        separated = fade * restore_level(estimate(pieces).float(), pieces)
        for start, piece in zip(some.tolist(), separated, strict=True):
            joined[:, start : start + window] += piece
            weight[:, start : start + window] += fade
    return joined / weight
