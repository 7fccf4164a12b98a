"""Jobs in an environment of conda and in a container, with programs in place of conda and Apptainer."""

import os
import re
import sys
import sysconfig
from pathlib import Path

import pytest
from helpers.checkout import Checkout, add_toy_machines, make_checkout

pytestmark = pytest.mark.workflow

CLIPS = "results/audio/raw/toy/fan.parquet"

CONDA = f"""#!{sys.executable}
import sys
from pathlib import Path
from venv import EnvBuilder

match sys.argv[1:]:
    case ["--version"]:
        print("conda 25.9.0")
    case ["info", "--json"]:
        print('{{"conda_prefix": "FOLDER", "platform": "linux-64"}}')
    case ["config", "--get", *_]:
        print('{{"get": {{"channel_priority": "strict"}}}}')
    case ["env", "create", *_, "--file", _, "--prefix", prefix]:
        EnvBuilder().create(prefix)
        Path(prefix, "conda-meta").mkdir()
        (packages,) = Path(prefix).glob("lib/*/site-packages")
        # All packages of this Python except asdlib: path files inside of this folder are not read.
        (packages / "others.pth").write_text({sysconfig.get_path("purelib")!r})
    case ["clean", *_]:
        pass
    case unknown:
        sys.exit(f"unknown: {{unknown}}")
"""
ACTIVATE = 'export PATH="$1/bin:$PATH"\n'

APPTAINER = """#!/bin/bash
if [ "$1" = --version ]; then echo "apptainer version 1.4.5"; exit; fi
printf '%s\\n' "$@" > FOLDER/called
exec "${@: -3}"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = make_checkout(tmp_path / "checkout")
    add_toy_machines(made, "fan")
    return made


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder with the programs."""
    folder = tmp_path / "programs" / "bin"
    folder.mkdir(parents=True)
    for name, text in {"conda": CONDA, "activate": ACTIVATE, "apptainer": APPTAINER}.items():
        (folder / name).write_text(text.replace("FOLDER", str(folder.parent)))
        (folder / name).chmod(0o755)
    return folder


def run(checkout: Checkout, programs: Path, *arguments: str, fails: bool = False) -> str:
    with checkout.start_anew(CLIPS, *arguments, PATH=f"{programs}:{os.environ['PATH']}") as started:
        return started.finish(fails)


def test_jobs_in_an_environment_of_conda_find_the_library(checkout: Checkout, programs: Path) -> None:
    printed = run(checkout, programs, "--sdm", "conda")
    assert "Activating conda environment: .snakemake/conda/" in printed
    assert (checkout.folder / CLIPS).exists()
    (environment,) = [path for path in (checkout.folder / ".snakemake/conda").iterdir() if path.is_dir()]
    (led,) = environment.glob("lib/*/site-packages/asdlib.pth")
    led.unlink()
    (checkout.folder / CLIPS).unlink()
    assert "No module named 'asdlib'" in run(checkout, programs, "--sdm", "conda", fails=True)


def test_jobs_in_a_container_run_in_the_image_of_the_config(checkout: Checkout, programs: Path, tmp_path: Path) -> None:
    image = tmp_path / "asdlib.sif"
    missing = run(checkout, programs, "--sdm", "apptainer", "--config", f"container={image}", fails=True)
    said = rf"error: config: container: {image}: there is no such file: build the image .*"
    assert len(re.findall(f"^{said}$", missing, re.MULTILINE)) == 1, missing
    assert not (programs.parent / "called").exists()
    image.touch()
    run(checkout, programs, "--sdm", "apptainer", "--config", f"container={image}")
    called = (programs.parent / "called").read_text().splitlines()
    assert called[:3] == ["exec", "--home", str(checkout.folder)]
    assert str(image) in called
    assert (checkout.folder / CLIPS).exists()
