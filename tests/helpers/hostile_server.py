"""A local HTTP server that serves files, with misdeeds on request."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
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


class HostileServer(ThreadingHTTPServer):
    """Serves `files` (path → bytes); each request uses up one of the `misdeeds` of its path, if there are any.

    HEAD requests are always answered correctly, with the file's `headers` (path → headers).
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = defaultdict(dict)
        self.misdeeds: dict[str, list[Misdeed]] = defaultdict(list)
        self.requests: list[tuple[str, str | None]] = []  # path, Range header
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
        body = self.server.files.get(self.path)
        headers = self.server.headers[self.path]
        self._answer(404 if body is None else 200, b"", Misdeed(claim=len(body or b""), headers=headers))

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        misdeed = self.server.take(self.path, asked)
        body = self.server.files.get(self.path)
        if misdeed.status or body is None:
            self._answer(misdeed.status or 404, b"", misdeed)
            return
        body = body if misdeed.body is None else misdeed.body
        if asked is None or misdeed.ignore_range:
            self._answer(200, body, misdeed)
            return
        start = 0 if misdeed.wrong_range else int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            self._answer(416, b"", Misdeed(headers={"Content-Range": f"bytes */{len(body)}"}))
            return
        misdeed.headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self._answer(206, body[start:], misdeed)

    def _answer(self, status: int, body: bytes, misdeed: Misdeed) -> None:
        self.send_response(status)
        for name, value in misdeed.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if misdeed.claim is None else misdeed.claim))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[: misdeed.drop_after])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""
