"""The ArcFace loss, with an additive angular margin on the true class (Deng et al., CVPR 2019)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LARGEST_COSINE = 1 - 1e-7  # beyond it the angle has no finite gradient


class ArcFace(nn.Module):
    """Cross-entropy of scaled cosines between embeddings (B, dimensions) and one learned direction per class."""

    def __init__(self, dimensions: int, classes: int, scale: float = 30.0, margin: float = 0.5):
        super().__init__()
        self.scale = scale
        self.margin = margin
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(classes, dimensions)))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of embeddings whose classes are `labels` (B,), a scalar."""
        return functional.cross_entropy(self.logits(embeddings, labels), labels)

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return scaled cosines (B, classes), those of the true classes with the margin."""
        cosines = self.cosines(embeddings)
        own = cosines.gather(1, labels[:, None])
        return self.scale * cosines.scatter(1, labels[:, None], with_margin(own, self.margin))

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Return the cosine of each embedding with each class, (B, classes), always in float32."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return functional.linear(functional.normalize(embeddings.float()), functional.normalize(self.weight))


def with_margin(cosines: Tensor, margin: float, easy: bool = False) -> Tensor:
    """Return cos(θ + m); beyond θ = π − m, where it would rise again, a decreasing continuation.

    An `easy` margin applies to angles below π / 2 only; beyond, the cosine is unchanged.
    """
    angles = cosines.clamp(-LARGEST_COSINE, LARGEST_COSINE).acos()
    if easy:
        return torch.where(cosines > 0, (angles + margin).cos(), cosines)
    extension = cosines - margin * math.sin(margin)
    return torch.where(angles < math.pi - margin, (angles + margin).cos(), extension)
