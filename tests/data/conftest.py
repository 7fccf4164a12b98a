"""Fixtures of the data tests: a hostile server per test, and retries that do not sleep."""

from collections.abc import Iterator

import pytest
from helpers.hostile_server import HostileServer

from asdlib.data.fetching.retry import Retry


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HostileServer() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """Return the list that collects the seconds `retry` would have slept."""
    return []


@pytest.fixture
def retry(waits: list[float]) -> Retry:
    return Retry(attempts=4, base=0.001, timeout=2.0, sleep=waits.append)
