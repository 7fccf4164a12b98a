"""Train a model on the clips of one machine or of all machines."""

import logging
import os
import socket
from functools import partial
from pathlib import Path

import torch

from asdlib.data.listing import is_folder
from asdlib.errors import AsdError
from asdlib.examples.clips import load_clips
from asdlib.examples.pseudo_labels import with_clusters
from asdlib.runtime.devices import choose_device
from asdlib.training.build import build_model, start, start_from_public
from asdlib.training.job import Job, Task, fit
from asdlib.training.refusals import LEFT_OUT, machine_of, refusable, refuse_left_out, without_refused
from asdlib.training.short_clips import refuse_short_clips
from asdlib.training.wrong_settings import line_to_paste
from asdlib.weights import checkpoints
from asdlib.workflow.recipe import Recipe, Settings

_log = logging.getLogger(__name__)


def train_model(
    features: list[Path],
    init: list[Path],
    public: list[Path],
    pins: list[str],
    out: Path,
    history: Path,
    settings: Settings,
    code: str,
    device: str,
    gpus: int,
    threads: int,
    store_every: float | None,
    scratch: str,
    section: str | None = None,
    labels: list[Path] | None = None,
) -> None:
    """Write the weights `out` (safetensors with the recipe in the header) and `history` (CSV with one row per epoch).

    `init` are the checkpoints from which the model starts. `public` is empty or contains the file of public weights;
    `pins` is empty or contains its SHA-256. A joint training keeps its features in a file in the folder `scratch`
    instead of in memory. Within an epoch, the state is stored every `store_every` minutes (None: never). With a
    `section`, the model learns from its clips alone. `labels` are the tables of pseudo-labels of its clips, if its
    recipe has a labeller. Raises AsdError for a clip that is too short for the model, also among the test clips. If
    there are too few clips, `out` says so and has no weights.
    """
    torch.set_num_threads(threads)
    recipe = Recipe("models", settings)
    chosen = choose_device(device, gpus)

    def begin(used: list[Path], left_out: dict[str, str]) -> Task:
        clips = load_clips(used, "train", scratch=_folder(scratch) if recipe.joint else None, section=section)
        if labels:
            clips = with_clusters(clips, labels)
        network, facts = build_model(recipe, clips)
        if "checkpoint" in settings and not public:
            _log.warning("checkpoint: null: %s starts from random weights instead of public ones", recipe.name)
        start_from_public(network, recipe, public, pins)
        for path in init:
            checkpoint = checkpoints.load(path)
            refuse_left_out(checkpoint, map(machine_of, used))
            start(network, checkpoint)
        facts |= {LEFT_OUT: left_out} if left_out else {}
        return Task(network, network.examples(clips), len(clips.table), facts, embedded=clips)

    with refusable(recipe, out, history), line_to_paste(recipe):
        used, left_out = without_refused(features, recipe.joint)
        for path in used:
            refuse_short_clips(recipe, path)
        fit(
            Job(recipe, code, [*used, *init, *public, *(labels or [])], out, history, chosen, store_every),
            partial(begin, used, left_out),
        )


def _folder(scratch: str) -> Path:
    """Return the folder for temporary files. Environment variables in its name are expanded on the node of the job."""
    folder = Path(os.path.expandvars(scratch))
    if not is_folder(folder):
        raise AsdError(f"config: scratch: {folder} is not a folder on {socket.gethostname()}: use an existing one")
    return folder
