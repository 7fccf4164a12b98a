"""Whole clips as training examples."""

from torch import Tensor

from asdlib.examples.clips import Batch, Clips, take


class WholeClips:
    """Training examples that are whole clips; the model defines their `labels` (N, …)."""

    def __init__(self, clips: Clips, labels: Tensor | None = None):
        self._clips = clips
        self.features = clips.features
        self._frames = clips.frames
        self.target = clips.target
        self._labels = labels

    def __len__(self) -> int:
        return len(self._clips.table)

    @property
    def recordings(self) -> list[str]:
        """The recording that each clip is made of."""
        return self._clips.recordings

    def with_features(self, features: Tensor) -> "WholeClips":
        """Return the same clips with other features (N, …), such as the outputs of a frozen network."""
        return WholeClips(Clips(self._clips.table, features), self._labels)

    def batch(self, indices: Tensor) -> Batch:
        """Return the clips with these indices; of memory-mapped features only theirs are read."""
        labels = None if self._labels is None else self._labels[indices]
        return Batch(take(self.features, indices), self._frames[indices], self.target[indices], labels)
