"""A real SLURM cluster of one node for tests, started from the project's shared folder."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.checkout import ROOT, Checkout, Run

SCRIPTS = ROOT.parent / "shared" / "slurm"
CLAIMED = {"TEST_SLURM_MEM_MB": "64000", "TEST_SLURM_GPUS": "2"}  # the machine need not have them
PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
# Values of a site for the profile. A test cannot wait 20 s for the first check of every job.
SITE = {
    "  # slurm_partition: cpu": "  slurm_partition: cpu",
    "  # slurm_account: myaccount": "  slurm_account: testacct",
    "slurm-init-seconds-before-status-checks: 20": "slurm-init-seconds-before-status-checks: 6",
    "latency-wait: 30": "latency-wait: 5\nseconds-between-status-checks: 3",
    # The node's GPUs are asked for as on a site that only takes --gres.
    "# set-resources:": "set-resources:",
    "#   train_model: {slurm_partition: gpu}": '  train_model: {slurm_partition: gpu, gpu: 0, gres: "gpu:1"}',
}


def start() -> None:
    """Start the cluster, or those of its parts that do not run."""
    if not (SCRIPTS / "start-slurm.sh").is_file():
        pytest.skip(f"NOT CHECKED HERE: runs through SLURM need {SCRIPTS}")
    ended = subprocess.run(
        ["bash", SCRIPTS / "start-slurm.sh"], capture_output=True, text=True, env=os.environ | CLAIMED, check=False
    )
    if ended.returncode:
        pytest.skip(
            f"NOT CHECKED HERE: SLURM does not start: {(ended.stderr.strip() or 'no message').splitlines()[-1]}"
        )


def stop() -> None:
    subprocess.run(["bash", SCRIPTS / "stop-slurm.sh"], capture_output=True, check=False)


def stop_the_controller() -> None:
    """Kill the controller, like a crash of its host."""
    subprocess.run(["pkill", "-9", "slurmctld"], check=True)


def ask(*command: str) -> str:
    """Run a command of SLURM and return its output."""
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PATH": PATH}, check=True)
    return ended.stdout


def jobs(checkout: Checkout, *states: str) -> list[str]:
    """Return the numbers of a checkout's jobs in the given states (default: pending or running)."""
    asked = ("-t", ",".join(states)) if states else ()
    lines = (line.split(maxsplit=1) for line in ask("squeue", "-h", *asked, "-o", "%i %Z").splitlines())
    return [number for number, folder in lines if Path(folder) == checkout.folder]


def gpus(checkout: Checkout) -> set[str]:
    """Return the node's GPUs that a checkout's jobs use; two jobs on one GPU count once."""
    shown = "".join(ask("scontrol", "show", "job", "-d", number) for number in jobs(checkout, "running"))
    return set(re.findall(r"GRES=gpu:\S*\(IDX:(\d+)\)", shown))


def configure(checkout: Checkout) -> None:
    """Write the site's values into the profile."""
    for old, new in SITE.items():
        checkout.edit("profiles/slurm/config.yaml", old, new)


def with_groups(profile: str) -> str:
    """Return the text of the profile for SLURM with the lines about groups, which are comments in it."""
    lines = ("# groups: ", "# group-components: ")
    assert all(profile.count(f"\n{line}") == 1 for line in lines)
    return "".join(line.removeprefix("# ") if line.startswith(lines) else line for line in profile.splitlines(True))


def wait_until(reached: Callable[[], bool], what: str, seconds: float = 150, run: Run | None = None) -> None:
    """Wait until `reached` returns true; fail after `seconds`, or when `run` ends before."""
    give_up = time.monotonic() + seconds
    while not reached():
        assert run is None or run.process.poll() is None, f"the run ended:\n{run.printed}"
        assert time.monotonic() < give_up, f"waited in vain: {what}"
        time.sleep(0.3)
