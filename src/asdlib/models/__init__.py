"""The registry of models, by the `kind` of a recipe.

A model is an `nn.Module` with the methods
- `examples(clips) -> Examples`: the training examples (`len`, `batch(indices) -> Batch`),
- `loss(batch) -> Tensor`: the scalar to minimise,
- `embed(batch) -> dict[str, Tensor]`: named representations of whole clips, (B, dimensions) each, or
  (B, bands, dimensions).

A class with the attribute `trained = False` is not trained and needs only `embed`: its recipes have no `training`, and
`embed` builds it from the recipe and the file of public weights, if the recipe names one. With `uses_gpu = False`,
`embed` asks for no GPU. With `takes_labels = True`, a recipe may name a labeller, and the training clips then have the
column `cluster` (asdlib.examples.pseudo_labels). All three are read as text and have to stand in the body of the class.

It can also have
- `terms(batch) -> dict[str, Tensor]`: the weighted terms whose sum is the loss. The log of the training then has each
  term, and its share of the gradient,
- `epoch_metrics() -> dict[str, float]`: figures of the epoch that has just ended, for the log of the training; with
  several devices they are of the first one's part,
- `epoch_state()` and `restore_epoch(state)`, also of a layer: what an epoch has gathered besides weights and buffers,
  such as what `epoch_metrics` needs (tensors, numbers, lists); a training can resume in the middle of an epoch,
- `survey(clips) -> dict` and `grow(facts)`: `survey` returns facts about the training clips (JSON) on which the
  network's layers depend, or which it must remember; `grow` builds these layers. A restored network grows from the
  stored facts,
- `divisible = True`: the loss is the mean over the examples of a batch, so that a GPU may compute the batch in parts
  (asdlib.training.micro_batches); without it, or with batch norm, a recipe with `micro_batch` is refused,
- `frozen_part(batch) -> Tensor | None`: the outputs (B, width) of a frozen part that `loss` accepts as features. They
  are computed once for a whole training (asdlib.training.frozen); None if that part is trained,
- `finishes_with_each_once = True`: the training batches of `finish` have every example once, in any order, also where
  `steps_per_epoch` gives an epoch some twice; without it, they are those of the last epoch,
- `start_from(checkpoint)`: loads the weights of the recipe's `init` (default: all of them, strictly),
- `start_from_public(path)`: loads public weights, the recipe's `checkpoint`,
- `parameter_groups() -> list[dict]`: `params` with a `rate`, a factor on the learning rate, or a `weight_decay`,
- `begin_epoch(epoch, epochs)` and `after_step(step, steps)`: schedules and moving averages. A training can resume after
  any step, so the first must depend only on its arguments and the second must keep its state in buffers. With
  `after_step` or `epoch_state`, a training cannot use `cuda_graph`,
- `metrics(batch) -> dict[str, Tensor]`: figures of the validation examples for the log, in addition to the loss,
- `for_machine(machine)`: called before `embed`, for a joint network that treats machines differently. The machine of a
  clip is known, its domain and attributes are not,
- `least_frames(**arguments) -> int`, a static method: the frames of real samples that a clip needs (default: 1),
- `refuse(clips, **arguments)`, a static method: raises AsdError if a model with these arguments cannot be trained on
  the clips, judging by their metadata and the shape of the features. `asdlib check` asks it before any run,
- `finish(training, validation, losses) -> dict[str, Tensor]`: one pass in evaluation mode after the last epoch; its
  result is passed to the backends as `calibration`.
"""

from asdlib.models.acae import Acae
from asdlib.models.adapted_beats import AdaptedBeats
from asdlib.models.audiomae_adaptation import AudioMaeAdaptation
from asdlib.models.audiomae_classifier import AudioMaeClassifier
from asdlib.models.beats_classifier import BeatsClassifier
from asdlib.models.conditional_autoencoder import ConditionalAutoencoder
from asdlib.models.conditional_dense_autoencoder import ConditionalDenseAutoencoder
from asdlib.models.dense_autoencoder import DenseAutoencoder
from asdlib.models.dismae import Dismae
from asdlib.models.dual_branch_cnn import DualBranchCnn
from asdlib.models.eat import Eat
from asdlib.models.eat_classifier import EatClassifier
from asdlib.models.feature_parts import FeatureParts
from asdlib.models.frozen_encoder import FrozenEncoder
from asdlib.models.ssl_fusion import SslFusion

MODELS: dict[str, type] = {
    "acae": Acae,
    "adapted_beats": AdaptedBeats,
    "audiomae_adaptation": AudioMaeAdaptation,
    "audiomae_classifier": AudioMaeClassifier,
    "beats_classifier": BeatsClassifier,
    "conditional_autoencoder": ConditionalAutoencoder,
    "conditional_dense_autoencoder": ConditionalDenseAutoencoder,
    "dense_autoencoder": DenseAutoencoder,
    "dismae": Dismae,
    "dual_branch_cnn": DualBranchCnn,
    "eat": Eat,
    "eat_classifier": EatClassifier,
    "feature_parts": FeatureParts,
    "frozen_encoder": FrozenEncoder,
    "ssl_fusion": SslFusion,
}
