"""EAT checkpoints in the published format, made from weights with our names."""

from pathlib import Path

import torch
from torch import Tensor

IMAGE = "modality_encoders.IMAGE."
NAMES = {
    "encoder.blocks.": "blocks.",
    "encoder.pre_norm.": f"{IMAGE}context_encoder.norm.",
    "encoder.positions": f"{IMAGE}fixed_positional_encoder.positions",
    "encoder.": IMAGE,
    "decoder.": f"{IMAGE}decoder.",
}


def save_fairseq(path: Path, weights: dict[str, Tensor]) -> Path:
    """Write a fairseq file: the student's tensors in half precision, the teacher's nested under `_ema`."""
    model: dict = {}
    for name, tensor in weights.items():
        if name.startswith("teacher."):
            model.setdefault("_ema", {})[_theirs(name.replace("teacher.", "encoder.", 1))] = tensor
        else:
            model[_theirs(name)] = tensor.half()
    torch.save({"cfg": {"model": {"depth": 12}}, "model": model, "extra_state": {"epoch": 30}}, path)
    return path


def _theirs(name: str) -> str:
    start = next(start for start in NAMES if name.startswith(start))
    return NAMES[start] + name.removeprefix(start)
