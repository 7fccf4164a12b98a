"""The registry of separators, by the `kind` of a recipe.

A separator is an `asdlib.separation.separator.Separator` with these methods:
- `loss(mixtures) -> Tensor`: the scalar to minimise, for `asdlib.separation.mixtures.Mixtures` that are drawn according
  to the recipe's `pairs` block;
- `separate(mixture) -> Tensor`: (B, samples) in [-1, 1] → the machine's sound, with the same shape and level;
- optionally `metrics(mixtures) -> dict[str, Tensor]`: the metrics of held-out mixtures, such as `si_sdr` and
  `si_sdr_improvement` in dB. Each is a column of the training's log;
- optionally `divisible = True`: the loss is the mean over the mixtures of a batch, so that a GPU may compute the batch
  in parts (`micro_batch`, asdlib.training.micro_batches).

From `Separator` it inherits `finish`, which measures `separate` on the held-out mixtures after training. If these are
worse separated than as they are, the clips pass unchanged.

A separator with `subtract` in place of these is not trained, and its recipe has neither `training` nor `pairs`. It
compares the recordings of two microphones: `subtract(near, far) -> Tensor`, (samples,) each, returns what is left of
the near one, at its level.
"""

from asdlib.separators.conv_tasnet import ConvTasNet
from asdlib.separators.far_subtraction import FarSubtraction
from asdlib.separators.sepreformer import SepReformer
from asdlib.separators.tfgridnet import TFGridNet

SEPARATORS: dict[str, type] = {
    "conv_tasnet": ConvTasNet,
    "far_subtraction": FarSubtraction,
    "sepreformer": SepReformer,
    "tfgridnet": TFGridNet,
}
