"""Clips that are too short for a model, found before its training and not by a score that is not a number."""

from pathlib import Path

from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.models import MODELS
from asdlib.workflow.recipe import Recipe


def least_frames(recipe: Recipe) -> int:
    """Return how many frames of real samples a clip needs to be embedded."""
    model = MODELS[recipe.kind]
    return model.least_frames(**recipe.arguments) if hasattr(model, "least_frames") else 1


def refuse_short_clips(recipe: Recipe, features: Path) -> None:
    """Raise AsdError if a training or test clip in a table of features is too short for a model."""
    least = least_frames(recipe)
    clips = ClipTable(features).clips("train", "test").select(["source_file", "frames"])
    for file, frames in zip(*clips.to_pydict().values(), strict=True):
        if frames < least:
            raise AsdError(
                f"{features}: {file} has {frames} frames, {recipe.name} needs {least}: replace or remove the recording"
            )
