"""The figures of one or several sections by an official definition, in percent, with their jackknife intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asdlib.errors import AsdError
from asdlib.evaluation.figures import Definition
from asdlib.evaluation.jackknife import half_widths, leave_one_out_figures
from asdlib.evaluation.metrics import mean_of, section_areas
from asdlib.evaluation.score_table import bounds


@dataclass(frozen=True)
class Figures:
    """F figures in percent; NaN if they are unknown."""

    values: np.ndarray  # (F,)
    left_out: np.ndarray  # (N, F): the values without each of the N clips

    def cells(self, definition: Definition) -> dict[str, float]:
        """Return the figures and the ends of their 95 % intervals by column.

        An interval ends at 0 and 100. It has no ends if leaving out a clip leaves a figure without clips to compare.
        """
        named = dict(zip(definition.figures, self.values.tolist(), strict=True))
        for (figure, value), width in zip(list(named.items()), half_widths(self.left_out), strict=True):
            # A comparison with NaN is false, so min and max would return the limit.
            ends = [math.nan] * 2 if math.isnan(width) else [max(value - width, 0.0), min(value + width, 100.0)]
            named |= dict(zip(bounds(figure), ends, strict=True))
        return named


def figures_of(sections: Sequence[pd.DataFrame], definition: Definition) -> Figures:
    """Return the figures of sections of scored clips: each area's mean over the sections, and the score.

    Raises AsdError if a label, or a domain that the definition needs, is unknown, or as `section_areas` does.
    """
    known = ["label", "domain"] if definition.needs_domains else ["label"]
    if any(clips[known].isna().any(axis=None) for clips in sections):
        missing = "test clips without label or domain" if definition.needs_domains else "test clips without label"
        raise AsdError(f"{missing}: add a ground_truth.csv, or set ground_truth: true")
    arrays = [
        ((clips["label"] == "anomaly").astype(int), clips["domain"], clips["anomaly_score"]) for clips in sections
    ]
    areas = np.array([section_areas(definition, *clips) for clips in arrays])
    values = [*(mean_of(definition, column) for column in areas.T), mean_of(definition, areas)]
    return Figures(100 * np.array(values), 100 * leave_one_out_figures(definition, arrays))


def unknown_figures(definition: Definition) -> Figures:
    """Return the figures of clips without labels."""
    missing = np.full((2, len(definition.figures)), math.nan)
    return Figures(missing[0], missing)


def mean_figures(seeds: Sequence[Figures]) -> Figures:
    """Return the mean over seeds that have scored the same clips; a clip that is left out is left out of all."""
    return Figures(
        np.mean([figures.values for figures in seeds], axis=0), np.mean([figures.left_out for figures in seeds], axis=0)
    )
