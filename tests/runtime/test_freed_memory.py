"""Memory that a training keeps for its next step."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from asdlib.training.job import Job, fit
from asdlib.workflow.recipe import Recipe

ROOT = Path(__file__).parents[2]
PROGRAM = """
import resource
from asdlib.runtime.freed_memory import keep_freed_memory
{call}
def step():
    return [bytearray(b"x") * (size << 20) for size in (20, 24, 28)]
step(), step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize(("call", "least", "most"), [("keep_freed_memory()", 0, 1_000), ("", 10_000, 1_000_000)])
def test_what_is_freed_is_not_asked_for_again(call: str, least: int, most: int) -> None:
    """72 MiB are 18,432 pages; those that the system has to provide anew are counted."""
    if not sys.platform.startswith("linux"):
        pytest.skip("glibc returns what is freed; another C library is left as it is")
    program = PROGRAM.format(call=call)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    assert least <= int(done.stdout) <= most


def test_a_training_keeps_it_once_the_clips_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class KeptError(Exception):
        pass

    def kept() -> None:
        raise KeptError

    loaded = []
    monkeypatch.setattr("asdlib.training.job.keep_freed_memory", kept)
    block = {"name": "toy", "seed": 1, "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.1}}
    files = tmp_path / "model.safetensors", tmp_path / "training.csv"
    with pytest.raises(KeptError):
        fit(Job(Recipe("models", block), "code", [], *files, torch.device("cpu")), lambda: loaded.append("clips"))
    assert loaded == ["clips"]
