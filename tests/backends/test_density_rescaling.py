"""Densities of few normal clips; more is tested with the backend band_memory."""

import numpy as np
import pytest

from asdlib.backends.density_rescaling import DensityRescaling


@pytest.mark.parametrize("count", [2, 3, 6])
def test_few_clips_are_all_neighbours_also_where_one_is_left_out(count: int) -> None:
    """Of two clips, neither has a neighbour without the other: their distance stays the unit."""
    clips = np.random.default_rng(0).standard_normal((count + 5, 4))
    distances = np.linalg.norm(clips[:, None] - clips[:count], axis=2)
    between, of_new = distances[:count], distances[count:]
    fitted = DensityRescaling(99, "ratio", log=False).fit(lambda: [between + np.diag(np.full(count, np.inf))])
    np.testing.assert_allclose(fitted(of_new), (of_new / (between.sum(1) / (count - 1))).min(1))
    for row, score in enumerate(fitted.left_out_score_):
        others = np.delete(np.arange(count), row)
        density = between[np.ix_(others, others)].sum(1) / (count - 2) if count > 2 else between[0, 1]
        assert score == pytest.approx((between[row, others] / density).min())
