"""The reader of BEATs' public checkpoints (Chen et al., ICML 2023), self-supervised or fine-tuned.

A file contains a dictionary of settings, `cfg`, and the weights, `model`. Fine-tuned files also have a classifier,
which is left out.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asdlib.errors import AsdError
from asdlib.weights.published.files import float_tensors, read_published

# The settings of `asdlib.layers.encoders.beats`; with others, the same weights would be another network.
SETTINGS = {
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "conv_bias": False,
    "relative_position_embedding": True,
    "gru_rel_pos": True,
    "input_patch_size": 16,
    "conv_pos": 128,
    "conv_pos_groups": 16,
    "num_buckets": 320,
    "max_distance": 800,
}
TABLE = ".self_attn.relative_attention_bias.weight"  # shared by all layers, but stored in each
FIRST = "encoder.layers.0" + TABLE


def read_beats(path: Path) -> dict[str, Tensor]:
    """Return the encoder's weights under their published names, with the table of the position bias once.

    Raises AsdError if the file is not a BEATs checkpoint with the expected settings.
    """
    content = read_published(path)
    if not all(isinstance(content.get(part), dict) for part in ("cfg", "model")):
        raise AsdError(f"{path}: contains no `cfg` and `model`: use a published BEATs checkpoint")
    check_settings(path, content["cfg"])
    return encoder_weights(path, float_tensors(content["model"]))


def check_settings(path: Path, cfg: dict[str, Any]) -> None:
    """Raise AsdError if the settings are those of another network."""
    for key, value in SETTINGS.items():
        if cfg.get(key) != value:
            raise AsdError(f"{path}: its cfg says {key}: {cfg.get(key)}, not {value}: use a published BEATs checkpoint")


def encoder_weights(path: Path, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights without the classifier and the copies of the table; raise AsdError if a copy differs."""
    kept = {}
    for name, tensor in weights.items():
        if name.endswith(TABLE) and name != FIRST:
            if FIRST not in weights or not torch.equal(tensor, weights[FIRST]):
                raise AsdError(f"{path}: {name} differs from that of layer 0: use a published BEATs checkpoint")
        elif not name.startswith("predictor."):
            kept[name] = tensor
    return kept
