"""In which frequencies a clip is strange: the errors of its bands, compared with those of training clips."""

from pathlib import Path

import numpy as np

from asdlib.report.maps import clips_and_values

ERROR = "error"  # the representation of models that keep the mean reconstruction error of every band
PARTS = 16  # of the frequencies, each of which has several bands
LARGEST = 1e4  # so that training clips that do not differ give finite numbers


def strange_bands(path: Path, representation: str | None, section: str, most: int) -> dict[str, list[float]] | None:
    """Return for each test clip how far its error is above that of the training clips, from low to high frequencies.

    The unit is the standard deviation of at most `most` training clips. None if the representation is not that of the
    errors of bands, if there are fewer than two training clips, or if a value is not finite.
    """
    if representation != ERROR:
        return None
    clips, values = clips_and_values(path, representation, section, most)
    train = np.array([clip["kind"] == "train" for clip in clips], dtype=bool)
    if values.shape[1] < PARTS or train.sum() < 2 or not np.isfinite(values).all():
        return None
    parts = np.stack([part.mean(axis=1) for part in np.array_split(values, PARTS, axis=1)], axis=1)
    spread = np.maximum(parts[train].std(axis=0, ddof=1), np.finfo(float).tiny)
    above = ((parts - parts[train].mean(axis=0)) / spread).clip(-LARGEST, LARGEST).round(1)
    return {
        clip["source_file"].rpartition("/")[2]: row.tolist()
        for clip, row, trained in zip(clips, above, train, strict=True)
        if not trained
    }
