"""Training examples in rounds: a few domains, with the same number of clips of each."""

import math

import torch
from torch import Tensor

from asdlib.examples.clips import Batch, Clips, take


class DomainRounds:
    """Rounds of `domains` different domains with `size` clips each, grouped by domain and redrawn every epoch.

    An example is a whole round. An epoch has about as many clips as the training set. Each domain's clips are drawn in
    shuffled order and repeated when all have been drawn, so that every domain is shown equally often, even with few
    clips. If there are fewer than `domains` domains, every round has all of them.
    """

    regrouped = True

    def __init__(self, clips: Clips, labels: Tensor, domains: int, size: int):
        """Draw rounds of `clips`; the last column of their `labels` (N, …) int64 is the domain."""
        self.features = clips.features
        self._labels = labels
        self._frames, self._target = clips.frames, clips.target
        found = labels[:, -1].unique()
        self._members = {int(domain): (labels[:, -1] == domain).nonzero().squeeze(1) for domain in found}
        self._domains = min(domains, len(found))
        self._size = size
        self._count = max(2, math.ceil(len(labels) / (self._domains * size)))
        self._seed = int(torch.randint(2**31, ()))  # of the run, so that a resumed training draws the same rounds
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Draw the rounds of an epoch: clip indices (rounds, domains, size)."""
        draw = torch.Generator().manual_seed(self._seed + epoch)
        known = torch.tensor(list(self._members))
        orders = torch.rand(self._count, len(known), generator=draw).argsort(1)
        chosen = known[orders[:, : self._domains]]  # (rounds, domains)
        self._rounds = torch.empty(*chosen.shape, self._size, dtype=torch.int64)
        for domain, members in self._members.items():
            used = chosen == domain
            stream = _shuffled(members, int(used.sum()) * self._size, draw)
            self._rounds[used] = stream.view(-1, self._size)

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: Tensor) -> Batch:
        """Return the clips of the rounds with these indices, (rounds · domains · size, …)."""
        rows = self._rounds[indices].flatten()
        return Batch(take(self.features, rows), self._frames[rows], self._target[rows], self._labels[rows])


def _shuffled(members: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """Return `count` members in random order, (count,); none is repeated before all have been drawn."""
    times = math.ceil(count / len(members))
    orders = [torch.randperm(len(members), generator=draw) for _ in range(times)]
    return members[torch.cat(orders)[:count]] if orders else members[:0]
