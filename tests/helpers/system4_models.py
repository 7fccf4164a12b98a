"""Toy versions of system4's models, and the steps of their training."""

from argparse import Namespace
from itertools import product
from pathlib import Path

import pyarrow as pa
import torch
from torch import Tensor, nn

from asdlib.data.tables import clip_rows
from asdlib.examples.clips import Clips
from asdlib.training.build import build_model, start
from asdlib.weights.checkpoints import Checkpoint
from asdlib.weights.published.beats import FIRST, SETTINGS
from asdlib.workflow.recipe import Recipe

SMALL = {"width": 16, "depth": 1, "heads": 2}
ADAPTATION = {
    "name": "adapted",
    "kind": "audiomae_adaptation",
    "mask_bins": [64, 128],
    "mask_frames": [256, 768],
    "decoder_width": 16,
    "decoder_heads": 2,
    **SMALL,
}
AUDIOMAE = {"name": "audiomae", "kind": "audiomae_classifier", "frozen": False, "lora_rank": 0, **SMALL}
BEATS = {"name": "beats", "kind": "beats_classifier", "frozen": False, "attention": 4, "patch_width": 8, **SMALL}
FUSION = {"name": "fused", "kind": "ssl_fusion", "attention": 4, "patch_width": 8, "lora_rank": 3, **SMALL}
TUNED = {"frozen": True, "lora_rank": 3}


def clips(machines: tuple[str, ...] = ("fan", "valve"), shape: tuple[int, ...] = (48, 128)) -> Clips:
    """Return one clip of each machine at each of two speeds."""
    rows = [
        {
            "clip": f"{machine}_{speed}",
            "section": "00",
            "domain": "source",
            "attributes": {"spd": speed},
            "kind": "train",
            "frames": shape[0],
        }
        for machine, speed in product(machines, ("1", "2"))
    ]
    table = clip_rows(rows)
    names = [row["clip"].partition("_")[0] for row in rows]
    table = table.append_column("machine", pa.array(names))
    features = torch.randn(len(rows), *shape, generator=torch.Generator().manual_seed(2)) - 5
    return Clips(table, features)


def begun(settings: dict, given: Clips, *inits: Checkpoint) -> nn.Module:
    """Return a model built as by `train_model`, with the weights that its training starts from."""
    network, _ = build_model(Recipe("models", settings), given)
    for init in inits:
        start(network, init)
    return network


def with_spectra_of_their_own(given: Clips) -> Clips:
    """Return clips to whose bands cosines are added, one period more in each clip."""
    bands = torch.arange(given.features.shape[-1]) / given.features.shape[-1]
    spectra = torch.stack([6 * torch.cos(2 * torch.pi * bands * (1 + clip)) for clip in range(len(given.features))])
    return Clips(given.table, given.features + spectra[:, None])


def trained(network: nn.Module, given: Clips, steps: int = 2, rate: float = 0.01) -> None:
    """Train the weights that are not frozen for a few steps."""
    examples = network.examples(given)
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        network.loss(examples.batch(torch.arange(len(examples)))).backward()
        optimizer.step()


def stored(network: nn.Module, settings: dict) -> Checkpoint:
    """Return the checkpoint that a training would save."""
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return Checkpoint(settings, weights, facts={"classes": getattr(network, "classes", None)})


def changed(network: nn.Module, before: dict[str, Tensor]) -> set[str]:
    """Return the names of the weights that differ from `before`."""
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


def published_beats(path: Path, encoder: nn.Module) -> Path:
    """Write a BEATs checkpoint in the published format: settings, the table in every layer, and a classifier."""
    weights = dict(encoder.state_dict())
    for layer in range(1, len(encoder.encoder.layers)):
        weights[FIRST.replace(".0.", f".{layer}.")] = weights[FIRST]
    weights |= {"predictor.weight": torch.zeros(7, 16), "predictor.bias": torch.zeros(7)}
    torch.save({"cfg": {**SETTINGS, "dropout": 0.1}, "model": weights, "label_dict": {0: "/m/1"}}, path)
    return path


def published_audiomae(path: Path, weights: dict[str, Tensor]) -> Path:
    """Write an AudioMAE checkpoint in the published format: weights and the state of their training."""
    torch.save({"model": weights, "epoch": 32, "args": Namespace(batch_size=8), "scaler": {"scale": 1.0}}, path)
    return path
