"""What a file of asdlib says: its code as text, without comments and docstrings, and what it imports.

Parsing the library takes most of the time in which Snakemake builds the graph. What was read is therefore kept in a
file and found again by the digest of the bytes; after an edit, only the edited files are parsed.
"""

import ast
import atexit
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # of statements within a compound statement
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_PARSER = [sys.version, hashlib.sha256(Path(__file__).read_bytes()).hexdigest()]  # another one may say it otherwise
_kept: dict[str, "Code"] = {}  # by the digest of the file


@dataclass(frozen=True)
class Code:
    """A file's code; files with the same syntax tree have the same."""

    text: str  # without the paths of its imports from asdlib
    imported: tuple[str, ...]  # full names of what it imports: modules, and names in modules
    own: tuple[tuple[str, str], ...]  # (module, name) of each name that it imports from a module of asdlib


def keep_in(path: Path) -> None:
    """Use what an earlier process kept in `path`, and keep there what this one reads."""
    known: dict[str, Code] = {}
    with suppress(OSError, ValueError, TypeError, KeyError):  # there is none, or it is damaged or of another version
        content = json.loads(path.read_bytes())
        if content["parser"] == _PARSER:
            known = {
                digest: Code(one["text"], tuple(one["imported"]), tuple(map(tuple, one["own"])))
                for digest, one in content["files"].items()
            }
    _kept.update(known)
    atexit.register(_save, path, set(known))


@cache
def code_of(path: Path) -> Code:
    """Return the code of a file; raise SyntaxError if it is not Python."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest not in _kept:
        _kept[digest] = _read(_parsed(content, path))
    return _kept[digest]


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a file's syntax tree without docstrings (a tree has no comments)."""
    return _parsed(path.read_bytes(), path)


def _parsed(content: bytes, path: Path) -> ast.Module:
    tree = ast.parse(content, str(path))
    for node in _statements(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]  # the tree is never compiled, so an empty body is harmless
    return tree


def _save(path: Path, known: set[str]) -> None:
    """Write what was read, unless all of it was known. A folder that cannot be written costs time, nothing else."""
    if _kept.keys() <= known:
        return
    part = path.with_name(f"{path.name}-{os.getpid()}.part")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(
            json.dumps({"parser": _PARSER, "files": {name: asdict(_kept[name]) for name in _kept}}).encode()
        )
        part.replace(path)


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield a tree and all statements in it, but no expressions: they have neither docstrings nor imports."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        for name in _BLOCKS:
            todo += getattr(node, name, ())


def _read(tree: ast.Module) -> Code:
    imports = [node for node in _statements(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    whole = [alias.name for node in _statements(tree) if isinstance(node, ast.Import) for alias in node.names]
    named = [name for node in imports for name in (node.module, *(f"{node.module}.{one.name}" for one in node.names))]
    own = [node for node in imports if node.module.split(".")[0] == "asdlib"]
    pairs = {(node.module, alias.name) for node in own for alias in node.names}
    return Code(_text(tree, own), tuple(sorted({*whole, *named})), tuple(sorted(pairs)))


def _text(tree: ast.Module, own: list[ast.ImportFrom]) -> str:
    """Return a tree as text; its imports from asdlib, `own`, come first, sorted and without their paths."""
    addresses = [node.module for node in own]
    for node in own:
        node.module = "asdlib"
    try:
        first = sorted(
            ast.unparse(ast.ImportFrom("asdlib", [alias], 0))
            for node in tree.body
            if node in own
            for alias in node.names
        )
        rest = ast.unparse(ast.Module([node for node in tree.body if node not in own], []))
    finally:
        for node, address in zip(own, addresses, strict=True):
            node.module = address
    return "\n".join([*first, rest]).strip()
