"""What every stage cost: Snakemake's benchmark files, and the disk that the results take."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

BENCHMARKS = "results/benchmarks"
MIB = 2**20  # bytes; Snakemake's memory is in these
SYSTEMS = "systems"


class Stage(NamedTuple):
    """Whose jobs a rule's are (a section of recipes, SYSTEMS, or nobody's), and patterns of records and of results."""

    section: str | None
    records: str  # below BENCHMARKS/<rule>
    results: str


# In the order in which they come.
STAGES = {
    "download": Stage(None, "{dataset}/*.tsv", "resources/{dataset}/**/*"),
    "prepare": Stage(None, "{dataset}/*.tsv", "results/audio/raw/{dataset}/*"),
    "prepare_noise": Stage(None, "{dataset}.tsv", "results/audio/noise/{dataset}.parquet"),
    "train_separator": Stage("separators", "{key}/{dataset}/*.tsv", "results/separators/{key}/{dataset}/**/*"),
    "separate": Stage("separators", "{key}/{dataset}/*.tsv", "results/audio/separated/{key}/{dataset}/*"),
    "augment": Stage("augmentations", "{key}/{dataset}/*.tsv", "results/audio/augmented/{key}/{dataset}/*"),
    # Between key and dataset: the audio, raw or <kind>/<recipe>.
    "extract_features": Stage("frontends", "{key}/**/{dataset}/*.tsv", "results/features/{key}/**/{dataset}/*"),
    "fetch_checkpoint": Stage("checkpoints", "{key}/*.tsv", "resources/checkpoints/{key}/*"),
    "train_model": Stage("models", "{key}/{dataset}/*.tsv", "results/models/{key}/{dataset}/**/*"),
    "embed": Stage("models", "{key}/**/{dataset}/*.tsv", "results/embeddings/{key}/**/{dataset}/*"),
    # Between system and dataset: the variant; below the dataset: the seed, if there are several.
    "score": Stage(SYSTEMS, "{key}/*/{dataset}/**/*.tsv", "results/{key}/*/{dataset}/**/*_section_*"),
    "tabulate": Stage(SYSTEMS, "{key}.tsv", "results/{key}/*.csv"),
    "illustrate": Stage(SYSTEMS, "{key}/{dataset}/*.tsv", "results/{key}/report/{dataset}/*"),
}


@dataclass
class Cost:
    """The jobs of one stage and recipe: how many left a record, their times (s), peak memory and disk (bytes)."""

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

    `recipes` are {section: {key: the systems that use it}}, public weights in a section `checkpoints`. A missing record
    costs a job its figures and nothing else: it is not counted.
    """
    users = {**recipes, SYSTEMS: {name: [name] for name in systems}, None: {"": systems}}
    found = []
    for rule, stage in STAGES.items():
        for key, used_by in users.get(stage.section, {}).items():
            cost = Cost(rule, key, used_by)
            for path in _files(f"{BENCHMARKS}/{rule}/{stage.records}", key, datasets):
                _add(cost, path)
            cost.disk = sum(path.stat().st_size for path in _files(stage.results, key, datasets))
            found.append(cost)
    return [cost for cost in found if cost.jobs or cost.disk]


def total(parts: list[Cost]) -> list[Cost]:
    """Return one row a stage, in the order in which the stages come."""
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
    """Add a job's record; Snakemake writes NA or a dash for what it could not measure of a short job."""
    with path.open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            cost.jobs += 1
            cost.seconds += _number(row.get("s"))
            cost.cpu_seconds += _number(row.get("cpu_time"))
            cost.memory = max(cost.memory, MIB * _number(row.get("max_rss")))


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
