"""The losses of the disentangled masked autoencoder (Zhang et al., ECCV 2024)."""

import torch
from torch import Tensor
from torch.nn import functional

LEAST_PROBABILITY = 0.15  # an anchor weighs 1 / 0.15 at most


def masked_error(guess: Tensor, patches: Tensor, removed: Tensor) -> Tensor:
    """Return the mean squared error of the removed patches of a whole batch.

    `guess` and `patches` are (B, patches, pixels), `removed` (B, patches) bool. Divided by one more than there are
    removed patches, as published.
    """
    errors = (guess - patches).square().mean(2)
    return (errors * removed).sum() / (removed.sum() + 1)


def swapped_errors(guess: Tensor, patches: Tensor, removed: Tensor, margin: float) -> Tensor:
    """Return how badly each clip was reconstructed with another's variation token, (B,).

    What squared errors exceed `margin` by, summed over all patches and not only the removed ones, padding included, but
    divided by one more than there are removed ones, as published.
    """
    excess = ((guess - patches).square() - margin).clamp_min(0).mean(2)
    return excess.sum(1) / (removed.sum(1) + 1)


def first_of_each(domains: Tensor) -> Tensor:
    """Return for each clip of a batch the place of the first clip of its domain, (B,): the domain's anchor."""
    return (domains[:, None] == domains).int().argmax(1)


def adaptive_contrast(errors: Tensor, domains: Tensor, probabilities: Tensor, temperature: float) -> Tensor:
    """Return the adaptive contrastive loss: an InfoNCE term for each domain's anchor, summed over the domains.

    `errors` (B,) say how well each clip's variation token reconstructs the anchor of its domain: the anchor's own
    token should do it best. `probabilities` (B,) are those that the domain head gives each clip's own domain: an
    anchor that is hard to place weighs more. No gradient reaches the head.
    """
    members = domains[:, None] == domains
    likelihoods = (-errors / temperature).expand_as(members).masked_fill(~members, -torch.inf)
    own = functional.log_softmax(likelihoods, dim=1).diagonal()
    anchors = first_of_each(domains) == torch.arange(len(domains), device=domains.device)
    weights = anchors / probabilities.detach().clamp_min(LEAST_PROBABILITY)
    return -(own * weights).sum()
