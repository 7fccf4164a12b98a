"""The folder in which a joint training keeps its features while it runs."""

from pathlib import Path

import pytest
from helpers.refusals import refused

from asdlib.steps import train_model as step

SETTINGS = {"name": "net", "seed": 0, "training": {"epochs": 1, "batch_size": 1, "learning_rate": 0.1}}


class Loaded(Exception):
    """Raised instead of loading clips; the rest of the training is tested elsewhere."""


def scratch_of(out: Path, monkeypatch: pytest.MonkeyPatch, scratch: str, scope: str = "all") -> Path | None:
    """Return the folder in which a training keeps its features."""
    asked = []

    def load_clips(paths: list[Path], kind: str, scratch: Path | None, section: str | None) -> None:
        asked.append(scratch)
        raise Loaded

    monkeypatch.setattr(step, "load_clips", load_clips)
    with pytest.raises(Loaded):
        step.train_model([], [], [], [], out, out, {**SETTINGS, "scope": scope}, "", "cpu", 0, 1, None, scratch)
    return asked[0]


def test_in_a_folder_that_the_node_s_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job 7").mkdir()
    monkeypatch.setenv("LOCAL", str(tmp_path))
    assert scratch_of(tmp_path / "model", monkeypatch, "${LOCAL}/job 7") == tmp_path / "job 7"
    assert scratch_of(tmp_path / "model", monkeypatch, "$LOCAL", scope="machine") is None


@pytest.mark.parametrize("scratch", ["$NOT_SET_HERE", "/nowhere"])
def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scratch: str) -> None:
    complaint = rf"config: scratch: \{scratch} is not a folder on .*: use an existing one"
    refused(lambda: scratch_of(tmp_path / "model", monkeypatch, scratch), complaint)
