"""How a GPU computes with float32: PyTorch's switches for rounding and for the order of sums.

PyTorch's defaults mix both roundings: matrix products in float32, convolutions and LSTMs in TF32, which keeps ten bits
of a mantissa. Every job states its choice here. A CPU always computes in float32.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from asdlib.errors import AsdError
from asdlib.runtime.job_environment import fix_cublas_workspace

EXACT = "float32"  # of embeddings, separated clips and calibration samples, on every device
_ADVICE = "has Tensor Cores"  # Lightning advises TF32 wherever matrix products are in float32; here it was decided


@contextmanager
def computing(precision: str, device: torch.device, deterministic: bool = False) -> Iterator[None]:
    """Compute in `precision` (float32, tf32 or bf16) while the block runs; restore PyTorch's switches afterwards.

    `tf32` rounds the factors of matrix products, convolutions and LSTMs on a GPU. `bf16` leaves what autocast does not
    round in float32. `deterministic` allows no operation whose result varies on a GPU: AsdError names the operation.
    """
    matrices, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    determined = torch.are_deterministic_algorithms_enabled()
    tf32 = precision == "tf32" and device.type == "cuda"
    logger = logging.getLogger("lightning_fabric.utilities.rank_zero")
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    _determine(deterministic or determined)
    if deterministic and device.type == "cuda":
        fix_cublas_workspace()
    logger.addFilter(_is_no_advice)
    try:
        yield
    except RuntimeError as error:
        if deterministic and "deterministic" in str(error):
            reason = str(error).split(",")[0].split("\n")[0]
            raise AsdError(f"training.deterministic: {reason}: set it to false") from error
        raise
    finally:
        torch.set_float32_matmul_precision(matrices)
        torch.backends.cudnn.allow_tf32 = convolutions
        _determine(determined)
        logger.removeFilter(_is_no_advice)


def _determine(deterministic: bool) -> None:
    """Set PyTorch's switch only if it changes: setting it imports PyTorch's compiler, which takes a second."""
    if deterministic != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(deterministic)


def shown(precision: str, device: torch.device) -> str:
    """Return the precision that a training on the device has, and what it costs on a GPU without units for it."""
    if device.type != "cuda":
        return EXACT
    emulated = precision == "bf16" and torch.cuda.get_device_capability(device) < (8, 0)  # before Ampere
    return "bf16, which this GPU emulates: training.precision: float32 may be faster" if emulated else precision


def _is_no_advice(record: logging.LogRecord) -> bool:
    return _ADVICE not in record.getMessage()
