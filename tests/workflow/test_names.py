"""Usable names for machines and datasets whose names are not."""

import re
import unicodedata

import pytest

from asdlib.workflow.names import examples, suggested, unusable_machines
from asdlib.workflow.words import NAME

NAMES = {
    "my fan": "my_fan",
    "Prüfstand 3": "Pruefstand_3",
    "Größe (alt)": "Groesse_alt",
    "Café": "Cafe",
    unicodedata.normalize("NFD", "Lüfter"): "Luefter",
    "_x": "x",
    "-": "",
    "ポンプ": "",
    "all": "all_1",
    "x" * 101: "x" * 100,
}


@pytest.mark.parametrize(("name", "usable"), NAMES.items())
def test_a_name_is_suggested(name: str, usable: str) -> None:
    assert suggested(name) == usable
    assert unusable_machines([name, "fan"]) == [name]
    assert not usable or re.fullmatch(NAME, usable)


def test_several_names() -> None:
    assert examples(["my fan"]) == ", for example my_fan"
    assert examples(["my fan", "Lüfter"]) == ", for example my_fan for my fan, Luefter for Lüfter"
    assert examples([f"fan {number}" for number in range(8)]).endswith("fan_4 for fan 4 (and 3 more)")
    assert examples(["ポンプ"]) == ""
