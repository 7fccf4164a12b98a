"""Every system of config/systems from recordings to its table, at toy size; a new one is in here the day it is added.

Its toy sizes lie in tests/end_to_end/toy_sizes/<system>.yaml, an `override` block.
"""

import csv
import json
import math
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.checkout import ROOT, Checkout, make_checkout
from helpers.in_process import run_system
from helpers.toy_recordings import make_machine

from asdlib.cli import main
from asdlib.weights.checkpoints import load

pytestmark = pytest.mark.workflow

SYSTEMS = sorted(path.stem for path in (ROOT / "config" / "systems").glob("*.yaml"))
SIZES = Path(__file__).parent / "toy_sizes"
SETTINGS = """
data: toy
device: cpu
threads: 1
prepare: {seconds: 2.0}
datasets:
  toy: {folder: recordings}
  older: {folder: older}
"""
SEPARATION = {"train_separator", "separate", "augment"}
SEPARATING = {"system2", "system3", "system4"}
FROM_SCRATCH = {"system2", "system4"}  # their models start from public weights, but not here
CORPORA = {  # of the models that are trained on datasets which their recipe names
    "system2": {"eat_2025": ["toy"], "eat_all_years": ["toy", "older"]},
    "system4": {"audiomae_adapted": ["older"], "audiomae_phase1": ["older"], "beats_phase1": ["older"]},
}
CLIPS = {"train": 10, "target": 2, "test": 2, "seconds": 2.0}


@pytest.fixture
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Checkout:
    """A checkout with a machine of clean clips, one of noise without attributes, and an older dataset for corpora."""
    sizes = (SIZES / f"{request.param}.yaml").read_text()
    made = make_checkout(tmp_path / "run", SETTINGS + sizes)
    make_machine(made.folder / "recordings" / "fan", **CLIPS, supplement="machine", seed=1)
    make_machine(made.folder / "recordings" / "pump", **CLIPS, supplement="noise", attributes=False, seed=2)
    make_machine(made.folder / "older" / "valve", **CLIPS, supplement="noise", seed=3)
    return made


@pytest.mark.parametrize(("checkout", "system"), [(name, name) for name in SYSTEMS], indirect=["checkout"], ids=SYSTEMS)
def test_a_system_runs_from_recordings_to_its_table(checkout: Checkout, system: str, capsys) -> None:
    target = f"results/{system}/scores.csv"
    steps = run_system(checkout, target)
    assert steps[-1] == "tabulate"
    variants = yaml.safe_load((ROOT / "config" / "systems" / f"{system}.yaml").read_text())["variants"]
    with (checkout.folder / target).open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["variant"], row["machine"]) for row in rows] == [
        (variant, machine) for variant in variants for machine in ("fan", "pump", "all")
    ]
    assert all(0 <= float(row[name]) <= 100 for row in rows for name in ("auc_source", "auc_target", "pauc", "hmean"))
    assert {"(from scratch)" in row["recipe"] for row in rows} == {system in FROM_SCRATCH}
    for variant in variants:
        for machine in ("fan", "pump"):
            folder = checkout.folder / "results" / system / variant / "toy"
            scores = _column(folder / f"anomaly_score_{machine}_section_00_test.csv")
            decisions = _column(folder / f"decision_result_{machine}_section_00_test.csv")
            assert len(scores) == len(decisions) == 8
            assert all(math.isfinite(float(score)) for score in scores)
            assert set(decisions) <= {"0", "1"}
    made = set((checkout.folder / "results").rglob("model.safetensors"))
    assert _listed(checkout, system, capsys) == {"scores": True, "trained": len(made), "recordings": True}
    for number, variant in enumerate(variants):
        _scored_again_alike(checkout, system, variant, ("fan", "pump")[number % 2], capsys)
    for weights in made:
        assert not weights.with_name("training.ckpt").exists()
    for machine, trained in (("fan", True), ("pump", False)):  # the pump has no clean clips to learn from
        for log in (checkout.folder / "results" / "separators").glob(f"*/toy/{machine}/metrics.csv"):
            assert ("si_sdr_improvement" in log.read_text()) == trained
    recipes = [load(path).recipe for path in (checkout.folder / "results/models").glob("*/corpus/all/*.safetensors")]
    assert {recipe["name"]: recipe["corpus"] for recipe in recipes} == CORPORA.get(system, {})


def _listed(checkout: Checkout, system: str, capsys) -> dict:
    """Return what `asdlib systems` finds of a system: whether all is there, and how many weights."""
    capsys.readouterr()
    root = checkout.folder
    assert main(["systems", "--root", str(root), "--json", "--configfile", str(root / "settings.yaml")]) == 0
    (entry,) = [entry for entry in json.loads(capsys.readouterr().out)["systems"] if entry["name"] == system]
    trained, recordings = entry["trained"], entry["recordings"]
    assert trained["there"] == trained["needed"]
    return {
        "scores": entry["scores"],
        "trained": trained["there"],
        "recordings": recordings["there"] == recordings["needed"] > 0,
    }


def _scored_again_alike(checkout: Checkout, system: str, variant: str, machine: str, capsys) -> None:
    """`asdlib score` gives the test clips, under names of one's own, the run's scores and decisions to the last bit."""
    results = checkout.folder / "results"
    new, before = checkout.folder / "new" / variant, {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    new.mkdir(parents=True)
    for number, path in enumerate(sorted((checkout.folder / "recordings" / machine / "test").iterdir())):
        shutil.copy2(path, new / f"my{number}.wav")
    place = ["--system", system, "--variant", variant, "--machine", machine]
    capsys.readouterr()
    with chdir(checkout.folder):
        assert main(["score", *place, f"new/{variant}", "--json", "--configfile", "settings.yaml"]) == 0
    told = json.loads(capsys.readouterr().out)
    folder = results / system / variant / "toy"
    for key, kind in (("anomaly_score", "anomaly_score"), ("decision", "decision_result")):
        run = _column(folder / f"{kind}_{machine}_section_00_test.csv")
        assert [clip[key] for clip in told["clips"]] == [float(value) for value in run]
    training = json.loads((folder / f"training_score_{machine}_section_00_train.json").read_text())
    scores = np.array([clip["score"] for clip in training["clips"]])
    assert (told["threshold"], told["n_train"]) == (training["threshold"], len(scores))
    assert [clip["percentile"] for clip in told["clips"]] == pytest.approx(
        [100 * np.mean(scores < clip["anomaly_score"]) for clip in told["clips"]]
    )
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before


def _column(path: Path) -> list[str]:
    with path.open(newline="") as handle:
        return [row[1] for row in csv.reader(handle)]


def test_every_system_has_toy_sizes() -> None:
    assert sorted(path.stem for path in SIZES.glob("*.yaml")) == SYSTEMS


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_readmes_command_plans_every_machine_of_the_challenge(system: str, tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "run", "data: dcase2025_dev\n")
    jobs = checkout.jobs(f"results/{system}/scores.csv", "--resources", "gpu=2")
    variants = yaml.safe_load((ROOT / "config" / "systems" / f"{system}.yaml").read_text())["variants"]
    machines = ("ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve")
    planned = {f"score dcase2025_dev {machine} 00 {system} {name}" for machine in machines for name in variants}
    assert planned == {job for job in jobs if job.startswith("score ")}
    for machine in machines if system in SEPARATING else ():
        assert {rule for rule, _, rest in (job.partition(" ") for job in jobs) if machine in rest.split()} >= SEPARATION
    assert f"tabulate {system}" in jobs
    assert {f"download dcase2025_dev {machine}" for machine in machines} <= jobs
