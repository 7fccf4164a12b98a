"""What every stage cost: Snakemake's benchmark files, and the disk that the results take."""

import csv
from dataclasses import dataclass
from pathlib import Path

BENCHMARKS = "results/benchmarks"
# The files that a rule makes; `{}` is the recipe's key, or the system.
RESULTS = {
    "download": "resources/**/*",
    "prepare": "results/audio/raw/**/*",
    "prepare_noise": "results/audio/noise/*",
    "train_separator": "results/separators/{}/**/*",
    "separate": "results/audio/separated/{}/**/*",
    "augment": "results/audio/augmented/{}/**/*",
    "extract_features": "results/features/{}/**/*",
    "train_model": "results/models/{}/**/*",
    "embed": "results/embeddings/{}/**/*",
    "score": "results/{}/**/*_section_*",
    "tabulate": "results/{}/*.csv",
    "illustrate": "results/{}/report/**/*",
}
OF_ALL_DATASETS = ("tabulate",)


@dataclass
class Cost:
    """The jobs of one stage and recipe: how many left a record, their times (s), peak memory (MB) and disk (bytes)."""

    rule: str
    recipe: str
    systems: list[str]
    jobs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory_mb: float = 0.0
    disk: int = 0


def costs(stages: list[dict], datasets: list[str]) -> list[Cost]:
    """Return the cost of each stage (`rule`, `recipe`, `systems`) that left a record or results for the datasets.

    A missing record costs a job its figures and nothing else: it is not counted.
    """
    found = []
    for stage in stages:
        cost = Cost(**stage)
        for path in _records(cost, datasets):
            _add(cost, path)
        cost.disk = sum(path.stat().st_size for path in _results(cost, datasets))
        if cost.jobs or cost.disk:
            found.append(cost)
    return found


def total(parts: list[Cost]) -> list[Cost]:
    """Return one row a stage, in the order in which the stages come."""
    rows: dict[str, Cost] = {}
    for part in parts:
        row = rows.setdefault(part.rule, Cost(part.rule, "", []))
        row.jobs += part.jobs
        row.seconds += part.seconds
        row.cpu_seconds += part.cpu_seconds
        row.memory_mb = max(row.memory_mb, part.memory_mb)
        row.disk += part.disk
    return list(rows.values())


def _records(cost: Cost, datasets: list[str]) -> list[Path]:
    here = f"{cost.recipe}.tsv" if cost.rule in OF_ALL_DATASETS else f"{cost.recipe}/**/*.tsv".lstrip("/")
    return _of_datasets(cost, f"{BENCHMARKS}/{cost.rule}/{here}", datasets)


def _results(cost: Cost, datasets: list[str]) -> list[Path]:
    return _of_datasets(cost, RESULTS[cost.rule].format(cost.recipe), datasets)


def _of_datasets(cost: Cost, pattern: str, datasets: list[str]) -> list[Path]:
    """Return the files that match and are of the datasets: the name of one is a part of their paths."""
    files = sorted(path for path in Path().glob(pattern) if path.is_file())
    if cost.rule in OF_ALL_DATASETS:
        return files
    return [path for path in files if {part.removesuffix(path.suffix) for part in path.parts[1:]} & set(datasets)]


def _add(cost: Cost, path: Path) -> None:
    """Add a job's record; Snakemake writes NA or a dash for what it could not measure of a short job."""
    with path.open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            cost.jobs += 1
            cost.seconds += _number(row.get("s"))
            cost.cpu_seconds += _number(row.get("cpu_time"))
            cost.memory_mb = max(cost.memory_mb, _number(row.get("max_rss")))


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
