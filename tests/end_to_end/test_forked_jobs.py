"""Runs whose jobs are forks of a server: it ends with its run, and so do the forks, whatever has ended the run."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from helpers import job_server
from helpers.checkout import SETTINGS, Checkout, Run, add_toy_machines, make_checkout

pytestmark = pytest.mark.workflow

SCORES = "results/baseline/mse/toy/anomaly_score_fan_section_00_test.csv"


def test_a_run_starts_a_server_that_ends_with_it(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "run", SETTINGS.replace("fork_jobs: false", "fork_jobs: true"))
    add_toy_machines(checkout, "fan")
    with checkout.start(SCORES) as run:
        wait_until(lambda: servers(checkout), run)
        run.finish()
    wait_until(lambda: not servers(checkout))
    assert (checkout.folder / SCORES).is_file()


def test_a_run_without_forks_starts_no_server(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "run")
    add_toy_machines(checkout, "fan")
    with checkout.start(SCORES) as run:  # it would have started the server before its first job
        wait_until(lambda: list(checkout.folder.glob("results/logs/prepare/**/*.log")), run)
        assert not servers(checkout)


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_training_in_a_fork_ends_with_its_run_and_is_continued(copy: Checkout, end: str) -> None:
    copy.edit("config/systems/toy.yaml", "bands: 8\n    training: {epochs: 3", "bands: 8\n    training: {epochs: 200")
    (model,) = set(
        re.findall(r"results/models/toy_joint\S+/model\.safetensors", copy.run("results/toy/scores.csv", "--dry-run"))
    )
    with copy.start(model, **job_server.environment()) as run:
        wait_until(lambda: states(copy), run)
        (fork,) = job_server.forks()
        if end == "stopped":
            run.process.terminate()
            assert "SIGTERM: cancelling all jobs" in run.finish(fails=True)
        else:
            run.kill()
        wait_until(lambda: not Path(f"/proc/{fork}").exists())
    assert states(copy)
    copy.run(model)
    assert "resuming" in copy.read(f"results/logs/train_model/{Path(model).parts[2]}/toy/all.log").decode()


def states(checkout: Checkout) -> list[Path]:
    """Return the stored states of trainings under way."""
    return list((checkout.folder / "results" / "models").rglob("training.ckpt"))


def servers(checkout: Checkout) -> list[int]:
    """Return the servers of a checkout's runs, and their forks."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            is_one = b"asdlib.runtime.job_server" in (process / "cmdline").read_bytes()
            if is_one and (process / "cwd").readlink() == checkout.folder:
                found.append(int(process.name))
    return found


def wait_until(holds: Callable[[], Any], run: Run | None = None) -> None:
    """Wait until something holds, at most as long as a run is alive."""
    give_up = time.monotonic() + 120
    while not holds():
        assert run is None or run.process.poll() is None, f"the run ended:\n{run.printed}"
        assert time.monotonic() < give_up
        time.sleep(0.05)
