"""Lightning Fabric without a detour.

On import Fabric asks for the version of torchmetrics by importing it, and that brings half of the Python world along:
two seconds at the start of every training. Nothing that we use needs it, so it is out of sight meanwhile.
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
    """Mixed precision in bfloat16 that computes in it, but reads its input as it is.

    Fabric rounds every input to bfloat16 first: a log-mel of -60 dB to a quarter of a dB, a waveform to 8 bits. What
    is embedded later is not rounded, and an FFT takes no bfloat16 at all.
    """

    def __init__(self, device: str):
        super().__init__("bf16-mixed", device)

    def convert_input(self, data: Any) -> Any:
        """Return the input as it is."""
        return data
