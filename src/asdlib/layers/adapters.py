"""Low-rank adapters on the query and key projections of a network whose own weights stay as they are.

Hu et al., 2022 (LoRA): W' = W + B A, with A drawn at random and B zero, so that an adapted network starts as the plain
one. The adapters are peft's.
"""

import torch
from torch import Tensor, nn

from asdlib.errors import AsdError

PROJECTIONS = ["query", "key", "q_proj", "k_proj"]  # of `SplitQkv` and of BEATs


class SplitQkv(nn.Module):
    """A fused linear layer for query, key and value as three layers, so that each can have an adapter: same output."""

    def __init__(self, fused: nn.Linear):
        super().__init__()
        for name, weight, bias in zip(
            ("query", "key", "value"), fused.weight.data.chunk(3), fused.bias.data.chunk(3), strict=True
        ):
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.weight.data, layer.bias.data = weight.clone(), bias.clone()
            self.add_module(name, layer)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (…, 3 · width): query, key and value side by side."""
        return torch.cat([self.query(tokens), self.key(tokens), self.value(tokens)], dim=-1)


def adapt(encoder: nn.Module, frozen: bool, rank: int) -> nn.Module:
    """Make an encoder what its recipe says: trained as it is, frozen, or frozen with adapters of a rank (0: none)."""
    if rank and not frozen:
        raise AsdError(f"lora_rank: {rank}: adapters go on a frozen encoder: set frozen: true, or lora_rank: 0")
    if frozen:
        encoder.requires_grad_(False)
    if rank:
        split_qkv(encoder)
        add_lora(encoder, rank)
    return encoder


def split_qkv(encoder: nn.Module) -> None:
    """Replace every layer named `qkv` inside an encoder by its three parts."""
    for module in list(encoder.modules()):
        if isinstance(getattr(module, "qkv", None), nn.Linear):
            module.qkv = SplitQkv(module.qkv)


def add_lora(encoder: nn.Module, rank: int) -> None:
    """Freeze an encoder and put an adapter beside every query and key projection inside it.

    The product B A is added as it is, unscaled (peft's alpha = rank).
    """
    from peft import LoraConfig, inject_adapter_in_model  # here: it takes seconds to import

    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=PROJECTIONS), encoder)


def load_part(part: nn.Module, weights: dict[str, Tensor], prefix: str, source: str) -> None:
    """Load what a part needs out of other weights, each of its names after `prefix`; whatever else is there is left.

    `source` says whose weights they are. A part with adapters loads from one with adapters of the same rank alone.
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
