"""Windows of consecutive frames, for networks of fixed input length.

A clip shorter than a window is repeated to fill it, so that a window never contains padding.
"""

import torch
from torch import Tensor

from asdlib.examples.clips import Batch, Clips, take
from asdlib.examples.seeding import generator


def window_starts(frames: int, length: int, hop: int) -> Tensor:
    """Return the start frames of a clip's windows, (n,): every `hop` frames, and a last window that ends the clip."""
    last = max(0, frames - length)
    starts = torch.arange(0, last + 1, hop)
    return starts if starts[-1] == last else torch.cat([starts, torch.tensor([last])])


def window_frames(starts: Tensor, frames: Tensor | int, length: int) -> Tensor:
    """Return the frame indices of windows, (n, length); `frames` is the number of real frames of their clips."""
    inside = starts[:, None] + torch.arange(length, device=starts.device)
    return inside % (frames[:, None] if isinstance(frames, Tensor) else frames)


class RandomWindows:
    """Windows at random positions, redrawn every epoch; each clip gives as many windows as would cover it."""

    def __init__(self, clips: Clips, length: int, labels: Tensor | None = None):
        """Draw windows of `length` frames; `labels` (N,) are the classes of the clips, if the model uses them."""
        self._clips = clips
        self.features = clips.features
        self._length = length
        self._labels = labels
        self._frames = clips.frames
        windows = -(-self._frames // length)
        self._rows = torch.arange(len(self._frames)).repeat_interleave(windows)
        self.target = clips.target[self._rows]
        self._seed = int(torch.randint(2**31, ()))  # of the run, so that a resumed training draws the same windows
        self.begin_epoch(0)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def recordings(self) -> list[str]:
        """The recording that each window is taken from."""
        recordings = self._clips.recordings
        return [recordings[row] for row in self._rows.tolist()]

    def begin_epoch(self, epoch: int) -> None:
        """Draw all positions from the run's seed and the epoch's number, so that a training can be resumed."""
        positions = (self._frames[self._rows] - self._length).clamp_min(0) + 1
        draws = torch.rand(len(positions), generator=generator(self._seed, f"windows {epoch}"), dtype=torch.float64)
        self._starts = (draws * positions).long()

    def batch(self, indices: Tensor) -> Batch:
        """Return the windows with these indices, (B, length, bands), with the labels of their clips."""
        rows = self._rows[indices]
        inside = window_frames(self._starts[indices], self._frames[rows], self._length)
        windows = take(self.features, rows[:, None], inside)
        labels = None if self._labels is None else self._labels[rows]
        return Batch(windows, torch.full((len(rows),), self._length), self.target[indices], labels)
