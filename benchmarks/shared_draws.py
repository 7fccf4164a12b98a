"""Random numbers that are the same on every device and in every precision, to compare computations that draw some."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_OF_PARAMETERS = {_aten.bernoulli.default, _aten._sample_dirichlet.default}
_IN_PLACE = {_aten.bernoulli_.float, _aten.uniform_.default, _aten.normal_.default, _aten.random_.default}
_NEW = {_aten.rand, _aten.randn, _aten.randint, _aten.randperm, _aten.rand_like, _aten.randn_like}


class SharedDraws(TorchDispatchMode):
    """Draws every random number in float32 with the CPU's generator, wherever the result belongs."""

    def __torch_dispatch__(self, call: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run an operation, or its counterpart on the CPU if it draws random numbers."""
        kwargs = dict(kwargs or {})
        if call is _aten.native_dropout.default:
            return _dropout(*args)
        if call in _OF_PARAMETERS:
            return call(args[0].float().cpu()).to(args[0])
        if call in _IN_PLACE and kwargs.get("generator") is None:
            return args[0].copy_(call(torch.empty(args[0].shape, dtype=_drawn(args[0])), *args[1:], **kwargs))
        if call.overloadpacket in _NEW and kwargs.get("generator") is None:
            return _new(call, args, kwargs)
        return call(*args, **kwargs)


class SeparateDropout(TorchFunctionMode):
    """Computes attention with dropout in single operations; the fused ones draw where `SharedDraws` does not see it."""

    def __torch_function__(self, call: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run a function."""
        kwargs = kwargs or {}
        if call is scaled_dot_product_attention and kwargs.get("dropout_p"):
            with sdpa_kernel(SDPBackend.MATH):
                return call(*args, **kwargs)
        return call(*args, **kwargs)


def _drawn(tensor: Tensor) -> torch.dtype:
    return torch.float32 if tensor.is_floating_point() else tensor.dtype


def _dropout(tensor: Tensor, share: float, train: bool | None) -> tuple[Tensor, Tensor]:
    if train is False or share == 0:
        return tensor.clone(), torch.ones_like(tensor, dtype=torch.bool)
    mask = torch.empty(tensor.shape).bernoulli_(1 - share).to(tensor.device)
    return tensor * (mask / (1 - share)).to(tensor.dtype), mask.bool()


def _new(call: Any, args: tuple, kwargs: dict[str, Any]) -> Tensor:
    """Return a new tensor, drawn on the CPU in float32 if it is of a floating point type."""
    like = next((one for one in args if isinstance(one, Tensor)), None)
    device = kwargs.pop("device", None) or (like.device if like is not None else torch.device("cpu"))
    dtype = kwargs.pop("dtype", None) or (like.dtype if like is not None else None)
    kwargs.pop("pin_memory", None)
    if dtype is not None:
        kwargs["dtype"] = torch.float32 if dtype.is_floating_point else dtype
    moved = [one.cpu() if isinstance(one, Tensor) else one for one in args]
    return call(*moved, **kwargs).to(device, dtype)
