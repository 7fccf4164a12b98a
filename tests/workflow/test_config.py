"""Paths on the command line are what the user wrote, here and in the jobs of a cluster."""

import shlex
import subprocess
from pathlib import Path

import pytest
from helpers.checkout import ROOT
from snakemake_interface_executor_plugins.utils import format_cli_arg

from asdlib.errors import AsdError
from asdlib.workflow.config import read_config, with_paths

KEPT = ("recs/pump #2", "2025_09", "0123", "1e3", "1.5", ".5", "true", "True", "~", "~/recs", "-x", "a: b", "{a}", "a]",
        "*x", "&x", "!x", "it's", 'a "b" c', "a=b", " a ", "größe", "%x", "@x", "0x10", "no", "2025-09-01")  # fmt: skip


@pytest.mark.parametrize("key", ["data", "noise_pool", "scratch"])
@pytest.mark.parametrize("text", KEPT)
def test_a_path_is_what_was_written(key, text):
    assert with_paths({key: "parsed"}, [f"{key}={text}"])[key] == text


OTHERS = {
    "quoted": ("data", '"recs/pump #2"', "recs/pump #2"),
    "quoted list": ("data", "'[a]'", "[a]"),
    "list": ("data", "[2025_09, 0123,recs/pump]", ["2025_09", "0123", "recs/pump"]),
    "list with quotes": ("data", '["recs/pump #2", ~]', ["recs/pump #2", "~"]),
    "folder called null": ("data", "null", "null"),
    "nothing": ("data", "", ""),
    "no pool": ("noise_pool", "null", None),
    "an empty pool": ("noise_pool", "", None),
    "a pool in brackets": ("noise_pool", "[a]", "[a]"),
    "no scratch": ("scratch", "null", None),
}


@pytest.mark.parametrize(("key", "text", "value"), OTHERS.values(), ids=OTHERS)
def test_lists_null_and_quotes(key, text, value):
    assert with_paths({key: "parsed"}, [f"{key}={text}"])[key] == value


def test_other_values_and_configs_without_entries_are_untouched():
    assert with_paths({"data": "a", "seeds": [1]}, ["seeds=[2]"]) == {"data": "a", "seeds": [1]}
    assert with_paths({"data": "a"}, None) == {"data": "a"}
    assert with_paths({}, ["data=a", "data=b"])["data"] == "b"


@pytest.mark.parametrize("text", ["[recs/pump #2, a]", "[a", "[[a]]", "[{a: b}]", "[a] b"])
def test_a_list_that_is_none_is_refused(text):
    with pytest.raises(
        AsdError, match=r"^--config: data=\[.*: is not a list of names and paths: put quotes around [^\n]*$"
    ):
        with_paths({}, [f"data={text}"])


@pytest.mark.parametrize(
    "text", ["$(touch PWNED)", "`touch PWNED`", "$HOME", "a\\b", "a\nb", "\x1b[2J", "'\"", "\udcff"]
)
@pytest.mark.parametrize("key", ["data", "override"])
def test_what_the_shell_of_a_job_would_change_is_refused(key, text):
    with pytest.raises(
        AsdError, match=r"^--config: [^\n\x1b]*: the shell of a cluster's job would change it: put it in"
    ):
        with_paths({}, [f"{key}={text}"])


def test_a_job_on_a_cluster_reads_the_same_words():
    """Snakemake quotes the entries, and its plugin for SLURM puts them into sbatch --wrap="…"."""
    entries = [f"data={text}" for text in KEPT]
    with_paths({}, entries)
    call = format_cli_arg("--config", entries)
    assert shlex.split(call) == ["--config", *entries]
    wrapped = subprocess.run(["sh", "-c", 'printf %s "{}"'.format(call.replace('"', '\\"'))], capture_output=True)
    words = subprocess.run(["sh", "-c", rf"printf '%s\n' {wrapped.stdout.decode()}"], capture_output=True)
    assert words.stdout.decode().splitlines() == ["--config", *entries]


def test_commands_read_the_same_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    for text in ("recs/pump #2", "2025_09"):
        assert read_config([], [f"data={text}", "seeds=[3]"])["data"] == text
    mine = tmp_path / "mine.yaml"
    mine.write_text("scratch: '0123'\ndata: '1e3'\n")
    read = read_config([mine], [])
    assert (read["scratch"], read["data"]) == ("0123", "1e3")
