"""The command line: its output and its errors."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.toy_recordings import make_machine

from asdlib.cli import COMMANDS, main
from asdlib.commands.systems import text

ROOT = Path(__file__).parents[2]


def plain() -> list[str]:
    folder = ROOT / "tests" / "golden" / "official_metrics" / "set_1_plain"
    return ["evaluate", "--scores", str(folder / "submission"), "--truth", str(folder)]


def test_evaluate_prints_json(capsys):
    assert main([*plain(), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result.keys() == {"machines", "overall", "official_score"}
    assert result["official_score"] == pytest.approx(0.6224972781586642, rel=0, abs=1e-12)


def test_evaluate_prints_a_table(capsys):
    assert main(plain()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["ToyCar", "00", "70.66", "62.66", "54.47", "40.00", "38.89"]
    assert len({len(line) for line in lines[:5]}) == 1  # aligned
    assert lines[-1].startswith("official score 62.25 ± ")


def test_errors_are_one_line_and_code_2(tmp_path, capsys):
    assert main(["evaluate", "--scores", str(tmp_path), "--truth", str(tmp_path / "no")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"asdlib: error: {tmp_path}/no: no such folder")
    assert err.count("\n") == 1


def test_systems_lists_what_the_config_declares(capsys):
    assert main(["systems", "--json", "--root", str(ROOT)]) == 0
    systems = json.loads(capsys.readouterr().out)["systems"]
    variants = {system["name"]: [variant["name"] for variant in system["variants"]] for system in systems}
    assert variants["baseline"] == ["mse", "mahalanobis"]
    (recipes,) = ([one["recipes"] for one in system["variants"]] for system in systems if system["name"] == "baseline")
    backends = [[recipe.partition(" > ")[2].partition("-")[0] for recipe in own] for own in recipes]
    assert backends == [["reconstruction_error"], ["mahalanobis"]]
    assert main(["systems", "--root", str(ROOT), "--config", "seeds=[1,2]"]) == 0
    first = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert first[0] == "baseline"
    assert [line.split()[0] for line in first[3:-1]] == ["mse", first[4].split()[0], "mahalanobis", first[6].split()[0]]
    assert len({line.split()[-3] for line in first[3:-1]}) == 2  # one model per seed, used by both variants
    assert re.search(r"^  scores.csv .*; trained weights \d+ of 14; machines with recordings \d of 7$", first[-1])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (None, "scores.csv does not exist yet;"),
        ("dataset,recipe\nTHIS\n", "scores.csv exists;"),
        ("dataset,recipe\ndemo,dense_ae-000000\ndemo_older,x\n",
         "scores.csv is of a run with other data or settings (data: demo, demo_older);"),
        ("dataset,recipe\nmine,dense_ae-000000\n", "scores.csv is of a run with other data or settings (data: mine);"),
        ("\0", "scores.csv is of a run with other data or settings (data: unknown);"),
    ],
)  # fmt: skip
def test_systems_tells_the_tables_of_other_runs_apart(tmp_path, capsys, table, said):
    """After the demo, the default config has other recordings and networks: nothing of the demo is missing."""
    for name in ("Snakefile", "config"):
        (tmp_path / name).symlink_to(ROOT / name)
    make_machine(tmp_path / "mine" / "fan", train=1, target=0, test=1, seconds=0.01)
    arguments = ["systems", "--root", str(tmp_path), "--config", f"data={tmp_path}/mine"]
    assert main([*arguments, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["systems"][0]
    assert first["scored_with"] is None
    if table:
        path = tmp_path / "results" / first["name"] / "scores.csv"
        path.parent.mkdir(parents=True)
        path.write_text(table.replace("THIS", f"mine,{first['variants'][0]['recipes'][0]}"))
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert f"  {said} trained weights 0 of 1; machines with recordings 1 of 1\n" in shown
    assert "\n\nCounted are the files of a run with data: mine, which makes or downloads what is missing.\n" in shown
    assert shown.endswith("For another run, give its --configfile and --config, as in the command that started it.\n")


def test_systems_looks_in_the_current_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["systems"]) == 0
    monkeypatch.chdir(tmp_path)
    assert main(["systems"]) == 2
    assert "has no Snakefile" in capsys.readouterr().err


def test_a_system_without_a_report_is_listed_by_its_title():
    nothing = {"there": 0, "needed": 0}
    entry = {"name": "mine", "title": "A method", "report": None, "variants": [{"name": "v", "recipes": ["m > b"]}]}
    counts = {
        "scores": False,
        "scored_with": None,
        "trained": nothing,
        "public_weights": {"there": 1, "needed": 2},
        "recordings": {"there": 3, "needed": 4},
    }
    found = "scores.csv does not exist yet; trains nothing; public weights 1 of 2; machines with recordings 3 of 4"
    assert text(entry | counts).splitlines() == ["mine", "  A method", "    v  m > b", f"  {found}"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert COMMANDS[command].HELP in capsys.readouterr().out


def test_no_command_is_a_usage_error(capsys):
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "usage: asdlib" in capsys.readouterr().err


def test_the_command_line_imports_nothing_heavy():
    code = "import asdlib.cli, sys; print({'numpy', 'pandas', 'rich', 'sklearn', 'torch', 'yaml'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    assert done.stdout == "set()\n"


def test_systems_imports_nothing_heavy():
    """The command takes a second instead of ten."""
    code = (
        "import asdlib.cli, sys; asdlib.cli.main(['systems', '--root', '..']);"
        "print({'numpy', 'pandas', 'sklearn', 'torch'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    assert done.stdout.endswith("\nset()\n")


def test_evaluate_imports_no_torch():
    code = "import asdlib.evaluation.evaluator, asdlib.evaluation.reported, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    assert done.stdout == "False\n"


QUICK = """
import gc, os, sys
from asdlib.cli import main

class Part:
    def __del__(self, write=os.write):
        write(1, b"taken apart\\n")

sys.part = Part()
sys.argv[0] = "asdlib"
code = main()
print("searched" if gc.isenabled() else "not searched")
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("words", "code", "end"),
    [
        (["systems", "--root", ".."], 0, ["not searched"]),
        (["systems", "--root", "nowhere"], 2, ["not searched", "taken apart"]),
    ],
)
def test_a_command_looks_for_no_garbage_and_a_success_ends_quickly(words: list[str], code: int, end: list) -> None:
    """With PyTorch and scikit-learn both together took more than a second of `asdlib score`, which takes two."""
    done = subprocess.run(
        [sys.executable, "-c", QUICK, *words], capture_output=True, text=True, check=False, cwd=ROOT / "src"
    )
    assert (done.returncode, done.stdout.splitlines()[-len(end) :]) == (code, end)


@pytest.mark.parametrize(
    ("files", "others"), [(("Snakefile", "src/asdlib/cli.py"), True), (("src/asdlib/cli.py",), False)]
)
def test_a_command_takes_the_library_of_the_checkout_in_which_it_is_called(
    tmp_path: Path, files: tuple[str, ...], others: bool
) -> None:
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import sys; print('the other one:', sys.argv[1:])\n")
    (tmp_path / "src" / "asdlib" / "__init__.py").touch()
    command = [Path(sys.executable).parent / "asdlib", "evaluate", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = "the other one: ['evaluate', '--help']\n"
    assert (done.stdout == expected) is others
    assert others or done.stdout.startswith("usage: asdlib evaluate")


def test_a_deleted_working_directory_is_one_line(tmp_path: Path) -> None:
    command = f"mkdir gone && cd gone && rmdir ../gone && exec {sys.executable} -m asdlib.cli systems"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1:] == ["asdlib: error: the working directory was deleted: change to another one"]
    assert done.returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="SKIPPED, NOT CHECKED HERE: there is no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["systems"], ["systems", "--json"], ["completion", "bash"]])
def test_output_on_a_full_disk_is_one_line(words: list[str], unbuffered: str) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "asdlib.cli", *words], cwd=ROOT, stdout=full, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered}, encoding="utf-8", check=False,
        )  # fmt: skip
    said = "asdlib: error: the output cannot be written (No space left on device): write it elsewhere\n"
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.parametrize("name", ["a:b", "linked"])
def test_a_command_in_another_checkout_is_started_again_once(tmp_path: Path, name: str) -> None:
    """With the real library: nothing that is wrong with the path starts it for ever."""
    checkout = tmp_path / name
    checkout.mkdir()
    (checkout / "Snakefile").touch()
    if name == "linked":
        (checkout / "src").symlink_to(ROOT / "src")
    else:
        shutil.copytree(ROOT / "src", checkout / "src")
    command = [Path(sys.executable).parent / "asdlib", "evaluate", "--help"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=60)
    if name == "linked":
        assert done.stdout.startswith("usage: asdlib evaluate")
    else:
        said = f"asdlib: error: {checkout}/src: the path contains ':', which separates paths: rename the folder\n"
        assert (done.returncode, done.stderr) == (2, said)
