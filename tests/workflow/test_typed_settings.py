"""Plain values become dataclasses; wrong keys and types are errors."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from asdlib.errors import AsdError
from asdlib.workflow.typed_settings import typed


@dataclass(frozen=True)
class Leaf:
    rate: float
    name: str = "leaf"


@dataclass(frozen=True)
class Tree:
    leaf: Leaf
    leaves: list[Leaf]
    named: dict[str, Leaf]
    path: Path
    other: Leaf | None = None
    paths: dict[str, list[Path | None]] = field(default_factory=dict)
    free: dict[str, Any] = field(default_factory=dict)


class Pair(NamedTuple):
    first: int
    second: str = "b"


SMALL = {"leaf": {"rate": 1}, "leaves": [], "named": {}, "path": "a/b"}


def test_dataclasses_are_built_at_any_depth() -> None:
    tree = typed(
        Tree,
        {
            "leaf": {"rate": 1, "name": "first"},
            "leaves": ({"rate": 0.5}, {"rate": 2.0}),
            "named": {"x": {"rate": 3.0}},
            "path": "a/b",
            "other": {"rate": 4.0},
            "paths": {"y": ["c", None]},
            "free": {"any": [1, {"thing": None}]},
        },
    )
    assert tree == Tree(
        leaf=Leaf(1.0, "first"),
        leaves=[Leaf(0.5), Leaf(2.0)],
        named={"x": Leaf(3.0)},
        path=Path("a/b"),
        other=Leaf(4.0),
        paths={"y": [Path("c"), None]},
        free={"any": [1, {"thing": None}]},
    )
    assert type(tree.leaf.rate) is float


def test_defaults_fill_what_is_not_given() -> None:
    assert typed(Tree, SMALL) == Tree(Leaf(1.0), [], {}, Path("a/b"))
    assert typed(Tree, {**SMALL, "other": None}).other is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"twig": 1},
            "settings: twig: unknown key: use one of: free, leaf, leaves, named, other, path, paths",
        ),
        ({"leaf": {}}, "settings: leaf.rate: is missing: add it"),
        ({"leaves": [{"rate": 1.0}, {"colour": 2}]}, "settings: leaves[1].colour: unknown key: use one of: name, rate"),
        ({"named": {"x": {}}}, "settings: named.x.rate: is missing: add it"),
        ({"other": {"rate": "fast"}}, "settings: other.rate: is 'fast': give a value of type float"),
        ({"leaf": {"rate": True}}, "settings: leaf.rate: is True: give a value of type float"),
        ({"leaf": 5}, "settings: leaf: is 5: give a value of type dict"),
        ({"leaves": "abc"}, "settings: leaves: is 'abc': give a value of type list"),
        ({"path": None}, "settings: path: is None: give a value of type str"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AsdError) as caught:
        typed(Tree, {**SMALL, **change})
    assert str(caught.value) == message


def test_a_missing_key_is_named() -> None:
    with pytest.raises(AsdError, match=r"^settings: path: is missing: add it$"):
        typed(Tree, {key: value for key, value in SMALL.items() if key != "path"})


def test_another_union_than_optional_is_a_bug() -> None:
    with pytest.raises(TypeError, match=r"only X \| None"):
        typed(int | str, 5)


def test_a_named_tuple_is_built_like_a_dataclass():
    assert typed(list[Pair], [{"first": 1}, {"first": 2, "second": "c"}]) == [Pair(1, "b"), Pair(2, "c")]
    with pytest.raises(AsdError, match=r"^settings: first: is missing: add it$"):
        typed(Pair, {"second": "c"})
