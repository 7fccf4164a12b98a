"""The Dockerfile, as far as that can be checked without building an image."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser

ROOT = Path(__file__).resolve().parents[1]
LINES = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
COPIED = [source.removeprefix("./") for line in LINES if line.startswith("COPY") for source in line.split()[1:-1]]


@pytest.mark.parametrize("source", COPIED)
def test_what_it_copies_is_there_and_not_ignored(source: str) -> None:
    assert (ROOT / source).exists()
    assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines()


def test_it_copies_all_that_the_installation_reads() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (rule,) = re.findall(r"^\$\(INSTALLED\): (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {*rule.split(), "Makefile", "src", project["readme"], *project["license-files"]} == set(COPIED)


def test_it_installs_with_the_command_of_make() -> None:
    assert [line for line in LINES if line.startswith("RUN")] == ["RUN make .venv/.installed"]
    assert "INSTALLED := .venv/.installed" in (ROOT / "Makefile").read_text()
    python = next(line for line in LINES if line.startswith("FROM")).partition(":")[2]
    assert f"python={python}" in (ROOT / "envs/asdlib.yaml").read_text()
    assert "ENV PATH=/opt/asdlib/.venv/bin:$PATH" in LINES
    assert "WORKDIR /opt/asdlib" in LINES


def test_it_names_no_registry_and_no_index() -> None:
    text = "\n".join(LINES)
    assert "://" not in text
    assert not [word for word in shlex.split(text) if "." in word.partition("/")[0] and "/" in word and word[0] != "."]
    assert 'ARG PIP_EXTRA_INDEX_URL=""' in LINES


def test_the_image_of_the_jobs_is_that_of_the_config() -> None:
    assert re.search(r'^container: config\["container"\]', (ROOT / "Snakefile").read_text(), re.MULTILINE)
    assert re.search(r"^container: null", (ROOT / "config/config.yaml").read_text(), re.MULTILINE)


@pytest.mark.parametrize("option", re.findall(r"`(--apptainer-args[^`]*)`", (ROOT / "docs/container.md").read_text()))
def test_snakemake_reads_the_options_of_the_page(option: str) -> None:
    """A value that begins with a dash needs `=` before it."""
    read = get_argument_parser().parse_args(shlex.split(option))
    assert read.apptainer_args == shlex.split(option)[0].partition("=")[2]
