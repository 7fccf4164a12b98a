"""The time, memory and disk space of every stage, from the records of the jobs and the results."""

import csv
import logging
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from asdlib.workflow import paths
from asdlib.workflow.words import FAR, RAW

MIB = 2**20  # bytes; the records give memory in MiB
SYSTEMS = "systems"
_log = logging.getLogger(__name__)


class Stage(NamedTuple):
    """The registry to which the keys of a rule's jobs belong (or SYSTEMS, or None), and patterns of its files."""

    registry: str | None
    records: tuple[str, ...]  # wildcards of the records of jobs
    results: str


def _beside(path: str, pattern: str = "*") -> str:
    return str(PurePosixPath(path).with_name(pattern))


# In the order in which the stages run. {key} is that of a recipe, or the name of a system.
STAGES = {
    "download": Stage(None, ("{dataset}", "*"), paths.recordings(machine="**/*")),
    "prepare": Stage(None, ("{dataset}", "*"), paths.audio(RAW, machine="*")),
    "prepare_far": Stage(None, ("{dataset}", "*"), paths.audio(FAR, machine="*")),
    "prepare_noise": Stage(None, ("{dataset}",), paths.noise()),
    "train_separator": Stage("separators", ("{key}", "{dataset}", "*"), _beside(paths.separator("{key}", machine="*"))),
    "separate": Stage("separators", ("{key}", "{dataset}", "*"), paths.audio("separated/{key}", machine="*")),
    "augment": Stage("augmentations", ("{key}", "{dataset}", "*"), paths.audio("augmented/{key}", machine="*")),
    # Between key and dataset: the view.
    "extract_features": Stage(
        "frontends", ("{key}", "**", "{dataset}", "*"), paths.features("{key}", view="**", machine="*", part="")
    ),
    "fetch_checkpoint": Stage("checkpoints", ("{key}", "*"), paths.public_weights("{key}", "*")),
    "label": Stage("labellers", ("{key}", "{dataset}", "*"), paths.labels("{key}", machine="*")),
    "train_model": Stage("models", ("{key}", "{dataset}", "*"), _beside(paths.model("{key}", machine="*"))),
    "embed": Stage("models", ("{key}", "**", "{dataset}", "*"), paths.embeddings("{key}", view="**", machine="*")),
    # Between system and dataset: the variant. Below the dataset: the seed, if there are several.
    "score": Stage(
        SYSTEMS, ("{key}", "*", "{dataset}", "**", "*"), f"{paths.score_folder('{key}', '*', seeded='/**')}/*_section_*"
    ),
    "tabulate": Stage(SYSTEMS, ("{key}",), _beside(paths.scores("{key}"), "*.csv")),
    "illustrate": Stage(SYSTEMS, ("{key}", "{dataset}"), paths.illustrations("{key}")),
}


@dataclass
class Cost:
    """The cost of one stage and recipe: the number of jobs with a record, times (s), peak memory and disk (bytes)."""

    rule: str
    recipe: str
    systems: list[str]
    jobs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: float = 0.0
    disk: int = 0


def costs(recipes: dict[str, dict[str, list[str]]], systems: list[str], datasets: list[str]) -> list[Cost]:
    """Return the cost of each stage and recipe that left a record or results for the datasets.

    `recipes` is {registry: {key: the systems that use it}}, with public weights under `checkpoints`. Jobs without a
    record are not counted.
    """
    users = {**recipes, SYSTEMS: {name: [name] for name in systems}, None: {"": systems}}
    found = []
    for rule, stage in STAGES.items():
        for key, used_by in users.get(stage.registry, {}).items():
            cost = Cost(rule, key, used_by)
            for path in _files(paths.benchmark(rule, *stage.records), key, datasets):
                _add(cost, path)
            cost.disk = sum(path.stat().st_size for path in _files(stage.results, key, datasets))
            found.append(cost)
    return [cost for cost in found if cost.jobs or cost.disk]


def total(parts: list[Cost]) -> list[Cost]:
    """Return one row per stage, in the order of the stages."""
    rows: dict[str, Cost] = {}
    for part in parts:
        row = rows.setdefault(part.rule, Cost(part.rule, "", []))
        row.jobs += part.jobs
        row.seconds += part.seconds
        row.cpu_seconds += part.cpu_seconds
        row.memory = max(row.memory, part.memory)
        row.disk += part.disk
    return list(rows.values())


def _files(pattern: str, key: str, datasets: list[str]) -> list[Path]:
    """Return the files that match a stage's pattern for a recipe and any of the datasets."""
    found = {path for dataset in datasets for path in Path().glob(pattern.format(key=key, dataset=dataset))}
    return sorted(path for path in found if path.is_file())


def _add(cost: Cost, path: Path) -> None:
    """Add the record of a job. In one that Snakemake has written, NA or a dash is what it could not measure."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    except UnicodeDecodeError:
        _log.warning("%s: is damaged: this job does not count as a cost", path)
        return
    for row in rows:
        cost.jobs += 1
        cost.seconds += _number(row.get("s"))
        cost.cpu_seconds += _number(row.get("cpu_time"))
        cost.memory = max(cost.memory, MIB * _number(row.get("max_rss")))


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
