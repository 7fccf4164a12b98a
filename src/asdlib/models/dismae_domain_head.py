"""The domain head of DisMAE: a classifier that is trained alongside the network without affecting it."""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional


class DomainHead(nn.Sequential):
    """Classifies tokens (B, width) by domain: Linear, ReLU, Linear → (B, domains).

    The network's optimiser does not train it. It has a stochastic gradient descent of its own: `observe` collects
    gradients and `step` takes one step with their mean. The momentum is kept in buffers, so that a resumed training
    gives the same result.
    """

    def __init__(self, width: int, domains: int, rate: float, momentum: float, weight_decay: float):
        super().__init__(nn.Linear(width, 3 * width), nn.ReLU(), nn.Linear(3 * width, domains))
        self.rate, self.momentum, self.weight_decay = rate, momentum, weight_decay
        self.requires_grad_(False)
        self._observed: list[dict[str, Tensor]] = []
        self._seen: list[Tensor] = []  # the cross-entropy and the accuracy of each training batch
        for name, weight in list(self.named_parameters()):
            self.register_buffer(_velocity(name), torch.zeros_like(weight))

    def probability(self, tokens: Tensor, domains: Tensor) -> Tensor:
        """Return the probability of each token's own domain, (B,), without a gradient."""
        with torch.no_grad():
            logits = self(tokens).float()
            if self.training:
                hits = (logits.argmax(1) == domains).float().mean()
                self._seen.append(torch.stack([functional.cross_entropy(logits, domains), hits]))
            return logits.softmax(1).gather(1, domains[:, None]).squeeze(1)

    def measured(self) -> dict[str, float]:
        """Return the mean cross-entropy and accuracy in training since the last call."""
        if not self._seen:
            return {}
        loss, accuracy = torch.stack(self._seen).mean(0).tolist()
        self._seen.clear()
        return {"domain_head": loss, "domain_head_accuracy": accuracy}

    def epoch_state(self) -> list[Tensor]:
        """Return what `measured` needs of an epoch that is under way."""
        return [one.cpu() for one in self._seen]

    def restore_epoch(self, state: list[Tensor]) -> None:
        """Continue an epoch whose state `epoch_state` returned."""
        self._seen = [one.to(self[0].weight.device) for one in state]

    def observe(self, tokens: Tensor, domains: Tensor) -> None:
        """Store the gradient of the cross-entropy of one batch until the next `step`."""
        with torch.enable_grad():
            weights = {name: weight.detach().requires_grad_() for name, weight in self.named_parameters()}
            loss = functional.cross_entropy(functional_call(self, weights, tokens.detach()), domains)
            gradients = torch.autograd.grad(loss, list(weights.values()))
        self._observed.append(dict(zip(weights, gradients, strict=True)))

    @torch.no_grad()
    def step(self) -> None:
        """Update the weights with the mean of the stored gradients of all processes, if there are any."""
        for name, weight in self.named_parameters():
            gradients = [observed[name] for observed in self._observed]
            if gradients:
                velocity = self.get_buffer(_velocity(name))
                mean = _mean_of_all(torch.stack(gradients).mean(0))
                velocity.mul_(self.momentum).add_(mean).add_(weight, alpha=self.weight_decay)
                weight.sub_(velocity, alpha=self.rate)
        self._observed.clear()


def _mean_of_all(gradient: Tensor) -> Tensor:
    """Return the mean of a gradient over the processes of a training, which otherwise exchange only the network's."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(gradient)
        gradient /= torch.distributed.get_world_size()
    return gradient


def _velocity(name: str) -> str:
    return f"velocity_{name.replace('.', '_')}"
