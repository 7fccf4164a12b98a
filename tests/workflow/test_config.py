"""Values on the command line are those of a config file, and paths what the user wrote, also in a cluster's jobs."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from helpers.checkout import ROOT
from snakemake_interface_executor_plugins.utils import format_cli_arg

from asdlib.errors import AsdError
from asdlib.workflow.config import read_config, with_entries
from asdlib.workflow.graph import Graph

KEPT = ("recs/pump #2", "2025_09", "0123", "1e3", "1.5", ".5", "true", "True", "~", "~/recs", "-x", "a: b", "{a}", "a]",
        "*x", "&x", "!x", "it's", 'a "b" c', "a=b", " a ", "größe", "%x", "@x", "0x10", "no", "2025-09-01")  # fmt: skip


@pytest.mark.parametrize("key", ["data", "noise_pool", "scratch"])
@pytest.mark.parametrize("text", KEPT)
def test_a_path_is_what_was_written(key, text):
    assert with_entries({key: "parsed"}, [f"{key}={text}"])[key] == text


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
    assert with_entries({key: "parsed"}, [f"{key}={text}"])[key] == value


def test_configs_without_entries_are_untouched_and_the_last_entry_counts():
    assert with_entries({"data": "a"}, None) == {"data": "a"}
    assert with_entries({}, ["data=a", "data=b"])["data"] == "b"


@pytest.mark.parametrize("text", ["[recs/pump #2, a]", "[a", "[[a]]", "[{a: b}]", "[a] b"])
def test_a_list_that_is_none_is_refused(text):
    with pytest.raises(
        AsdError, match=r"^--config: data=\[.*: is not a list of names and paths: put quotes around [^\n]*$"
    ):
        with_entries({}, [f"data={text}"])


@pytest.mark.parametrize(
    "text", ["$(touch PWNED)", "`touch PWNED`", "$HOME", "a\\b", "a\nb", "\x1b[2J", "'\"", "\udcff"]
)
@pytest.mark.parametrize("key", ["data", "override"])
def test_what_the_shell_of_a_job_would_change_is_refused(key, text):
    with pytest.raises(
        AsdError, match=r"^--config: [^\n\x1b]*: the shell of a cluster's job would change it: put it in"
    ):
        with_entries({}, [f"{key}={text}"])


def test_a_job_on_a_cluster_reads_the_same_words():
    """Snakemake quotes the entries, and its plugin for SLURM puts them into sbatch --wrap="…"."""
    entries = [f"data={text}" for text in KEPT]
    with_entries({}, entries)
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


# --- what is no path ------------------------------------------------------------------------------------------------

VALUES = {
    "a number in a declared dataset": "datasets={demo: {source: {snr_db: 6.0, train_source: 12}, year: 2024}}",
    "sections in quotes": 'datasets={mine: {folder: "2025_09", sections: ["00", "07"], channel: 1, year: null}}',
    "truth values": "datasets={mine: {folder: recs, supplements: {fan: noise}}, other: {resample: true}}",
    "weights": 'checkpoints={beats_iter3: {revision: "1.0", sha256: null}}',
    "a package": "submission={authors: [{lastname: Doe, corresponding: true}], meta: {a/1: {total_parameters: 5}}}",
    "an override": 'override={models: {dense_ae: {hidden: 64, checkpoint: null, name: "5", training: {epochs: 3}}}}',
    "a list of numbers": "seeds=[1, 2]",
    "a list of names": "systems=[baseline, system3]",
    "a block": "prepare={seconds: 4.5, downmix: true, channel: null}",
    "null": "quantile=null",
    "a truth value": "ground_truth=true",
    "a number": "threads=3",
    "a name": "threshold=fitted",
    "nothing": "quantile=",
    "an empty block": "override={}",
}


@pytest.mark.parametrize("entry", VALUES.values(), ids=VALUES)
def test_a_value_is_that_of_a_config_file(entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    mine = tmp_path / "mine.yaml"
    mine.write_text(entry.replace("=", ": ", 1))
    assert read_config([], [entry]) == read_config([mine], [])


def test_blocks_of_several_entries_and_of_a_file_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    mine = tmp_path / "mine.yaml"
    mine.write_text("datasets: {demo: {source: {seconds: 4.0, difficulty: [0.0, 0.4]}}}")
    entries = ["datasets={demo: {source: {snr_db: 6.0}}}", "datasets={demo: {source: {shift: 0.4}}}", "data=demo"]
    read = read_config([mine], entries)
    source = read["datasets"]["demo"]["source"]
    assert source | {"seconds": 4.0, "difficulty": [0.0, 0.4], "snr_db": 6.0, "shift": 0.4} == source
    assert Graph(read, ROOT).datasets["demo"].source == source


@pytest.mark.parametrize(
    ("key", "text", "here", "in_a_file"),
    [("quantile", "9e-1", 0.9, "9e-1"), ("memory", "1e3", 1000.0, "1e3"), ("threads", "010", 10, 8),
     ("threads", '"3"', 3, "3")],
)  # fmt: skip
def test_lone_numbers_are_those_of_snakemake(
    key: str, text: str, here: float, in_a_file: str | int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's numbers, which are not always YAML's."""
    monkeypatch.chdir(ROOT)
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"{key}: {text}")
    assert read_config([], [f"{key}={text}"])[key] == here
    assert read_config([mine], [])[key] == in_a_file


def test_the_config_that_is_given_stays_as_it_is() -> None:
    given = {"prepare": {"seconds": "4"}}
    assert with_entries(given, ["prepare={seconds: 4}"]) == {"prepare": {"seconds": 4}}
    assert given == {"prepare": {"seconds": "4"}}


BROKEN = {
    "a bracket too few": (
        "datasets={demo: {source: {snr_db: 6.0}}",
        r"datasets: is not YAML: .* in line 1: correct it",
    ),
    "a bracket too many": ("override={models: {}}}", r"override: is not YAML: .* in line 1: correct it"),
    "a comment": ("datasets={mine: {folder: recs/pump #2}}", r"datasets: is not YAML: .* in line 1: correct it"),
    "a list": ("seeds=[1, 2", r"seeds: is not YAML: .* in line 1: correct it"),
    "a key twice": ("prepare={seconds: 1, seconds: 2}", r"prepare: seconds: is defined twice \(line 1\): rename or .*"),
}


@pytest.mark.parametrize(("entry", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_not_yaml_is_one_line(entry: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(AsdError) as caught:
        read_config([], [entry])
    assert re.fullmatch(f"--config: {said}", str(caught.value))


def test_text_that_looks_like_a_number_needs_quotes_as_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    read = read_config([], ["data=demo", "datasets={demo: {sections: [00]}}"])
    with pytest.raises(AsdError, match=r"^config: datasets\.demo\.sections.*: put it in quotes if it is text"):
        Graph(read, ROOT)
