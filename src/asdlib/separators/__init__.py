"""The registry of separators, by the `kind` of a recipe.

A separator is an `asdlib.separation.separator.Separator` with these methods:
- `loss(mixtures) -> Tensor`: the scalar to minimise, for `asdlib.separation.mixtures.Mixtures` that are drawn according
  to the recipe's `pairs` block;
- `separate(mixture) -> Tensor`: (B, samples) in [-1, 1] → the machine's sound, with the same shape and level;
- optionally `metrics(mixtures) -> dict[str, Tensor]`: the metrics of held-out mixtures, such as `si_sdr` and
  `si_sdr_improvement` in dB. Each is a column of the training's log.

From `Separator` it inherits `finish`, which measures `separate` on the held-out mixtures after training. If these are
worse separated than as they are, the clips pass unchanged.
"""

from asdlib.separators.conv_tasnet import ConvTasNet
from asdlib.separators.sepreformer import SepReformer
from asdlib.separators.tfgridnet import TFGridNet

SEPARATORS: dict[str, type] = {"conv_tasnet": ConvTasNet, "sepreformer": SepReformer, "tfgridnet": TFGridNet}
