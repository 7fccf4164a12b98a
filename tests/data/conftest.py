"""A hostile server per test, and patience that does not wait."""

from collections.abc import Iterator

import pytest
from helpers.hostile_server import HostileServer

from asdlib.data.fetching.http import Retry


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HostileServer() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """The seconds that `retry` would have slept."""
    return []


@pytest.fixture
def retry(waits: list[float]) -> Retry:
    return Retry(attempts=4, base=0.001, timeout=2.0, sleep=waits.append)
