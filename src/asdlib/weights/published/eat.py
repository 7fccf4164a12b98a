"""The reader of EAT's public checkpoints (Chen et al., IJCAI 2024): fairseq files and the hub's safetensors.

A fairseq file has the student, the decoder and, nested under `_ema`, the teacher. The hub's file has only the student.
Files fine-tuned on AudioSet have a classifier, which is left out, and no decoder.
"""

from pathlib import Path

from torch import Tensor

from asdlib.errors import AsdError
from asdlib.weights.published.files import float_tensors, read_published

RENAMED = (("context_encoder.norm.", "pre_norm."), ("fixed_positional_encoder.", ""))
HEADS = ("fc_norm.", "head.")


def read_eat(path: Path) -> dict[str, Tensor]:
    """Return weights named `encoder.…` and, if the file has them, `decoder.…` and `teacher.…`.

    Raises AsdError if the file is not an EAT checkpoint.
    """
    content = read_published(path)
    model = content.get("model", content)
    if not isinstance(model, dict):
        raise AsdError(f"{path}: its `model` is not a dictionary of weights: use a published EAT checkpoint")
    weights = {_ours(name): tensor for name, tensor in float_tensors(model).items() if not _of_head(name)}
    teacher = model.get("_ema")
    if isinstance(teacher, dict):
        ours = {_ours(name): tensor for name, tensor in float_tensors(teacher).items()}
        weights |= {name.replace("encoder.", "teacher.", 1): tensor for name, tensor in ours.items()}
    if "encoder.extra_tokens" not in weights:
        raise AsdError(f"{path}: contains no EAT encoder (extra_tokens is missing): use a published EAT checkpoint")
    return weights


def _ours(name: str) -> str:
    """Return this library's name of a published parameter; fine-tuned files and the hub's prepend `model.`."""
    name = name.removeprefix("model.").removeprefix("modality_encoders.IMAGE.")
    for theirs, ours in RENAMED:
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    return name if name.startswith("decoder.") else f"encoder.{name}"


def _of_head(name: str) -> bool:
    return name.removeprefix("model.").startswith(HEADS)
