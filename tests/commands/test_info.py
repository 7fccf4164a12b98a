"""`asdlib info` and `asdlib --version`: what a report of a problem should contain."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
import yaml

from asdlib.cli import main
from asdlib.commands import info
from asdlib.runtime import devices, gpus, host_cores
from asdlib.workflow import project

ROOT = Path(__file__).parents[2]


def test_the_version_stands_in_one_place(capsys: pytest.CaptureFixture) -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"asdlib {stated}\n"


def test_every_dependency_is_listed_with_its_version(capsys: pytest.CaptureFixture) -> None:
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"asdlib", "machine", "programs", "packages"}
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert list(found["packages"]) == stated
    assert found["packages"]["numpy"].startswith(version("numpy"))
    assert found["asdlib"]["version"] == project.version()


def test_another_version_than_the_pinned_one_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pins = project.pins() | {"numpy": "0.1", "torch": version("torch").partition("+")[0]}
    monkeypatch.setattr(project, "pins", lambda: pins)
    monkeypatch.setattr(project, "dependencies", lambda: ["numpy", "torch", "missing-package"])
    main(["info"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        f"  numpy            {version('numpy')} (constraints.txt: 0.1)",
        f"  torch            {version('torch')}",
        "  missing-package  not installed",
    ]


def test_a_program_that_fails_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert info._answer("false") == info._answer("no-such-program") == ""
    monkeypatch.setattr(info, "_PATIENCE", 0.1)
    assert info._answer("sh", "-c", "sleep 2; echo late") == ""


def test_the_machine_is_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'H200, 143771 MiB, 1.2'\necho 'A100, 81920 MiB, 1.2'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(host_cores, "usable", lambda: 3)
    monkeypatch.setattr(gpus, "supported_cuda", lambda: "12.4")
    monkeypatch.setattr(gpus, "needed_cuda", lambda: "13.0")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    main(["info", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["GPUs"] == "H200, 143771 MiB, 1.2; A100, 81920 MiB, 1.2"
    assert found["machine"]["CUDA"] == "driver: 12.4; installed PyTorch: 13.0"
    assert found["machine"]["cores"] == "3 of 8 may be used"
    (kilobytes,) = re.findall(r"^MemTotal: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.M)
    assert float(found["machine"]["memory"].removesuffix(" GB")) == pytest.approx(int(kilobytes) * 1024e-9, abs=0.06)
    assert found["programs"]["nvidia-smi"] == str(program)
    assert found["asdlib"]["commit"] == "unknown", "there is no git"


@pytest.mark.parametrize(
    ("reason", "cuda", "found_gpus"),
    [("", "usable", "GPU 0; GPU 1"), ("the driver is too old", "not usable: the driver is too old", "none")],
)
def test_what_pytorch_sees(monkeypatch, capsys, reason: str, cuda: str, found_gpus: str) -> None:
    monkeypatch.setattr(devices, "why_cuda_fails", lambda: reason)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")
    main(["info", "--torch", "--json"])
    found = json.loads(capsys.readouterr().out)["PyTorch"]
    assert (found["version"], found["threads"]) == (torch.__version__, str(torch.get_num_threads()))
    assert (found["CUDA"].rpartition(", ")[2], found["GPUs"]) == (cuda, found_gpus)


def test_nothing_else_states_the_version() -> None:
    """The changelog has it as a heading; a second place would be forgotten."""
    stated = project.version()
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert f"\n## {stated} " in (ROOT / "CHANGELOG.md").read_text()
    assert [path for path in (ROOT / "src").rglob("*.py") if f'"{stated}"' in path.read_text()] == []


def test_info_imports_nothing_heavy() -> None:
    code = "import asdlib.cli, sys; asdlib.cli.main(['info']); print({'numpy', 'torch'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    assert done.stdout.endswith("\nset()\n")
