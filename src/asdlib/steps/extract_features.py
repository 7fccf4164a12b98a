"""Turn every clip of a machine into a frontend's features."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import torch

from asdlib.data.tables import ClipTable, writing
from asdlib.errors import AsdError
from asdlib.frontends import FRONTENDS
from asdlib.recipes import arguments

_log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")


def extract_features(audio: Path, out: Path, settings: dict[str, Any], threads: int = 1) -> None:
    """Write `out`: the features of every clip in `audio`, row for row, in the recipe's `dtype`.

    Each thread takes whole row groups: results do not depend on how many there are, and a few are in memory at once.
    """
    torch.set_num_threads(1)
    table = ClipTable(audio)
    frontend = FRONTENDS[settings["kind"]](**arguments("frontends", settings))
    rate = table.recipe["sample_rate"]
    if rate != frontend.sample_rate:
        raise AsdError(
            f"config: prepare.sample_rate: is {rate}, {settings['name']} expects {frontend.sample_rate}: change one"
        )
    (samples,) = table.tensors["audio"]
    dtype = settings.get("dtype", "float32")

    def transform(group: tuple[pa.Table, np.ndarray]) -> tuple[pa.Table, np.ndarray]:
        clips, waveforms = group
        features = frontend(torch.from_numpy(waveforms.astype(np.float32)).div_(32768.0)).numpy()
        frames = [frontend.frames(count) for count in clips.column("samples").to_pylist()]
        column = clips.schema.get_field_index("frames")
        return clips.set_column(column, "frames", pa.array(frames, pa.int32())), features.astype(dtype, copy=False)

    with (
        writing(out, settings, {"audio": table.digest}, features=(dtype, frontend.shape(samples))) as written,
        ThreadPoolExecutor(threads) as pool,
    ):
        for clips, features in _in_order(transform, table.batches("audio"), pool, ahead=threads + 1):
            written.write(clips, features=features)
    _log.info("%d clips, %s each", len(table.clips()), "×".join(map(str, frontend.shape(samples))))


def _in_order(work: Callable[[T], R], items: Iterable[T], pool: ThreadPoolExecutor, ahead: int) -> Iterator[R]:
    """Map in the pool, results in order, at most `ahead` items begun and not yet taken."""
    begun: deque = deque()
    for item in items:
        begun.append(pool.submit(work, item))
        if len(begun) == ahead:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()
