"""Run every clip of a machine through its separator."""

from pathlib import Path

import numpy as np
import torch

from asdlib import checkpoints
from asdlib.data.tables import ClipTable, writing
from asdlib.devices import choose_device
from asdlib.recipe_keys import arguments
from asdlib.separators import SEPARATORS


def separate(audio: Path, separator: Path, out: Path, device: str, gpus: int, threads: int) -> None:
    """Write `out`: the separated machine sound of every clip in `audio`, row for row, int16 of unchanged length.

    Streams: a few clips are in memory at once.
    """
    torch.set_num_threads(threads)
    place = choose_device(device, gpus)
    checkpoint = checkpoints.load(separator)
    network = SEPARATORS[checkpoint.recipe["kind"]](**arguments("separators", checkpoint.recipe))
    network.load_state_dict(checkpoint.weights)
    network.to(place).eval()
    table = ClipTable(audio)
    recipe = {**table.recipe, "separator": checkpoint.recipe}
    with (
        writing(out, recipe, {"audio": table.digest}, audio=("int16", table.tensors["audio"])) as written,
        torch.inference_mode(),
    ):
        for clips, mixtures in table.batches("audio"):
            waveforms = torch.from_numpy(mixtures.astype(np.float32)).div_(32768.0).to(place)
            separated = network.separate(waveforms).float().mul(32768.0).round().clamp(-32768, 32767)
            written.write(clips, audio=separated.cpu().numpy().astype(np.int16))
