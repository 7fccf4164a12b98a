"""Lightning Fabric without a detour.

On import Fabric asks for the version of torchmetrics by importing it, and that brings half of the Python world along:
two seconds at the start of every training. Nothing that we use needs it, so it is out of sight meanwhile.
"""

import sys

_hidden = "torchmetrics" not in sys.modules
if _hidden:
    sys.modules["torchmetrics"] = None  # type: ignore[assignment]  # an import now raises ModuleNotFoundError

from lightning_fabric import Fabric  # noqa: E402
from lightning_fabric.plugins import MixedPrecision  # noqa: E402
from lightning_fabric.plugins.environments import LightningEnvironment  # noqa: E402

if _hidden:
    del sys.modules["torchmetrics"]

__all__ = ["Fabric", "LightningEnvironment", "MixedPrecision"]
