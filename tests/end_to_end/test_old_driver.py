"""A run on a machine whose GPUs have a driver that is too old for PyTorch."""

from pathlib import Path

import pytest
from helpers.checkout import SETTINGS, add_toy_machines, make_checkout
from helpers.old_driver import old_driver

pytestmark = pytest.mark.workflow

FAULT = "GPU: not used: its driver supports CUDA up to 12.4, and the installed PyTorch is for "


def test_such_a_machine_computes_on_its_cpu_and_says_why(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "run", SETTINGS.replace("device: cpu", "device: auto"))
    add_toy_machines(checkout, "fan")
    environment = {**old_driver(tmp_path), "TMPDIR": str(tmp_path)}  # of the locks, which other tests may take
    with checkout.start_anew("results/baseline/scores.csv", **environment) as run:
        printed = run.finish()
    assert FAULT in printed
    assert "found here: no GPU" in printed
    assert "device: auto: CUDA does not compute" not in printed, "no job was given a GPU"
    assert (checkout.folder / "results" / "baseline" / "scores.csv").is_file()
    embed = ["--forcerun", "embed", "--until", "embed", "--resources"]
    with checkout.start_anew("results/baseline/scores.csv", *embed, "gpu=1", **environment) as run:
        printed = run.finish()
    assert FAULT in printed
    assert "device: auto: CUDA does not compute on GPU 0 (The NVIDIA driver on your system is too old" in printed
    with checkout.start_anew("results/baseline/scores.csv", *embed, "gpu=0", **environment) as run:
        printed = run.finish()
    assert "GPU: not used" not in printed, "none was wanted"
