"""Parity with the published mixup, statistics exchange and feature exchange, with the golden's random draws."""

from typing import Any

import torch
from helpers.golden import OURS, Golden
from helpers.second_golden import Tensors, goldens, repeat
from torch import Tensor

from asdlib.models.dual_branch_exchange import exchange_labels, exchange_rows, exchange_statistics, mixed


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Repeat the batch; reversing it still gives each clip the same partner."""
    repeat(io, list(io))
    config["hyperparameters"]["batch"] *= 2


case = goldens("mixup_statex_featex", second=second)


def same(case: Golden, name: str, ours: Tensor) -> None:
    torch.testing.assert_close(ours, case.io[name], **case.tolerance)


def drawn(case: Golden, kind: str) -> Tensor:
    """Return whether each clip's draw is below the probability.

    If it is, mixup applies to the clip, but the exchange of statistics or embeddings does not.
    """
    return case.io[f"u_{kind}_decision"] < case.sizes[f"{kind}_prob"]


def test_mixup(case: Golden) -> None:
    share = torch.where(drawn(case, "mixup"), case.io["u_mixup_lambda"], 1.0)
    same(case, "mixup_waveform", mixed(case.io["waveform"], share))
    same(case, "mixup_labels", mixed(case.io["labels"], share))


def test_statistics_exchange(case: Golden) -> None:
    exchanged = ~drawn(case, "statex")
    same(case, "statex_spectrogram", exchange_statistics(case.io["spectrogram"][..., 0], exchanged)[..., None])
    same(case, "statex_labels", exchange_labels(case.io["mixup_labels"], exchanged))


def test_feature_exchange(case: Golden) -> None:
    exchanged = ~drawn(case, "featex")
    same(case, "featex_embedding_spectrogram", exchange_rows(case.io["embedding_spectrogram"], exchanged))
    same(case, "featex_embedding_spectrum", case.io["embedding_spectrum"])
    same(case, "featex_labels", exchange_labels(case.io["statex_labels"], exchanged))


def test_in_our_golden_some_of_each_are_exchanged_and_some_are_not() -> None:
    """Else the tests above would say nothing of one of the two."""
    ours = Golden.read(OURS / "mixup_statex_featex")
    for kind in ("mixup", "statex", "featex"):
        chosen = drawn(ours, kind)
        assert 0 < chosen.sum() < len(chosen), kind
