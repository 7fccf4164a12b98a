"""Separate every clip of a machine with its separator."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from asdlib.data.refused_tables import refusable
from asdlib.data.tables import ClipTable, write_same_rows, writing
from asdlib.errors import AsdError
from asdlib.runtime.devices import choose_device
from asdlib.runtime.gpu_memory import explained
from asdlib.separation.separator import worse_than_mixtures
from asdlib.separators import SEPARATORS
from asdlib.training.arithmetic import EXACT, computing
from asdlib.training.build import restore_separator
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.recipe import Recipe, Settings

_log = logging.getLogger(__name__)


def separate(
    audio: Path,
    separator: Path | None,
    out: Path,
    device: str,
    gpus: int,
    threads: int,
    settings: Settings | None = None,
    far: Path | None = None,
) -> None:
    """Write `out`: the separated machine sound of every clip in `audio`, in the same order, as int16.

    The length of a clip does not change. The network does not see its padding, which stays zero. Only a few clips are
    in memory at a time. If there was nothing to train the separator on, or if it makes its held-out mixtures worse,
    `out` refers to the recordings instead of copying them. The table's note `separated` is False in these cases, and
    True otherwise. If the training of the separator was refused, `out` says so and has no rows.

    A recipe without a training has no weights `separator`. It is made of `settings` and compares `audio` with the table
    `far`; what is left is stored as float32, because it may be quieter than the last bit of the recordings.
    """
    with refusable(out):
        if separator:
            ClipSeparator(separator, device, gpus, threads).write(audio, out)
        else:
            ChannelSeparator(settings, threads).write(audio, far, out)


class ClipSeparator:
    """A separator in memory that separates one table of clips after another; the arguments are those of `separate`."""

    def __init__(self, separator: Path, device: str, gpus: int, threads: int):
        self._threads = threads
        self._checkpoint = checkpoints.load(separator)
        self._recipe = Recipe("separators", self._checkpoint.recipe)
        self._unchanged = self._checkpoint.facts.get("identity") or worse_than_mixtures(self._checkpoint.calibration)
        if not self._unchanged:
            self._device = choose_device(device, gpus)
            with explained(self._recipe, self._device):
                self._transform = _separation(self._checkpoint, self._device)

    def write(self, audio: Path, out: Path) -> None:
        """Write `out` as `separate` does."""
        torch.set_num_threads(self._threads)
        table = ClipTable(audio)
        recipe = {**table.recipe, "separator": self._checkpoint.recipe}
        notes = {"audio": table.digest, "separated": not self._unchanged}
        if self._unchanged:
            _log.warning("the clips pass unchanged: %s", self._unchanged)
            write_same_rows(out, table, recipe, notes)
            return
        with (
            explained(self._recipe, self._device),
            writing(out, recipe, notes, audio=("int16", table.tensors["audio"])) as written,
            torch.inference_mode(),
            computing(EXACT, self._device),
        ):
            for clips, mixtures in table.batches("audio"):
                separated = np.zeros_like(mixtures)
                # One clip at a time: ten seconds are enough to keep a processor busy.
                for row, samples in enumerate(clips.column("samples").to_pylist()):
                    separated[row, :samples] = self._transform(mixtures[row, :samples])
                written.write(clips, audio=separated)


class ChannelSeparator:
    """A separator without a training, which compares the recordings of two microphones."""

    def __init__(self, settings: Settings, threads: int):
        self._threads = threads
        self._settings = settings
        recipe = Recipe("separators", settings)
        self._separator = SEPARATORS[recipe.kind](**recipe.arguments)

    def write(self, near: Path, far: Path, out: Path) -> None:
        """Write `out` as `separate` does. Raises AsdError if the tables do not have the same clips."""
        torch.set_num_threads(self._threads)
        table, other = ClipTable(near), ClipTable(far)
        if not other.clips().equals(table.clips()):
            raise AsdError(f"{far}: has other clips than {near}: delete both and run again")
        recipe = {**table.recipe, "separator": self._settings}
        notes = {"audio": [table.digest, other.digest], "separated": True}
        with writing(out, recipe, notes, audio=("float32", table.tensors["audio"])) as written:
            for (clips, heard), (_, away) in zip(table.batches("audio"), other.batches("audio"), strict=True):
                left = np.zeros(heard.shape, np.float32)
                for row, samples in enumerate(clips.column("samples").to_pylist()):
                    channels = (torch.from_numpy(one[row, :samples].astype(np.float32)) for one in (heard, away))
                    left[row, :samples] = self._separator.subtract(*channels).numpy()
                written.write(clips, audio=left)


def _separation(checkpoint: Checkpoint, device: torch.device) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that separates an int16 clip (samples,)."""
    network = restore_separator(checkpoint).to(device)

    def transform(mixture: np.ndarray) -> np.ndarray:
        waveform = torch.from_numpy(mixture.astype(np.float32)).div_(32768.0)
        separated = network.separate(waveform[None].to(device))[0].float().cpu()
        return separated.mul_(32768.0).round_().clamp_(-32768, 32767).numpy().astype(np.int16)

    return transform
