"""Output streams that accept any text: a job's, a command's, and those of Snakemake's own log."""

import io
import logging
import sys
from pathlib import Path

from asdlib.runtime.text_streams import accept_any_text, escape_unknown, use_utf8

ANY = "– ü \udcff"


def test_on_a_terminal_what_it_lacks_is_escaped() -> None:
    screen = io.BytesIO()
    terminal = io.TextIOWrapper(screen, encoding="latin-1")
    escape_unknown(terminal, io.StringIO())  # the second has no encoding
    print(ANY, file=terminal, flush=True)
    assert screen.getvalue() == b"\\u2013 \xfc \\udcff\n"


def test_data_is_utf8() -> None:
    screen = io.BytesIO()
    pipe = io.TextIOWrapper(screen, encoding="ascii")
    use_utf8(pipe)
    print(ANY, file=pipe, flush=True)
    assert screen.getvalue() == "– ü \\udcff\n".encode()


def test_messages_reach_log_files_and_terminals(tmp_path: Path, monkeypatch) -> None:
    screen, path = io.BytesIO(), tmp_path / "run.log"
    handlers = [
        logging.StreamHandler(io.TextIOWrapper(screen, encoding="ascii")),
        logging.FileHandler(path, encoding="ascii"),
        logging.NullHandler(),
    ]
    complaints = io.StringIO()
    monkeypatch.setattr(sys, "stderr", complaints)  # where logging reports its own errors
    accept_any_text(handlers)
    for handler in handlers:
        handler.handle(logging.makeLogRecord({"msg": ANY}))
        handler.close()
    assert screen.getvalue() == b"\\u2013 \\xfc \\udcff\n"
    assert path.read_bytes() == "– ü \\udcff\n".encode()
    assert complaints.getvalue() == ""
