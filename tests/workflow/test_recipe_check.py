"""Recipes are checked against the constructors in the source text."""

import ast

import pytest

from asdlib.errors import AsdError
from asdlib.workflow import recipe_check
from asdlib.workflow.arguments import RESERVED

CLASSES = """
class Init:
    def __init__(self, size: int, rate: float = 0.5, names: list[str] = (), *, name: str, flag: bool = False): ...

@dataclass
class Fields:
    '''Documented.'''
    size: int
    depth: int | None = None
    rates: dict[str, float] = field(default_factory=dict)
    other: Ours = None
    shape: tuple[int, ...] = ()
    part: int | str | None = None
    untyped = 3

class Empty: ...
"""
TREES = {node.name: node for node in ast.parse(CLASSES).body}
MINIMUM = {"Init": {"size": 1, "name": "a"}, "Fields": {"size": 1}, "Empty": {}}


def test_arguments_are_read_from_init_and_from_fields():
    def listed(name: str) -> list[tuple[str, bool]]:
        return [(argument.name, argument.required) for argument in recipe_check.constructor(TREES[name])]

    assert listed("Init") == [("size", True), ("rate", False), ("names", False), ("name", True), ("flag", False)]
    fields = {"size": True, "depth": False, "rates": False, "other": False, "shape": False, "part": False}
    assert listed("Fields") == list(fields.items())
    assert listed("Empty") == []


@pytest.mark.parametrize("name", MINIMUM)
def test_the_required_arguments_are_enough(name):
    recipe_check.check_arguments(TREES[name], MINIMUM[name], "toy")


GOOD = [
    ("Init", "rate", 1), ("Init", "rate", 0.1), ("Init", "names", []), ("Init", "names", ["a"]), ("Init", "flag", True),
    ("Fields", "depth", None), ("Fields", "depth", 3), ("Fields", "rates", {"a": 1, "b": 0.5}),
    ("Fields", "other", {"anything": 1}), ("Fields", "shape", [1, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "key", "value"), GOOD)
def test_values_of_the_right_type_pass(name, key, value):
    recipe_check.check_arguments(TREES[name], MINIMUM[name] | {key: value}, "toy")


WRONG = [
    ("Init", "size", "1", "int"), ("Init", "size", 1.0, "int"), ("Init", "size", True, "int"),
    ("Init", "size", None, "int"), ("Init", "rate", "1e-3", "float"), ("Init", "rate", False, "float"),
    ("Init", "names", "abc", r"list\[str\]"), ("Init", "names", ["a", 1], r"list\[str\]"), ("Init", "flag", 1, "bool"),
    ("Init", "name", 5, "str"), ("Fields", "depth", "x", r"int \| None"), ("Fields", "depth", 1.5, r"int \| None"),
    ("Fields", "depth", True, r"int \| None"), ("Fields", "part", True, r"int \| str \| None"),
    ("Fields", "rates", {"a": True}, r"dict\[str, float\]"), ("Fields", "shape", [1, True], r"tuple\[int, \.\.\.\]"),
    ("Fields", "rates", {"a": "b"}, r"dict\[str, float\]"), ("Fields", "rates", [1.0], r"dict\[str, float\]"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "key", "value", "kind"), WRONG)
def test_values_of_a_wrong_type_are_refused(name, key, value, kind):
    with pytest.raises(AsdError, match=rf"^toy\.yaml: models\.m\.{key}: .* is not of type {kind}: correct the value$"):
        recipe_check.check_arguments(TREES[name], MINIMUM[name] | {key: value}, "toy.yaml: models.m")


@pytest.mark.parametrize("key", ["untyped", "sise", "self"])
def test_unknown_keys_are_refused(key):
    with pytest.raises(AsdError, match=f"^toy.{key}: unknown key: use one of: depth, other, part, rates, shape, size$"):
        recipe_check.check_arguments(TREES["Fields"], {"size": 1, key: 1}, "toy")
    with pytest.raises(AsdError, match=f"^toy.{key}: unknown key: use one of: none$"):
        recipe_check.check_arguments(TREES["Empty"], {key: 1}, "toy")


def test_missing_keys_are_refused():
    with pytest.raises(AsdError, match=r"^toy\.name: is missing: add it$"):
        recipe_check.check_arguments(TREES["Init"], {"size": 1}, "toy")


def test_recipes_are_checked_against_the_class_of_their_kind():
    recipe = {"kind": "log_mel", "n_fft": 1024, "hop_length": 512, "n_mels": 128, "power": 2.0, "dtype": "float32"}
    recipe_check.check("frontends", recipe, {"kind", "dtype"}, "toy")
    with pytest.raises(AsdError, match=r"toy\.n_mels: 'many' is not of type int"):
        recipe_check.check("frontends", recipe | {"n_mels": "many"}, {"kind", "dtype"}, "toy")
    with pytest.raises(AsdError, match=r"toy\.kind: there is no frontends kind 'log_mle': use one of: .*log_mel"):
        recipe_check.check("frontends", recipe | {"kind": "log_mle"}, {"kind", "dtype"}, "toy")
    with pytest.raises(AsdError, match=r"toy\.kind: there is no frontends kind None: use one of"):
        recipe_check.check("frontends", {}, {"kind", "dtype"}, "toy")


def test_a_training_block_is_checked_too():
    recipe = {"kind": "dense_autoencoder", "training": {"epochs": "many"}}
    with pytest.raises(AsdError, match=r"toy\.training\.epochs: 'many' is not of type int"):
        recipe_check.check("models", recipe | _arguments("dense_autoencoder"), {"kind", "training"}, "toy")


def _arguments(kind: str) -> dict:
    """Return a value for every required argument of a model."""
    values = {"int": 1, "float": 0.5, "str": "a", "bool": True}
    tree = recipe_check.code_hash.registry_class("models", kind)
    return {a.name: values[ast.unparse(a.annotation)] for a in recipe_check.constructor(tree) if a.required}


@pytest.mark.parametrize(
    ("where", "written", "said"),
    [
        ("x.yaml: separators.s", {"segment": 1.5}, "segment: unknown key: did you mean separators.s.pairs.segment?"),
        ("x.yaml: separators.s", {"pairs": {"epochs": 3}},
         "pairs.epochs: unknown key: did you mean separators.s.training.epochs?"),
        ("x.yaml: separators.s", {"training": {"n_filters": 8}},
         "training.n_filters: unknown key: did you mean separators.s.n_filters?"),
        ("config: override.separators.s", {"optimizer": "adamw"},
         "optimizer: unknown key: did you mean override.separators.s.training.optimizer? Write --config "
         "'override={separators: {s: {training: {optimizer: \"adamw\"}}}}'"),
    ],
)  # fmt: skip
def test_a_setting_in_the_wrong_block_is_told_its_place(where, written, said):
    with pytest.raises(AsdError) as error:
        recipe_check.check("separators", {"kind": "conv_tasnet"} | written, RESERVED["separators"], where)
    assert str(error.value) == f"{where}.{said}"
