"""The separators a recipe can name by its `kind`.

A separator is an `nn.Module` with
- `loss(mixtures) -> Tensor`: a scalar to minimise over `asdlib.separation.mixtures.Mixtures`, drawn as the recipe's
  `pairs` block says,
- `separate(mixture) -> Tensor`: (B, samples) in [-1, 1] → the machine's sound, same shape and level,
- optionally `metrics(mixtures) -> dict[str, Tensor]`: what is watched on held-out mixtures, one column each of the
  training's log: `si_sdr`, `si_sdr_improvement` in dB.
"""

from asdlib.separators.conv_tasnet import ConvTasNet
from asdlib.separators.sepreformer import SepReformer
from asdlib.separators.tfgridnet import TFGridNet

SEPARATORS: dict[str, type] = {"conv_tasnet": ConvTasNet, "sepreformer": SepReformer, "tfgridnet": TFGridNet}
