"""Embed every training and test clip of a machine with a trained or a frozen model."""

import logging
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from asdlib.backends.embeddings import REFUSED_SECTIONS
from asdlib.data.refused_tables import refusable
from asdlib.data.tables import ClipTable, writing
from asdlib.errors import AsdError, TooFewClipsError
from asdlib.examples.clips import Batch, origins, with_notes
from asdlib.models import MODELS
from asdlib.runtime.devices import choose_device
from asdlib.runtime.gpu_memory import explained
from asdlib.training.arithmetic import EXACT, computing
from asdlib.training.build import restore_model
from asdlib.training.frozen_model import FrozenModel, parameters_of
from asdlib.training.refusals import refuse_left_out
from asdlib.training.short_clips import refuse_short_clips
from asdlib.weights import checkpoints
from asdlib.weights.checkpoints import Checkpoint
from asdlib.workflow.recipe import Recipe

EVERY = ""  # in place of a section: the only model
_log = logging.getLogger(__name__)


def embed(
    features: Path,
    model: Path | None,
    out: Path,
    device: str,
    gpus: int,
    threads: int,
    sections: dict[str, Path] | None = None,
    frozen: FrozenModel | None = None,
) -> None:
    """Write `out`: one row with the model's embeddings for every training and test clip in `features`.

    `sections` has the weights for the clips of each section if they have models of their own; otherwise it is empty,
    and all clips are embedded with `model`. A model that is not trained is given as `frozen` instead; the table's notes
    then have its number of parameters. The models' calibration samples, if they have any, are stored in the notes. If
    the training of the model was refused, `out` says so and has no rows. If that of a section was, the notes say so,
    and the clips of this section have no rows.
    """
    with refusable(out):
        Embedder(model, device, gpus, threads, sections, frozen).write(features, out)


class Embedder:
    """Models in memory that embed one table of features after another; the arguments are those of `embed`."""

    def __init__(
        self,
        model: Path | None,
        device: str,
        gpus: int,
        threads: int,
        sections: dict[str, Path] | None = None,
        frozen: FrozenModel | None = None,
    ):
        self._threads = threads
        self._frozen = frozen
        self._loaded, self._refused = _load(sections or ({} if frozen else {EVERY: model}))
        self._recipe = frozen.recipe if frozen else Recipe("models", next(iter(self._loaded.values())).recipe)
        # A model that asks for no GPU stays on the CPU, also where the config wants a GPU for all others.
        useful = getattr(MODELS[self._recipe.kind], "uses_gpu", True)
        self._device = choose_device(device, gpus) if useful else torch.device("cpu")

    def write(self, features: Path, out: Path) -> None:
        """Write `out` as `embed` does."""
        torch.set_num_threads(self._threads)
        table = ClipTable(features)
        for checkpoint in self._loaded.values():
            refuse_left_out(checkpoint, [f"{table.notes['dataset']}/{table.notes['machine']}"])
        refuse_short_clips(self._recipe, features)
        samples = {section: _samples(one) for section, one in self._loaded.items()}
        notes = {"features": table.digest, "calibration": samples.pop(EVERY, {}), "section_calibration": samples}
        notes |= {REFUSED_SECTIONS: self._refused} if self._refused else {}
        with explained(self._recipe, self._device):
            if self._frozen:  # no other file says how large the network is
                notes["parameters"] = parameters_of(self._networks[EVERY])
            for network in self._networks.values():
                if hasattr(network, "for_machine"):
                    network.for_machine(table.notes["machine"])
            groups = self._groups(table)
            first_clips, first = next(groups)
            shapes = {name: (str(array.dtype), array.shape[1:]) for name, array in first.items()}
            with writing(out, self._recipe.settings, notes, **shapes) as written:
                written.write(first_clips, **first)
                for clips, representations in groups:
                    written.write(clips, **representations)
        _log.info("%s", ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, (_, shape) in shapes.items()))

    @cached_property
    def _networks(self) -> dict[str, torch.nn.Module]:
        if self._frozen:
            return {EVERY: self._frozen.build().to(self._device)}
        return {section: restore_model(one).to(self._device) for section, one in self._loaded.items()}

    def _groups(self, table: ClipTable) -> Iterator[tuple[pa.Table, dict[str, np.ndarray]]]:
        """Yield the metadata and the representations of a few clips at a time."""
        for clips, array in table.batches("features", "train", "test"):
            if self._refused:
                has_model = np.array([one not in self._refused for one in clips.column("section").to_pylist()])
                clips, array = clips.filter(pa.array(has_model)), array[has_model]
            if not len(clips):
                continue
            noted = with_notes(clips, [table.notes], [len(clips)])
            yield clips, _by_section(self._networks, noted, array, self._device)


def _load(models: dict[str, Path]) -> tuple[dict[str, Checkpoint], dict[str, str]]:
    """Return {section: checkpoint}, and {section: why} for those whose training was refused.

    Raises TooFewClipsError if all of them were.
    """
    loaded, refused = {}, {}
    for section, path in models.items():
        try:
            loaded[section] = checkpoints.load(path)
        except TooFewClipsError as error:
            refused[section] = str(error)
    if refused and not loaded:
        raise TooFewClipsError(next(iter(refused.values())))
    return loaded, refused


def _samples(checkpoint: Checkpoint) -> dict[str, list]:
    return {name: sample.double().tolist() for name, sample in checkpoint.calibration.items()}


def _by_section(
    networks: dict[str, torch.nn.Module], clips: pa.Table, features: np.ndarray, device: torch.device
) -> dict[str, np.ndarray]:
    """Return the representations of clips, each by the network of its section, or all by the only network."""
    if EVERY in networks:
        return _represent(networks[EVERY], clips, features, device)
    own = np.array(clips.column("section").to_pylist())
    unknown = sorted(set(own.tolist()) - set(networks))
    if unknown:
        raise AsdError(f"section {unknown[0]}: has no model: prepare the recordings and train again")
    merged: dict[str, np.ndarray] = {}
    for section, network in networks.items():
        chosen = own == section
        if chosen.any():
            for name, array in _represent(network, clips.filter(pa.array(chosen)), features[chosen], device).items():
                merged.setdefault(name, np.empty((len(own), *array.shape[1:]), array.dtype))[chosen] = array
    return merged


def _represent(
    network: torch.nn.Module, table: pa.Table, features: np.ndarray, device: torch.device
) -> dict[str, np.ndarray]:
    """Return the representations of clips by one network, as float32."""
    frames = torch.from_numpy(table.column("frames").to_numpy().astype(np.int64))
    unknown = torch.zeros(len(frames), dtype=torch.bool)  # a model does not see the domain of a clip that it embeds
    batch = Batch(torch.tensor(features), frames, unknown, origins=origins(table)).to(device)
    with torch.inference_mode(), computing(EXACT, device):
        return {name: array.float().cpu().numpy() for name, array in network.embed(batch).items()}
