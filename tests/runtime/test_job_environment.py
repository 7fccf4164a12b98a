"""Tests of the jobs' environment: the checkout, its library and this Python come first."""

import os
import sys
from pathlib import Path

import pytest

from asdlib.runtime import job_environment


def test_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASDLIB", "/another")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/mine", "/checkout/src"]))
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    job_environment.export(Path("/checkout"))
    job_environment.export(Path("/checkout"))  # a job on a cluster exports again
    assert os.environ["ASDLIB"] == "/checkout"
    assert os.environ["PYTHONSAFEPATH"] == "1"
    assert os.environ["PYTHONUTF8"] == "1"
    assert "PYTHONIOENCODING" not in os.environ
    assert os.environ["PYTHONPATH"] == os.pathsep.join(["/checkout/src", "/mine"])
    assert os.environ["PATH"] == os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin"])
