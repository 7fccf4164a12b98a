"""Every system of config/systems, at toy size, from recordings to its table.

Its toy sizes may lie in tests/end_to_end/toy_sizes/<system>.yaml, an `override` block. Recipes that no such file names
are run as they are, but with their trainings cut (tests/helpers/toy_sizes.py).
"""

import csv
import json
import math
import shutil
from contextlib import chdir
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import yaml
from helpers.checkout import ROOT, Checkout, make_checkout
from helpers.in_process import run_system
from helpers.registry_toys import all_recipes
from helpers.toy_recordings import make_machine
from helpers.toy_sizes import FOLDER, small_model, toy_sizes

from asdlib.cli import main
from asdlib.errors import AsdError
from asdlib.runtime.stop_request import StopRequest
from asdlib.weights.checkpoints import load
from asdlib.workflow.yaml_files import read_yaml

pytestmark = pytest.mark.workflow

SYSTEMS = sorted(path.stem for path in (ROOT / "config" / "systems").glob("*.yaml"))
SIZES = toy_sizes(corpus=["toy", "older"])
SETTINGS = """
data: toy
device: cpu
threads: 1
prepare: {seconds: 2.0}
datasets:
  toy: {folder: recordings}
  older: {folder: older}
"""
SEPARATING = {"system2", "system3", "system4"}
CLIPS = {"train": 10, "target": 2, "test": 2, "seconds": 2.0}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a checkout with a machine of clean clips, one of noise without attributes, and an older dataset."""
    made = make_checkout(tmp_path / "run", SETTINGS + yaml.safe_dump({"override": SIZES}))
    make_machine(made.folder / "recordings" / "fan", **CLIPS, supplement="machine", seed=1)
    make_machine(made.folder / "recordings" / "pump", **CLIPS, supplement="noise", attributes=False, seed=2)
    make_machine(made.folder / "older" / "valve", **CLIPS, supplement="noise", seed=3)
    return made


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_runs_from_recordings_to_its_table(checkout: Checkout, system: str, capsys) -> None:
    target = f"results/{system}/scores.csv"
    try:
        steps = run_system(checkout, target)
    except AsdError as error:
        pytest.fail(f"{error}\nIf it does not fit clips of 2 s: give its recipes toy sizes in {FOLDER / system}.yaml")
    assert steps[-1] == "tabulate"
    variants = variants_of(system)
    with (checkout.folder / target).open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["variant"], row["machine"]) for row in rows] == [
        (variant, machine) for variant in variants for machine in ("fan", "pump", "all")
    ]
    assert all(0 <= float(row[name]) <= 100 for row in rows for name in ("auc_source", "auc_target", "pauc", "hmean"))
    read = {name: models_of(*(branch["model"] for branch in block["branches"])) for name, block in variants.items()}
    for row in rows:
        from_scratch = any(toy(model).get("checkpoint", "") is None for model in read[row["variant"]])
        assert ("(from scratch)" in row["recipe"]) == from_scratch
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
    _followed_alike(checkout, system, variant, ("fan", "pump")[number % 2], capsys)
    for weights in made:
        assert not weights.with_name("training.ckpt").exists()
    logs = list((checkout.folder / "results" / "separators").glob("*/*/*/metrics.csv"))
    assert bool(logs) == ("train_separator" in steps)
    for log in logs:  # only the fan has clean clips to train on
        assert ("si_sdr_improvement" in log.read_text()) == (log.parent.name == "fan")
    recipes = [load(path).recipe for path in (checkout.folder / "results/models").glob("*/corpus/all/*.safetensors")]
    corpora = {model: toy(model).get("corpus") for models in read.values() for model in models}
    named = {model: ["toy" if name == "scored" else name for name in c] for model, c in corpora.items() if c}
    assert {recipe["name"]: recipe["corpus"] for recipe in recipes} == named


def variants_of(system: str) -> dict:
    return read_yaml(ROOT / "config" / "systems" / f"{system}.yaml")["variants"]


def toy(model: str) -> dict:
    """Return a model's recipe with its toy sizes."""
    return all_recipes("models")[model] | SIZES["models"][model]


def models_of(*names: str) -> set[str]:
    """Return the names of models and of all that they start from, or that label the clips that they learn from."""
    starts = [all_recipes("models")[name].get("init") or [] for name in names]
    labellers = [label for name in names if (label := all_recipes("models")[name].get("labeller"))]
    starts += [all_recipes("labellers")[label]["model"] for label in labellers]
    below = [one for start in starts for one in (start if isinstance(start, list) else [start])]
    return {*names, *(models_of(*below) if below else ())}


def _listed(checkout: Checkout, system: str, capsys) -> dict:
    """Return what `asdlib systems` prints about a system: whether it is complete, and its number of weights."""
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
    """Check that `asdlib score` gives renamed test clips exactly the scores and decisions of the run."""
    results = checkout.folder / "results"
    new, before = checkout.folder / "new" / variant, {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    new.mkdir(parents=True)
    for number, path in enumerate(sorted((checkout.folder / "recordings" / machine / "test").iterdir())):
        shutil.copy2(path, new / f"my{number}.wav")
    options = ["--system", system, "--variant", variant, "--machine", machine]
    capsys.readouterr()
    with chdir(checkout.folder):
        assert main(["score", *options, f"new/{variant}", "--json", "--configfile", "settings.yaml"]) == 0
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


def _followed_alike(checkout: Checkout, system: str, variant: str, machine: str, capsys) -> None:
    """Check that the recordings of a followed folder, scored one by one, get the scores of all at once."""
    options = ["--system", system, "--variant", variant, "--machine", machine, "--configfile", "settings.yaml"]
    waits = iter([False, True])
    with chdir(checkout.folder), patch.object(StopRequest, "wait", lambda _, seconds: seconds > 0 and next(waits)):
        assert main(["score", "--follow", f"new/{variant}", "--existing", "--interval", "0.01", *options]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = sorted(str(path.relative_to(checkout.folder)) for path in (checkout.folder / "new" / variant).iterdir())
    assert sorted(line["file"] for line in told) == names
    run = _column(checkout.folder / f"results/{system}/{variant}/toy/anomaly_score_{machine}_section_00_test.csv")
    followed = {line["file"]: line["anomaly_score"] for line in told}
    expected = np.array(list(map(float, run)))
    assert np.abs(np.array([followed[name] for name in names]) - expected).max() < 1e-5 * np.abs(expected).max()


def _column(path: Path) -> list[str]:
    with path.open(newline="") as handle:
        return [row[1] for row in csv.reader(handle)]


def test_toy_sizes_are_of_systems_that_exist() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} <= set(SYSTEMS)


def test_a_training_without_toy_sizes_is_cut_short() -> None:
    recipe = {"checkpoint": "eat_base", "training": {"epochs": 50, "batch_size": 4, "learning_rate": 0.1}}
    assert small_model(recipe, ["toy"]) == {"checkpoint": None, "training": {"epochs": 1, "batch_size": 4}}


def test_the_readmes_commands_plan_every_machine_of_the_challenge(tmp_path: Path) -> None:
    """In one call with the tables of all systems. Scores, separators and augmentations are a system's own."""
    checkout = make_checkout(tmp_path / "run", "data: dcase2025_dev\n")
    jobs = checkout.jobs(*(f"results/{system}/scores.csv" for system in SYSTEMS), "--resources", "gpu=2")
    machines = ("ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve")
    planned = {
        f"score dcase2025_dev {machine} 00 {system} {name}"
        for system in SYSTEMS
        for machine in machines
        for name in variants_of(system)
    }
    assert planned == {job for job in jobs if job.startswith("score ")}
    assert {f"tabulate {system}" for system in SYSTEMS} == {job for job in jobs if job.startswith("tabulate ")}
    assert {f"download dcase2025_dev {machine}" for machine in machines} <= jobs
    for machine in machines:
        assert {job for system in SEPARATING for job in separation_of(system, machine)} <= jobs


def separation_of(system: str, machine: str) -> set[str]:
    """Return the jobs that separate a machine's clips with the system's own recipes."""
    content = read_yaml(ROOT / "config" / "systems" / f"{system}.yaml")
    (separator,) = content["separators"]
    separating = {f"{rule} dcase2025_dev {machine} {separator}" for rule in ("train_separator", "separate")}
    return separating | {f"augment {name} dcase2025_dev {machine}" for name in content["augmentations"]}
