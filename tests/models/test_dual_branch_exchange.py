"""Exchanges keep the sum of the labels and change only exchanged clips; parity is tested in tests/parity."""

import torch

from asdlib.models.dual_branch_exchange import exchange_labels, exchange_rows, exchange_statistics, mixed

GENERATOR = torch.Generator().manual_seed(0)
MAGNITUDES = torch.rand(4, 5, 9, generator=GENERATOR)
LABELS = torch.rand(4, 3, generator=GENERATOR).softmax(1)
EXCHANGED = torch.tensor([True, False, True, False])


def test_who_is_not_mixed_stays_and_labels_stay_shares() -> None:
    share = torch.tensor([1.0, 0.25, 0.5, 1.0])
    result = mixed(MAGNITUDES, share)
    assert torch.equal(result[[0, 3]], MAGNITUDES[[0, 3]])
    torch.testing.assert_close(result[1], 0.25 * MAGNITUDES[1] + 0.75 * MAGNITUDES[2])
    torch.testing.assert_close(mixed(LABELS, share).sum(1), torch.ones(4))


def test_exchanged_frames_have_the_partners_mean_and_deviation() -> None:
    result = exchange_statistics(MAGNITUDES, EXCHANGED)
    assert torch.equal(result[~EXCHANGED], MAGNITUDES[~EXCHANGED])
    for statistic in (torch.mean, lambda frames, axis: torch.std(frames, axis, correction=0)):
        torch.testing.assert_close(statistic(result[0], 1), statistic(MAGNITUDES[3], 1))
        torch.testing.assert_close(statistic(result[2], 1), statistic(MAGNITUDES[1], 1))


def test_silence_has_statistics_to_exchange() -> None:
    silent = torch.cat([torch.zeros(1, 5, 9), MAGNITUDES[1:]])
    assert torch.isfinite(exchange_statistics(silent, torch.ones(4, dtype=torch.bool))).all()


def test_embeddings_come_from_the_reversed_batch() -> None:
    rows = torch.arange(8.0).view(4, 2)
    assert exchange_rows(rows, EXCHANGED)[:, 0].tolist() == [6.0, 2.0, 2.0, 6.0]


def test_an_exchange_is_a_class_of_its_own() -> None:
    wide = exchange_labels(LABELS, EXCHANGED)
    assert wide.shape == (4, 9)
    torch.testing.assert_close(wide.sum(1), torch.ones(4))
    assert torch.equal(wide[1], torch.cat([LABELS[1], torch.zeros(6)]))
    assert torch.equal(wide[0], torch.cat([torch.zeros(3), LABELS[0] / 2, LABELS[3] / 2]))
