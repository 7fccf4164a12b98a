"""All models of the registry: all parameters learn, and embeddings are deterministic.

A kind without an entry in TOYS is as large as its first recipe in config/systems, on clips of ten seconds.
"""

from itertools import product

import pyarrow as pa
import pytest
import torch
from helpers.registry_toys import all_recipes, first_recipe, recipe_arguments
from torch import nn

from asdlib.data.tables import clip_rows
from asdlib.examples.clips import Batch, Clips
from asdlib.frontends import FRONTENDS
from asdlib.models import MODELS
from asdlib.workflow.arguments import arguments

# Toy arguments by kind, and the (frames, bands) of a clip: of models that are slow at full size.
TABLE = "tests/models/test_models.py"
CONDITION = {"condition": 3, "clusters": 2, "components": 3}
SMALL = {"width": 16, "depth": 2, "heads": 2}
VIT = {"bands": 32, **SMALL}
TOYS = {
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
            "density_components": 2,
        },
        (1, 15 * 33 + 256 + 512),
    ),
    "eat": ({"frames": 64, **VIT, "decoder_depth": 1, "decoder_groups": 4, "clones": 2, "mask_ratio": 0.5}, (64, 32)),
    "eat_classifier": ({"frames": 32, **VIT, "attention": 4, "dimensions": 8}, (32, 32)),
    "ssl_fusion": ({"pooling": "attention", "lora_rank": 0, "attention": 4, **SMALL, "patch_width": 8}, (40, 2, 128)),
}

SAMPLES = 160_000  # ten seconds, as config/config.yaml prepares clips
# The least cosine of gradients in bf16 and float32: toy clips differ little, and batch norms amplify the rounding.
LEAST_ALIKE = {"dual_branch_cnn": 0.7}


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


def whole(clips: Clips) -> Batch:
    return Batch(clips.features, clips.frames, clips.target)


def built(kind: str, clips: Clips) -> nn.Module:
    """Return a toy model, built as `train_model` does: `survey` runs first if the model has it."""
    torch.manual_seed(0)
    model = MODELS[kind](**toy_of(kind)[0])
    if hasattr(model, "survey"):
        model.grow(model.survey(clips))
    return model


@pytest.fixture(params=sorted(MODELS))
def toy(request: pytest.FixtureRequest):
    clips = toy_clips(toy_of(request.param)[1])
    return built(request.param, clips), clips


def test_toys_are_of_models_that_exist() -> None:
    assert TOYS.keys() <= MODELS.keys()


def test_the_loss_is_finite_and_reaches_every_parameter(toy) -> None:
    model, clips = toy
    examples = model.examples(clips)
    loss = model.loss(examples.batch(torch.arange(len(examples))))
    assert torch.isfinite(loss)
    loss.backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert without == []


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_in_bf16_the_loss_and_its_gradient_are_those_of_float32_but_for_the_rounding(kind: str) -> None:
    """A recipe can set `precision: bf16`, and the training loop then uses autocast with any model."""
    clips = toy_clips(toy_of(kind)[1])

    def trained(rounded: bool) -> tuple[torch.Tensor, torch.Tensor]:
        model = built(kind, clips)
        examples = model.examples(clips)
        torch.manual_seed(5)  # for masks, mixtures and dropout
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            loss = model.loss(examples.batch(torch.arange(len(examples))))
        loss.backward()
        return loss.detach(), torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])

    (loss, gradient), (exact, exact_gradient) = trained(rounded=True), trained(rounded=False)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=0.02, atol=0)
    assert torch.isfinite(gradient).all()
    assert torch.cosine_similarity(gradient, exact_gradient, dim=0) > LEAST_ALIKE.get(kind, 0.98)


def test_the_same_clip_is_represented_the_same_way_twice_and_alone(toy) -> None:
    model, clips = toy
    model.eval()
    batch = whole(clips)
    first, again = model.embed(batch), model.embed(batch)
    alone = model.embed(Batch(batch.features[:1], batch.frames[:1], batch.target[:1]))
    for name, representation in first.items():
        assert representation.shape[0] == len(clips.table)
        assert representation.dim() == 2
        torch.testing.assert_close(representation, again[name], rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(representation[:1], alone[name], equal_nan=True)
