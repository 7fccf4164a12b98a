"""Whether Snakemake finds the plugin, as the Makefile installs asdlib, and reads the command of the README with it."""

import ast
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from helpers.checkout import ROOT, make_checkout

SOURCES = sorted((ROOT / "src" / "snakemake_logger_plugin_asdlib").glob("*.py"))
COMMAND = ("--cores", "8", "--resources", "gpu=2", "results/system3/scores.csv")
PARSE = """
import site, sys
site.addsitedir(sys.argv.pop(1))
sys.argv[0] = "snakemake"
from snakemake.cli import parse_args
print(parse_args(None)[1].targets, "asdlib" in sys.modules)
"""


def test_an_editable_installation_leads_to_the_folder_of_the_plugin(tmp_path: Path) -> None:
    """Installed with --editable, asdlib is a line in a path file: a new package beside it needs no installation."""
    (path_file,) = Path(sysconfig.get_path("purelib")).glob("__editable__*asdlib*.pth")
    installed = Path(path_file.read_text().strip())
    assert installed.parts[-1] == "src"
    assert (installed / "asdlib").is_dir()
    (tmp_path / "asdlib.pth").write_text(f"{ROOT}/src\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", PARSE, str(tmp_path), *COMMAND]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "['results/system3/scores.csv'] False\n"
    told = [line for line in done.stderr.splitlines() if line.startswith("asdlib: ")]
    assert told == ["asdlib: read as: snakemake results/system3/scores.csv --cores 8 --resources gpu=2"]


INTERRUPTED = """
import signal, sys
import snakemake.cli
sys.argv = ["snakemake", "--cores", "1"]
snakemake.cli.args_to_api = lambda *_: signal.raise_signal(signal.SIGINT)
snakemake.cli.main()
"""


@pytest.mark.parametrize("ours", [True, False], ids=["asdlib", "another workflow"])
def test_an_interrupt_before_the_snakefile_is_read_is_one_line(tmp_path: Path, ours: bool) -> None:
    """Only in calls of this workflow. While Snakemake itself is imported, nothing can be done."""
    (tmp_path / "Snakefile").touch()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command, folder = [sys.executable, "-c", INTERRUPTED], ROOT if ours else tmp_path
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGINT  # 130 in a shell
    if ours:
        assert done.stderr.endswith("\nasdlib: interrupted: no job was started\n")
        assert "Traceback" not in done.stderr
    else:
        assert done.stderr.endswith("KeyboardInterrupt\n")


def test_the_plugin_takes_the_library_of_no_checkout() -> None:
    """A run would get the library that is installed, not that of its Snakefile."""
    trees = [ast.parse(path.read_bytes()) for path in SOURCES]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    own = "snakemake_logger_plugin_asdlib"
    allowed = {own, "snakemake", "snakemake_interface_common", "snakemake_interface_logger_plugins"}
    assert len(SOURCES) == 5
    assert {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) == allowed


def test_environments_of_jobs_need_no_plugin() -> None:
    """Jobs in conda environments do not parse Snakemake's command line: their environment has no Snakemake."""
    content = yaml.safe_load((ROOT / "envs/asdlib.yaml").read_text())
    packages = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    assert not [name for name in packages if name.startswith("snakemake")]


@pytest.mark.workflow
def test_the_command_of_the_readme_plans_the_jobs_of_its_table(tmp_path: Path) -> None:
    """With the demo's recordings, in another folder than the plugin's, as with a second clone."""
    checkout = make_checkout(tmp_path / "run", "")
    words = ["--configfile", "config/demo.yaml", "--dry-run", "--quiet", "host", *COMMAND]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "snakemake", *words]
    done = subprocess.run(command, cwd=checkout.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("asdlib: read as: ") == 1
    assert "output: results/system3/scores.csv" in done.stdout
    assert "results/baseline/scores.csv" not in done.stdout
