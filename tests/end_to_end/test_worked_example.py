"""docs/adding_a_system.md, followed to the letter in a copy of the repository; and the tests that this triggers.

Those are the tests that find the new class and the new system by themselves: the ones with `scaled` in their names,
and those below that go over all systems, recipes or classes at once.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.checkout import ROOT, Checkout, make_checkout

pytestmark = pytest.mark.workflow

PAGE = (ROOT / "docs" / "adding_a_system.md").read_text()
CLASS = "src/asdlib/backends/scaled_distance.py"
REGISTRY = "src/asdlib/backends/__init__.py"
SYSTEM = "config/systems/scaled.yaml"
TEST = "tests/backends/test_scaled_distance.py"
# What the tests read beside the workflow.
BESIDE = ("tests", "docs", "README.md", "CHANGELOG.md", "CITATION.cff", "constraints.txt")
TRIGGERED = {  # by test file: tests without the new name that see the new entries
    TEST: (),
    "tests/backends/test_backends.py": ("toys_are_of_backends",),
    "tests/test_architecture.py": ("every_recipe_serves", "name_is_in_its_own_files"),
    "tests/test_docs.py": (
        "readmes_figures",
        "figures_are_of_systems_that_name_a_report",
        "citation_names_the_reports",
    ),
    "tests/workflow/test_code_hash.py": ("holds_imports_and_its_dictionary_alone",),
    "tests/workflow/test_yaml_files.py": ("files_of_this_repository",),
    "tests/evaluation/test_reported.py": ("no_table_has_variants",),
    "tests/planning/test_plan.py": ("costs_are_those_of_recipes",),
    "tests/commands/test_cli.py": ("systems_lists",),
    "tests/report/test_inputs.py": ("recipes_go_down", "settings_fit_a_command_line"),
    "tests/end_to_end/test_systems.py": ("toy_sizes_are_of_systems",),
}


def blocks(language: str, path: str) -> list[str]:
    """Return the code blocks between the first mention of a file and the next step or heading."""
    told = re.split(r"^(?:\*\*\d|#)", PAGE.partition(f"`{path}`")[2], flags=re.MULTILINE)[0]
    return re.findall(rf"```{language}\n(.*?)```", told, re.DOTALL)


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python in a folder, on the folder's own library."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    own["PYTHONPATH"] = str(folder / "src")
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=own, capture_output=True, text=True)


@pytest.fixture
def followed(tmp_path: Path) -> Checkout:
    """A copy of the repository to which the page's steps were done."""
    made = make_checkout(tmp_path / "repository")
    for name in BESIDE:
        source, target = ROOT / name, made.folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("golden"))
        else:
            shutil.copy2(source, target)
    for language, path in (("python", CLASS), ("yaml", SYSTEM), ("python", TEST)):
        (written,) = blocks(language, path)
        (made.folder / path).write_text(written)
    imported, entry = blocks("python", REGISTRY)
    opening = "BACKENDS: dict[str, type] = {\n"
    made.edit(REGISTRY, opening, f"{imported}\n{opening}{entry}")
    for command in (("check", "--fix"), ("format",)):  # make format
        done = call(made.folder, "-m", "ruff", *command, CLASS, REGISTRY, TEST)
        assert done.returncode == 0, done.stdout
    return made


def test_the_tests_that_the_additions_trigger_pass(followed: Checkout) -> None:
    chosen = " or ".join(["scaled", *(name for names in TRIGGERED.values() for name in names)])
    options = ("-rpE", "-p", "no:cacheprovider", "--tb=short")
    done = call(followed.folder, "-m", "pytest", *options, *TRIGGERED, "-k", chosen)
    assert done.returncode == 0, done.stdout
    passed = re.findall(r"^PASSED (\S+)::(\S+)", done.stdout, re.MULTILINE)
    for path, names in TRIGGERED.items():
        of_the_file = [test for file, test in passed if file == path]
        assert of_the_file, path
        assert all(any(name in test for test in of_the_file) for name in names), path
    assert ("tests/backends/test_backends.py", "test_an_anomalous_clip_scores_higher[scaled_distance]") in passed
    assert ("tests/end_to_end/test_systems.py", "test_a_system_runs_from_recordings_to_its_table[scaled]") in passed


def test_the_page_shows_formatted_code_and_what_a_misspelt_key_prints(followed: Checkout) -> None:
    for path in (CLASS, TEST):
        assert (followed.folder / path).read_text() == blocks("python", path)[0]
    followed.edit(SYSTEM, "kind: scaled_distance", "kind: scaled_distance\n    quantil: 0.9")
    done = call(followed.folder, "-c", "from asdlib.cli import main; main(['systems'])")
    shown = re.search(r"^…/(config/systems/scaled\.yaml: .*)$", PAGE, re.MULTILINE)[1]
    assert done.stderr.rstrip().endswith(shown)
