"""The order in which the plugin for Snakemake reads a command line, with Snakemake's own parser."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from helpers.checkout import ROOT
from snakemake.cli import get_argument_parser, parse_args

import snakemake_logger_plugin_asdlib as plugin
from asdlib.workflow import paths
from snakemake_logger_plugin_asdlib import options, targets
from snakemake_logger_plugin_asdlib.options import read_options
from snakemake_logger_plugin_asdlib.order import in_order
from snakemake_logger_plugin_asdlib.values import WrongWordError

TABLE = "results/system3/scores.csv"
OTHER = "results/baseline/scores.csv"
DEMO = "config/demo.yaml"


@pytest.fixture(autouse=True)
def in_the_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def ordered(line: str) -> str:
    return shlex.join(in_order(shlex.split(line), read_options()))


# An option with several words, and values of it that Snakemake accepts.
SWALLOWING = {
    "--resources": "gpu=2",
    "--res": "gpu=2",
    "--set-threads": "embed=2 score=1",
    "--set-resources": "embed:mem_mb=1",
    "--set-scatter": "split=2",
    "--set-resource-scopes": "gpu=local",
    "--default-resources": "mem_mb=1",
    "--default-res": "gpu=1",
    "--config": "data=demo seeds=[1,2]",
    "-C": "data=demo",
    "--configfile": DEMO,
    "--configfiles": f"{DEMO} config/config.yaml",
    "--quiet": "rules progress",
    "-q": "",
    "--rerun-triggers": "mtime code",
    "--consider-ancient": "embed=model",
    "--strict-dag-evaluation": "functions",
    "--groups": "embed=a score=a",
    "--group-components": "a=2",
    "--envvars": "HOME",
    "--shared-fs-usage": "persistence input-output",
    "--software-deployment-method": "conda",
    "--sdm": "conda apptainer",
    "--omit-flags": "temp",
    "--allowed-rules": "embed score",
    "--preemptible-rules": "embed",
    "--cache": "embed",
    "--until": "embed",
    "-U": "download fetch_checkpoint",
    "--omit-from": "embed",
    "--prioritize": "embed",
    "--forcerun": "embed score",
    "-R": "embed",
    "--scheduler": "",
    "--dag": "",
    "--rulegraph": "",
    "--lint": "",
    "--report": "",
}
KEEPING = {"--cleanup-metadata", "--wait-for-files", "--unneeded-temp-files"}  # their values are files of the workflow
UNTOUCHED = {"--generate-unit-tests", "--containerize", "--conda-cleanup-pkgs", "--logger"}
INTERNAL = {"--deploy-sources", "--target-jobs"}


def test_every_option_of_snakemake_with_several_words_is_known_here() -> None:
    several = [option for option in read_options() if option.nargs not in (None, 0)]
    assert len(several) > 30
    for option in several:
        assert set(option.names) & ({*SWALLOWING} | KEEPING | UNTOUCHED | INTERNAL), f"{option.names}: add it"


@pytest.mark.parametrize("option", SWALLOWING)
def test_a_target_behind_an_option_is_put_first(option: str) -> None:
    values = SWALLOWING[option].split()
    read = in_order([option, *values, TABLE, "--cores", "8"], read_options())
    assert read == [TABLE, option, *values, "--cores", "8"]
    args = get_argument_parser().parse_args(read)
    assert (args.targets, args.cores) == ([TABLE], 8)


def test_snakemake_itself_gives_targets_to_options() -> None:
    """Otherwise the plugin would not be needed any more."""
    with pytest.raises(ValueError, match="dictionary update sequence"):
        get_argument_parser().parse_args(["--cores", "8", "--resources", "gpu=2", TABLE])
    assert get_argument_parser().parse_args(["--config", "data=demo", TABLE]).targets in ([], set())


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (f"--cores 8 --resources gpu=2 {TABLE}", f"{TABLE} --cores 8 --resources gpu=2"),
        (f"--config data=demo {TABLE} --cores 8", f"{TABLE} --config data=demo --cores 8"),
        (f"--config {TABLE} data=demo {OTHER} -n", f"{TABLE} {OTHER} --config data=demo -n"),
        (f"{TABLE} -q {OTHER}", f"{TABLE} {OTHER} -q"),
        (f"{TABLE} --cores 8 {OTHER}", f"{TABLE} {OTHER} --cores 8"),
        (f"-n -c8 {TABLE} --res gpu=2 {OTHER}", f"{TABLE} {OTHER} -n -c8 --res gpu=2"),
        (f"--conf data=demo {TABLE}", f"--conf data=demo {TABLE}"),  # also --configfile: Snakemake says so
        (f"--resou gpu=2 {TABLE}", f"{TABLE} --resou gpu=2"),
        (f"-npq {TABLE}", f"{TABLE} -npq"),
        ("--config data=demo report submission", "report submission --config data=demo"),
        (f"--configfile {DEMO} report", f"report --configfile {DEMO}"),
        ("--quiet rules report", "report --quiet rules"),
        ("--quiet all", "--quiet all"),  # `all` is a rule, too
        (f"--config 'override={{models: {{dense_ae: {{seed: 1}}}}}}' {TABLE}",
         f"{TABLE} --config 'override={{models: {{dense_ae: {{seed: 1}}}}}}'"),
        (f"--cores 8 --workflow-profile profiles/slurm --resources gpu=2 {TABLE}",
         f"{TABLE} --cores 8 --workflow-profile profiles/slurm --resources gpu=2"),
        (f"--until download fetch_checkpoint {TABLE} {OTHER} -n",
         f"{TABLE} {OTHER} --until download fetch_checkpoint -n"),
        (f"--resources gpu=2 -- {TABLE}", f"--resources gpu=2 -- {TABLE}"),
        (f"--config data=demo {OTHER} --cores 1 -- {TABLE}", f"--config data=demo --cores 1 -- {OTHER} {TABLE}"),
        (f"--report my.zip {TABLE}", f"--report my.zip {TABLE}"),
        (f"--report results/report.html {TABLE}", f"--report results/report.html {TABLE}"),
        # These mean what they mean to Snakemake.
        (f"{TABLE} --config data=demo --resources gpu=2", f"{TABLE} --config data=demo --resources gpu=2"),
        (f"--forcerun {TABLE}", f"--forcerun {TABLE}"),
        (f"{OTHER} --forcerun embed {TABLE}", f"{OTHER} --forcerun embed {TABLE}"),
        (f"--forcerun embed {TABLE} -- {OTHER}", f"--forcerun embed {TABLE} -- {OTHER}"),
        (f"--cleanup-metadata {TABLE}", f"--cleanup-metadata {TABLE}"),
        (f"--wait-for-files {TABLE}", f"--wait-for-files {TABLE}"),
        (f"--config=data=demo {TABLE}", f"--config=data=demo {TABLE}"),
        ("--allowed-rules embed score", "--allowed-rules embed score"),
        ("--until embed score", "--until embed score"),
        (f"--no-such-option x --resources gpu=2 {TABLE}", f"--no-such-option x --resources gpu=2 {TABLE}"),
        ("--cores 8", "--cores 8"),
        ("", ""),
    ],
)  # fmt: skip
def test_order(given: str, read: str) -> None:
    assert ordered(given) == read
    assert ordered(read) == read


@pytest.mark.parametrize("name", ["mine.yaml", "scores.csv", "report"])
def test_a_file_is_a_config_file_unless_the_workflow_makes_such_files(tmp_path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (name, "results/toy/scores.csv", "results/toy/made.yaml"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("seeds: [1]\n")
    start = f"-s {ROOT}/Snakefile --configfile"
    assert ordered(f"{start} {name} results/toy/made.yaml") == f"{start} {name} results/toy/made.yaml"
    assert ordered(f"{start} {name} results/toy/scores.csv") == f"results/toy/scores.csv {start} {name}"
    assert ordered(f"{start} {name} results/toy/other.yaml") == f"results/toy/other.yaml {start} {name}"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("--config a=1 bb", "--config: bb: is neither KEY=VALUE nor a target of this workflow: correct or remove it"),
        (f"{TABLE} --config data=demo bb", "--config: bb: is neither"),
        ("--config data=[a, b]", r"--config: b\]: is neither"),
        ("--resources gpu=2 system3", "--resources: system3: is neither .*: did you mean results/system3/"),
        ("--resources gpu=2 result/system3/scores.csv", "--resources: result/system3/scores.csv: is neither NAME=INT"),
        ("--resources gpu", "--resources: gpu: is neither NAME=INT"),
        ("--set-threads embed", "--set-threads: embed: is neither RULE=THREADS"),
        ("--groups embed=a b", "--groups: b: is neither NAME=VALUE"),
        ("--configfile missing.yaml", "--configfile: missing.yaml: there is no such file"),
        (f"--configfile {DEMO} sistem3", "--configfile: sistem3: there is no such file"),
        ("--config prepare.downmix=true", "is not a setting of the config: write 'prepare={downmix: true}'"),
        ("--config override.models.dense_ae.hidden=8", "write 'override={models: {dense_ae: {hidden: 8}}}'"),
        ("--config override.models.dense_ae.epochs=3", "'override={models: {dense_ae: {training: {epochs: 3}}}}'"),
        ("--config 1=2", "--config: 1=2: is not a setting of the config: correct it"),
        ("--config=prepare.downmix=true", "is not a setting of the config: write 'prepare={downmix: true}'"),
        (f"--configfile=missing.yaml {TABLE}", "--configfile: missing.yaml: there is no such file: correct the path"),
        ("--configfiles missing.yaml", "--configfile: missing.yaml: there is no such file: correct the path"),
        ("--configfile config", "--configfile: config: is a folder: name a file"),
    ],
)  # fmt: skip
def test_a_word_that_is_neither_is_named(given: str, complaint: str) -> None:
    with pytest.raises(WrongWordError, match=complaint):
        ordered(given)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"name: caf\xe9\n", "is not UTF-8: save the file as UTF-8"),
        (b"a: 1\nb: [1\n", "has no settings `key: value` that are YAML: correct it in line 3"),
        (b"- 1\n", "has no settings `key: value` that are YAML: correct it"),
        (b"", "has no settings `key: value` that are YAML: correct it"),
    ],
)
def test_a_config_file_that_snakemake_cannot_read_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(WrongWordError) as error:
        ordered(f"{TABLE} --configfile {path}")
    assert str(error.value) == f"--configfile: {path}: {complaint}"


def test_a_config_that_can_be_read_only_once_is_left_to_snakemake(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert ordered(f"{TABLE} --configfile {tmp_path}/pipe") == f"{TABLE} --configfile {tmp_path}/pipe"


def test_the_advice_for_a_dotted_key_is_what_snakemake_reads() -> None:
    from snakemake.cli import parse_config

    assert parse_config(["prepare={downmix: true}"]) == {"prepare": {"downmix": "true"}}


def test_command_lines_of_other_workflows_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Snakefile").write_text("rule all:\n")
    line = f"--config a=1 bb --resources gpu=2 {TABLE}"
    assert ordered(f"-s {tmp_path}/Snakefile {line}") == f"-s {tmp_path}/Snakefile {line}"
    assert ordered(f"--snakefile={tmp_path}/Snakefile {line}") == f"--snakefile={tmp_path}/Snakefile {line}"
    monkeypatch.chdir(tmp_path)
    assert ordered(line) == line
    here = f"-s{ROOT}/Snakefile --resources gpu=2"
    assert ordered(f"{here} {TABLE}") == f"{TABLE} {here}"
    (tmp_path / "Snakefile").unlink()
    assert ordered(line) == line


@pytest.mark.parametrize(
    "argv",
    [
        ["/usr/bin/pytest", "--resources", "gpu=2", TABLE],
        ["/lib/snakemake/__main__.py", "--mode", "remote", "--resources", "gpu=2", TABLE],
        ["snakemake", "--mode=subprocess", "--config", "a=1", "bb"],
        [],
    ],
)
def test_only_calls_of_users_are_changed(argv: list[str]) -> None:
    given = list(argv)
    plugin.put_targets_first(given)
    assert given == argv


def test_a_parser_that_cannot_be_read_changes_nothing(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    argv = ["snakemake", "--resources", "gpu=2", TABLE]
    monkeypatch.setattr("snakemake.cli.get_argument_parser", lambda: object())
    plugin.put_targets_first(argv)
    assert argv == ["snakemake", "--resources", "gpu=2", TABLE]
    assert capsys.readouterr().err == ""


def test_the_order_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["snakemake", "--config", "data=a b\x1b\n", TABLE]
    plugin.put_targets_first(argv)
    assert capsys.readouterr().err == f"asdlib: read as: snakemake {TABLE} --config 'data=a b\\x1b\\n'\n"
    with pytest.raises(SystemExit, match="2"):
        plugin.put_targets_first(["snakemake", "--config", "a=1", "b\nb"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("asdlib: error: --config: b\\nb: is neither")


def test_the_profile_for_slurm_is_read_with_it() -> None:
    words = shlex.split(f"--cores 8 --workflow-profile profiles/slurm --resources gpu=2 {TABLE}")
    _, args = parse_args(in_order(words, read_options()))
    assert (args.targets, args.executor, dict(args.resources.unwrapped_items())) == ([TABLE], "slurm", {"gpu": 2})


def test_the_folders_of_targets_are_those_of_the_workflow() -> None:
    made = {paths.RESULTS.partition("/")[0], paths.DOWNLOADS.partition("/")[0]}
    assert set(targets.MADE) == made
    assert targets.Workflow.table("system3") == paths.scores("system3")


def test_the_rules_of_the_workflow_are_found() -> None:
    found = targets.workflow_of(None)
    text = subprocess.run(["grep", "-ohE", "^rule [a-z_]+", "-r", "workflow/rules", "Snakefile"], capture_output=True)
    assert {f"rule {name}" for name in found.rules} == set(text.stdout.decode().split("\n")) - {""}
    assert {"all", "report", "submission"} <= found.rules
    assert {"baseline", "system5"} <= found.systems


def test_options_are_found_as_argparse_finds_them() -> None:
    known = read_options()
    assert [options.find(known, word)[0].dest for word in ("-j4", "-nq", "--dry", "--cores=8")] == [
        "jobs", "quiet", "dryrun", "cores"]  # fmt: skip
    assert options.find(known, "--cores=8")[1] == "8"
    assert options.find(known, "-c=8")[1] == "8"
    assert options.find(known, "--co") is None  # several
    assert options.find(known, "-Z") is None
