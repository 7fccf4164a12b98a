"""The reader of AudioMAE's public checkpoints (Huang et al., NeurIPS 2022).

`pretrained.pth` contains the encoder and decoder under `model`, next to the state of its training. `finetuned.pth`
contains the encoder and a classifier, of which only the norm is read. The hub's port is a plain dictionary of the
encoder's weights. The published parameter names are kept.
"""

from pathlib import Path

from torch import Tensor

from asdlib.errors import AsdError
from asdlib.weights.published.files import float_tensors, read_published

ENCODER = ("cls_token", "pos_embed", "patch_embed.proj.", "blocks.", "norm.", "fc_norm.")
DECODER = ("mask_token", "decoder_")
CLASSIFIER = "head."


def read_audiomae(path: Path) -> dict[str, Tensor]:
    """Return the weights of the encoder and, if the file has one, the decoder.

    Raises AsdError if the file is not an AudioMAE checkpoint.
    """
    content = read_published(path)
    model = content.get("model", content)
    if not isinstance(model, dict):
        raise AsdError(f"{path}: its `model` is not a dictionary of weights: use a published AudioMAE checkpoint")
    weights = {name: tensor for name, tensor in float_tensors(model).items() if not name.startswith(CLASSIFIER)}
    unknown = [name for name in weights if not name.startswith((*ENCODER, *DECODER))]
    if unknown or "cls_token" not in weights:
        what = f"{unknown[0]} is unknown" if unknown else "cls_token is missing"
        raise AsdError(f"{path}: {what}: use a published AudioMAE checkpoint")
    return weights
