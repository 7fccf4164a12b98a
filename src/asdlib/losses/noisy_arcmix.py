"""The Noisy-ArcMix loss, with an additive angular margin on one of the two classes of a mixed input.

S. Choi and J.-W. Choi, "Noisy-ArcMix: additive noisy angular margin loss combined with mixup for anomalous sound
detection", ICASSP 2024.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.losses.arcface import with_margin


class NoisyArcMix(nn.Module):
    """Cross-entropy of embeddings (B, dimensions) of mixed inputs, for both classes of each input.

    `weight` (classes · centres, dimensions) holds the centres, grouped by class. Only the nearest centre of a class
    counts. An `easy_margin` applies to angles below π / 2 only. No recipe sets `centres` and `easy_margin`, which
    are for the reference outputs.
    """

    def __init__(
        self,
        dimensions: int,
        classes: int,
        scale: float = 30.0,
        margin: float = 0.7,
        centres: int = 1,
        easy_margin: bool = False,
    ):
        super().__init__()
        self.easy_margin = easy_margin
        self.scale = scale
        self.margin = margin
        self.centres = centres
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(classes * centres, dimensions)))

    def forward(self, embeddings: Tensor, labels: Tensor, partners: Tensor, share: Tensor) -> Tensor:
        """Return share · CE(labels) + (1 − share) · CE(partners), a scalar.

        Both terms use the same logits, in which the partner's class has no margin: this is the "noisy" part.
        """
        logits = self.logits(embeddings, labels)
        mixed = [functional.cross_entropy(logits, classes) for classes in (labels, partners)]
        return share * mixed[0] + (1 - share) * mixed[1]

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return scaled cosines (B, classes), with the margin on those of the labels."""
        cosines = self.cosines(embeddings)
        own = cosines.gather(1, labels[:, None])
        return self.scale * cosines.scatter(1, labels[:, None], with_margin(own, self.margin, self.easy_margin))

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Return the cosine of each embedding with each class's nearest centre, (B, classes), always in float32."""
        with torch.autocast(embeddings.device.type, enabled=False):
            cosines = functional.linear(functional.normalize(embeddings.float()), functional.normalize(self.weight))
        return cosines.unflatten(1, (-1, self.centres)).amax(2)
