"""DisMAE's losses; parity with the published code is tested in tests/parity."""

import math

import pytest
import torch

from asdlib.losses.dismae import adaptive_contrast, first_of_each, masked_error, swapped_errors


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_only_removed_patches_are_to_be_reconstructed() -> None:
    guess, patches = rand(2, 4, 3), rand(2, 4, 3, seed=1)
    gone = torch.tensor([[True, False, True, False], [False, False, False, True]])
    changed = torch.where(gone[:, :, None], guess, 7.0)
    error = masked_error(guess, patches, gone)
    assert masked_error(changed, patches, gone) == error
    assert float(error) == pytest.approx(float((guess - patches).square().mean(2)[gone].sum()) / (3 + 1))
    assert masked_error(patches, patches, gone) == 0


def test_errors_within_the_margin_cost_nothing() -> None:
    patches = rand(1, 4, 3)
    gone = torch.tensor([[True, True, False, False]])
    assert swapped_errors(patches + 0.1, patches, gone, margin=0.0101, units=torch.ones(1)) == 0
    # a sum over four patches, over 2 + 1
    beyond = swapped_errors(patches + 0.2, patches, gone, margin=0.01, units=torch.ones(1))
    assert float(beyond) == pytest.approx(4 * 0.03 / 3, rel=1e-5)


def test_errors_are_in_units_of_the_targets_variance() -> None:
    """Quieter pictures give the same errors as standardised ones, clip by clip."""
    guess, patches, contrast = rand(2, 4, 3), rand(2, 4, 3, seed=1), torch.tensor([1.0, 0.16])
    gone = torch.ones(2, 4, dtype=torch.bool)
    expected = swapped_errors(guess, patches, gone, margin=0.01, units=torch.ones(2))
    scale = contrast[:, None, None]
    found = swapped_errors(guess * scale, patches * scale, gone, margin=0.01, units=contrast.square())
    torch.testing.assert_close(found, expected)


def test_the_first_clip_of_a_domain_is_its_anchor() -> None:
    assert first_of_each(torch.tensor([4, 1, 4, 1, 0])).tolist() == [0, 1, 0, 1, 4]


def test_the_term_is_infonce_over_the_anchor_s_domain_weighted_by_its_difficulty() -> None:
    errors, domains = torch.tensor([0.1, 0.5, 0.3, 0.2, 0.6]), torch.tensor([0, 1, 0, 1, 0])
    probabilities = torch.tensor([0.5, 0.01, 1.0, 1.0, 1.0])
    first = -math.log(math.exp(-1) / (math.exp(-1) + math.exp(-3) + math.exp(-6)))
    second = -math.log(math.exp(-5) / (math.exp(-5) + math.exp(-2)))
    expected = first / 0.5 + second / 0.15  # the second is capped
    assert float(adaptive_contrast(errors, domains, probabilities, 0.1)) == pytest.approx(expected, rel=1e-5)


def test_it_falls_when_the_anchor_s_own_token_becomes_the_best() -> None:
    domains, sure = torch.zeros(4, dtype=torch.int64), torch.ones(4)
    good, bad = torch.tensor([0.1, 0.9, 0.9, 0.9]), torch.tensor([0.9, 0.1, 0.9, 0.9])
    assert adaptive_contrast(good, domains, sure, 0.4) < adaptive_contrast(bad, domains, sure, 0.4)


def test_a_domain_of_one_clip_compares_nothing() -> None:
    assert adaptive_contrast(torch.tensor([3.0, 4.0]), torch.tensor([0, 1]), torch.ones(2), 0.4) == 0


def test_only_the_anchors_must_keep_their_place_in_the_batch() -> None:
    errors, domains, sure = rand(6), torch.tensor([0, 0, 0, 1, 1, 1]), rand(6, seed=1)
    mixed = torch.tensor([0, 3, 2, 5, 4, 1])
    expected = adaptive_contrast(errors, domains, sure, 0.4)
    torch.testing.assert_close(adaptive_contrast(errors[mixed], domains[mixed], sure[mixed], 0.4), expected)


def test_gradients_are_finite_and_none_reaches_the_domain_head() -> None:
    errors, sure = rand(5).requires_grad_(), rand(5, seed=1).requires_grad_()
    adaptive_contrast(errors, torch.tensor([0, 1, 0, 2, 1]), sure, 0.4).backward()
    assert torch.isfinite(errors.grad).all()
    assert errors.grad[[0, 1, 2, 4]].all()
    assert sure.grad is None
