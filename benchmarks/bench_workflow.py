"""Benchmark of the workflow's own cost: planning all systems, and starting a job.

python benchmarks/bench_workflow.py
"""

import sys
import tempfile
from pathlib import Path

from measure import machine, run

ROOT = Path(__file__).resolve().parents[1]
EVERYTHING = "data=['dcase2025_dev','dcase2025_eval']"


def main() -> None:
    """Print one table, in which every figure is the median of five runs."""
    systems = sorted(path.stem for path in (ROOT / "config" / "systems").glob("*.yaml"))
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        plan = [snakemake, "--dry-run", "--quiet", "all", "--cores", "1", "--snakefile", str(ROOT / "Snakefile")]
        plan += ["--directory", folder, "--config", EVERYTHING, f"systems={systems}"]
        print(f"{'dry run, 15 machines, ' + ', '.join(systems):60}{_median(plan):6.1f} s")
    for script in sorted((ROOT / "workflow" / "scripts").glob("*.py")):
        start = _median([sys.executable, "-P", str(script), "--help"])
        print(f"{'start of a job: ' + script.stem:60}{start:6.1f} s")


def _median(command: list[str]) -> float:
    return sorted(run(command).wall for _ in range(5))[2]


if __name__ == "__main__":
    main()
