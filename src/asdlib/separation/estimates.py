"""Functions shared by all separators: SI-SDR, the level of estimates, and separation in windows."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.separation.mixtures import Mixtures

EPS = 1e-8
TOGETHER = 2**18  # samples of short windows in one forward pass, 16 s at 16 kHz
APART = 1e-3  # least 1 − cos² of two estimates that are told apart


def si_sdr(estimate: Tensor, target: Tensor) -> Tensor:
    """Return the scale-invariant signal-to-distortion ratio (SI-SDR) in dB of signals (…, T), shape (…).

    Higher is better. The mean of both signals is removed (Le Roux et al., "SDR – half-baked or well done?", ICASSP
    2019).
    """
    estimate, target = estimate.float(), target.float()  # under bf16 autocast the batch is in bf16
    estimate = estimate - estimate.mean(-1, keepdim=True)
    target = target - target.mean(-1, keepdim=True)
    scale = (estimate * target).sum(-1, keepdim=True) / (target.square().sum(-1, keepdim=True) + EPS)
    projection = scale * target
    distortion = (estimate - projection).square().sum(-1)
    return 10 * torch.log10(projection.square().sum(-1) / (distortion + EPS) + EPS)


def separation_metrics(estimate: Tensor, mixtures: Mixtures) -> dict[str, Tensor]:
    """Return `si_sdr` of estimated machine sounds (B, T) and `si_sdr_improvement` over the mixtures, means in dB."""
    machine = mixtures.sources[:, 0]
    reached = si_sdr(estimate, machine).mean()
    return {"si_sdr": reached, "si_sdr_improvement": reached - si_sdr(mixtures.mixture, machine).mean()}


def restore_level(estimate: Tensor, mixture: Tensor) -> Tensor:
    """Return estimates of the machine (B, T), each scaled to fit its mixture (B, T) best in the least-squares sense.

    A scale-invariant loss determines neither the level nor the sign, but features depend on the level. With an estimate
    of the noise, (B, 2, T), both are fitted together. The machine alone would be as loud as the mixture where it
    pauses, made of what is left of the noise. Of two estimates that are alike, each has half.
    """
    machine, *noise = estimate.unbind(1) if estimate.dim() == 3 else [estimate]
    tiny = torch.finfo(machine.dtype).tiny
    energy = _dot(machine, machine).clamp_min(tiny)
    alone = _dot(mixture, machine) / energy
    if not noise:
        return machine * alone
    noise = functional.normalize(noise[0], dim=-1, eps=tiny)
    shared = _dot(machine, noise)
    apart = 1 - shared.square() / energy
    together = (alone - shared * _dot(mixture, noise) / energy) / apart.clamp_min(APART)
    return machine * torch.where(apart > APART, together, alone / 2)


def _dot(signals: Tensor, others: Tensor) -> Tensor:
    return (signals * others).sum(-1, keepdim=True)


def check_sources(separator: str, sources: int) -> None:
    """Refuse a number of `sources` other than what a mixture has."""
    if sources not in (1, 2):
        raise AsdError(f"separator {separator}: sources {sources}: use 1 (machine) or 2 (machine, noise)")


def window_samples(window: float | None, overlap: float, sample_rate: int) -> int | None:
    """Return the samples of a separator's `window` (s), None for whole clips; raise AsdError for wrong settings.

    `overlap` is the share of a window that overlaps the next.
    """
    if not 0 <= overlap < 1:
        raise AsdError(f"separator: overlap: {overlap}: give a share of the window from 0 to below 1")
    if window is not None and window <= 0:
        raise AsdError(f"separator: window: {window}: give seconds, or null for whole clips")
    return None if window is None else round(window * sample_rate)


def separate_clips(
    estimate: Callable[[Tensor], Tensor], mixture: Tensor, window: int | None = None, overlap: float = 0.5
) -> Tensor:
    """Return clips (B, T) separated by a network's `estimate`, with the same length and level.

    `estimate` returns the machine's sound of clips (b, t), (b, t), or that of machine and noise, (b, 2, t).
    Clips are separated one at a time, so that memory does not grow with their number and no result depends on other
    clips. A clip of more than `window` samples is split into windows, each overlapping the next by the share `overlap`.
    The windows are joined by a Hann cross-fade. The level of each is restored first, because each estimate has its own
    scale. Short windows of a clip are estimated together.
    """
    return torch.cat([_separate_clip(estimate, clip[None], window, overlap) for clip in mixture])


def _separate_clip(estimate: Callable[[Tensor], Tensor], clip: Tensor, window: int | None, overlap: float) -> Tensor:
    """Separate one clip, (1, T)."""
    length = clip.shape[1]
    if window is None or length <= window:
        return restore_level(estimate(clip).float(), clip)
    hop = max(1, round(window * (1 - overlap)))
    starts = [*range(0, length - window, hop), length - window]  # the last ends with the clip
    # The Hann window is sampled between its zeros, so that the first and the last sample of a clip have some weight.
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
