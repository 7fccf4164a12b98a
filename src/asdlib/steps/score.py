"""Fit a variant's backends on a machine's normal training clips and score its test clips."""

import logging
from pathlib import Path

from asdlib.scoring.fitted_variant import file_names, fit_variant, read_views
from asdlib.scoring.score_files import write_decisions, write_scores
from asdlib.scoring.settings import ScoreSettings
from asdlib.scoring.training_scores import TrainingScores, write_training_scores

_log = logging.getLogger(__name__)


def score(embeddings: list[Path], machine: str, folder: Path, settings: ScoreSettings) -> None:
    """Write `anomaly_score_…`, `decision_result_…` and `training_score_…` of one machine and section into `folder`.

    `embeddings` are ordered by branch and view. The scores are averaged over the views of each branch, then over the
    branches. A clip is called anomalous if its score exceeds the threshold. The threshold is that of the backend, if
    there is only one and it defines one; otherwise it is a quantile of a gamma distribution that is fitted to the
    scores of the training clips. `training_score_…` (JSON) contains the threshold and these scores.
    """
    section = settings.section
    clips, views = read_views(embeddings, "test", section)
    fitted = fit_variant(embeddings, settings)
    scores = fitted.anomaly_score(clips, views)
    names = file_names(clips)
    _log.info("%s: %d clips, threshold %.6g", machine, len(names), fitted.threshold)
    write_scores(folder, machine, section, zip(names, scores.tolist(), strict=True))
    decisions = (scores > fitted.threshold).tolist()
    write_decisions(folder, machine, section, zip(names, decisions, strict=True))
    columns = (file_names(fitted.clips), fitted.clips.column("domain").to_pylist(), fitted.train_score.tolist())
    path = folder / f"training_score_{machine}_section_{int(section):02d}_train.json"
    write_training_scores(path, TrainingScores(fitted.threshold, *columns))
