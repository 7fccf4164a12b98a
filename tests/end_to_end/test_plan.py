"""`asdlib plan` for a system that is not shipped, before and after its jobs, and the list that it reads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.checkout import ROOT, Checkout, make_checkout
from helpers.markdown_tables import tables
from helpers.planned_jobs import as_rows, listed, printed_jobs

from asdlib.runtime.job_environment import JOB_LIST

pytestmark = pytest.mark.workflow


def rows(checkout: Checkout, *arguments: str) -> list[dict]:
    """Return the rows that `asdlib plan` prints, with the library of the checkout."""
    command = [sys.executable, "-m", "asdlib.cli", "plan", "toy", "--json", *arguments, "--configfile", "settings.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(checkout.folder / "src")}
    done = subprocess.run(command, cwd=checkout.folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["rows"]


def test_after_a_finished_run_nothing_is_left(built):
    for row in rows(built):
        assert (row["jobs"], row["trainings"], row["disk_gb"], row["cpu_hours"]) == (0, 0, 0, 0)


def test_the_docs_show_what_is_planned_in_a_new_clone(tmp_path: Path) -> None:
    """Costs, recipes and jobs change; the pages would go on telling the old hours."""
    folder = make_checkout(tmp_path / "new").folder
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "asdlib.cli", "plan"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    page = (ROOT / "docs" / "cluster.md").read_text().split("    asdlib plan\n\n")[1].split("\n\nFor all years")[0]
    assert done.stdout.split() == page.split()
    hours = {line.split()[0]: line.split()[-1] for line in page.splitlines() if line.strip()}
    (costs,) = [one for one in tables((ROOT / "docs" / "reproducing.md").read_text()) if "One GPU (H200)" in one[0]]
    told = {row[0].strip("`"): row[-1].removesuffix(" h").replace("minutes", "0.0") for row in costs[1:]}
    assert told == {name: f"{float(hours[name]):.1g}" if 1 < float(hours[name]) < 10 else hours[name] for name in told}


def test_another_seed_needs_its_own_trainings(built):
    row, _ = rows(built, "--config", "seeds=[13711,5]")
    assert row["trainings"] == 5  # a separator and a tuned model per machine, one joint model
    assert set(row["unknown"]) >= {"separators.toy_gain", "models.toy_joint"}  # never measured


def test_the_list_is_what_the_same_dry_run_prints(built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With jobs that are done, jobs of another seed and another dataset, jobs that are forced, and GPUs."""
    call = "results/toy/scores.csv", "results/baseline/scores.csv", "--forcerun", "augment"
    config = "--config", "seeds=[13711,5]", "data=[toy,tiny]", "device=auto"
    jobs, printed = listed(built, monkeypatch, tmp_path / "jobs.json", *call, *config)
    rules = {job.rule for job in jobs}
    assert {"augment", "train_separator", "train_model", "embed", "score", "tabulate"} <= rules
    assert not {"download", "prepare"} & rules, "they are done"
    assert {job.rule for job in jobs if job.gpus} == {"train_separator", "separate", "train_model", "embed"}
    assert as_rows(jobs) == as_rows(printed_jobs(printed))


def test_the_list_has_jobs_that_run_again_for_their_params(built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Their results are there, with the same paths."""
    call = "results/toy/scores.csv", "--config", "quantile=0.8"
    jobs, printed = listed(built, monkeypatch, tmp_path / "jobs.json", *call)
    assert {job.rule for job in jobs} == {"score", "tabulate"}
    assert as_rows(jobs) == as_rows(printed_jobs(printed))


def test_the_list_of_a_folder_without_results_is_what_a_dry_run_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No job has params there. All rules of a system take part, with GPUs and several seeds."""
    call = "results/system3/scores.csv", "report", "--config", "data=demo", "seeds=[1,2]", "device=auto"
    jobs, printed = listed(make_checkout(tmp_path / "new"), monkeypatch, tmp_path / "jobs.json", *call)
    assert {"download", "train_separator", "augment", "embed", "illustrate", "report"} <= {job.rule for job in jobs}
    assert as_rows(jobs) == as_rows(printed_jobs(printed))


def test_a_plan_refuses_recordings_as_a_run_does(built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The params say so, and a plan needs those of no other rules."""
    monkeypatch.setenv(JOB_LIST, str(tmp_path / "jobs.json"))
    said = built.run("results/audio/far/toy/fan.parquet", "--dry-run", "--quiet", "progress", "rules", fails=True)
    assert "config: prepare.channel: is null, but a recipe compares both microphones of toy: use near" in said
