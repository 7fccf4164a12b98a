"""Imports without packages that nothing here needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from asdlib.runtime import lean_imports
from asdlib.runtime.lean_imports import hidden

SRC = Path(lean_imports.__file__).parents[2]


def test_a_hidden_package_is_not_found_while_the_block_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with hidden("this"), pytest.raises(ModuleNotFoundError, match="No module named 'this'"):
        import this  # noqa: F401
    assert len([finder for finder in sys.meta_path if type(finder).__name__ == "_Hider"]) == 0


def test_a_package_that_is_loaded_stays_visible() -> None:
    with hidden("json"):
        import json

    assert json.loads("1") == 1


JOB = """
import sys
import numpy as np, pyarrow as pa, pyarrow.compute as pc
from asdlib.steps.command import run

def step() -> None:
    schema = pa.schema([("section", pa.string()), ("frames", pa.int32())])
    table = pa.Table.from_pylist([{"section": "00", "frames": None}], schema)
    table = table.set_column(1, "frames", pa.array([3], pa.int32())).append_column("more", pa.array(np.array([1.0])))
    assert pc.equal(table.column("section"), "00").to_numpy().all()
    assert "pandas" not in sys.modules
    assert table.to_pandas().to_dict("list") == {"section": ["00"], "frames": [3], "more": [1.0]}

run(step)
"""


def test_a_job_converts_lists_and_arrays_without_pandas(tmp_path: Path) -> None:
    """It takes half a second, and PyArrow would import it at the first conversion."""
    job = tmp_path / "job.json"
    job.write_text('{"settings": null, "code": "", "arguments": {}}')
    subprocess.run([sys.executable, "-c", JOB, str(job)], check=True, cwd=SRC)


STEP = """
import gc
import asdlib.runtime.job_start
before = gc.get_stats()
from asdlib.steps.command import run
assert gc.get_stats() == before

def step() -> None:
    assert gc.isenabled()
    assert not any(one is run for one in gc.get_objects())

run(step)
"""


def test_a_job_looks_for_no_garbage_among_its_modules(tmp_path: Path) -> None:
    """The search takes a tenth of the time of the imports, and as long again when the process ends."""
    job = tmp_path / "job.json"
    job.write_text('{"settings": null, "code": "", "arguments": {}}')
    subprocess.run([sys.executable, "-c", STEP, str(job)], check=True, cwd=SRC)
