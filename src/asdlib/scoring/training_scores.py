"""The files training_score_…: a variant's threshold and its scores of a section's training clips, as JSON."""

import json
from dataclasses import dataclass
from pathlib import Path

from asdlib.data.files import atomic
from asdlib.errors import AsdError


@dataclass(frozen=True)
class TrainingScores:
    """The decision threshold, and the names, domains and scores of the training clips."""

    threshold: float
    clips: list[str]
    domains: list[str | None]
    scores: list[float]


def write_training_scores(path: Path, content: TrainingScores) -> None:
    """Write the scores of the training clips."""
    columns = (content.clips, content.domains, content.scores)
    clips = [dict(zip(("clip", "domain", "score"), row, strict=True)) for row in zip(*columns, strict=True)]
    with atomic(path) as temporary:
        text = json.dumps({"threshold": content.threshold, "clips": clips}, indent=1, allow_nan=False)
        temporary.write_text(f"{text}\n", encoding="utf-8")


def read_training_scores(path: Path) -> TrainingScores:
    """Return the content of such a file; raise AsdError if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        clips, domains, scores = ([clip[key] for clip in content["clips"]] for key in ("clip", "domain", "score"))
        return TrainingScores(float(content["threshold"]), clips, domains, [float(score) for score in scores])
    except FileNotFoundError as error:
        raise AsdError(f"{path}: is missing: run again to remake it") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise AsdError(f"{path}: is not a file of training scores ({error}): delete it and run again") from error
