"""Folders in which the jobs of one run of the workflow are run again, one by one, with more clips or machines."""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

from full_size import CONFIG
from measure import Cost, run

from asdlib.report.illustrations import read_illustrations, write_illustrations
from asdlib.report.inputs import part_paths, report_settings
from asdlib.workflow import paths, settings
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph

ROOT = CONFIG.parent
STEPS = ("prepare", "extract_features", "train_model", "embed", "score", "tabulate", "illustrate", "report")
NOT_COUNTED = ("logs", "benchmarks")  # of what is on the disk
LOGS = Path("results", "logs")


class Workspace:
    """A folder with the recordings `data` and the results of some systems; everything runs on one thread of the CPU."""

    def __init__(self, folder: Path, systems: tuple[str, ...]):
        self.folder = folder
        self._systems = systems
        self._entries = [
            "data=data", "device=cpu", "threads=1", "prepare={seconds: 1.0}", f"systems={list(systems)}",
            "override={models: {dense_ae: {training: {epochs: 2}}}}",
        ]  # fmt: skip

    def build(self) -> None:
        """Build the report, so that every job leaves its file."""
        self._snakemake()

    def plan(self) -> Cost:
        """Return the cost of a dry run."""
        return self._snakemake("--dry-run")

    def jobs(self) -> Iterator[tuple[str, str, Path]]:
        """Yield the step, the name and the file of every job, step by step."""
        logs = self.folder / LOGS
        for step in STEPS:
            for path in sorted((logs / step).rglob("*.json")):
                named = {path.stem.partition(".")[0], *path.relative_to(logs / step).parts[:-1]}
                yield step, " ".join([step, *sorted(named & self._names)]), path

    def measured(self, step: str, job: Path) -> tuple[Cost, int]:
        """Run the job of a file; return its cost and how many bytes it wrote."""
        start = time.time_ns()
        command = [sys.executable, "-P", str(ROOT / "workflow" / "scripts" / f"{step}.py"), str(job)]
        with chdir(self.folder):
            cost = run([*command, "--log", "job.log"], threads=1)
        results = self.folder / paths.RESULTS
        files = [one for one in results.rglob("*") if one.relative_to(results).parts[0] not in NOT_COUNTED]
        written = [one.stat() for one in files if one.is_file()]
        return cost, sum(stat.st_size for stat in written if stat.st_mtime_ns >= start)

    def copy_results(self, first: Path, machine: str, number: int) -> None:
        """Give `number` machines the results of the only machine in the folder `first`."""
        for path in (first / paths.RESULTS).rglob("*"):
            part = path.relative_to(first)
            if path.is_dir() or part.parts[1] in NOT_COUNTED:
                continue
            if path.suffix == ".zip":  # the illustrations of all machines
                content = read_illustrations(path, machine)
                (self.folder / part).parent.mkdir(parents=True, exist_ok=True)
                write_illustrations(self.folder / part, ((f"{machine}{one:02d}", content) for one in range(number)))
                continue
            for one in range(number):
                name = Path(*(each.replace(machine, f"{machine}{one:02d}") for each in part.parts))
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, self.folder / name)

    def of_all_machines(self) -> Iterator[tuple[str, str, Path]]:
        """Yield the step, the name and the file of the jobs that read the results of all machines."""
        with chdir(ROOT):
            config = read_config([], self._entries)
        with chdir(self.folder):
            graph = Graph(config, ROOT)
            for system in self._systems:
                reported = [os.path.relpath(ROOT / paths.reported(system))]
                arguments = {"reported": [one for one in reported if Path(one).exists()]}
                for name in ("scores", "clips", "files"):
                    arguments[name] = getattr(paths, name)(system)
                yield "tabulate", f"tabulate {system}", self._job(system, settings.tabulate(graph, system), arguments)
            tables = [paths.scores(system) for system in self._systems]
            arguments = {"scores": tables, "parts": part_paths(graph), "out": paths.REPORT}
            yield "report", "report", self._job("report", report_settings(graph), arguments)

    @property
    def _names(self) -> set[str]:
        """The words that tell the jobs of a step apart."""
        recipes = {path.name for folder in ("features", "embeddings", "models")
                   for path in (self.folder / paths.RESULTS / folder).glob("*")}  # fmt: skip
        variants = {path.name for system in self._systems for path in (self.folder / paths.RESULTS / system).glob("*")}
        return {*self._systems, *recipes, *variants} - {"report"}

    def _job(self, name: str, values: dict, arguments: dict) -> Path:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({"settings": values, "code": "", "arguments": arguments}), encoding="ascii")
        return path

    def _snakemake(self, *options: str) -> Cost:
        command = [str(Path(sys.executable).with_name("snakemake")), "report", "--quiet", "all", "--cores", "1"]
        command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(self.folder), *options]
        return run([*command, "--config", *self._entries])
