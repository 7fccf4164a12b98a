"""A hash of the code of a stage: its step and all modules of asdlib that the step imports.

Snakemake compares the text and the params of a rule, but not the library that the rule calls. Each rule therefore has
this hash as a param. Comments and docstrings do not count. Imports are followed in the source text; no module is
imported, so the graph is built without torch.

A registry (`asdlib.backends`, `asdlib.models`, …: a plain dictionary from a recipe's `kind` to its class) is not
followed, because a stage uses only the class that its recipe names; `registry_module` finds the module of that class.

The hash does not depend on module paths: an import is represented by the text of the imported module. Moving a module
to another folder re-runs nothing.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

from asdlib.errors import AsdError
from asdlib.workflow.code_text import code_of, tree_of

PACKAGE = Path(__file__).resolve().parents[1]
DICTIONARIES = {
    "sources": "SOURCES",
    "frontends": "FRONTENDS",
    "augmentations": "AUGMENTATIONS",
    "labellers": "LABELLERS",
    "separators": "SEPARATORS",
    "models": "MODELS",
    "backends": "BACKENDS",
}
REGISTRY_FOLDERS = {"sources": "data/sources"}  # of the registries that are not directly below the package


def hash_of(*modules: str) -> str:
    """Return a hash of the code of `modules` (full dotted names) and of all modules of asdlib that they import."""
    found = {_linked(module) for module in closure(*modules) if _text(module)}  # empty packages do not matter
    return _digest("\0".join(sorted(found)))[:16]


def closure(*modules: str) -> list[str]:
    """Return `modules` and every module of asdlib that they import, directly or indirectly, except registries."""
    todo, seen = list(modules), set()
    while todo:
        module = todo.pop()
        if module in seen or module in _registry_packages():
            continue
        seen.add(module)
        todo += _imports(module)
    return sorted(seen)


def registry_module(registry: str, kind: str) -> str:
    """Return the dotted name of the module that defines a registry's `kind`, for example ("backends", "knn")."""
    return _registry(registry)[kind][0]


def registry_class(registry: str, kind: str) -> ast.ClassDef:
    """Return the syntax tree of the class that a registry lists as `kind`."""
    return class_tree(*_registry(registry)[kind])


def class_tree(module: str, name: str) -> ast.ClassDef:
    """Return the syntax tree of a class of asdlib."""
    for node in tree_of(_path(module)).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    raise AsdError(f"{module}: has no class {name}: define it there")


def kinds(registry: str) -> list[str]:
    """Return the kinds of a registry, sorted."""
    return sorted(_registry(registry))


@cache
def _registry(registry: str) -> dict[str, tuple[str, str]]:
    """Return {kind: (module, class)} of a registry, read from the imports and the dictionary in its file."""
    tree = tree_of(PACKAGE / REGISTRY_FOLDERS.get(registry, registry) / "__init__.py")
    origin = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    for node in tree.body:
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id == DICTIONARIES[registry] and isinstance(node.value, ast.Dict):
            pairs = zip(node.value.keys, node.value.values, strict=True)
            return {key.value: origin[value.id] for key, value in pairs}
    raise AsdError(f"{_package(registry)}: has no dictionary {DICTIONARIES[registry]}: restore it")


def _registry_packages() -> set[str]:
    return {_package(registry) for registry in DICTIONARIES}


def _package(registry: str) -> str:
    return f"asdlib.{REGISTRY_FOLDERS.get(registry, registry).replace('/', '.')}"


@cache
def _path(module: str) -> Path | None:
    base = PACKAGE.parent.joinpath(*module.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@cache
def _imports(module: str) -> frozenset[str]:
    """Return the modules of asdlib that a module imports, including parent packages."""
    found = set()
    for name in code_of(_path(module)).imported:
        parts = name.split(".")
        if parts[0] == "asdlib":  # importing a.b.c runs a and a.b as well
            prefixes = (".".join(parts[: i + 1]) for i in range(len(parts)))
            found.update(prefix for prefix in prefixes if _path(prefix))
    return frozenset(found)


@cache
def _linked(module: str) -> str:
    """Return a hash of a module's text and of the texts of the modules from which it imports names."""
    code = code_of(_path(module))
    links = {
        f"{name} {_digest(_text(_origin(origin, name)))}"
        for origin, name in code.own
        if origin not in _registry_packages()
    }
    return _digest("\0".join([code.text, *sorted(links)]))


def _text(module: str) -> str:
    return code_of(_path(module)).text


def _origin(module: str, name: str) -> str:
    """Return the module that `from <module> import <name>` imports, or from which it imports the name."""
    inner = f"{module}.{name}"
    return inner if _path(inner) else module


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
