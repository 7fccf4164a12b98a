"""Low-rank adapters (LoRA) on the projections of attention in a frozen network.

Hu et al., 2022: W' = W + scale · B A. A is initialised at random and B with zeros, so that the adapted network
initially equals the plain one. The adapters are those of peft.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError

PROJECTIONS = ("query", "key", "q_proj", "k_proj")  # of `SplitQkv` and of BEATs


class SplitQkv(nn.Module):
    """A fused query, key and value layer, split into three layers that can have adapters; same output."""

    def __init__(self, fused: nn.Linear):
        super().__init__()
        for name, weight, bias in zip(
            ("query", "key", "value"), fused.weight.data.chunk(3), fused.bias.data.chunk(3), strict=True
        ):
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.weight.data, layer.bias.data = weight.clone(), bias.clone()
            self.add_module(name, layer)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return query, key and value concatenated, (…, 3 · width)."""
        return torch.cat([self.query(tokens), self.key(tokens), self.value(tokens)], dim=-1)


def adapt(
    encoder: nn.Module, frozen: bool, rank: int, scale: float = 1.0, projections: Sequence[str] = PROJECTIONS
) -> nn.Module:
    """Freeze an encoder if `frozen`, and add adapters of rank `rank` if it is not 0; return the encoder.

    The adapters are on the layers with the names `projections`, by default those of query and key. Raises AsdError for
    adapters on an encoder that is not frozen.
    """
    if rank and not frozen:
        raise AsdError(f"lora_rank: {rank}: adapters need a frozen encoder: set frozen: true, or lora_rank: 0")
    if frozen:
        encoder.requires_grad_(False)
    if rank:
        split_qkv(encoder)
        add_lora(encoder, rank, scale, projections)
    return encoder


def split_qkv(encoder: nn.Module) -> None:
    """Replace every layer named `qkv` in an encoder by a SplitQkv."""
    for module in list(encoder.modules()):
        if isinstance(getattr(module, "qkv", None), nn.Linear):
            module.qkv = SplitQkv(module.qkv)


def add_lora(encoder: nn.Module, rank: int, scale: float, projections: Sequence[str]) -> None:
    """Freeze an encoder and add an adapter to every layer with one of the names; B A is added times `scale`."""
    from peft import LoraConfig, inject_adapter_in_model  # imported here because it takes seconds

    # peft multiplies by alpha / rank.
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=scale * rank, target_modules=list(projections)), encoder)


def load_part(part: nn.Module, weights: dict[str, Tensor], prefix: str, source: str) -> None:
    """Load the weights of a module from a larger set, in which their names begin with `prefix`; ignore the others.

    `source` names the origin of the weights in messages. A module with adapters can be loaded only from one with
    adapters of the same rank. Raises AsdError for missing weights and wrong shapes.
    """
    own = {name: tensor.shape for name, tensor in part.state_dict().items()}
    for name, shape in own.items():
        given = weights.get(f"{prefix}{name}")
        if given is None:
            raise AsdError(f"{source}: has no weight {prefix}{name}: start from a model with the same plain encoder")
        if given.shape != shape:
            sizes = [" × ".join(map(str, size)) for size in (given.shape, shape)]
            raise AsdError(f"{source}: {prefix}{name} is {sizes[0]}, not {sizes[1]}: give both the same sizes")
    part.load_state_dict({name: weights[f"{prefix}{name}"] for name in own})


def adapted(
    encoder: nn.Module, weights: dict[str, Tensor], prefix: str, source: str, frozen: bool, rank: int
) -> nn.Module:
    """Load a plain encoder as `load_part` does, then `adapt` it, because adapters change the names of weights."""
    load_part(encoder, weights, prefix, source)
    return adapt(encoder, frozen, rank)
