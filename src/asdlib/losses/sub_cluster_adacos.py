"""The sub-cluster AdaCos loss: a softmax over cosines to several centres per class, with an adaptive scale.

K. Wilkinghoff, "Sub-cluster AdaCos: learning representations for anomalous sound detection", IJCNN 2021, in the form of
"Self-supervised learning for anomalous sound detection", ICASSP 2024: soft labels and an adaptive scale.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST = 1e-7  # the floor of probabilities; every update also adds it to the scale


class SubClusterAdaCos(nn.Module):
    """Cross-entropy of soft labels (B, classes) against embeddings (B, dimensions).

    `weight` (dimensions, classes · sub_clusters) holds the centres, grouped by class. They are trained if `trainable`
    and otherwise keep their random initial values. The first `scale` is √2 · ln(classes · sub_clusters − 1). If it is
    `adaptive`, every call in training mode updates it before using it; otherwise it stays as it is. The published
    update has no bound: once an embedding is nearer than 45° to a centre, the scale grows from call to call.
    `largest_scale` limits it; None: no limit, as published.
    """

    def __init__(
        self,
        dimensions: int,
        classes: int,
        sub_clusters: int,
        trainable: bool,
        largest_scale: float | None = None,
        adaptive: bool = True,
    ):
        super().__init__()
        self.adaptive = adaptive
        self.largest_scale = largest_scale
        self.classes = classes
        self.sub_clusters = sub_clusters
        weight = nn.init.xavier_uniform_(torch.empty(dimensions, classes * sub_clusters))
        self.weight = nn.Parameter(weight, requires_grad=trainable)
        self.register_buffer("scale", torch.tensor(math.sqrt(2) * math.log(max(2, classes * sub_clusters - 1))))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy, a scalar; no gradient flows through the scale."""
        probabilities = self.probabilities(embeddings, labels)
        return -(labels * probabilities.clamp_min(SMALLEST).log()).sum(1).mean()

    def probabilities(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the probabilities of the classes (B, classes), summed over sub-clusters."""
        cosines = self.cosines(embeddings)
        if self.training and self.adaptive:
            self._update_scale(cosines.detach(), labels)
        shares = (self.scale * cosines).softmax(1)  # (B, classes · sub_clusters)
        return shares.unflatten(1, (self.classes, self.sub_clusters)).sum(2)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Return the cosine of each embedding with each centre, (B, classes · sub_clusters), always in float32."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return functional.normalize(embeddings.float()) @ functional.normalize(self.weight, dim=0)

    @torch.no_grad()
    def _update_scale(self, cosines: Tensor, labels: Tensor) -> None:
        """Set the scale to ln(mean of Σ exp(s·cos)) / cos(θ), θ ≤ π/4 the median angle to a clip's own centres.

        As published, the angle is summed over the sub-clusters of a class: with more than one it always exceeds π/4.
        """
        angles = cosines.clamp(-1, 1).acos().unflatten(1, (self.classes, self.sub_clusters)).sum(2)  # (B, classes)
        own = (labels != 0).sum(1) * (labels * angles).sum(1)
        # The nearest rank instead of the mean of the middle two; round() rounds .5 to the even neighbour.
        median = own.sort().values[round((len(own) - 1) / 2)]
        spread = torch.logsumexp(self.scale * cosines, dim=(0, 1)) - math.log(len(cosines))
        scale = spread / median.clamp_max(math.pi / 4).cos() + SMALLEST
        self.scale.copy_(scale if self.largest_scale is None else scale.clamp_max(self.largest_scale))
