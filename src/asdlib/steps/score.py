"""Fit a variant's backends on a machine's normal training clips and score its test clips."""

import logging
from pathlib import Path

from asdlib.errors import TooFewClipsError
from asdlib.scoring.fitted_variant import file_names, fit_variant, read_views
from asdlib.scoring.score_files import write_decisions, write_scores
from asdlib.scoring.settings import ScoreSettings
from asdlib.scoring.training_scores import (
    TrainingScores,
    training_scores_path,
    write_refusal,
    write_training_scores,
)

_log = logging.getLogger(__name__)
_notice = logging.getLogger("asdlib.notice")  # also shown on stderr


def score(embeddings: list[Path], machine: str, folder: Path, settings: ScoreSettings) -> None:
    """Write `anomaly_score_…`, `decision_result_…` and `training_score_…` of one machine and section into `folder`.

    `embeddings` are ordered by branch and view. The scores are averaged over the views of each branch, then fused over
    the branches. A clip is called anomalous if its score exceeds the threshold (`fit_variant`). `training_score_…`
    (JSON) contains the threshold and the scores of the training clips. If there are too few clips for a backend, or for
    a training that comes before it, it says so, and the other files are empty: other machines and variants are
    tabulated all the same.
    """
    section = settings.section
    path = training_scores_path(folder, machine, section)
    try:
        clips, views = read_views(embeddings, "test", section)
        fitted = fit_variant(embeddings, settings)
    except TooFewClipsError as error:
        _notice.warning("%s, section %s: not scored (column note of scores.csv): %s", machine, section, error)
        write_scores(folder, machine, section, [])
        write_decisions(folder, machine, section, [])
        write_refusal(path, str(error))
        return
    scores = fitted.anomaly_score(clips, views)
    names = file_names(clips)
    _log.info("%s: %d clips, threshold %.6g", machine, len(names), fitted.threshold)
    write_scores(folder, machine, section, zip(names, scores.tolist(), strict=True))
    decisions = (scores > fitted.threshold).tolist()
    write_decisions(folder, machine, section, zip(names, decisions, strict=True))
    columns = (file_names(fitted.clips), fitted.clips.column("domain").to_pylist(), fitted.train_score.tolist())
    write_training_scores(path, TrainingScores(fitted.threshold, fitted.quantile, *columns))
