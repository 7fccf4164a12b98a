"""Public weights: downloaded from a local hub, resumed, verified and never incomplete."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.checkout import ROOT
from helpers.hostile_server import HostileServer, Misdeed

from asdlib.data.fetching.pins import read_pins
from asdlib.data.fetching.retry import Network
from asdlib.data.made import altered
from asdlib.errors import AsdError
from asdlib.steps.fetch_checkpoint import PublishedFile, fetch_checkpoint
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.yaml_files import read_yaml

WEIGHTS = b"PK\x03\x04" + b"weights" * 1000  # begins as a file of PyTorch
OTHER = b"PK\x03\x04" + b"others" * 1000
PAGE = b"\n<!DOCTYPE html><html><head><title>Quota exceeded</title></head></html>"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
BLOCK = {"repository": "team/net", "file": "model.safetensors", "licence": "MIT", "sha256": SHA256}
UNPINNED = {**BLOCK, "sha256": None}
COMMIT = "a" * 40
BRANCH = "/team/net/resolve/main/model.safetensors"
ADDRESS = f"/team/net/resolve/{COMMIT}/model.safetensors"
KEY = "team/net/main/model.safetensors"
BY_HAND = "resources/checkpoints/net/model.safetensors"
DRIVE = "/download?id=1ni&export=download&confirm=t"
DRIVEN = "net/model.safetensors"  # the key of a file that is not on the hub in the lock file


def publish(server: HostileServer, data: bytes, commit: str) -> None:
    """Add a commit to the hub, to which the branch then points."""
    address = ADDRESS.replace(COMMIT, commit)
    server.files[address] = server.files[BRANCH] = data
    headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit}
    server.headers[address] = server.headers[BRANCH] = headers


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock.json"


def fetch(out: Path, block: dict, network: Network) -> None:
    fetch_checkpoint("net", out, typed(PublishedFile, block), network, out.parents[1] / "lock.json")


@pytest.fixture
def hub() -> Iterator[HostileServer]:
    """Start a server that answers requests for one file in the same way as the Hugging Face hub."""
    with HostileServer() as server:
        publish(server, WEIGHTS, COMMIT)
        yield server


@pytest.fixture
def network(hub: HostileServer) -> Network:
    return Network("", "", hub.base, attempts=1, backoff=0.0, timeout=5.0, parallel=1)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "net" / "model.safetensors"


@pytest.fixture
def drive(hub: HostileServer) -> dict:
    """Return the block of a file that a drive serves at an address of its own."""
    hub.files[DRIVE] = WEIGHTS
    return {"address": "the page", "url": hub.base + DRIVE, "file": "model.safetensors", "licence": "MIT"}


def left(out: Path) -> list[str]:
    """Return the names of the files in the folder of the weights, except the lock and the record."""
    return sorted(path.name for path in out.parent.iterdir() if path.suffix not in (".lock", ".made"))


def test_weights_are_fetched_and_nothing_else_is_left(network: Network, out: Path) -> None:
    fetch(out, BLOCK, network)
    assert out.read_bytes() == WEIGHTS
    assert left(out) == ["model.safetensors"]
    assert altered(out) is None, "a later run knows that it is not the user's"


def test_another_revision_has_another_address(hub: HostileServer, network: Network, out: Path) -> None:
    hub.files[BRANCH.replace("main", "refs%2Fpr%2F1")] = OTHER
    fetch(out, {**UNPINNED, "revision": "refs/pr/1"}, network)
    assert out.read_bytes() == OTHER


def test_a_branch_is_resolved_once_and_its_commit_recorded(
    hub: HostileServer, network: Network, out: Path, lock: Path
) -> None:
    fetch(out, UNPINNED, network)
    assert read_pins(lock, "weights") == {KEY: {"commit": COMMIT, "sha256": SHA256}}
    publish(hub, b"retrained", "b" * 40)
    out.unlink()
    fetch(out, UNPINNED, network)
    assert out.read_bytes() == WEIGHTS
    assert [path for path, _ in hub.requests] == [ADDRESS, ADDRESS]


def test_a_branch_that_moves_during_a_download_does_not_mix_two_files(
    hub: HostileServer, network: Network, out: Path, lock: Path
) -> None:
    for address in (BRANCH, ADDRESS):
        hub.headers[address] = {"X-Repo-Commit": COMMIT}  # no SHA-256, as of small files
    hub.misdeeds[ADDRESS] = [Misdeed(drop_after=3000)]
    with pytest.raises(AsdError, match="gave up after 1 attempts"):
        fetch(out, UNPINNED, network)
    changed = WEIGHTS[:2000] + bytes(len(WEIGHTS) - 2000)
    publish(hub, changed, "b" * 40)
    hub.headers[BRANCH] = {"X-Repo-Commit": "b" * 40}
    fetch(out, UNPINNED, network)
    assert out.read_bytes() == changed
    assert read_pins(lock, "weights")[KEY]["commit"] == "b" * 40


def test_a_commit_that_has_other_bytes_now_is_refused(hub: HostileServer, network: Network, out: Path) -> None:
    fetch(out, UNPINNED, network)
    hub.files[ADDRESS] = bytes(len(WEIGHTS))
    out.unlink()
    with pytest.raises(AsdError, match=rf"^checkpoints\.net: .*checksum is .*, expected sha256:{SHA256}"):
        fetch(out, UNPINNED, network)
    assert left(out) == []


def test_a_mirror_that_names_no_commit_is_said_and_pinned_by_content(
    hub: HostileServer, network: Network, out: Path, lock: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub.headers[BRANCH] = {}
    fetch(out, UNPINNED, network)
    assert "the hub names no commit" in caplog.text
    assert read_pins(lock, "weights") == {KEY: {"commit": None, "sha256": SHA256}}


def test_a_second_run_goes_on_where_the_first_was_cut_off(hub: HostileServer, network: Network, out: Path) -> None:
    hub.misdeeds[ADDRESS] = [Misdeed(drop_after=3000)]
    with pytest.raises(AsdError) as refusal:
        fetch(out, UNPINNED, network)
    message = str(refusal.value)
    assert message.startswith(f"checkpoints.net: {hub.base}{ADDRESS}: gave up after 1 attempts")
    assert message.endswith(f"or download {hub.base}{BRANCH} by hand and put it there: {BY_HAND}")
    assert left(out) == ["model.safetensors.part", "model.safetensors.part.json"]
    fetch(out, UNPINNED, network)
    assert hub.ranges(ADDRESS) == [None, "bytes=3000-"]
    assert out.read_bytes() == WEIGHTS
    assert left(out) == ["model.safetensors"]


def test_a_partial_download_of_another_file_is_not_resumed(hub: HostileServer, network: Network, out: Path) -> None:
    out.parent.mkdir()
    part = out.with_name("model.safetensors.part")
    part.write_bytes(b"x" * 3000)
    fetch(out, UNPINNED, network)
    assert out.read_bytes() == WEIGHTS


def test_without_a_pin_the_log_says_what_was_found(
    network: Network, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        fetch(out, UNPINNED, network)
    assert SHA256 in caplog.text
    assert "licence: MIT" in caplog.text


def test_other_content_than_the_pinned_is_refused(hub: HostileServer, network: Network, out: Path) -> None:
    hub.headers[BRANCH] = hub.headers[ADDRESS] = {"X-Repo-Commit": COMMIT}  # no SHA-256: found out by the download
    with pytest.raises(AsdError, match=rf"^checkpoints\.net: .*checksum is sha256:{SHA256}, expected sha256:000"):
        fetch(out, {**BLOCK, "sha256": "0" * 64}, network)
    assert left(out) == []


def test_a_file_that_the_hub_has_not_is_named(hub: HostileServer, network: Network, out: Path) -> None:
    with pytest.raises(AsdError) as refusal:
        fetch(out, {**BLOCK, "file": "other.bin"}, network)
    message = str(refusal.value)
    assert (
        f"checkpoints.net: {hub.base}/team/net/resolve/main/other.bin: the server says 404 Not Found: check" in message
    )
    assert "\n" not in message
    assert not out.parent.exists()


def test_a_hub_that_nobody_answers_for_is_one_line(network: Network, out: Path) -> None:
    with pytest.raises(AsdError) as refusal:
        fetch(out, BLOCK, replace(network, hub="http://127.0.0.1:9"))
    assert str(refusal.value).startswith(f"checkpoints.net: http://127.0.0.1:9{BRANCH}: gave up after 1 attempts")
    assert str(refusal.value).endswith(f" and put it there: {BY_HAND}")


def test_the_pinned_file_is_not_fetched_again(hub: HostileServer, network: Network, out: Path) -> None:
    out.parent.mkdir()
    out.write_bytes(WEIGHTS)
    fetch(out, BLOCK, network)
    assert hub.requests == []


def test_what_no_program_can_fetch_says_where_it_is(network: Network, out: Path) -> None:
    block = {"address": "the authors' page", "file": "net.pt", "licence": "MIT"}
    with pytest.raises(
        AsdError,
        match=r"^resources/checkpoints/net/\S+: .* download net\.pt from the authors' page and put it there, or set",
    ):
        fetch(out, block, network)


def test_what_was_put_there_by_hand_stays_and_is_verified(network: Network, out: Path) -> None:
    out.parent.mkdir()
    out.write_bytes(WEIGHTS)
    block = {"address": "the authors' page", "file": "net.pt", "licence": "MIT"}
    fetch(out, {**block, "sha256": SHA256}, network)
    with pytest.raises(AsdError, match=r"has sha256 .*, but checkpoints\.net\.sha256 is 000"):
        fetch(out, {**block, "sha256": "0" * 64}, network)
    assert out.read_bytes() == WEIGHTS


# --- files of a drive -----------------------------------------------------------------------------------------------


def test_a_drive_s_file_is_fetched_and_pinned_on_first_use(
    hub: HostileServer, drive: dict, network: Network, out: Path, lock: Path
) -> None:
    fetch(out, drive, network)
    assert out.read_bytes() == WEIGHTS
    assert left(out) == ["model.safetensors"]
    assert read_pins(lock, "weights") == {DRIVEN: {"commit": None, "sha256": SHA256}}
    fetch(out, drive, network)
    assert [path for path, _ in hub.requests] == [DRIVE], "the pinned file is fetched again"
    hub.files[DRIVE] = OTHER
    out.unlink()
    with pytest.raises(AsdError, match=rf"^checkpoints\.net: .*checksum is .*, expected sha256:{SHA256}"):
        fetch(out, drive, network)
    assert left(out) == []


def test_a_mirror_of_a_drive_s_file_has_to_send_the_pinned_one(
    hub: HostileServer, drive: dict, network: Network, out: Path
) -> None:
    fetch(out, drive, network)
    out.unlink()
    hub.files["/mirror/net.pth"] = OTHER
    with pytest.raises(AsdError, match=rf"expected sha256:{SHA256}"):
        fetch(out, {**drive, "url": f"{hub.base}/mirror/net.pth"}, network)


def test_a_drive_s_file_goes_on_where_it_was_cut_off(
    hub: HostileServer, drive: dict, network: Network, out: Path
) -> None:
    hub.misdeeds[DRIVE] = [Misdeed(drop_after=3000)]
    with pytest.raises(AsdError) as refusal:
        fetch(out, drive, network)
    message = str(refusal.value)
    assert message.startswith(f"checkpoints.net: {hub.base}{DRIVE}: gave up after 1 attempts")
    assert message.endswith(f"or download model.safetensors from the page by hand and put it there: {BY_HAND}")
    fetch(out, drive, network)
    assert hub.ranges(DRIVE) == [None, "bytes=3000-"]
    assert out.read_bytes() == WEIGHTS


@pytest.mark.parametrize("headers", [{"Content-Type": "text/html; charset=utf-8"}, {}], ids=["declared", "undeclared"])
def test_a_page_in_place_of_a_file_is_neither_kept_nor_pinned(
    hub: HostileServer, drive: dict, network: Network, out: Path, lock: Path, headers: dict[str, str]
) -> None:
    hub.misdeeds[DRIVE] = [Misdeed(body=PAGE, headers=headers)]
    with pytest.raises(AsdError, match=r"web page") as refusal:
        fetch(out, drive, network)
    message = str(refusal.value)
    assert message.startswith(f"checkpoints.net: {hub.base}{DRIVE}: the server sends ")
    assert message.endswith(f"or download model.safetensors from the page by hand and put it there: {BY_HAND}")
    assert left(out) == []
    assert read_pins(lock, "weights") == {}
    fetch(out, drive, network)
    assert out.read_bytes() == WEIGHTS


def test_a_page_does_not_cost_the_part_that_is_there(
    hub: HostileServer, drive: dict, network: Network, out: Path
) -> None:
    page = Misdeed(body=PAGE, headers={"Content-Type": "text/html"}, ignore_range=True)
    hub.misdeeds[DRIVE] = [Misdeed(drop_after=3000), page]
    for problem in ("gave up after 1 attempts", "a web page in place of the file"):
        with pytest.raises(AsdError, match=problem):
            fetch(out, drive, network)
    fetch(out, drive, network)
    assert hub.ranges(DRIVE) == [None, "bytes=3000-", "bytes=3000-"]
    assert out.read_bytes() == WEIGHTS


def test_a_page_of_a_hub_that_knows_no_checksum_is_not_pinned(
    hub: HostileServer, network: Network, out: Path, lock: Path
) -> None:
    hub.headers[BRANCH] = {}
    hub.files[BRANCH] = PAGE
    with pytest.raises(AsdError, match=r"^checkpoints\.net: .* sends something other than weights \(a web page\?\)"):
        fetch(out, UNPINNED, network)
    assert left(out) == []
    assert read_pins(lock, "weights") == {}


# --- pins that nobody could check -----------------------------------------------------------------------------------


def test_a_wrong_pin_is_noticed_before_the_download_and_its_origin_is_said(
    hub: HostileServer, network: Network, out: Path
) -> None:
    with pytest.raises(AsdError) as refusal:
        fetch(out, {**BLOCK, "sha256": "0" * 64, "pinned_from": "one file, so it may be wrong"}, network)
    message = str(refusal.value)
    assert f"according to the hub, its checksum is sha256:{SHA256}, expected sha256:000" in message
    assert "(checkpoints.net.sha256 was read in one file, so it may be wrong), or download" in message
    assert hub.requests == []


def test_the_origin_of_a_pin_is_said_only_if_the_file_differs(
    hub: HostileServer, network: Network, out: Path, drive: dict
) -> None:
    origin = {"pinned_from": "one file"}
    with pytest.raises(AsdError, match=r"checkpoints\.net\.sha256 was read in one file\), or download model"):
        fetch(out, {**drive, **origin, "sha256": "0" * 64}, network)
    hub.misdeeds[ADDRESS] = [Misdeed(status=503)]
    with pytest.raises(AsdError, match=r"HTTP 503") as refusal:
        fetch(out, {**BLOCK, **origin}, network)
    assert "one file" not in str(refusal.value)


def test_the_shipped_pins_are_those_that_were_read() -> None:
    """The table of addresses and checksums that several public repositories agree on."""
    blocks = read_yaml(ROOT / "config" / "checkpoints.yaml")["checkpoints"]
    pinned = {name: block["sha256"][:8] for name, block in blocks.items() if block["sha256"]}
    assert pinned == {
        "eat_base": "8623072d",
        "beats_iter3": "8d1b2340",
        "beats_iter3_finetuned": "379369a4",
        "beats_iter3_plus": "d43cbfad",
    }
    assert all(blocks[name]["pinned_from"] for name in pinned)
    assert "may be wrong" in blocks["eat_base"]["pinned_from"]
    by_hand = {name for name, block in blocks.items() if not ({"repository", "url"} & block.keys())}
    assert by_hand == {"eat_base_fairseq"}
