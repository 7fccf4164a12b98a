"""A local HTTP server that serves files, with misdeeds on request."""

import hashlib
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Misdeed:
    """How one answer goes wrong; the parts that are not set are correct."""

    status: int | None = None  # an error status, with an empty body
    headers: dict[str, str] = field(default_factory=dict)
    drop_after: int | None = None  # close the connection after this many bytes of the body
    claim: int | None = None  # a wrong Content-Length
    body: bytes | None = None  # serve this instead of the file
    ignore_range: bool = False  # 200 and the whole file, although a range was requested
    wrong_range: bool = False  # 206, but from the first byte on
    ignore_if_range: bool = False  # 206, although the file is another one now
    nameless: bool = False  # neither ETag nor date
    drip: float | None = None  # send a byte of the body and wait this many seconds, over and over
    flood: bytes | None = None  # instead of an answer, send this over and over


class HostileServer(ThreadingHTTPServer):
    """Serves `files` (path → bytes); each request uses up one of the `misdeeds` of its path, if there are any.

    A file's ETag is its MD5, and `If-Range` is respected. HEAD requests are always answered correctly. Both have the
    file's `headers` (path → headers), which replace those.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = defaultdict(dict)
        self.misdeeds: dict[str, list[Misdeed]] = defaultdict(list)
        self.requests: list[tuple[str, str | None]] = []  # path, Range header
        self.received: list[dict[str, str]] = []  # the headers of each request, HEAD included
        self.lock = threading.Lock()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def ranges(self, path: str) -> list[str | None]:
        """Return the Range headers of the requests for one path, in order."""
        return [asked for requested, asked in self.requests if requested == path]

    def take(self, path: str, asked: str | None) -> Misdeed:
        with self.lock:
            self.requests.append((path, asked))
            return self.misdeeds[path].pop(0) if self.misdeeds[path] else Misdeed()

    def __enter__(self) -> "HostileServer":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HostileServer

    def do_HEAD(self) -> None:
        self.server.received.append(dict(self.headers))
        body = self.server.files.get(self.path)
        headers = self._named(body or b"")
        status = 404 if body is None else 302 if "Location" in headers else 200
        self._answer(status, b"", Misdeed(claim=len(body or b""), headers=headers))

    def do_GET(self) -> None:
        self.server.received.append(dict(self.headers))
        asked = self.headers.get("Range")
        misdeed = self.server.take(self.path, asked)
        body = self.server.files.get(self.path)
        if misdeed.flood:
            self._flood(misdeed.flood)
        elif misdeed.status or body is None:
            self._answer(misdeed.status or 404, b"", misdeed)
        else:
            self._serve(body if misdeed.body is None else misdeed.body, asked, misdeed)

    def _serve(self, body: bytes, asked: str | None, misdeed: Misdeed) -> None:
        named = {} if misdeed.nameless else self._named(body)
        headers = {**named, **misdeed.headers}
        condition = self.headers.get("If-Range")
        changed = condition not in (None, *named.values()) and not misdeed.ignore_if_range
        if asked is None or misdeed.ignore_range or changed:
            self._answer(200, body, replace(misdeed, headers=headers))
            return
        start = 0 if misdeed.wrong_range else int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            self._answer(416, b"", Misdeed(headers={"Content-Range": f"bytes */{len(body)}"}))
            return
        headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}", **headers}
        self._answer(206, body[start:], replace(misdeed, headers=headers))

    def _named(self, body: bytes) -> dict[str, str]:
        return {"ETag": f'"{hashlib.md5(body).hexdigest()}"', **self.server.headers[self.path]}

    def _flood(self, chunk: bytes) -> None:
        self.close_connection = True
        try:
            while True:
                self.wfile.write(chunk)
        except OSError:
            return  # the client has had enough

    def _drip(self, body: bytes, seconds: float) -> None:
        try:
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(seconds)
        except OSError:
            return

    def _answer(self, status: int, body: bytes, misdeed: Misdeed) -> None:
        self.send_response(status)
        for name, value in misdeed.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in misdeed.headers:
            self.send_header("Content-Length", str(len(body) if misdeed.claim is None else misdeed.claim))
        self.send_header("Connection", "close")
        self.end_headers()
        if misdeed.drip is not None:
            self._drip(body, misdeed.drip)
        else:
            self.wfile.write(body[: misdeed.drop_after])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""
