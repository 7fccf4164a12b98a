"""`asdlib plan` for a system that is not shipped, before and after its jobs."""

import json
import os
import subprocess
import sys

import pytest
from helpers.checkout import Checkout

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


def test_another_seed_needs_its_own_trainings(built):
    row, _ = rows(built, "--config", "seeds=[13711,5]")
    assert row["trainings"] == 5  # a separator and a tuned model per machine, one joint model
    assert set(row["unknown"]) >= {"separators.toy_gain", "models.toy_joint"}  # never measured
