"""Whole clips as training examples."""

from torch import Tensor

from asdlib.examples.clips import Batch, Clips


class WholeClips:
    """Examples that are whole clips; `labels` (N, …) are the model's own."""

    def __init__(self, clips: Clips, labels: Tensor | None = None):
        self._clips = clips
        self._frames = clips.frames
        self._target = clips.target
        self._labels = labels

    def __len__(self) -> int:
        return len(self._clips.table)

    def batch(self, indices: Tensor) -> Batch:
        """Return those clips; their features alone are read, also where the whole is a map of a file."""
        labels = None if self._labels is None else self._labels[indices]
        return Batch(self._clips.features[indices].float(), self._frames[indices], self._target[indices], labels)
