"""The files training_score_…: a variant's threshold and its scores of a section's training clips, as JSON."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asdlib.data.files import atomic
from asdlib.errors import AsdError


@dataclass(frozen=True)
class TrainingScores:
    """The decision threshold, its quantile, and the names, domains and scores of the training clips."""

    threshold: float
    quantile: float | None  # share of the normal clips that shall stay below the threshold; None if none is promised
    clips: list[str]
    domains: list[str | None]
    scores: list[float]


def training_scores_path(folder: Path, machine: str, section: str) -> Path:
    """Return the path of the file of a machine and section in `folder`."""
    return folder / f"training_score_{machine}_section_{int(section):02d}_train.json"


def write_training_scores(path: Path, content: TrainingScores) -> None:
    """Write the scores of the training clips."""
    columns = (content.clips, content.domains, content.scores)
    clips = [dict(zip(("clip", "domain", "score"), row, strict=True)) for row in zip(*columns, strict=True)]
    with atomic(path) as temporary:
        facts = {"threshold": content.threshold, "quantile": content.quantile, "clips": clips}
        text = json.dumps(facts, indent=1, allow_nan=False)
        temporary.write_text(f"{text}\n", encoding="utf-8")


def write_refusal(path: Path, reason: str) -> None:
    """Write that a method cannot be fitted to these training clips, and why."""
    with atomic(path) as temporary:
        temporary.write_text(f"{json.dumps({'refused': reason})}\n", encoding="utf-8")


def read_refusal(path: Path) -> str | None:
    """Return why the method cannot be fitted; None if it is."""
    with _damage(path):
        refused = json.loads(path.read_text(encoding="utf-8")).get("refused")
        return None if refused is None else str(refused)


def read_training_scores(path: Path) -> TrainingScores:
    """Return the content of such a file; raise AsdError if it cannot be read."""
    with _damage(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        clips, domains, scores = ([clip[key] for clip in content["clips"]] for key in ("clip", "domain", "score"))
        quantile = None if content["quantile"] is None else float(content["quantile"])
        return TrainingScores(float(content["threshold"]), quantile, clips, domains, [float(score) for score in scores])


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Raise AsdError for a file that cannot be read, or has another content."""
    try:
        yield
    except FileNotFoundError as error:
        raise AsdError(f"{path}: is missing: run again to remake it") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise AsdError(f"{path}: is not a file of training scores ({error}): delete it and run again") from error
