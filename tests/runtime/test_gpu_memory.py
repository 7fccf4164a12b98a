"""Too little GPU memory is one line with the right remedy, and is not tried again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.registry_toys import ROOT, all_recipes

from asdlib.errors import OutOfGpuMemoryError
from asdlib.runtime.gpu_memory import PEAKS, explained, is_shortage
from asdlib.steps import command
from asdlib.training.job import Job, Task, fit
from asdlib.workflow.recipe import Recipe

CUDA = torch.device("cuda", 0)
SHORTAGES = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79 GiB"),
    torch.OutOfMemoryError("Allocation on device 0 would exceed allowed memory. (out of memory)"),
    RuntimeError("CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions."),
    torch.AcceleratorError("CUDA error: out of memory", 2),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
    RuntimeError("CUDA driver error: out of memory"),
    RuntimeError("NCCL error: unhandled cuda error\nLast error:\nCuda failure 2 'out of memory'"),
    RuntimeError("NCCL error: unhandled cuda error\nLast error:\nCuda failure 'out of memory'"),
)
OTHERS = (
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("NCCL error: unhandled cuda error\nLast error:\nCuda failure 217 'peer access is not supported'"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes. Error code 12"),
    RuntimeError("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"),
    MemoryError(),
)
REMEDIES = {
    "dismae_base": "lower round_clips (32)",
    "sepreformer": "set training.cuda_graph to false, or set training.batch_size: 2 with accumulate: 2, "
    "or shorten pairs.segment",
    "conv_tasnet": "set training.cuda_graph to false, or set training.micro_batch to a small number, "
    "or shorten pairs.segment",
    "audiomae_adapted": "set training.micro_batch to a small number",
    "eat_2025": "set training.batch_size: 8 with accumulate: 2",
}


def recipe(name: str) -> Recipe:
    registry = next(one for one in ("models", "separators") if name in all_recipes(one))
    return Recipe(registry, {"name": name, "seed": 1, **all_recipes(registry)[name]})


@pytest.mark.parametrize("error", SHORTAGES, ids=str)
def test_every_kind_of_shortage_is_known(error: RuntimeError) -> None:
    assert is_shortage(error)


@pytest.mark.parametrize("error", OTHERS, ids=str)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    assert not is_shortage(error)
    with pytest.raises(type(error)), explained(recipe("eat_2025"), CUDA, training=True):
        raise error


@pytest.mark.parametrize("name", REMEDIES)
def test_the_line_names_the_card_the_peak_and_the_knob(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30 + 2**24, 24 * 2**30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 20 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "RTX 4090")
    with pytest.raises(OutOfGpuMemoryError) as raised, explained(recipe(name), CUDA, training=True):
        raise SHORTAGES[0]
    graph = ", without cuda_graph" if "cuda_graph" in REMEDIES[name] else ""
    assert str(raised.value) == (
        f"{name}: out of GPU memory (RTX 4090 with 24.0 GiB, of which this job has 20.0 GiB and 1.0 GiB are free; "
        f"its training took {PEAKS[name]} GiB on an H200{graph}): end what else uses the GPU (see nvidia-smi), or "
        f"{REMEDIES[name]}"
    )


@pytest.mark.parametrize(
    ("training", "remedy"),
    [
        ({"batch_size": 2, "accumulate": 3}, "set training.batch_size: 1 with accumulate: 6"),
        ({"batch_size": 1, "accumulate": 3}, "use a GPU with more memory"),
        ({"steps": 100}, "use a GPU with more memory"),
    ],
)
def test_a_batch_is_halved_as_long_as_that_is_possible(training: dict[str, int], remedy: str) -> None:
    toy = Recipe("models", {"name": "toy", "seed": 1, "training": training})
    with pytest.raises(OutOfGpuMemoryError) as raised, explained(toy, torch.device("cpu"), training=True):
        raise SHORTAGES[0]
    assert str(raised.value).endswith(f"(see nvidia-smi), or {remedy}")


def test_each_process_names_the_card_that_it_computes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's device is cuda:0 in all processes of a training."""
    asked = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: asked.append(device) or (2**30, 24 * 2**30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "RTX 4090")
    with pytest.raises(OutOfGpuMemoryError), explained(recipe("eat_2025"), CUDA, training=True):
        raise SHORTAGES[0]
    assert asked == [torch.device("cuda", 1)]


def test_the_line_comes_also_when_cuda_no_longer_answers() -> None:
    said = r"^eat_2025: out of GPU memory: end what .* or use another GPU, or the CPU"
    with pytest.raises(OutOfGpuMemoryError, match=said), explained(recipe("eat_2025"), CUDA):
        raise SHORTAGES[1]


def test_the_peaks_are_those_of_the_docs() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    table = text[text.index("| recipe | budget, GiB |") :].split("\n\n")[0].splitlines()
    column = [cell.strip() for cell in table[0].split("|")].index("measured")
    rows = [[cell.strip() for cell in line.split("|")] for line in table[2:]]
    assert {row[1].partition(" ")[0]: pytest.approx(float(row[column]), rel=0.05) for row in rows} == PEAKS


def test_a_training_says_so(tmp_path: Path) -> None:
    def begin() -> Task:
        raise SHORTAGES[0]

    block = {"name": "toy", "seed": 1, "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.1}}
    weights = tmp_path / "model.safetensors"
    job = Job(Recipe("models", block), "code", [], weights, tmp_path / "training.csv", torch.device("cpu"))
    with pytest.raises(
        OutOfGpuMemoryError, match=r"^toy: out of GPU memory: .* set training.batch_size: 4 with accumul"
    ):
        fit(job, begin)
    assert not weights.exists()


def short_of_memory() -> None:
    with explained(recipe("eat_2025"), CUDA):
        raise SHORTAGES[0]


def test_the_exit_code_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job.json").write_text(json.dumps({"settings": {}, "code": "", "arguments": {}}))
    monkeypatch.setattr(command.guard, "check_library", lambda: None)
    monkeypatch.setattr(command, "exit_on_signals", list)
    with pytest.raises(SystemExit) as end:
        command.run(short_of_memory, [str(tmp_path / "job.json")])
    assert end.value.code == 3


WORKFLOW = """
from asdlib.runtime import failures
from snakemake.logging import logger

if workflow.is_main_process:
    logger.addFilter(failures.Shortener(lambda job: failures.give_up(workflow.dag, job)))

rule all:
    input: "gpu", "other"

rule gpu:
    output: "gpu"
    log: "gpu.log"
    resources: mem_mb=lambda w, attempt: 40 * attempt
    shell: "echo x >> gpu.tries; echo 'error: eat: out of GPU memory: x' > {log}; exit 3"

rule other:
    output: "other"
    log: "other.log"
    resources: mem_mb=lambda w, attempt: 40 * attempt
    shell: "echo x >> other.tries; echo 'error: other: x' > {log}; exit 1"
"""


def test_snakemake_repeats_other_failures_only(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--retries", "2", "-k", "--resources", "mem_mb=120"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert len((tmp_path / "gpu.tries").read_text().split()) == 1, run.stderr
    assert len((tmp_path / "other.tries").read_text().split()) == 3, run.stderr
    assert re.search(r"eat: out of GPU memory: x", run.stderr)
