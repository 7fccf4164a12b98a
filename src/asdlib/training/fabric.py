"""Lightning Fabric, imported without torchmetrics.

Fabric imports torchmetrics only to check its version, which takes two seconds at the start of every training. Nothing
used here needs it, so it is hidden during the import.
"""

import sys
from typing import Any

_hidden = "torchmetrics" not in sys.modules
if _hidden:
    sys.modules["torchmetrics"] = None  # type: ignore[assignment]  # an import now raises ModuleNotFoundError

from lightning_fabric import Fabric  # noqa: E402
from lightning_fabric.plugins import MixedPrecision  # noqa: E402
from lightning_fabric.plugins.environments import LightningEnvironment  # noqa: E402
from lightning_fabric.strategies import DDPStrategy  # noqa: E402

if _hidden:
    del sys.modules["torchmetrics"]

__all__ = ["Autocast", "DDPStrategy", "Fabric", "LightningEnvironment"]


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
