"""What a user sees on the terminal after bad input: an error of one line; other machines are not affected."""

import re
from pathlib import Path

import pytest
from helpers.checkout import Checkout, add_toy_machines, make_checkout

pytestmark = pytest.mark.workflow

TABLES = "results/baseline/scores.csv"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = make_checkout(tmp_path / "checkout")
    add_toy_machines(made, "fan")
    return made


def lines(printed: str, start: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith(start)]


CONFIGS = {
    "unknown key": (["sytems=[baseline]"], "config: sytems: unknown key: use one of: .*"),
    "wrong type": (["systems=baseline"], "config: systems: 'baseline' is not of type 'array': correct the value.*"),
    "no seeds": (["seeds=[]"], r"config: seeds: \[\] should be non-empty: correct the value.*"),
    "wrong path": (
        ["data=gone"],
        "config: data: 'gone' is neither a folder nor a declared dataset nor a table of clips: use a path, .*",
    ),
    "all quiet": (
        ["seeds=[x]", "--quiet", "all"],
        "config: seeds.0: 'x' is not of type 'integer': correct the value.*",
    ),
    "a block that is not YAML": (
        ["datasets={tiny: {source: {snr_db: 6.0}}"],
        "--config: datasets: is not YAML: .* in line 1: correct it",
    ),
    "empty folder": (["data=results"], "config: data: results contains no machine: expected <machine>/train/.*"),
}


@pytest.mark.parametrize(("settings", "complaint"), CONFIGS.values(), ids=CONFIGS)
def test_a_bad_config_is_one_line_without_a_traceback(checkout, settings, complaint):
    (checkout.folder / "results").mkdir()
    printed = checkout.run(TABLES, "--config", *settings, fails=True)
    (line,) = lines(printed, "error: ")
    assert re.fullmatch(f"error: {complaint}", line), printed
    assert "Traceback" not in printed
    assert len(printed.splitlines()) < 8, f"what Snakemake puts around it has grown:\n{printed}"
    assert not any((checkout.folder / "results").iterdir())


POOR = {"HOME": "/dev/null", "XDG_CACHE_HOME": "", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_without_a_home_and_on_an_ascii_terminal_messages_are_still_one_line(checkout):
    (checkout.folder / "recordings").rename(checkout.folder / "größe")
    with checkout.start_anew(TABLES, "--config", "data=größe", **POOR) as run:
        printed = run.finish(fails=True)
    assert len(lines(printed, "/dev/null/.cache: cannot be written: libraries keep their caches in .snakemake/")) == 1
    (line,) = lines(printed, "error: --config: 'data=gr")
    assert line.isascii()
    assert "Traceback" not in printed
    assert "Logging error" not in printed


NAMELESS = """
import pwd


def unknown(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")


pwd.getpwuid = unknown
"""


def test_a_user_without_a_name_can_run_it(checkout):
    """As in a container that runs as a number of the host: Snakemake asks for the name before the first job."""
    (checkout.folder / "sitecustomize.py").write_text(NAMELESS)
    names = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "")
    environment = {"PYTHONPATH": str(checkout.folder), "HOME": "/dev/null", "XDG_CACHE_HOME": ""}
    with checkout.start_anew(TABLES, "--until", "prepare", **names, **environment) as run:
        printed = run.finish()
    assert "Traceback" not in printed
    assert len(list(checkout.folder.glob("results/audio/**/*.parquet"))) == 1, printed


def test_a_misspelt_target_is_one_line_with_what_was_meant(checkout):
    printed = checkout.run("results/basline/scores.csv", "--dry-run", fails=True)
    said = f"error: results/basline/scores.csv: no rule makes this file: did you mean {TABLES}?"
    assert lines(printed, "error: ") == [said]
    assert "MissingRuleException" not in printed


def test_a_bad_system_is_one_line_without_a_traceback(checkout):
    checkout.edit("config/systems/baseline.yaml", "hidden: 128", "hiden: 128")
    printed = checkout.run(TABLES, "--dry-run", fails=True)
    (line,) = lines(printed, "error: ")
    assert re.fullmatch(r"error: /.*/config/systems/baseline\.yaml: models\.dense_ae\.hiden: unknown key: .*", line)
    assert "Traceback" not in printed


def test_other_machines_go_on(checkout):
    """One run with --keep-going has a valid machine and one machine for each kind of broken recording."""
    broken = {
        "truncated": r"recordings/truncated/train/.*\.wav: is truncated \(40 bytes short\): copy or download it again",
        "untested": "recordings/untested/test: machine untested has no test clips: add recordings, .*",
        "unlisted": r"recordings/unlisted/attributes_00\.csv: is missing: add it, .*",
    }
    add_toy_machines(checkout, *broken)
    recordings = checkout.folder / "recordings"
    clip = min((recordings / "truncated" / "train").iterdir())
    clip.write_bytes(clip.read_bytes()[:-40])
    for path in (recordings / "untested" / "test").iterdir():
        path.unlink()
    (recordings / "unlisted" / "attributes_00.csv").unlink()

    printed = checkout.run(TABLES, "--keep-going", fails=True)

    for machine, complaint in broken.items():
        (line,) = [line for line in lines(printed, "error: ") if f"/{machine}/" in line]
        assert re.fullmatch(f"error: {complaint}", line)
        made = {path.name for path in checkout.folder.glob(f"results/**/*{machine}*")}
        made -= {f"{machine}.log", f"{machine}.log.json"}
        assert not made, "something was made of a broken machine"
    for variant in ("mse", "mahalanobis"):
        folder = checkout.folder / "results" / "baseline" / variant / "toy"
        assert {path.name for path in folder.iterdir()} == {
            "anomaly_score_fan_section_00_test.csv",
            "decision_result_fan_section_00_test.csv",
            "training_score_fan_section_00_train.json",
        }
    assert not (checkout.folder / TABLES).exists(), "a table without all its machines"
    assert not list(checkout.folder.glob("results/**/*.part"))


DAMAGED = {
    "table of clips": "results/embeddings/toy_tuned-*/separated/*/toy/fan.parquet",
    "model": "results/models/*/toy/fan/model.safetensors",
}


@pytest.mark.parametrize("pattern", DAMAGED.values(), ids=DAMAGED)
def test_the_remedy_for_a_damaged_result_works(copy, pattern):
    """A truncated result is refused by name; deleted, as the message says, it is made again, with the same tables."""
    before = {name: copy.read(f"results/toy/{name}") for name in ("scores.csv", "clips.csv")}
    path = min(copy.folder.glob(pattern))
    path.write_bytes(path.read_bytes()[:-100])
    printed = copy.run("results/toy/scores.csv", fails=True)
    name = re.escape(str(path.relative_to(copy.folder)))
    assert re.search(
        rf"^error: {name}: is (not a whole \w+ file|damaged) \(.*\): delete it and run again$", printed, re.M
    ), printed
    path.unlink()
    copy.run("results/toy/scores.csv")
    assert {name: copy.read(f"results/toy/{name}") for name in before} == before
