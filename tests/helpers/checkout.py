"""Copies of the workflow in temporary folders, which tests can run and change."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from helpers import job_server
from helpers.snakemake_server import Started, run_snakemake, start_snakemake
from helpers.toy_recordings import make_machine

ROOT = Path(__file__).resolve().parents[2]
TOY_SYSTEM = ROOT / "tests" / "end_to_end" / "toy_system"
NEEDED = ("Snakefile", "workflow", "config", "src", "profiles", "envs", "resources/reported",
          "resources/costs.yaml", "resources/memory.yaml", "resources/zenodo.lock.json", "pyproject.toml")  # fmt: skip
TOY_CLASSES = {
    "separators": ("toy_gain", "ToyGain"),
    "augmentations": ("toy_mix", "ToyMix"),
    "models": ("toy_centre", "ToyCentre"),
    "backends": ("toy_distance", "ToyDistance"),
}
TOY_CLIPS = {"train": 5, "target": 2, "test": 2}
SETTINGS = """
data: toy
device: cpu
threads: 1
fork_jobs: false # a run may be given the server that many runs share: helpers/job_server.py
memory: 1100 # MB: 1.3 times the highest peak of a toy
prepare: {seconds: 1.0}
override:
  models:
    dense_ae: {hidden: 8, training: {epochs: 2, batch_size: 64}}
datasets:
  toy: {folder: recordings}
  tiny: # the demo, tiny: the only toy dataset that is downloaded
    source: {kind: demo, train_source: 4, train_target: 2, test_per_cell: 1, supplements: 1, seconds: 1.0}
    machines: [fan]
"""
Job = str  # "<rule> <wildcards>" without fingerprints
_FINGERPRINT = re.compile(r"-[0-9a-f]{6}(?=[/ ]|$)")
_JOB = re.compile(r"^(?:local)?rule (\w+):$|^    wildcards: (.*)$", re.MULTILINE)


class Run:
    """A running Snakemake in its own process group; as a context manager, it leaves no process behind."""

    def __init__(self, process: subprocess.Popen[bytes] | Started, log: Path):
        self.process = process
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def printed(self) -> str:
        """The output so far."""
        return self._log.read_text()

    def kill(self) -> None:
        """Kill it and all its jobs at once, like a power failure."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # the group may outlive its leader
        self.process.wait(timeout=30)

    def finish(self, fails: bool = False) -> str:
        """Wait until it ends and return its output."""
        code = self.process.wait(timeout=600)
        assert (code != 0) == fails, f"exit code {code}:\n{self.printed}"
        return self.printed


class Checkout:
    """A copy of the workflow in `folder`, with settings in `settings.yaml`, run by this Python."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def start(self, *arguments: str, **environment: str) -> Run:
        """Start Snakemake with `arguments`: first the target, then options."""
        log = self._log()
        environment = {**_clean_environment(), **environment}
        return Run(start_snakemake(self._call(*arguments), self.folder, environment, log), log)

    def start_anew(self, *arguments: str, **environment: str) -> Run:
        """Start it in a new Python, whose encoding and import path follow `environment`."""
        log = self._log()
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *self._call(*arguments)],
                cwd=self.folder,
                env={**_clean_environment(), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Run(process, log)

    def run(self, *arguments: str, fails: bool = False, anew: bool = False) -> str:
        """Run Snakemake until it ends and return its output.

        Its jobs are forks of a server that runs share. With `anew`, each is a new Python, as in `start`.
        """
        log = self._log()
        forks_jobs = not (anew or "--dry-run" in arguments)
        environment = {**_clean_environment(), **(job_server.environment() if forks_jobs else {})}
        code = run_snakemake(self._call(*arguments), self.folder, environment, log)
        assert (code != 0) == fails, f"exit code {code}:\n{log.read_text()}"
        return log.read_text()

    def jobs(self, *arguments: str) -> set[Job]:
        """Return the jobs of a dry run except `all`, the only one without wildcards."""
        found, rule = set(), ""
        for line in _JOB.finditer(self.run(*arguments, "--dry-run")):
            rule = line[1] or rule
            if line[2]:
                found.add(_name(rule, line[2]))
        return found

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace the only occurrence of a text in a file."""
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, f"{path}: {old!r} occurs {text.count(old)} times"
        (self.folder / path).write_text(text.replace(old, new))

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        return (self.folder / path).read_bytes()

    def _call(self, *arguments: str) -> list[str]:
        return [*arguments, "--cores", "2", "--configfile", "settings.yaml"]

    def _log(self) -> Path:
        return self.folder / f"snakemake_{time.monotonic_ns()}.log"

    def copy_to(self, folder: Path) -> "Checkout":
        """Copy everything, including results and Snakemake's records, with modification times."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Checkout(folder)


def make_checkout(folder: Path, settings: str = SETTINGS) -> Checkout:
    """Copy the workflow into `folder`, compiled as far as it is here, without recordings and results."""
    for name in NEEDED:
        source, target = ROOT / name, Path(folder) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.egg-info"))
        else:
            shutil.copy2(source, target)
    (Path(folder) / "settings.yaml").write_text(settings)
    return Checkout(folder)


def add_toy_system(checkout: Checkout) -> None:
    """Add a system as described in docs/: a YAML file, and a Python file per class with its line in the registry."""
    shutil.copy2(TOY_SYSTEM / "toy.yaml", checkout.folder / "config" / "systems")
    for registry, (module, name) in TOY_CLASSES.items():
        package = checkout.folder / "src" / "asdlib" / registry
        shutil.copy2(TOY_SYSTEM / f"{module}.py", package)
        opening = f"{registry.upper()}: dict[str, type] = {{"
        new = f'from asdlib.{registry}.{module} import {name}\n\n{opening}"{module}": {name}, '
        checkout.edit(f"src/asdlib/{registry}/__init__.py", opening, new)


def add_toy_machines(checkout: Checkout, *machines: str, folder: str = "recordings") -> None:
    """Add recordings in DCASE layout."""
    for number, machine in enumerate(machines):
        make_machine(checkout.folder / folder / machine, **TOY_CLIPS, seed=number)


def _clean_environment() -> dict[str, str]:
    """Return this environment without variables that point to another checkout or profile."""
    dropped = ("ASDLIB", "PYTHONPATH", "SNAKEMAKE_PROFILE")
    return {name: value for name, value in os.environ.items() if name not in dropped}


def _name(rule: str, wildcards: str) -> Job:
    """Return a job's name: the rule and the values of its wildcards, in alphabetical order of the wildcards."""
    values = dict(pair.split("=", 1) for pair in wildcards.split(", "))
    return " ".join([rule, *(_FINGERPRINT.sub("", values[name]) for name in sorted(values) if values[name])])
