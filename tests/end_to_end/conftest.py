"""The toy system, which is built once for all tests."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest
from helpers.checkout import Checkout, add_toy_machines, add_toy_system, make_checkout

REPORTED = """variant,dataset,machine,auc_source,auc_target,pauc,hmean,note
joint,toy,fan,61.0,52.5,50.25,,
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return the finished run of the toy system on two machines, which tests copy and never change.

    All processes of pytest share it: the first one builds it, and the others wait.
    """
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder, done = shared / "built", shared / "built.done"
    with (shared / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _build(folder)
            done.touch()
    return Checkout(folder)


def _build(folder: Path) -> None:
    checkout = make_checkout(folder)
    add_toy_system(checkout)
    (folder / "resources" / "reported" / "toy.csv").write_text(REPORTED)
    add_toy_machines(checkout, "fan", "pump")
    checkout.run("results/toy/scores.csv")
    checkout.run("results/audio/raw/tiny/fan.parquet", "--config", "data=tiny")
    pool = folder / "recordings" / "fan" / "supplemental"
    checkout.run("results/audio/noise/toy.parquet", "--config", f"noise_pool={pool.relative_to(folder)}")
    checkout.run("report", "--config", "systems=[toy]", anew=True)


@pytest.fixture
def copy(built: Checkout, tmp_path: Path) -> Checkout:
    """Return a copy of the finished run at another path, which a test can change."""
    return built.copy_to(tmp_path / "copy")
