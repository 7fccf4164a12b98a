"""Tests of the source that a dataset's block of the config describes."""

import pytest

from asdlib.data.configured_source import source_of
from asdlib.data.demo.dataset import DemoSettings
from asdlib.data.sources.zenodo import Zenodo
from asdlib.errors import AsdError


def test_the_kind_chooses_the_source_and_the_other_keys_are_its_settings() -> None:
    assert source_of({"kind": "demo", "seed": 3}) == DemoSettings(seed=3)
    archives = [{"record": 1, "file": "dev_{machine}.zip"}]
    assert source_of({"kind": "zenodo", "archives": archives}) == Zenodo(archives)


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(AsdError, match=r"^demo\.seconds: 0\.1 is out of range"):
        source_of({"kind": "demo", "seconds": 0.1})
