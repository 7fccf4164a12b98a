"""What every stage cost: Snakemake's benchmark files, and the disk that the results take."""

import csv
from dataclasses import dataclass
from pathlib import Path

BENCHMARKS = "results/benchmarks"
SYSTEMS = "systems"
# Each rule's section of recipes (or SYSTEMS, or none), in the order of the stages, and the files that it makes; `{}` is
# the recipe's key, or the system.
STAGES = {
    "download": (None, "resources/**/*"),
    "prepare": (None, "results/audio/raw/**/*"),
    "prepare_noise": (None, "results/audio/noise/*"),
    "train_separator": ("separators", "results/separators/{}/**/*"),
    "separate": ("separators", "results/audio/separated/{}/**/*"),
    "augment": ("augmentations", "results/audio/augmented/{}/**/*"),
    "extract_features": ("frontends", "results/features/{}/**/*"),
    "train_model": ("models", "results/models/{}/**/*"),
    "embed": ("models", "results/embeddings/{}/**/*"),
    "score": (SYSTEMS, "results/{}/**/*_section_*"),
    "tabulate": (SYSTEMS, "results/{}/*.csv"),
    "illustrate": (SYSTEMS, "results/{}/report/**/*"),
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


def costs(recipes: dict[str, dict[str, list[str]]], systems: list[str], datasets: list[str]) -> list[Cost]:
    """Return the cost of each stage and recipe that left a record or results for the datasets.

    `recipes` are {section: {key: the systems that use it}}. A missing record costs a job its figures and nothing else:
    it is not counted.
    """
    users = {**recipes, SYSTEMS: {name: [name] for name in systems}, None: {"": systems}}
    found = []
    for rule, (section, results) in STAGES.items():
        for recipe, used_by in users.get(section, {}).items():
            cost = Cost(rule, recipe, used_by)
            for path in _of_datasets(rule, _records(rule, recipe), datasets):
                _add(cost, path)
            files = _of_datasets(rule, results.format(recipe), datasets)
            cost.disk = sum(path.stat().st_size for path in files)
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
        row.memory_mb = max(row.memory_mb, part.memory_mb)
        row.disk += part.disk
    return list(rows.values())


def _records(rule: str, recipe: str) -> str:
    """Return a pattern of the benchmark files of a stage and recipe."""
    if rule in OF_ALL_DATASETS:
        return f"{BENCHMARKS}/{rule}/{recipe}.tsv"
    return f"{BENCHMARKS}/{rule}/{recipe}/**/*.tsv" if recipe else f"{BENCHMARKS}/{rule}/**/*.tsv"


def _of_datasets(rule: str, pattern: str, datasets: list[str]) -> list[Path]:
    """Return the files that match and are of the datasets: the name of one is a part of their paths."""
    files = sorted(path for path in Path().glob(pattern) if path.is_file())
    if rule in OF_ALL_DATASETS:
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
