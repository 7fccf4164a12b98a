"""The public checkpoints of BEATs (Chen et al., ICML 2023): self-supervised iterations and their fine-tuned forms.

A file holds a dictionary of settings, `cfg`, and the weights, `model`. The fine-tuned ones have a classifier as well,
which is left out.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asdlib.errors import AsdError
from asdlib.weights.published.files import float_tensors, read_published

# What `blocks.beats` computes; the same weights under other settings would be another network.
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
TABLE = ".self_attn.relative_attention_bias.weight"  # one for all layers, repeated under each
FIRST = "encoder.layers.0" + TABLE


def read_beats(path: Path) -> dict[str, Tensor]:
    """Return the encoder's weights under their published names, the table of the position bias once."""
    content = read_published(path)
    if not all(isinstance(content.get(part), dict) for part in ("cfg", "model")):
        raise AsdError(f"{path}: holds no `cfg` and `model`: use a published BEATs checkpoint")
    check_settings(path, content["cfg"])
    return encoder_weights(path, float_tensors(content["model"]))


def check_settings(path: Path, cfg: dict[str, Any]) -> None:
    """Refuse the settings of another network."""
    for key, value in SETTINGS.items():
        if cfg.get(key) != value:
            raise AsdError(f"{path}: its cfg says {key}: {cfg.get(key)}, not {value}: use a published BEATs checkpoint")


def encoder_weights(path: Path, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave out the classifier and the repetitions of the one table, which must be the same in every layer."""
    kept = {}
    for name, tensor in weights.items():
        if name.endswith(TABLE) and name != FIRST:
            if FIRST not in weights or not torch.equal(tensor, weights[FIRST]):
                raise AsdError(f"{path}: {name} is not that of layer 0: use a published BEATs checkpoint")
        elif not name.startswith("predictor."):
            kept[name] = tensor
    return kept
