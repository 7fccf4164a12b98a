"""The models a recipe can name by its `kind`.

A model is an `nn.Module` with
- `examples(clips) -> Examples`: what one training example is (`len`, `batch(indices) -> Batch`),
- `loss(batch) -> Tensor`: a scalar to minimise,
- `embed(batch) -> dict[str, Tensor]`: named representations of whole clips, (B, dimensions) each,
and, where it needs them,
- `survey(clips) -> dict` and `grow(facts)`: facts about the training clips (JSON) that decide the network's shape or
  that it must remember, and the layers that depend on them; a restored network grows from the stored facts,
- `start_from(checkpoint)`: how it takes over the weights of the recipe's `init` (default: all of them, strictly),
- `start_from_public(path)`: how it takes over public weights, the recipe's `checkpoint`,
- `parameter_groups() -> list[dict]`: `params` with a `rate`, a factor on the learning rate, or a `weight_decay`,
- `begin_epoch(epoch, epochs)` and `after_step(step, steps)`: schedules and moving averages; a training may resume after
  any epoch, so the first depends on its arguments only and the second keeps its state in buffers,
- `metrics(batch) -> dict[str, Tensor]`: what the log says of watched examples beside their loss,
- `for_machine(machine)`: called before `embed` where a network of many machines treats each in its own way; a clip's
  machine is known, its domain and attributes are not,
- `finish(training, validation, losses) -> dict[str, Tensor]`: one pass in evaluation mode after the last epoch; what it
  returns reaches the backends as `calibration`.
"""

from asdlib.models.acae import Acae
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
from asdlib.models.ssl_fusion import SslFusion

MODELS: dict[str, type] = {
    "acae": Acae,
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
    "ssl_fusion": SslFusion,
}
