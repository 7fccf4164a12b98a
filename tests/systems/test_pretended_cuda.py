"""Every trained recipe at full size on a pretended CUDA device: places, waits for the device, and memory are known.

`tests/helpers/pretended_cuda` is a CUDA runtime that computes nothing, for PyTorch's fake tensors. It shows tensors on
the wrong device, operations that make the host wait, and the memory of tensors; not the kernels themselves.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.markdown_tables import tables

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
# Where the host waits for the device when two clips are embedded. No recipe waits in a training step.
LENGTHS = {"models/window_autoencoder.py embed: tolist": 1}
EMBEDDING = {
    "dense_ae": {"models/dense_autoencoder.py embed: tolist": 1},
    "beats_adapted": {"models/adapted_beats.py embed: tolist": 1},
    "dual_branch_cnn": {"models/dual_branch_densities.py left_out: bool": 1},  # whether a covariance has failed
    **dict.fromkeys(("conditional_ae", "unconditional_ae", "conditional_ae_256", "conditional_dense_ae"), LENGTHS),
}
PRETENDED = ROOT / "tests" / "helpers" / "pretended_cuda"
BUDGETS = "| recipe | budget, GiB |"  # the beginning of a table of docs/benchmarks.md
FAULTS = ("misplaced:eat_10k_2025", "waiting:dense_ae")
HEADERS = [Path(folder) / "nvidia" / "cu13" / "include" for folder in sys.path]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a process that has the pretended device."""
    headers = next((folder for folder in HEADERS if (folder / "cuda_runtime_api.h").is_file()), None)
    compiler = shutil.which("cc")
    if compiler is None or headers is None:
        pytest.skip("SKIPPED: no pretended CUDA device: it needs a C compiler and the headers of PyTorch's CUDA wheels")
    folder = tmp_path_factory.mktemp("cuda")
    flags = [compiler, "-w", "-shared", "-fPIC", "-O1", "-I", str(headers), "-I", str(PRETENDED), "-o"]
    for library, source in (("runtime.so", "runtime.c"), ("libcuda.so.1", "driver.c")):
        subprocess.run([*flags, str(folder / library), str(PRETENDED / source)], check=True)
    paths = os.pathsep.join(str(ROOT / name) for name in ("src", "benchmarks", "tests"))
    return {
        **os.environ, "LD_LIBRARY_PATH": str(folder), "LD_PRELOAD": str(folder / "runtime.so"), "PYTHONPATH": paths,
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip


@pytest.fixture(scope="module")
def found(device: dict[str, str]) -> dict[str, dict]:
    """Return what was found, by recipe, also of two with a fault; in one process, so that all imports are done once."""
    command = [sys.executable, "-W", "ignore", str(PRETENDED / "drive.py"), *recipe_names(), *FAULTS]
    lines = subprocess.run(command, env=device, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return {row["name"]: row for row in map(json.loads, lines)}


def recipe_names() -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        from gpu_recipes import recipes
    return [name for _, name in recipes()]


def budgets() -> dict[str, float]:
    """Return the GiB that a training step of each recipe may take, as docs/benchmarks.md says."""
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    (table,) = tables(text[text.index(BUDGETS) :].split("\n\n")[0])
    return {row[0]: float(row[1]) for row in table[1:]}


def test_recipes_train_and_embed_on_the_device_and_wait_only_where_it_is_known(found: dict[str, dict]) -> None:
    rows = {name: found[name] for name in recipe_names()}
    assert {name: row["error"] for name, row in rows.items() if "error" in row} == {}
    assert {place for row in rows.values() for place in row["devices"]} == {"cuda:0"}
    assert {name: row["training"] for name, row in rows.items() if row["training"]} == {}
    assert {name: row["embedding"] for name, row in rows.items() if row["embedding"]} == EMBEDDING


def test_a_step_stays_within_the_documented_memory_and_comes_near_to_it(found: dict[str, dict]) -> None:
    taken, most = {name: found[name]["GiB"] for name in recipe_names()}, budgets()
    assert taken.keys() == most.keys()
    assert {name: (taken[name], most[name]) for name in taken if taken[name] > most[name]} == {}
    assert {name: (taken[name], most[name]) for name in taken if most[name] > max(1.15 * taken[name], 0.1)} == {}


def test_a_tensor_that_is_left_on_the_cpu_is_found(found: dict[str, dict]) -> None:
    assert "two different devices cpu, cuda:0" in found["misplaced:eat_10k_2025"]["error"]


def test_a_step_that_waits_for_the_device_is_found(found: dict[str, dict]) -> None:
    assert found["waiting:dense_ae"]["training"] == {"PyTorch: copy from cpu to cuda": 1, "PyTorch: nonzero": 1}
