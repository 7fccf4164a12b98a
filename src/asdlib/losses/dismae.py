"""The losses of the disentangled masked autoencoder (Zhang et al., ECCV 2024)."""

import torch
from torch import Tensor
from torch.nn import functional

LEAST_PROBABILITY = 0.15  # an anchor weighs 1 / 0.15 at most


def masked_error(guess: Tensor, patches: Tensor, removed: Tensor) -> Tensor:
    """Return the mean squared error of the removed patches of a whole batch.

    `guess` and `patches` are (B, patches, pixels), `removed` is (B, patches) bool. As published, the sum is divided by
    the number of removed patches plus one.
    """
    errors = (guess - patches).square().mean(2)
    return (errors * removed).sum() / (removed.sum() + 1)


def swapped_errors(guess: Tensor, patches: Tensor, removed: Tensor, margin: float, units: Tensor) -> Tensor:
    """Return the error of each clip's reconstruction with another clip's variation token, (B,).

    Squared errors are in units of `units` (B,); only what exceeds `margin` counts. As published, it is summed over all
    patches, including padding and patches that were not removed, but divided by the number of removed patches plus one.
    """
    relative = (guess - patches).square() / units[:, None, None]
    excess = (relative - margin).clamp_min(0).mean(2)
    return excess.sum(1) / (removed.sum(1) + 1)


def first_of_each(domains: Tensor) -> Tensor:
    """Return for each clip of a batch the index of its domain's anchor, which is the domain's first clip, (B,)."""
    return (domains[:, None] == domains).int().argmax(1)


def adaptive_contrast(errors: Tensor, domains: Tensor, probabilities: Tensor, temperature: float) -> Tensor:
    """Return the adaptive contrastive loss: an InfoNCE term for each domain's anchor, summed over the domains.

    `errors` (B,) are the errors of reconstructing the anchor of a clip's domain with the clip's variation token: that
    of the anchor's own token should be the smallest. `probabilities` (B,) are the domain head's, of each clip's own
    domain: an anchor that is hard to classify has more weight. No gradient reaches the head.
    """
    members = domains[:, None] == domains
    likelihoods = (-errors / temperature).expand_as(members).masked_fill(~members, -torch.inf)
    own = functional.log_softmax(likelihoods, dim=1).diagonal()
    anchors = first_of_each(domains) == torch.arange(len(domains), device=domains.device)
    weights = anchors / probabilities.detach().clamp_min(LEAST_PROBABILITY)
    return -(own * weights).sum()
