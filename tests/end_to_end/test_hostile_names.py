"""Nothing that a user, a file or a config names is executed: not in the shell of any rule, not as a Python module."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from helpers import hostile_rules
from helpers.checkout import ROOT, SETTINGS, Checkout, make_checkout
from helpers.snakemake_server import run_snakemake
from helpers.toy_recordings import make_machine

pytestmark = pytest.mark.workflow

# Everything that a shell would execute or divide, in one name of a file.
TEXT = '-n it\'s "$(touch PWNED)" `touch PWNED`; touch PWNED & touch PWNED | touch PWNED\ntouch PWNED\n%s {x} \\ *é'
HOSTILE = f"{TEXT}\udce9"  # ends in a byte that is not UTF-8
NAMES = [
    "$(touch PWNED)",
    "`a`",
    "it's",
    'a"b',
    "a b",
    "a;b",
    "a&b",
    "a\nb",
    "a\n",
    "-n",
    "*",
    "..",
    "",
    "é",
    "x" * 300,
]
OPTIONAL = {("seeded", ""), ("part", "")}  # wildcards that stand for nothing in most paths
FAKE_PYTHON = '#!/bin/bash\nprintf "%s\\0" "$@" > called\n'
MODULES = {*sys.stdlib_module_names, *filter(str.isidentifier, packages_distributions())} - {"asdlib"}
PADDING = {"form": "x" * 150_000}  # more than one argument of a command line may have: 128 KiB


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """Return every rule of the Snakefile, a new one from its first day."""
    made = make_checkout(tmp_path_factory.mktemp("rules") / "checkout")
    command = [sys.executable, "-P", hostile_rules.__file__, HOSTILE]
    done = subprocess.run(command, cwd=made.folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_every_rule_quotes_everything(rules: dict[str, dict], tmp_path: Path) -> None:
    (tmp_path / "python").write_text(FAKE_PYTHON)
    (tmp_path / "python").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ASDLIB": f"/{HOSTILE}"}
    assert len(rules) == len(list((ROOT / "workflow" / "scripts").glob("*.py")))
    for name, rule in rules.items():
        script = tmp_path / "script.sh"
        script.write_bytes(os.fsencode(f"set -euo pipefail; {rule['command']}"))
        subprocess.run(["bash", script], cwd=tmp_path, env=environment, check=True)
        job = tmp_path / f"{HOSTILE}.json"
        assert job.read_bytes().count(os.fsencode(HOSTILE)) == 3, name
        called = (tmp_path / "called").read_bytes()
        expected = ("-P", f"/{HOSTILE}/workflow/scripts/{name}.py", f"{HOSTILE}.json", "--log", HOSTILE, "")
        assert called == os.fsencode("\0".join(expected)), name
        assert {path.name for path in tmp_path.iterdir()} == {"python", "script.sh", "called", job.name}, name
        job.unlink()


def test_every_wildcard_refuses_such_names(rules: dict[str, dict]) -> None:
    wildcards = {(name, *one) for name, rule in rules.items() for one in rule["wildcards"].items()}
    assert {wildcard for _, wildcard, _ in wildcards} >= {"machine", "file", "view", "system", "variant"}
    for rule, wildcard, pattern in wildcards:
        assert pattern, f"{rule}: {wildcard} has no constraint"
        matched = [text for text in NAMES if re.fullmatch(pattern, text) and (wildcard, text) not in OPTIONAL]
        assert not matched, f"{rule}: {wildcard}"


def test_hostile_folders_modules_and_long_settings(tmp_path: Path) -> None:
    """A whole run, among files with the names of Python's modules; `asdlib run` starts it as a user would."""
    checkout = make_checkout(tmp_path / "it's mine; really")
    folder, pool = (TEXT.replace("-n", name) for name in ("-recordings", "-pool"))
    settings = yaml.safe_load(SETTINGS)
    settings |= {"data": ["toy", "tiny"], "noise_pool": pool, "ground_truth": True}
    settings["datasets"]["toy"]["folder"] = folder
    settings["datasets"]["tiny"]["ground_truth"] = PADDING
    (checkout.folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    machine = make_machine(checkout.folder / folder / "fan", train=2, target=1, test=1, supplement="noise")
    (machine / "supplemental").rename(checkout.folder / pool)
    for name in MODULES:
        (checkout.folder / f"{name}.py").write_text("open('PWNED', 'w')")
    targets = ["results/audio/raw/toy/fan.parquet", "results/audio/noise/toy.parquet"]
    _asdlib(checkout, "run", *targets, "results/audio/raw/tiny/fan.parquet", "--cores", "2")
    _asdlib(checkout, "plan", "baseline")
    assert all((checkout.folder / target).is_file() for target in targets)
    (job,) = (checkout.folder / "results" / "logs" / "download").rglob("*.json")
    assert job.stat().st_size > 128 * 1024
    assert not list(tmp_path.rglob("PWNED"))


def test_a_config_file_that_a_shell_would_interpret(tmp_path: Path) -> None:
    """On a cluster, its path is part of each job's command."""
    checkout = make_checkout(tmp_path / "checkout")
    (checkout.folder / "settings.yaml").rename(checkout.folder / "$(touch PWNED).yaml")
    call, log = ["--dry-run", "--cores", "1", "--configfile", "$(touch PWNED).yaml"], tmp_path / "printed"
    assert run_snakemake(call, checkout.folder, dict(os.environ), log) == 1
    assert "$(touch PWNED).yaml': a shell would interpret '$' in the path: rename the file or folder" in log.read_text()


def _asdlib(checkout: Checkout, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{checkout.folder}/src"}
    command = [sys.executable, "-P", "-m", "asdlib.cli", *arguments, "--configfile", "settings.yaml"]
    done = subprocess.run(command, cwd=checkout.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
