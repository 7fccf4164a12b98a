"""An augmentation that mixes every clip with its separated twin."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from asdlib.data.tables import ClipTable


class ToyMix:
    """`share` of the recording, the rest of the separated sound, and dither that depends on the seed."""

    def __init__(self, share: float, seed: int):
        self.share = share
        self.seed = seed

    def augment(
        self, raw: ClipTable, separated: ClipTable, noise: list[ClipTable]
    ) -> Iterator[tuple[pa.Table, np.ndarray]]:
        pairs = zip(raw.batches("audio", "train"), separated.batches("audio", "train"), strict=True)
        for (clips, recorded), (_, machine) in pairs:
            dither = np.random.default_rng(self.seed).uniform(-0.5, 0.5, recorded.shape)
            yield clips, np.rint(self.share * recorded + (1 - self.share) * machine + dither).astype(np.int16)
