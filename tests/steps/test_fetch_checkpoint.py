"""Public weights: downloaded from a local hub, resumed, verified and never incomplete."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.hostile_server import HostileServer, Misdeed

from asdlib.data.fetching.retry import Network
from asdlib.errors import AsdError
from asdlib.steps.fetch_checkpoint import PublishedFile, fetch_checkpoint
from asdlib.workflow.typed_settings import typed

WEIGHTS = b"weights" * 1000
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
BLOCK = {"repository": "team/net", "file": "model.safetensors", "licence": "MIT", "sha256": SHA256}
UNPINNED = {**BLOCK, "sha256": None}
ADDRESS = "/team/net/resolve/main/model.safetensors"


@pytest.fixture
def hub() -> Iterator[HostileServer]:
    """Start a server that answers requests for one file in the same way as the Hugging Face hub."""
    with HostileServer() as server:
        server.files[ADDRESS] = WEIGHTS
        server.headers[ADDRESS] = {"ETag": f'"{SHA256}"', "X-Repo-Commit": "a" * 40}
        yield server


@pytest.fixture
def network(hub: HostileServer) -> Network:
    return Network("", "", hub.base, attempts=1, backoff=0.0, timeout=5.0, parallel=1)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "net" / "model.safetensors"


def left(out: Path) -> list[str]:
    """Return the names of the files in the folder of the weights, except the lock."""
    return sorted(path.name for path in out.parent.iterdir() if path.suffix != ".lock")


def test_weights_are_fetched_and_nothing_else_is_left(network: Network, out: Path) -> None:
    fetch_checkpoint("net", out, typed(PublishedFile, BLOCK), network)
    assert out.read_bytes() == WEIGHTS
    assert left(out) == ["model.safetensors"]


def test_another_revision_has_another_address(hub: HostileServer, network: Network, out: Path) -> None:
    hub.files[ADDRESS.replace("main", "v2")] = b"other"
    fetch_checkpoint("net", out, typed(PublishedFile, {**UNPINNED, "revision": "v2"}), network)
    assert out.read_bytes() == b"other"


def test_a_second_run_goes_on_where_the_first_was_cut_off(hub: HostileServer, network: Network, out: Path) -> None:
    hub.misdeeds[ADDRESS] = [Misdeed(drop_after=3000)]
    with pytest.raises(AsdError) as refusal:
        fetch_checkpoint("net", out, typed(PublishedFile, UNPINNED), network)
    message = str(refusal.value)
    assert message.startswith(f"checkpoints.net: {hub.base}{ADDRESS}: gave up after 1 attempts")
    assert message.endswith(f"or download {hub.base}{ADDRESS} by hand and put it there: {out}")
    assert left(out) == ["model.safetensors.part"]
    fetch_checkpoint("net", out, typed(PublishedFile, UNPINNED), network)
    assert hub.ranges(ADDRESS) == [None, "bytes=3000-"]
    assert out.read_bytes() == WEIGHTS
    assert left(out) == ["model.safetensors"]


def test_a_partial_download_of_another_file_is_not_resumed(hub: HostileServer, network: Network, out: Path) -> None:
    out.parent.mkdir()
    part = out.with_name("model.safetensors.part")
    part.write_bytes(b"x" * 3000)
    with pytest.raises(AsdError, match=r"^checkpoints\.net: .*model\.safetensors: checksum is .*run again"):
        fetch_checkpoint("net", out, typed(PublishedFile, UNPINNED), network)
    assert left(out) == []
    fetch_checkpoint("net", out, typed(PublishedFile, UNPINNED), network)
    assert out.read_bytes() == WEIGHTS


def test_without_a_pin_the_log_says_what_was_found(
    network: Network, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        fetch_checkpoint("net", out, typed(PublishedFile, UNPINNED), network)
    assert SHA256 in caplog.text
    assert "licence: MIT" in caplog.text


def test_other_content_than_the_pinned_is_refused(network: Network, out: Path) -> None:
    with pytest.raises(AsdError, match=rf"^checkpoints\.net: .*checksum is sha256:{SHA256}, expected sha256:000"):
        fetch_checkpoint("net", out, typed(PublishedFile, {**BLOCK, "sha256": "0" * 64}), network)
    assert left(out) == []


def test_a_file_that_the_hub_has_not_is_named(hub: HostileServer, network: Network, out: Path) -> None:
    with pytest.raises(AsdError) as refusal:
        fetch_checkpoint("net", out, typed(PublishedFile, {**BLOCK, "file": "other.bin"}), network)
    message = str(refusal.value)
    assert f"checkpoints.net: {hub.base}/team/net/resolve/main/other.bin: cannot be read from the hub (" in message
    assert "\n" not in message
    assert not out.parent.exists()


def test_a_hub_that_nobody_answers_for_is_one_line(network: Network, out: Path) -> None:
    """The errors of the hub's client are not OSErrors."""
    with pytest.raises(AsdError) as refusal:
        fetch_checkpoint("net", out, typed(PublishedFile, BLOCK), replace(network, hub="http://127.0.0.1:9"))
    assert str(refusal.value).startswith(f"checkpoints.net: http://127.0.0.1:9{ADDRESS}: cannot be read from the hub (")
    assert str(out) in str(refusal.value)


def test_the_pinned_file_is_not_fetched_again(hub: HostileServer, network: Network, out: Path) -> None:
    out.parent.mkdir()
    out.write_bytes(WEIGHTS)
    fetch_checkpoint("net", out, typed(PublishedFile, BLOCK), network)
    assert hub.requests == []


def test_what_no_program_can_fetch_says_where_it_is(network: Network, out: Path) -> None:
    block = {"address": "the authors' page", "file": "net.pt", "licence": "MIT"}
    with pytest.raises(
        AsdError, match=r"download net\.pt from the authors' page and put it there, or set checkpoint: null"
    ):
        fetch_checkpoint("net", out, typed(PublishedFile, block), network)


def test_what_was_put_there_by_hand_stays_and_is_verified(network: Network, out: Path) -> None:
    out.parent.mkdir()
    out.write_bytes(WEIGHTS)
    block = {"address": "the authors' page", "file": "net.pt", "licence": "MIT"}
    fetch_checkpoint("net", out, typed(PublishedFile, {**block, "sha256": SHA256}), network)
    with pytest.raises(AsdError, match=r"has sha256 .*, but checkpoints\.net\.sha256 is 000"):
        fetch_checkpoint("net", out, typed(PublishedFile, {**block, "sha256": "0" * 64}), network)
    assert out.read_bytes() == WEIGHTS
