"""docs/adding_a_system.md, followed to the letter: its files go into a checkout and run to the tables."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.checkout import ROOT, Checkout

pytestmark = pytest.mark.workflow

PAGE = (ROOT / "docs" / "adding_a_system.md").read_text()
STEPS = """
import sys
sys.path.append(sys.argv[1])
from pathlib import Path
from helpers.checkout import Checkout
from helpers.in_process import run_system
print(*run_system(Checkout(Path.cwd()), sys.argv[2]))
"""


def block(language: str, place: str) -> str:
    """Return the code block that follows the first mention of a file."""
    return re.search(rf"```{language}\n(.*?)```", PAGE.partition(f"`{place}`")[2], re.DOTALL)[1]


def add_the_example(checkout: Checkout) -> str:
    """Write the page's files and registry line; return the command's target."""
    for language, place in (
        ("python", "src/asdlib/backends/scaled_distance.py"),
        ("yaml", "config/systems/scaled.yaml"),
    ):
        (checkout.folder / place).write_text(block(language, place))
    registry = block("python", "src/asdlib/backends/__init__.py")
    added, entry = registry.splitlines()[0], re.search(r'"scaled_distance": \w+, ', registry)[0]
    opening = "BACKENDS: dict[str, type] = {"
    checkout.edit("src/asdlib/backends/__init__.py", opening, f"{added}\n\n{opening}{entry}")
    return re.search(r"snakemake (results/\S+)", PAGE)[1]


def test_the_worked_example_runs_to_its_table(copy: Checkout) -> None:
    target = add_the_example(copy)
    copy.edit("settings.yaml", "{folder: recordings}", "{folder: recordings, machines: [fan]}")
    environment = {**os.environ, "PYTHONPATH": str(copy.folder / "src")}
    command = [sys.executable, "-c", STEPS, str(Path(__file__).parents[1]), target]
    done = subprocess.run(command, cwd=copy.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["extract_features", "train_model", "embed", "score", "tabulate"]
    with (copy.folder / target).open() as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["variant"], row["machine"]) for row in rows] == [("scaled", "fan"), ("scaled", "all")]
    assert all(0 <= float(row[name]) <= 100 for row in rows for name in ("auc_source", "auc_target", "pauc", "hmean"))
    assert "scaled_mahalanobis-" in rows[0]["recipe"]
