"""Check recipes against the classes that they configure, without importing the classes.

The keys of a recipe are the arguments of the class that its `kind` names. Unknown keys, missing keys and values of the
wrong type are errors before any job runs.
"""

import ast
import json
from dataclasses import dataclass
from typing import Any

from asdlib.errors import AsdError
from asdlib.workflow import class_facts, code_hash
from asdlib.workflow.snakemake_call import nested

# Blocks of a recipe that configure a dataclass: {key: (module, class)}.
BLOCKS = {
    "training": ("asdlib.training.settings", "Training"),
    "pairs": ("asdlib.separation.settings", "Pairs"),
}
# The keys of a model that belong to its training.
TRAINED = ("training", "views", "scope", "corpus", "init", "labeller")
_TYPES = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "None": (type(None),),
}


@dataclass(frozen=True)
class Argument:
    """An argument of a constructor, with its annotation (None if it has none)."""

    name: str
    annotation: ast.expr | None
    required: bool


def check(registry: str, block: dict[str, Any], reserved: set[str], where: str) -> None:
    """Raise AsdError for a key or a type that the recipe's class does not accept; `where` begins the message."""
    kind = block.get("kind")
    if kind not in code_hash.kinds(registry):
        known = ", ".join(code_hash.kinds(registry)) or "none yet"
        raise AsdError(f"{where}.kind: there is no {registry} kind {kind!r}: use one of: {known}")
    classes = _classes(registry, kind, reserved)
    given = {key: block[key] for key in classes if key in block}
    given[""] = {key: value for key, value in block.items() if key not in reserved}
    for place in sorted(given):
        _refuse_misplaced(given[place], place, classes, where)
        check_arguments(classes[place], given[place], f"{where}.{place}" if place else where)
    if registry == "separators":
        _check_training(block, classes[""], where)
    if registry == "models":
        _refuse_odd_training(block, where)


def block_of(registry: str, kind: str, reserved: set[str], key: str, place: str) -> str | None:
    """Return the block of a recipe to which a setting belongs ("" is the recipe itself): `place`, if that has it.

    None if no block has such a setting.
    """
    return _meant(key, place, _known(_classes(registry, kind, reserved)))


def _classes(registry: str, kind: str, reserved: set[str]) -> dict[str, ast.ClassDef]:
    """Return the classes that a recipe configures, by block."""
    blocks = {key: code_hash.class_tree(*origin) for key, origin in BLOCKS.items() if key in reserved}
    return {**blocks, "": code_hash.registry_class(registry, kind)}


def _known(classes: dict[str, ast.ClassDef]) -> dict[str, set[str]]:
    return {block: {argument.name for argument in constructor(tree)} for block, tree in classes.items()}


def _meant(key: str, place: str, known: dict[str, set[str]]) -> str | None:
    if key in known.get(place, ()):
        return place
    return next((block for block, names in known.items() if key in names), None)


def _check_training(block: dict[str, Any], tree: ast.ClassDef, where: str) -> None:
    """Raise AsdError if a separator lacks a block of its training, or if one that only subtracts has one."""
    learns = not any(isinstance(node, ast.FunctionDef) and node.name == "subtract" for node in tree.body)
    for key in BLOCKS:
        if learns and key not in block:
            raise AsdError(f"{where}.{key}: is missing: {block['kind']} is trained: add it")
        if not learns and key in block:
            raise AsdError(f"{where}.{key}: {block['kind']} is not trained: remove it")


def _refuse_odd_training(block: dict[str, Any], where: str) -> None:
    """Raise AsdError for a model without a training, or one that has what belongs to a training and does not use it."""
    if class_facts.is_trained(block["kind"]):
        if "training" not in block:
            raise AsdError(f"{where}.training: is missing: add it")
        if block.get("labeller") and not class_facts.takes_labels(block["kind"]):
            raise AsdError(f"{where}.labeller: a model of kind {block['kind']} does not learn pseudo-labels: remove it")
        return
    for key in TRAINED:
        if key in block:
            raise AsdError(f"{where}.{key}: a model of kind {block['kind']} is not trained: remove it")


def check_arguments(tree: ast.ClassDef, settings: dict[str, Any], where: str) -> None:
    """Raise AsdError for settings that the constructor of a class does not accept."""
    known = {argument.name: argument for argument in constructor(tree)}
    for key, value in settings.items():
        if key not in known:
            raise AsdError(f"{where}.{key}: unknown key: use one of: {', '.join(sorted(known)) or 'none'}")
        annotation = known[key].annotation
        if annotation is not None and not _fits(value, annotation):
            raise AsdError(f"{where}.{key}: {value!r} is not of type {ast.unparse(annotation)}: correct the value")
    for argument in known.values():
        if argument.required and argument.name not in settings:
            raise AsdError(f"{where}.{argument.name}: is missing: add it")


def _refuse_misplaced(settings: dict[str, Any], place: str, classes: dict[str, ast.ClassDef], where: str) -> None:
    """Raise AsdError for a setting that is written in the wrong block of a recipe; "" is the recipe itself."""
    known = _known(classes)
    for key, value in settings.items():
        block = _meant(key, place, known)
        if block in (place, None):
            continue
        given, meant = (".".join(filter(None, (where, name, key))) for name in (place, block))
        file, _, path = meant.rpartition(": ")
        advice = f"did you mean {path}?"
        if file == "config":
            advice += f" Write --config '{nested(*path.split('.'), value=json.dumps(value))}'"
        raise AsdError(f"{given}: unknown key: {advice}")


def constructor(tree: ast.ClassDef) -> list[Argument]:
    """Return the arguments of a class: those of `__init__`, or the fields of a dataclass."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return _arguments(node.args)
    fields = [node for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    return [Argument(node.target.id, node.annotation, node.value is None) for node in fields]


def _arguments(args: ast.arguments) -> list[Argument]:
    positional = args.args[1:]  # without self
    optional = len(args.defaults)
    found = [Argument(arg.arg, arg.annotation, i < len(positional) - optional) for i, arg in enumerate(positional)]
    keyword = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    return found + [Argument(arg.arg, arg.annotation, default is None) for arg, default in keyword]


def _fits(value: Any, annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.BinOp):  # int | None
        return _fits(value, annotation.left) or _fits(value, annotation.right)
    if isinstance(annotation, ast.Subscript):  # list[int]
        items = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        inner = annotation.slice
        if isinstance(inner, ast.Tuple):  # dict[str, int], tuple[int, ...]
            inner = inner.elts[0 if ast.unparse(inner.elts[-1]) == "..." else -1]
        return _fits(value, annotation.value) and all(_fits(item, inner) for item in items)
    name = ast.unparse(annotation)
    allowed = _TYPES.get(name)
    if allowed is None:
        return True  # another class: its constructor checks the value
    return isinstance(value, allowed) and (name == "bool" or not isinstance(value, bool))
