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

PACKAGE = Path(__file__).resolve().parents[1]
DICTIONARIES = {
    "sources": "SOURCES",
    "frontends": "FRONTENDS",
    "augmentations": "AUGMENTATIONS",
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
    for node in _tree(_path(module)).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    raise AsdError(f"{module}: has no class {name}: define it there")


def kinds(registry: str) -> list[str]:
    """Return the kinds of a registry, sorted."""
    return sorted(_registry(registry))


@cache
def _registry(registry: str) -> dict[str, tuple[str, str]]:
    """Return {kind: (module, class)} of a registry, read from the imports and the dictionary in its file."""
    tree = _tree(PACKAGE / REGISTRY_FOLDERS.get(registry, registry) / "__init__.py")
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
def _tree(path: Path) -> ast.Module:
    """Return a file's syntax tree without docstrings (a tree has no comments)."""
    tree = ast.parse(path.read_bytes(), str(path))
    for node in ast.walk(tree):
        has_docstring = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if has_docstring and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]  # the tree is never compiled, so an empty body is harmless
    return tree


@cache
def _imports(module: str) -> frozenset[str]:
    """Return the modules of asdlib that a module imports, including parent packages."""
    found = set()
    for node in ast.walk(_tree(_path(module))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "asdlib":  # importing a.b.c runs a and a.b as well
                prefixes = (".".join(parts[: i + 1]) for i in range(len(parts)))
                found.update(prefix for prefix in prefixes if _path(prefix))
    return frozenset(found)


@cache
def normalised(path: Path) -> str:
    """Return a file's code as text; files with the same syntax tree give the same text."""
    return ast.unparse(_tree(path))


@cache
def _linked(module: str) -> str:
    """Return a hash of a module's text and of the texts of the modules from which it imports names."""
    links = {
        f"{alias.name} {_digest(_text(_origin(node.module, alias.name)))}"
        for node in _own_imports(_tree(_path(module)))
        for alias in node.names
        if node.module not in _registry_packages()
    }
    return _digest("\0".join([_text(module), *sorted(links)]))


@cache
def _text(module: str) -> str:
    """Return a module's code as text, without the paths of its imports from asdlib."""
    tree = _tree(_path(module))
    addresses = {node: node.module for node in _own_imports(tree)}
    for node in addresses:
        node.module = "asdlib"
    try:
        first = sorted(
            ast.unparse(ast.ImportFrom("asdlib", [alias], 0))
            for node in tree.body
            if node in addresses
            for alias in node.names
        )
        rest = ast.unparse(ast.Module([node for node in tree.body if node not in addresses], []))
    finally:
        for node, module_name in addresses.items():
            node.module = module_name
    return "\n".join([*first, rest]).strip()


def _own_imports(tree: ast.Module) -> list[ast.ImportFrom]:
    """Return the statements `from asdlib… import …` of a module, including those inside functions."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level)
    return [node for node in found if node.module.split(".")[0] == "asdlib"]


def _origin(module: str, name: str) -> str:
    """Return the module that `from <module> import <name>` imports, or from which it imports the name."""
    inner = f"{module}.{name}"
    return inner if _path(inner) else module


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
