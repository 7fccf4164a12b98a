"""The run times that jobs ask a scheduler for."""

import json
from pathlib import Path

import pytest

from asdlib.errors import AsdError
from asdlib.planning import limits
from asdlib.planning.limits import Limits
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph

ROOT = Path(__file__).resolve().parents[2]
YEARS = [f"{year}_{part}" for year in range(2020, 2026) for part in ("dev", "eval")]


def minutes(monkeypatch, name: str, *entries: str, rule: str = "train_model", dataset: str = "corpus") -> int:
    """Return the run time of a joint training of all years, of which the rule grants 480 minutes at least."""
    monkeypatch.chdir(ROOT)
    graph = Graph(read_config([], list(entries)), ROOT)
    key = graph.recipes.resolve("models", name, 13711).key
    machines = [(f"dcase{year}", machine) for year in YEARS for machine in graph.all_datasets[f"dcase{year}"].machines]
    features = [f"results/features/f-123456/raw/{'/'.join(machine)}.parquet" for machine in machines]
    wildcards = {"model": key, "dataset": dataset, "machine": "all", "view": "raw"}
    return Limits(graph).minutes(rule, wildcards, features, 480)


def test_a_training_of_days_asks_for_them_and_a_short_one_for_the_rules_time(monkeypatch) -> None:
    long, short = (minutes(monkeypatch, name) for name in ("beats_phase1", "dual_branch_cnn"))
    assert 1.2 * 166_000 * 100 * 0.115 / 32 < 60 * long < 2 * 166_000 * 100 * 0.115 / 32  # 115 ms for 32 clips
    assert short == 480


def test_without_a_gpu_the_estimate_is_that_of_the_threads(monkeypatch) -> None:
    one, four = (minutes(monkeypatch, "eat_2025", "device=cpu", f"threads={count}") for count in (1, 4))
    assert one == pytest.approx(limits.MARGIN * 160_000 * 12 / 60, rel=0.01)
    assert four == pytest.approx(one / 4, rel=0.01)
    assert minutes(monkeypatch, "eat_2025", "device=auto") < four / 10


def test_a_training_on_several_gpus_asks_for_less(monkeypatch) -> None:
    one = minutes(monkeypatch, "beats_phase1")
    changed = {"models": {"beats_phase1": {"training": {"devices": 2}}}}
    assert minutes(monkeypatch, "beats_phase1", f"override={json.dumps(changed)}") == pytest.approx(one / 2, rel=0.01)


def test_recordings_that_cannot_be_counted_leave_the_rules_time(monkeypatch) -> None:
    """The job `prepare` says what is wrong; a message here would end the whole run instead."""

    def fail(*_) -> None:
        raise AsdError("clip.wav: is no name of a clip")

    monkeypatch.setattr(limits.Hours, "of", fail)
    assert minutes(monkeypatch, "beats_phase1") == 480
