"""`asdlib run`: the arguments with which it calls Snakemake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.checkout import ROOT

from asdlib.cli import main
from asdlib.runtime import host_cores
from snakemake_logger_plugin_asdlib.options import read_options
from snakemake_logger_plugin_asdlib.order import in_order


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that receives the command that `asdlib run` would have executed."""
    words: list[str] = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(os, "execv", lambda program, argv: words.extend(argv))
    for cores in ("usable", "available"):
        monkeypatch.setattr(host_cores, cores, lambda: 8)
    return words


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "--cores all"),
        ("system3 --gpus 2", "results/system3/scores.csv --cores all --resources gpu=2"),
        ("--gpus 0 --cores 4 baseline system5 report",
         "results/baseline/scores.csv results/system5/scores.csv report --cores 4 --resources gpu=0 "
         "--config 'systems=[baseline,system5]'"),
        ("baseline report --config systems=[system3]",
         "results/baseline/scores.csv report --cores all --config 'systems=[system3]'"),
        ("submission --slurm --dry-run", "submission --workflow-profile profiles/slurm --dry-run"),
        ("baseline --data my/pumps --configfile config/demo.yaml config/config.yaml --config device=cpu seeds=[1,2]",
         "results/baseline/scores.csv --cores all --configfile config/demo.yaml config/config.yaml "
         "--config data=my/pumps device=cpu 'seeds=[1,2]'"),
        ("results/audio/raw/demo/fan.parquet --data demo",
         "results/audio/raw/demo/fan.parquet --cores all --config data=demo"),
    ],
)  # fmt: skip
def test_targets_come_first(called: list[str], capsys, given: str, expected: str) -> None:
    assert main(["run", *given.split()]) == 0
    assert capsys.readouterr().out == f"snakemake {expected}\n"
    assert called[:4] == [sys.executable, "-P", "-m", "snakemake"]
    assert called[4:] == expected.replace("'", "").split()
    assert in_order(called[4:], read_options()) == called[4:]
    assert "profiles/slurm" not in called or (ROOT / "profiles/slurm/config.yaml").is_file()


def test_all_cores_are_those_that_a_container_may_use(called: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_cores, "usable", lambda: 3)
    assert main(["run"]) == 0
    assert called[4:] == ["--cores", "3"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("systme3", "systme3: is not a target: use baseline, encoders, neighbours, system1, "),
        ("--slurm --gpus 2", "--slurm: leave out --cores and --gpus: "),
        ("--config data=demo system3", "--config: system3: is not key=value: put it before the options"),
        ("--configfile config/demo.yaml system3", "--configfile: system3: is not a file: "),
        (f"--configfile {'x' * 300}", f"--configfile: {'x' * 300}: is not a file: "),
        ("--config prepare.downmix=true", "--config: prepare.downmix=true: is not a setting of the config: write "
         "'prepare={downmix: true}'"),
        ("--config override.models.dense_ae.epochs=3", "--config: override.models.dense_ae.epochs=3: is not a setting "
         "of the config: write 'override={models: {dense_ae: {training: {epochs: 3}}}}'"),
        ("--config 1=2", "--config: 1=2: is not a setting of the config: correct it"),
        ("--slurm --cores 2", "--slurm: leave out --cores and --gpus: "),
    ],
)  # fmt: skip
def test_wrong_calls_start_nothing(called: list[str], capsys, given: str, complaint: str) -> None:
    assert main(["run", *given.split()]) == 2
    assert capsys.readouterr().err.startswith(f"asdlib: error: {complaint}")
    assert called == []


def test_outside_of_a_workflow_nothing_is_started(called: list[str], capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run"]) == 2
    said = f"asdlib: error: {tmp_path}: has no Snakefile: change to the workflow's folder"
    assert capsys.readouterr().err.startswith(said)
    assert called == []


def test_a_config_file_in_another_encoding_starts_nothing(called: list[str], capsys, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes("data: demo\n".encode("utf-16"))
    assert main(["run", "--configfile", str(path)]) == 2
    complaint = "is UTF-16, or not text (it contains zero bytes): save it as UTF-8"
    assert capsys.readouterr().err == f"asdlib: error: {path}: {complaint}\n"
    assert called == []


def test_the_exit_code_is_snakemakes(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text("rule all:\n    shell: 'exit 3'\n")
    command = [sys.executable, "-m", "asdlib.cli", "run", "--cores", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("snakemake --cores 1\n")
    assert "Error in rule all" in done.stdout + done.stderr
