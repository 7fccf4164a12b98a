"""A killed run leaves no partial files, and the same command completes it with the same results.

halting/sitecustomize.py stops a job when half of a file is written.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from helpers.checkout import Checkout, add_toy_system, make_checkout
from helpers.halts import start, wait_for_halt

pytestmark = pytest.mark.workflow

TABLES = "results/toy/scores.csv"
# In the order of the graph: <rule>[ <machine>]:<file that is partly written when it is killed>[*<occurrence>]
HALTS = (
    "prepare fan:fan.parquet",
    "train_separator fan:model.safetensors",
    "separate fan:fan.parquet",
    "augment fan:fan.parquet",
    "extract_features fan:fan.parquet",
    "train_model:training.ckpt*2",  # in the middle of training: the second of three epochs
    "embed fan:fan.parquet",
    "score fan:decision_result_fan_section_00_test.csv",  # the scores are complete
    "tabulate:scores.csv",  # clips.csv is complete
)


def kill_in_the_act(checkout: Checkout, halt: str, *arguments: str) -> None:
    """Kill a run and its jobs when half of a file is written."""
    with start(checkout, halt, *arguments) as run:
        half = wait_for_halt(checkout, run)
        run.kill()
    assert half.is_file()
    if not half.name.startswith(".training.ckpt"):  # the complete one of the previous epoch stays
        final = re.sub(r"/\.([^/]+?)\.[^/]+-\d+\.part", r"/\1", str(half))
        assert not Path(final).exists()
    give_up = time.monotonic() + 60  # a killed process takes a moment to disappear
    while list(processes_in(checkout.folder)):
        assert time.monotonic() < give_up, "a job outlived its run"
        time.sleep(0.05)


def processes_in(folder: Path) -> Iterator[int]:
    """Yield the running processes whose working directory is in a folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside = (process / "cwd").readlink().is_relative_to(folder)
            if inside and (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                yield int(process.name)
        except OSError:  # it has ended in the meantime
            continue


def artefacts(checkout: Checkout) -> dict[str, bytes]:
    """Return all results by path, except logs, which contain times."""
    results = checkout.folder / "results"
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.name not in ("training.csv", "metrics.csv")
        and path.relative_to(results).parts[0] not in ("logs", "benchmarks", "report.html")
        and not path.is_relative_to(results / "toy" / "report") and not {"tiny", "noise"} & {*path.parts}
    }  # fmt: skip


def test_killed_in_every_stage(built: Checkout, tmp_path: Path) -> None:
    """A run that is killed in every stage, and restarted each time, ends like an uninterrupted one."""
    checkout = make_checkout(tmp_path / "killed")
    add_toy_system(checkout)
    (checkout.folder / "resources" / "reported" / "toy.csv").write_bytes(built.read("resources/reported/toy.csv"))
    shutil.copytree(built.folder / "recordings", checkout.folder / "recordings")
    for halt in HALTS:
        kill_in_the_act(checkout, halt, TABLES)
    checkout.run(TABLES)
    broken, unbroken = artefacts(checkout), artefacts(built)
    assert broken.keys() == unbroken.keys()
    assert [path for path in unbroken if broken[path] != unbroken[path]] == []
    assert {"toy/scores.csv", "toy/clips.csv"} < unbroken.keys()
    (log,) = (checkout.folder / "results" / "logs" / "train_model").glob("toy_joint-*/toy/all.log")
    assert "resuming after epoch 1" in log.read_text()
    assert not list(checkout.folder.rglob("training.ckpt"))


def test_a_job_that_outlives_its_run_is_found_and_stopped(copy: Checkout) -> None:
    copy.edit("config/systems/toy.yaml", "scale: 1.0", "scale: 2.0")
    command = [sys.executable, "-m", "asdlib.cli", "orphans", "--cancel"]
    ask = partial(subprocess.run, command, cwd=copy.folder, capture_output=True, text=True, check=True)
    with start(copy, "score:decision_result_fan_section_00_test.csv", TABLES, "--jobs", "1") as run:
        half = wait_for_halt(copy, run)
        assert ask().stdout == "no orphans\n"
        run.process.kill()
        run.process.wait()
        assert re.fullmatch(r"process \d+: score results/logs/score/\S+\n1 stopped\n", ask().stdout)
    assert not half.exists()
    copy.run(TABLES)


def test_killed_in_a_download(built: Checkout, tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "killed")
    target = "results/audio/raw/tiny/fan.parquet"
    kill_in_the_act(checkout, "download:fan", target, "--config", "data=tiny")
    checkout.run(target, "--config", "data=tiny")
    assert checkout.read(target) == built.read(target)


def test_a_stored_training_of_other_code_is_not_continued(copy: Checkout) -> None:
    copy.edit("config/systems/toy.yaml", "bands: 8\n    training: {epochs: 3", "bands: 8\n    training: {epochs: 4")
    (model,) = set(re.findall(r"results/models/toy_joint\S+/model\.safetensors", copy.run(TABLES, "--dry-run")))
    kill_in_the_act(copy, "train_model:training.ckpt*3", model)
    copy.edit("src/asdlib/models/toy_centre.py", "mean + torch.randn_like(mean)", "mean - torch.randn_like(mean)")
    copy.run(model)
    (log,) = (copy.folder / "results" / "logs" / "train_model").glob(f"{Path(model).parts[2]}/**/*.log")
    assert "belongs to other settings, code or inputs: the training starts over" in log.read_text()
    assert "resuming" not in log.read_text()


def test_a_second_run_does_not_disturb_the_first(copy: Checkout) -> None:
    """Snakemake refuses the second run: the lock of a running run is not mistaken for one that a killed run left."""
    copy.edit("config/systems/toy.yaml", "scale: 1.0", "scale: 2.0")
    with start(copy, "tabulate:scores.csv", TABLES) as first:  # the last job: no other job runs
        wait_for_halt(copy, first)
        assert "Directory cannot be locked" in copy.run(TABLES, fails=True)
        assert copy.jobs(TABLES)  # a dry run is allowed
        assert "Directory cannot be locked" in copy.run(TABLES, fails=True)
        assert first.process.poll() is None
        (copy.folder / "go_on").touch()
        first.finish()
    assert copy.jobs(TABLES) == set()
