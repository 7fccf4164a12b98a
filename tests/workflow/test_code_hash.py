"""The code hash: what changes it in a small package, and the restrictions on asdlib's imports that it relies on."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from asdlib.errors import AsdError
from asdlib.workflow import code_hash, code_text
from asdlib.workflow.code_hash import (
    DICTIONARIES,
    REGISTRY_FOLDERS,
    closure,
    hash_of,
    kinds,
    registry_class,
    registry_module,
)

FILES = {
    "__init__.py": "",
    "errors.py": "class AsdError(Exception):\n    '''An error.'''\n",
    "steps/__init__.py": "",
    "steps/train.py": (
        "'''Train.'''\n\n"
        "from asdlib.layers import dense\n"
        "from asdlib.models import MODELS\n\n\n"
        "def train(kind):\n"
        "    '''Train it.'''\n"
        "    # build\n"
        "    from asdlib.data.files import atomic\n"
        "    return MODELS[kind](dense.width, atomic)\n"
    ),
    "steps/score.py": "import asdlib.data.files\n\n\ndef score():\n    return asdlib.data.files.atomic()\n",
    "layers/__init__.py": "",
    "layers/dense.py": "from asdlib.layers.width import width as width\n",
    "layers/width.py": "width = 3\n",
    "data/__init__.py": "",
    "data/files.py": "def atomic():\n    return 1\n",
    "data/unused.py": "x = 1\n",
    "models/__init__.py": (
        "from asdlib.models.one import One\n"
        "from asdlib.models.two import Two as Second\n\n"
        'MODELS: dict[str, type] = {"one": One, "two": Second}\n'
    ),
    "models/one.py": "class One:\n    '''One.'''\n\n    def loss(self):\n        return 1\n",
    "models/two.py": "class Two:\n    pass\n",
}
TRAIN = ("asdlib.steps.train", "asdlib.models.one")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write a package named asdlib with two steps and a registry of two models."""
    for name, text in FILES.items():
        (tmp_path / "asdlib" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "asdlib" / name).write_text(text)
    monkeypatch.setattr(code_hash, "PACKAGE", tmp_path / "asdlib")
    _forget()
    yield tmp_path / "asdlib"
    _forget()


def _forget() -> None:
    for name in ("_registry", "_path", "_imports", "_linked"):
        getattr(code_hash, name).cache_clear()
    code_text.code_of.cache_clear()
    code_text.tree_of.cache_clear()


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    _forget()


def test_closure_follows_every_form_of_import(package: Path) -> None:
    assert closure("asdlib.steps.train") == [
        "asdlib",
        "asdlib.data",
        "asdlib.data.files",
        "asdlib.layers",
        "asdlib.layers.dense",
        "asdlib.layers.width",
        "asdlib.steps.train",
    ]
    assert closure("asdlib.steps.score") == ["asdlib", "asdlib.data", "asdlib.data.files", "asdlib.steps.score"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("steps/train.py", "# build", "# build and return"),
        ("steps/train.py", "    # build\n", "\n\n"),
        ("steps/train.py", "'''Train.'''", "'''Train a model.'''"),
        ("steps/train.py", "'''Train it.'''", '"""Another."""'),
        ("steps/train.py", "    '''Train it.'''\n", ""),
        (
            "steps/train.py",
            "MODELS[kind](dense.width, atomic)",
            "MODELS[kind](\n        dense.width,\n        atomic)",
        ),
        ("models/one.py", "'''One.'''", "'''The one.'''"),
        ("models/two.py", "pass", "x = 1"),
        ("data/unused.py", "x = 1", "x = 2"),
        ("steps/score.py", "return", "return 1 +"),
        ("models/__init__.py", '"two": Second', '"two": Second, "three": One'),
    ],
)
def test_what_leaves_the_hash_alone(package: Path, file: str, old: str, new: str) -> None:
    before = hash_of(*TRAIN)
    _edit(package / file, old, new)
    assert hash_of(*TRAIN) == before


def test_a_docstring_in_an_empty_module_leaves_the_hash_alone(package: Path) -> None:
    before = hash_of(*TRAIN)
    (package / "layers" / "__init__.py").write_text('"""Layers."""\n')
    _forget()
    assert hash_of(*TRAIN) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("steps/train.py", "def train(kind)", "def train(kind='one')"),
        ("steps/train.py", "return MODELS", "print(kind)\n    return MODELS"),
        ("steps/train.py", "def train", "@staticmethod\ndef train"),
        ("layers/width.py", "3", "4"),
        ("layers/dense.py", "from asdlib.layers.width import width as width", "width = 3"),
        ("data/files.py", "return 1", "return '1'"),
        ("models/one.py", "return 1", "return 2"),
        ("models/one.py", "def loss(self):", "async def loss(self):"),
    ],
)
def test_what_changes_the_hash(package: Path, file: str, old: str, new: str) -> None:
    before = hash_of(*TRAIN)
    _edit(package / file, old, new)
    assert hash_of(*TRAIN) != before


def test_a_moved_module_leaves_the_hash_alone(package: Path) -> None:
    """The imports are of a name, of a module and inside a function; their order changes as well."""
    before = hash_of(*TRAIN)
    for module in ("layers/dense.py", "layers/width.py", "data/files.py"):
        target = package / "new_folder" / "below" / Path(module).name
        target.parent.mkdir(parents=True, exist_ok=True)
        (package / module).rename(target)
    for folder in (package / "new_folder", package / "new_folder" / "below"):
        (folder / "__init__.py").write_text("")
    for path in package.rglob("*.py"):
        text = path.read_text()
        for old in ("asdlib.layers", "asdlib.data"):
            text = text.replace(old, "asdlib.new_folder.below")
        path.write_text(text)
    lines = (package / "steps/train.py").read_text().splitlines()
    lines[2:4] = reversed(lines[2:4])
    (package / "steps/train.py").write_text("\n".join(lines))
    _forget()
    assert "asdlib.new_folder.below.files" in closure(*TRAIN)
    assert hash_of(*TRAIN) == before


def test_a_name_taken_from_another_module_changes_the_hash(package: Path) -> None:
    """Both modules belong to the step's code before and after; only the origin of the name changes."""
    (package / "data/other.py").write_text("def atomic():\n    return 2\n\n\ndef more():\n    return 3\n")
    _edit(package / "layers/width.py", "width = 3", "from asdlib.data.other import more\n\nwidth = more()")
    before, modules = hash_of(*TRAIN), closure(*TRAIN)
    _edit(package / "steps/train.py", "asdlib.data.files", "asdlib.data.other")
    _edit(package / "layers/width.py", "asdlib.data.other import more", "asdlib.data.files import atomic")
    assert closure(*TRAIN) == modules
    assert hash_of(*TRAIN) != before


def test_each_step_and_class_has_a_hash_of_its_own(package: Path) -> None:
    hashes = {
        hash_of("asdlib.steps.train", registry_module("models", "one")),
        hash_of("asdlib.steps.train", registry_module("models", "two")),
        hash_of("asdlib.steps.train"),
        hash_of("asdlib.steps.score"),
    }
    assert len(hashes) == 4


def test_registries_are_read_not_imported(package: Path) -> None:
    assert kinds("models") == ["one", "two"]
    assert registry_module("models", "two") == "asdlib.models.two"
    assert registry_class("models", "two").name == "Two"


def test_a_registry_that_names_a_missing_class(package: Path) -> None:
    _edit(package / "models/one.py", "class One", "class Eins")
    with pytest.raises(AsdError, match=r"^asdlib\.models\.one: has no class One"):
        registry_class("models", "one")


def test_a_registry_without_its_dictionary(package: Path) -> None:
    _edit(package / "models/__init__.py", "MODELS: dict[str, type]", "TABLE: dict[str, type]")
    with pytest.raises(AsdError, match=r"^asdlib\.models: has no dictionary MODELS"):
        kinds("models")


# --- asdlib itself --------------------------------------------------------------------------------------------------

SOURCES = sorted(code_hash.PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("registry", DICTIONARIES)
def test_a_registry_holds_imports_and_its_dictionary_alone(registry: str) -> None:
    """The hash does not include the registries, so they may contain nothing but the class of each kind."""
    path = code_hash.PACKAGE / REGISTRY_FOLDERS.get(registry, registry) / "__init__.py"
    docstring, *rest = ast.parse(path.read_bytes()).body
    assert isinstance(docstring, ast.Expr)
    *imports, table = rest
    assert all(isinstance(node, ast.ImportFrom) and not node.level for node in imports)
    assert isinstance(table, ast.AnnAssign)
    assert isinstance(table.value, ast.Dict)
    assert all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in table.value.keys)
    assert all(isinstance(value, ast.Name) for value in table.value.values)
    for kind in kinds(registry):
        assert registry_class(registry, kind)


def test_imports_are_such_that_the_hash_sees_them() -> None:
    """There are no relative imports, no imports by a computed name and no star imports."""
    hidden = {path: list(hidden_imports(path.read_bytes())) for path in SOURCES}
    assert {path: lines for path, lines in hidden.items() if lines} == {}


@pytest.mark.parametrize(
    "code",
    [
        "from . import dense", "from importlib import import_module", "from asdlib.layers import *",
        "import importlib.util", "import asdlib.layers", "__import__(name)",
    ],
)  # fmt: skip
def test_an_import_that_the_hash_would_not_see_is_found(code: str) -> None:
    assert list(hidden_imports(f"import re\n{code}\nfrom asdlib.layers import dense\n")) == [2]


def hidden_imports(code: str | bytes) -> Iterator[int]:
    """Yield the lines with imports that are to be written as `from asdlib… import <name>`."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            hidden = node.level or node.module == "importlib" or any(alias.name == "*" for alias in node.names)
        elif isinstance(node, ast.Import):
            hidden = {"importlib", "asdlib"} & {alias.name.partition(".")[0] for alias in node.names}
        else:
            hidden = isinstance(node, ast.Name) and node.id == "__import__"
        if hidden:
            yield node.lineno
