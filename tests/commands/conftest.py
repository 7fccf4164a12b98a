"""A folder in which `asdlib score` can be called."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.checkout import ROOT
from helpers.toy_recordings import RATE, make_machine, write_wav

from asdlib.commands.scoring_target import ScoringTarget, needed_to_score
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph

SETTINGS = """
data: [recordings, others]
device: cpu
prepare: {seconds: 1.0}
"""
HUM = 0.1 * np.sin(np.arange(RATE) / 10)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a workflow with a dataset of a fan and a pump with two sections, and a second dataset with a pump."""
    folder = tmp_path / "run"
    shutil.copytree(ROOT / "config", folder / "config", ignore=shutil.ignore_patterns("system*.yaml"))
    (folder / "settings.yaml").write_text(SETTINGS)
    (folder / "Snakefile").touch()
    sizes = {"train": 1, "target": 1, "test": 1, "seconds": 0.1}
    make_machine(folder / "recordings" / "fan", **sizes)
    for name in ("recordings", "others"):
        make_machine(folder / name / "pump", **sizes, sections=("00", "01"))
    write_wav(folder / "my.wav", HUM)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def ran(here: Path) -> Path:
    """Add the files of a run, all empty: errors are found before the files are read."""
    graph = Graph(read_config([Path("settings.yaml")], []), Path())
    variant = graph.variant("baseline", "mse", "")
    for name in needed_to_score(graph, ScoringTarget(variant, "recordings", "fan", "00")):
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return here
