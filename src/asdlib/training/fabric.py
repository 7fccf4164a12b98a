"""Lightning Fabric, imported without torchmetrics.

Fabric imports torchmetrics only to check its version, which takes two seconds at the start of every training.
"""

from typing import Any

import torch

from asdlib.errors import AsdError
from asdlib.runtime.lean_imports import hidden
from asdlib.training.settings import Training

with hidden("torchmetrics"):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies import DDPStrategy

__all__ = ["Autocast", "DDPStrategy", "Fabric", "LightningEnvironment", "gathered", "refuse_devices"]


def gathered(fabric: Fabric, own: Any) -> list[Any]:
    """Return the objects of all processes, in their order; every process calls this."""
    if fabric.world_size == 1:
        return [own]
    objects: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(objects, own)
    return objects


class Autocast(MixedPrecision):
    """Mixed precision in bfloat16 that leaves the input in its own precision.

    By default Fabric first rounds every input to bfloat16: a log-mel value of -60 dB to a quarter of a dB, a waveform
    to 8 bits. The input is not rounded when clips are embedded later, and the FFT does not support bfloat16.
    """

    def __init__(self, device: str):
        super().__init__("bf16-mixed", device)

    def convert_input(self, data: Any) -> Any:
        """Return the input unchanged."""
        return data


def refuse_devices(settings: Training, device: torch.device) -> None:
    """Raise AsdError for more devices than the job has or than a batch has examples."""
    if not 1 <= settings.devices <= settings.batch_size:
        raise AsdError(
            f"training.devices: {settings.devices}: give 1 to {settings.batch_size}, the examples of a batch"
        )
    if device.type == "cuda" and settings.devices > torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise AsdError(f"training.devices: {settings.devices}: the job has {found} GPU(s): give it more, or set fewer")
