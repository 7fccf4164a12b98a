"""The figures of one or several sections by an official definition, in percent, with their jackknife intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from asdlib.errors import AsdError
from asdlib.evaluation.figures import DECISION_FIGURES, MEAN_OF, Area, Definition
from asdlib.evaluation.jackknife import half_widths, leave_one_out_figures, leave_one_recording_out_figures
from asdlib.evaluation.metrics import areas_to_compute, mean_of, precision_recall_f1, section_areas
from asdlib.evaluation.score_table import bounds

UNKNOWN = dict.fromkeys(DECISION_FIGURES, math.nan)


@dataclass(frozen=True)
class Figures:
    """The F columns `shown` of a definition, in percent; NaN if they are unknown.

    `areas` are the columns that the score is the mean of, separated by spaces: all of the definition, or those for
    which there are clips.
    """

    values: np.ndarray  # (F,)
    left_out: np.ndarray  # (N, F): the values without each of the N clips, or recordings that clips are pieces of
    areas: str

    def cells(self, definition: Definition) -> dict[str, float | str]:
        """Return the figures, the ends of their 95 % intervals, and the areas of the score, by column.

        An interval ends at 0 and 100. It has no ends if leaving out a clip leaves a figure without clips to compare.
        """
        named = dict(zip(definition.shown, self.values.tolist(), strict=True))
        for (figure, value), width in zip(list(named.items()), half_widths(self.left_out), strict=True):
            # A comparison with NaN is false, so min and max would return the limit.
            ends = [math.nan] * 2 if math.isnan(width) else [max(value - width, 0.0), min(value + width, 100.0)]
            named |= dict(zip(bounds(figure), ends, strict=True))
        return named | {MEAN_OF: self.areas}


def labelled(clips: pd.DataFrame) -> pd.DataFrame:
    """Return the clips whose label is known."""
    return clips[clips["label"].notna()]


def figures_of(sections: Sequence[pd.DataFrame], definition: Definition) -> Figures:
    """Return the figures of the labelled clips of sections: each area's mean over the sections, and the score.

    If an area has no clips in a section, as the AUC of the target domain without such clips, it is NaN, and the score
    is the mean of the others. If clips are pieces of recordings (`file`), intervals are those of the recordings. Raises
    AsdError if a section has no labelled normal clip or no anomaly.
    """
    sections = [labelled(clips) for clips in sections]
    arrays = [
        ((clips["label"] == "anomaly").astype(int), clips["domain"], clips["anomaly_score"]) for clips in sections
    ]
    files = [clips["file"] for clips in sections] if any(map(_in_pieces, sections)) else None
    for labels, *_ in arrays:
        if labels.nunique() < 2:
            raise AsdError(
                "no test clips with both labels: label them as their layout does (docs/own_data.md); for a dataset of "
                "the challenge, set ground_truth: true"
            )
    scored = areas_to_compute(definition, [(labels, domains) for labels, domains, _ in arrays])
    columns = _columns(replace(definition, areas=scored), arrays, files)
    if definition.others:
        others = _columns(replace(definition, areas=definition.others), arrays, files)
        columns |= {name: others[name] for name in others if name not in columns}
    missing = math.nan, np.full(sum(clips.nunique() for clips in files) if files else sum(map(len, sections)), math.nan)
    values, left_out = zip(*(columns.get(name, missing) for name in definition.shown), strict=True)
    return Figures(np.array(values), np.stack(left_out, axis=1), _names(scored))


def _in_pieces(clips: pd.DataFrame) -> bool:
    return "file" in clips and clips["file"].duplicated().any()


def _columns(
    definition: Definition, arrays: list[tuple], files: list[pd.Series] | None
) -> dict[str, tuple[float, np.ndarray]]:
    """Return {column: the figure, and its values without each clip, or each file} of a definition, in percent."""
    areas = np.array([section_areas(definition, *clips) for clips in arrays])
    values = [*(mean_of(definition, column) for column in areas.T), mean_of(definition, areas)]
    if files is None:
        left_out = leave_one_out_figures(definition, arrays)
    else:
        left_out = leave_one_recording_out_figures(definition, arrays, files)
    return {
        name: (100 * value, 100 * column)
        for name, value, column in zip(definition.figures, values, left_out.T, strict=True)
    }


def _names(areas: Sequence[Area]) -> str:
    return " ".join(area.column for area in areas)


def unknown_figures(definition: Definition) -> Figures:
    """Return the figures of clips without labels."""
    missing = np.full((2, len(definition.shown)), math.nan)
    return Figures(missing[0], missing, "")


def mean_figures(seeds: Sequence[Figures]) -> Figures:
    """Return the mean over seeds that have scored the same clips; a clip that is left out is left out of all."""
    return Figures(
        np.mean([figures.values for figures in seeds], axis=0),
        np.mean([figures.left_out for figures in seeds], axis=0),
        seeds[0].areas,
    )


def decision_figures(clips: pd.DataFrame) -> dict[str, float]:
    """Return what the threshold does to the labelled clips of a section, in percent; NaN without clips of a label.

    `false_alarms` is the share of the normal clips that are called anomalous, `recall` that of the anomalies.
    """
    known = labelled(clips)
    anomalous, decisions = (known["label"] == "anomaly").astype(int), known["decision"].astype(int)
    figures = dict(UNKNOWN)
    if not anomalous.all():
        figures["false_alarms"] = 100 * float(decisions[anomalous == 0].mean())
    if anomalous.nunique() == 2:
        found = precision_recall_f1(anomalous, decisions)
        figures |= {name: 100 * getattr(found, name) for name in ("recall", "precision", "f1")}
    return figures
