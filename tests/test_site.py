"""The documentation as a site: what it contains, checked without mkdocs."""

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text())


@pytest.fixture(scope="module")
def site_files() -> ModuleType:
    (hook,) = SITE["hooks"]
    spec = importlib.util.spec_from_file_location("site_files", ROOT / hook)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listed(entries: list) -> Iterator[str]:
    """Yield the paths of a navigation, nested or not."""
    for entry in entries:
        ((_, value),) = entry.items()
        yield from [value] if isinstance(value, str) else listed(value)


def test_the_navigation_lists_every_page_once(site_files):
    named = list(listed(SITE["nav"]))
    assert len(named) == len(set(named))
    assert set(named) == set(site_files.pages())
    assert set(named) >= {str(page.relative_to(ROOT)) for page in ROOT.glob("docs/*.md")}
    assert named[0] == "README.md"


def test_every_file_to_which_a_page_links_is_part_of_the_site(site_files):
    parts = {*site_files.pages(), *site_files.linked_files()}
    assert {"LICENSE", "config/datasets.yaml", "src/asdlib/models/__init__.py", "docs/pictures/report.png"} <= parts
    assert all((ROOT / part).is_file() for part in parts)
    assert not [file for file in site_files.linked_files() if file.endswith(".md")], "add it to pages() and to the nav"


def test_no_page_links_to_a_folder(site_files):
    """A site has no view of a folder, and mkdocs refuses the link."""
    for page in site_files.pages():
        folder = (ROOT / page).parent
        targets = re.findall(r"\]\(([^)\s#]+)", (ROOT / page).read_text())
        folders = [target for target in targets if "://" not in target and (folder / target).is_dir()]
        assert not folders, f"{page}: {folders}"


def test_lists_read_alike_on_the_site_and_in_the_repository(site_files):
    """GitHub takes a paragraph in a list from two spaces on, Python-Markdown from four on."""
    for page in site_files.pages():
        text = re.sub(r"^ *```.*?^ *```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
        assert not re.findall(r"\n\n {1,3}\S.*", text), page
        assert not re.findall(r"^ {1,3}(?:[-*]|\d+\.) .*", text, re.MULTILINE), page


def test_a_broken_link_ends_the_build():
    assert SITE["strict"] is True
    assert set(SITE["validation"]["links"].values()) == set(SITE["validation"]["nav"].values()) == {"warn"}


def test_the_packages_of_the_site_are_pinned():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pins = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().split() if "==" in line}
    assert {*extras["docs"], "mkdocs", "pymdown-extensions", "Markdown", "watchdog"} <= pins
