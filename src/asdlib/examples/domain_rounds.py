"""Batches that compare clips within their domains: a few domains, equally many clips of each."""

import math

import torch
from torch import Tensor

from asdlib.examples.clips import Batch, Clips


class DomainRounds:
    """Rounds of `domains` different domains with `size` clips each, domain after domain; drawn anew every epoch.

    One example is a whole round. An epoch has about as many clips as there are. Each domain's clips come in shuffled
    order, from the start again when all have been drawn: every domain is shown equally often, however few clips it
    has. Where there are fewer domains than a round asks for, a round has them all.
    """

    regrouped = True

    def __init__(self, clips: Clips, labels: Tensor, domains: int, size: int):
        """Take the clips and their labels (N, …) int64, whose last column is the domain."""
        self._clips = clips
        self._labels = labels
        self._frames, self._target = clips.frames, clips.target
        found = labels[:, -1].unique()
        self._members = {int(domain): (labels[:, -1] == domain).nonzero().squeeze(1) for domain in found}
        self._domains = min(domains, len(found))
        self._size = size
        self._count = max(2, math.ceil(len(labels) / (self._domains * size)))
        self._seed = int(torch.randint(2**31, ()))  # of the run: a resumed training draws the same rounds again
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Draw the rounds of an epoch, (rounds, domains, size) places of clips."""
        draw = torch.Generator().manual_seed(self._seed + epoch)
        known = torch.tensor(list(self._members))
        orders = torch.rand(self._count, len(known), generator=draw).argsort(1)
        chosen = known[orders[:, : self._domains]]  # (rounds, domains)
        self._rounds = torch.empty(*chosen.shape, self._size, dtype=torch.int64)
        for domain, members in self._members.items():
            places = chosen == domain
            stream = _shuffled(members, int(places.sum()) * self._size, draw)
            self._rounds[places] = stream.view(-1, self._size)

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: Tensor) -> Batch:
        """Return the clips of those rounds, (rounds · domains · size) of them."""
        rows = self._rounds[indices].flatten()
        return Batch(self._clips.features[rows], self._frames[rows], self._target[rows], self._labels[rows])


def _shuffled(members: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """Return `count` of the members, (count,): each comes again only after all others have come."""
    times = math.ceil(count / len(members))
    orders = [torch.randperm(len(members), generator=draw) for _ in range(times)]
    return members[torch.cat(orders)[:count]] if orders else members[:0]
