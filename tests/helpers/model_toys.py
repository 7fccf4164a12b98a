"""Toy models of every kind of the registry, and clips for them.

A kind without an entry in TOYS is as large as its first recipe in config/systems, on clips of ten seconds.
"""

from itertools import product

import pyarrow as pa
import pytest
import torch
from helpers.registry_toys import all_recipes, first_recipe, recipe_arguments
from torch import nn

from asdlib.data.tables import clip_rows
from asdlib.examples.clips import Batch, Clips, origins
from asdlib.frontends import FRONTENDS
from asdlib.models import MODELS
from asdlib.workflow.arguments import arguments

# Toy arguments by kind, and the (frames, bands) of a clip: of models that are slow at full size.
TABLE = "tests/helpers/model_toys.py"
CONDITION = {"condition": 3, "clusters": 2, "components": 3}
SMALL = {"width": 16, "depth": 2, "heads": 2}
VIT = {"bands": 32, **SMALL}
TRAINED = sorted(kind for kind, made in MODELS.items() if getattr(made, "trained", True))
TOYS = {
    "adapted_beats": (
        {
            "lora_rank": 2,
            "layer_drop": 0.0,
            "crop": 3200,
            "attention": 4,
            "dimensions": 8,
            "sub_clusters": 2,
            **SMALL,
            "patch_width": 8,
        },
        (4000,),
    ),
    "acae": ({"channels": [4, 8], "pools": [[2, 2], [1, 2]], "heads": 2, "hidden": 8, "latent": 6}, (5, 8)),
    "audiomae_adaptation": (
        {"mask_bins": [64, 128], "mask_frames": [256, 768], **SMALL, "decoder_width": 16, "decoder_heads": 2},
        (40, 128),
    ),
    "audiomae_classifier": ({"frozen": False, **SMALL}, (40, 128)),
    "beats_classifier": ({"frozen": False, "attention": 4, **SMALL, "patch_width": 8}, (40, 128)),
    "conditional_autoencoder": ({"frames": 8, "hop": 4, "channels": [4, 6], "latent": 4, **CONDITION}, (12, 8)),
    "conditional_dense_autoencoder": ({"frames": 3, "hidden": 16, "depth": 2, "latent": 4, **CONDITION}, (12, 8)),
    "dense_autoencoder": ({"frames": 3, "bands": 8, "hidden": 16, "latent": 4}, (12, 8)),
    "dismae": (
        {
            "bands": 8,
            "frames": 24,
            "patch": 4,
            "width": 16,
            "depth": 1,
            "heads": 2,
            "variation_depth": 1,
            "decoder_width": 8,
            "decoder_depth": 1,
            "decoder_heads": 2,
            "round_clips": 3,
            "score_masks": 2,
        },
        (22, 8),
    ),
    "dual_branch_cnn": (
        {
            "samples": 512,
            "n_fft": 64,
            "hop_length": 32,
            "spectrum_channels": 4,
            "spectrogram_channels": [4, 4, 4, 4, 4],
            "dimensions": 3,
            "se_ratio": 1,
            "sub_clusters": 2,
            "largest_scale": 30.0,
            "density_components": 2,
        },
        (1, 15 * 33 + 256 + 512),
    ),
    "eat": ({"frames": 64, **VIT, "decoder_depth": 1, "decoder_groups": 4, "clones": 2, "mask_ratio": 0.5}, (64, 32)),
    "eat_classifier": ({"frames": 32, **VIT, "attention": 4, "dimensions": 8}, (32, 32)),
    "frozen_encoder": ({"encoder": "beats", **SMALL, "patch_width": 8}, (40, 128)),
    "ssl_fusion": ({"pooling": "attention", "lora_rank": 0, "attention": 4, **SMALL, "patch_width": 8}, (40, 2, 128)),
}

CHOICES = ("encoder", "frozen", "lora_rank", "pooling")  # entries of TOYS in which recipes of one kind differ by design

PERIOD = 80  # samples; a waveform has a multiple of it
SAMPLES = 160_000  # ten seconds, as config/config.yaml prepares clips


def toy_of(kind: str) -> tuple[dict, tuple[int, ...]]:
    """Return a model's arguments and the shape of a clip: those of TOYS, or of the recipe and its frontend."""
    if kind in TOYS:
        return TOYS[kind]
    recipe = first_recipe("models", kind)
    if not recipe:
        pytest.fail(
            f"{TABLE}: {kind}: no recipe of config/systems names it: add an entry {kind!r} to TOYS in this file"
        )
    frontend = all_recipes("frontends")[recipe["frontend"]]
    made = FRONTENDS[frontend["kind"]](**arguments("frontends", frontend))
    return recipe_arguments("models", kind, MODELS[kind], TABLE), made.shape(SAMPLES)


def toy_clips(shape: tuple[int, ...]) -> Clips:
    """Return sixteen clips of two machines, one without attributes, in two views; every fourth clip is target."""
    rows = [
        {
            "clip": f"{machine}_{number}",
            "section": "00",
            "domain": "target" if number == 3 else "source",
            "split": "train",
            "label": "normal",
            "attributes": {"spd": str(number % 2)} if machine == "fan" else {},
            "kind": "train",
            "samples": 512,
            "frames": shape[0],
            "source_file": f"train/{machine}_{number}.wav",
        }
        for machine, _, number in product(("fan", "slider"), ("raw", "separated"), range(4))
    ]
    table = clip_rows(rows)
    table = table.append_column("dataset", pa.array(["toy"] * len(rows)))
    table = table.append_column("machine", pa.array([name for name in ("fan", "slider") for _ in range(8)]))
    table = table.append_column("view_kind", pa.array((["raw"] * 4 + ["separated"] * 4) * 2))
    return Clips(table, torch.randn(len(rows), *shape, generator=torch.Generator().manual_seed(2)))


def learnable_clips(shape: tuple[int, ...], scale: float) -> Clips:
    """Return the toy clips with a spectrum of machine, speed and domain, times `scale`, and a little noise.

    A waveform repeats a short pattern instead, which has such a spectrum.
    """
    clips = toy_clips(shape)
    features = 0.2 * clips.features
    for seed, column in enumerate(("machine", "attributes", "domain")):
        values = [str(value) for value in clips.column(column)]
        sizes = shape[1:] if len(shape) > 1 else (PERIOD,)
        patterns = torch.randn(3, 1, *sizes, generator=torch.Generator().manual_seed(seed))
        if len(shape) == 1:
            patterns = patterns.flatten(1).repeat(1, shape[0] // PERIOD)
        features += patterns[[sorted(set(values)).index(value) for value in values]]
    return Clips(clips.table, scale * features)


def whole(clips: Clips) -> Batch:
    return Batch(clips.features, clips.frames, clips.target, origins=origins(clips.table))


def toy_recipes() -> dict[str, tuple[str, dict]]:
    """Return {name: (kind, arguments)} of all recipes at toy size, without those that differ in their size alone."""
    found: dict[str, tuple[str, dict]] = {}
    for name, block in all_recipes("models").items():
        kind = block["kind"]
        sizes = {key: value for key, value in toy_of(kind)[0].items() if key not in CHOICES or key not in block}
        made = (kind, arguments("models", block) | sizes)
        if made not in found.values():
            found[name] = made
    return found


def built(kind: str, clips: Clips, given: dict | None = None) -> nn.Module:
    """Return a toy model, built as `train_model` does: `survey` runs first if the model has it.

    `given` are its arguments; those of `toy_of` if left out.
    """
    torch.manual_seed(0)
    model = MODELS[kind](**(toy_of(kind)[0] if given is None else given))
    if hasattr(model, "survey"):
        model.grow(model.survey(clips))
    return model
