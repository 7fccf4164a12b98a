"""Public weights: fetched from a hub of our own, verified, never half there."""

import hashlib
import json
import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from asdlib.errors import AsdError
from asdlib.steps.fetch_checkpoint import fetch_checkpoint

WEIGHTS = b"weights" * 1000
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
BLOCK = {"repository": "team/net", "file": "model.safetensors", "licence": "MIT", "sha256": SHA256}


class Hub(BaseHTTPRequestHandler):
    """Answers as the Hugging Face hub does, as far as one file needs it."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(WEIGHTS)

    def _answer(self, body: bytes) -> None:
        known = self.path.startswith("/team/net/resolve/") and self.path.endswith("model.safetensors")
        if not known:
            body = json.dumps({"error": "Entry not found"}).encode() if self.command == "GET" else b""
        self.send_response(200 if known else 404)
        length = len(WEIGHTS) if known else len(body)
        headers = {"ETag": f'"{SHA256}"', "X-Repo-Commit": "a" * 40} if known else {"X-Error-Code": "EntryNotFound"}
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def network():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield {"hub": f"http://127.0.0.1:{server.server_address[1]}", "timeout": 5}
    server.shutdown()
    server.server_close()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    return tmp_path / "net" / "model.safetensors"


def test_weights_are_fetched_and_nothing_else_is_left(network: dict, out: Path) -> None:
    fetch_checkpoint("net", out, BLOCK, network)
    assert out.read_bytes() == WEIGHTS
    assert [path.name for path in out.parent.iterdir()] == ["model.safetensors"]


def test_without_a_pin_the_log_says_what_was_found(network: dict, out: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        fetch_checkpoint("net", out, {**BLOCK, "sha256": None}, network)
    assert SHA256 in caplog.text
    assert "licence: MIT" in caplog.text


def test_other_content_than_the_pinned_is_refused(network: dict, out: Path) -> None:
    with pytest.raises(AsdError, match=r"has sha256 .*, but checkpoints\.net\.sha256 is 000"):
        fetch_checkpoint("net", out, {**BLOCK, "sha256": "0" * 64}, network)
    assert list(out.parent.iterdir()) == []


def test_a_file_that_the_hub_has_not_is_named(network: dict, out: Path) -> None:
    with pytest.raises(AsdError, match=r"checkpoints\.net: http://127.*/team/net gives no other\.bin"):
        fetch_checkpoint("net", out, {**BLOCK, "file": "other.bin"}, network)
    assert list(out.parent.iterdir()) == []


def test_what_no_program_can_fetch_says_where_it_is(network: dict, out: Path) -> None:
    block = {"address": "the authors' page", "file": "net.pt", "licence": "MIT"}
    with pytest.raises(
        AsdError, match=r"download net\.pt from the authors' page and put it there, or set checkpoint: null"
    ):
        fetch_checkpoint("net", out, block, network)
