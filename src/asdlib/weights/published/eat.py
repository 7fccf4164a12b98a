"""The public checkpoints of EAT (Chen et al., IJCAI 2024): the authors' fairseq files and the hub's safetensors.

A fairseq file has student, decoder and, nested under `_ema`, the teacher; the hub's file has the student alone. Files
fine-tuned on AudioSet have a classifier, which is left out, and no decoder.
"""

from pathlib import Path

from torch import Tensor

from asdlib.errors import AsdError
from asdlib.weights.published.files import float_tensors, read_published

RENAMED = (("context_encoder.norm.", "pre_norm."), ("fixed_positional_encoder.", ""))
HEADS = ("fc_norm.", "head.")


def read_eat(path: Path) -> dict[str, Tensor]:
    """Return weights named `encoder.…`, and where the file has them `decoder.…` and `teacher.…`."""
    content = read_published(path)
    model = content.get("model", content)
    if not isinstance(model, dict):
        raise AsdError(f"{path}: its `model` is no dictionary of weights: use a published EAT checkpoint")
    weights = {_ours(name): tensor for name, tensor in float_tensors(model).items() if not _of_head(name)}
    teacher = model.get("_ema")
    if isinstance(teacher, dict):
        ours = {_ours(name): tensor for name, tensor in float_tensors(teacher).items()}
        weights |= {name.replace("encoder.", "teacher.", 1): tensor for name, tensor in ours.items()}
    if "encoder.extra_tokens" not in weights:
        raise AsdError(f"{path}: holds no EAT encoder (extra_tokens is missing): use a published EAT checkpoint")
    return weights


def _ours(name: str) -> str:
    """Translate one published name; fine-tuned files and the hub's put `model.` in front."""
    name = name.removeprefix("model.").removeprefix("modality_encoders.IMAGE.")
    for theirs, ours in RENAMED:
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    return name if name.startswith("decoder.") else f"encoder.{name}"


def _of_head(name: str) -> bool:
    return name.removeprefix("model.").startswith(HEADS)
