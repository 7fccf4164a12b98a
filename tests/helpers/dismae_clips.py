"""Toy clips and a toy network for the tests of Audio DisMAE."""

from itertools import product

import pyarrow as pa
import torch

from asdlib.examples.clips import Batch, Clips
from asdlib.models.dismae import Dismae

TOY = {
    "bands": 8, "frames": 24, "patch": 4, "width": 16, "depth": 1, "heads": 2, "variation_depth": 1,
    "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 2, "round_clips": 3, "score_masks": 4,
}  # fmt: skip


def clips(machines: tuple[str, ...] = ("fan", "slider", "valve")) -> Clips:
    """Return four raw and four noisy clips of each machine, each machine louder than the previous one.

    The last of four clips is of the target domain.
    """
    rows = list(product(machines, ("raw", "augmented"), range(4)))
    level = torch.tensor([-60.0 + 20 * machines.index(machine) for machine, _, _ in rows])
    noise = torch.randn(len(rows), 22, 8, generator=torch.Generator().manual_seed(2))
    table = pa.table(
        {
            "machine": [machine for machine, _, _ in rows],
            "view_kind": [view for _, view, _ in rows],
            "domain": ["target" if number == 3 else "source" for _, _, number in rows],
            "frames": pa.array([22] * len(rows), pa.int32()),
        }
    )
    return Clips(table, 5 * noise + level[:, None, None])


def built(given: Clips, **settings) -> Dismae:
    torch.manual_seed(1)
    model = Dismae(**{**TOY, **settings})
    model.grow(model.survey(given))
    return model


def whole(given: Clips, rows: slice = slice(None)) -> Batch:
    return Batch(given.features[rows], given.frames[rows], given.target[rows])
