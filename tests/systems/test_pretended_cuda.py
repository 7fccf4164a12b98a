"""Every trained recipe on a pretended CUDA device: nothing is left on the CPU, and waits for the device are known.

`tests/helpers/pretended_cuda` is a CUDA runtime that computes nothing, for PyTorch's fake tensors. It shows tensors on
the wrong device and operations that make the host wait; not the kernels themselves.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Where the host waits for the device when two clips are embedded. No recipe waits in a training step.
LENGTHS = {"models/window_autoencoder.py embed: tolist": 1}
EMBEDDING = {
    "dense_ae": {"models/dense_autoencoder.py embed: tolist": 1},
    **dict.fromkeys(("conditional_ae", "unconditional_ae", "conditional_ae_256", "conditional_dense_ae"), LENGTHS),
}
PRETENDED = ROOT / "tests" / "helpers" / "pretended_cuda"
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


def driven(device: dict[str, str], *names: str) -> dict[str, dict]:
    """Return what was found, by recipe; two processes share the recipes."""
    command = [sys.executable, "-W", "ignore", str(PRETENDED / "drive.py")]
    halves = [
        subprocess.Popen([*command, *names[start::2]], env=device, stdout=subprocess.PIPE, text=True)
        for start in range(min(2, len(names)))
    ]
    lines = "".join(half.communicate()[0] for half in halves).splitlines()
    return {row["name"]: row for row in map(json.loads, lines)}


def test_recipes_train_and_embed_on_the_device_and_wait_only_where_it_is_known(
    device: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from gpu_recipes import recipes

    names = [name for _, name in recipes()]
    found = driven(device, *names)
    assert {name: row["error"] for name, row in found.items() if "error" in row} == {}
    assert set(found) == set(names)
    assert {place for row in found.values() for place in row["devices"]} == {"cuda:0"}
    assert {name: row["training"] for name, row in found.items() if row["training"]} == {}
    assert {name: row["embedding"] for name, row in found.items() if row["embedding"]} == EMBEDDING


def test_a_tensor_that_is_left_on_the_cpu_is_found(device: dict[str, str]) -> None:
    assert "two different devices cpu, cuda:0" in driven(device, "misplaced:eat_10k_2025")["eat_10k_2025"]["error"]


def test_a_step_that_waits_for_the_device_is_found(device: dict[str, str]) -> None:
    found = driven(device, "waiting:dense_ae")["dense_ae"]["training"]
    assert found == {"PyTorch: copy from cpu to cuda": 1, "PyTorch: nonzero": 1}
