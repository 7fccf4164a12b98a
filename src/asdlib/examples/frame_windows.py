"""Windows of consecutive frames: what a network of fixed input length sees of clips of any length.

A clip shorter than a window goes round and round in it, so that padding is never seen.
"""

import torch
from torch import Tensor

from asdlib.examples.clips import Batch, Clips
from asdlib.examples.seeding import generator


def window_starts(frames: int, length: int, hop: int) -> Tensor:
    """Return where windows start in a clip, (n,): every `hop` frames, and a last one that ends with the clip."""
    last = max(0, frames - length)
    starts = torch.arange(0, last + 1, hop)
    return starts if starts[-1] == last else torch.cat([starts, torch.tensor([last])])


def window_frames(starts: Tensor, frames: Tensor | int, length: int) -> Tensor:
    """Return which frames windows hold, (n, length); `frames` are the real ones of each window's clip."""
    inside = starts[:, None] + torch.arange(length, device=starts.device)
    return inside % (frames[:, None] if isinstance(frames, Tensor) else frames)


class RandomWindows:
    """Windows at random places of clips, drawn anew each epoch; a clip gives as many as would cover it."""

    def __init__(self, clips: Clips, length: int, labels: Tensor | None = None):
        """`labels` (N,) are classes of the clips, if the model has any use for them."""
        self._clips = clips
        self._length = length
        self._labels = labels
        self._frames = clips.frames
        self._target = clips.target
        windows = -(-self._frames // length)
        self._rows = torch.arange(len(self._frames)).repeat_interleave(windows)
        self._seed = int(torch.randint(2**31, ()))  # of the run: a resumed training draws the same windows again
        self.begin_epoch(0)

    def __len__(self) -> int:
        return len(self._rows)

    def begin_epoch(self, epoch: int) -> None:
        """Draw every window's place from the run's seed and the epoch's number, as a resumed training needs it."""
        places = (self._frames[self._rows] - self._length).clamp_min(0) + 1
        draws = torch.rand(len(places), generator=generator(self._seed, f"windows {epoch}"), dtype=torch.float64)
        self._starts = (draws * places).long()

    def batch(self, indices: Tensor) -> Batch:
        """Return those windows, (B, length, bands), with the labels of their clips."""
        rows = self._rows[indices]
        inside = window_frames(self._starts[indices], self._frames[rows], self._length)
        windows = self._clips.features[rows[:, None], inside].float()
        labels = None if self._labels is None else self._labels[rows]
        return Batch(windows, torch.full((len(rows),), self._length), self._target[rows], labels)
