"""Clips whose features depend on the operating condition."""

import pyarrow as pa
import torch

from asdlib.data.tables import clip_rows
from asdlib.examples.clips import Clips

BANDS = 16


def condition_clips(
    conditions: dict[tuple[str, str | None, str], int],
    frames: int = 24,
    seed: int = 0,
    spread: float = 1.0,
    section: str = "00",
) -> Clips:
    """Return the given number of clips of each (machine, speed, domain); without a speed they have no attributes.

    Each condition has its own mean levels in BANDS bands, with a deviation of `spread` dB. Noise adds 0.1 dB.
    """
    draw = torch.Generator().manual_seed(seed)
    rows, features = [], []
    for number, ((_, speed, domain), count) in enumerate(conditions.items()):
        levels = spread * torch.randn(BANDS, generator=torch.Generator().manual_seed(100 + number)) - 40
        for clip in range(count):
            attributes = {} if speed is None else {"spd": speed}
            rows.append({"clip": f"{number}_{clip}", "domain": domain, "attributes": attributes, "frames": frames,
                         "kind": "train", "section": section, "split": "train", "label": "normal",
                         "source_file": f"train/{section}_{number}_{clip}.wav"})  # fmt: skip
            features.append(levels + 0.1 * torch.randn(frames, BANDS, generator=draw))
    table = clip_rows([dict.fromkeys(("samples", "recorded_samples")) | row for row in rows])
    common = {"dataset": "toy", "machine": None, "view_kind": "raw"}
    for name, value in common.items():
        column = [value or machine for (machine, _, _), count in conditions.items() for _ in range(count)]
        table = table.append_column(name, pa.array(column))
    return Clips(table, torch.stack(features))


def joined(*parts: Clips) -> Clips:
    """Return several sets of clips as one."""
    return Clips(pa.concat_tables([part.table for part in parts]), torch.cat([part.features for part in parts]))


def made_from(clips: Clips, change: torch.Tensor) -> Clips:
    """Return clips that were made from others, as the augmentation `separated` does: `change` (BANDS,) dB louder."""
    place = clips.table.schema.get_field_index("view_kind")
    table = clips.table.set_column(place, "view_kind", pa.array(["augmented"] * len(clips.table)))
    return Clips(table, clips.features + change)


def pieces_of(clips: Clips, *seconds: int) -> Clips:
    """Return pieces of recordings that begin at these seconds and sound like the whole, recording by recording."""
    rows = torch.arange(len(clips.table)).repeat_interleave(len(seconds))
    files = clips.column("source_file")
    names = [f"{file.removesuffix('.wav')}@{second:05}.000.wav" for file in files for second in seconds]
    table = clips.table.take(rows.numpy())
    place = table.schema.get_field_index("source_file")
    return Clips(table.set_column(place, "source_file", pa.array(names)), clips.features[rows])


def to_score(clips: Clips) -> Clips:
    """Return the clips as test clips, without what is not known of them."""
    table = clips.table
    for name, value in {"kind": "test", "split": "test", "domain": None, "attributes": []}.items():
        field = table.schema.field(name)
        table = table.set_column(
            table.schema.get_field_index(name), name, pa.array([value] * len(table), type=field.type)
        )
    return Clips(table, clips.features)
