"""Checks that an audio file is whole: decoders return what is there, or what the header states, without an error.

WAV (RIFF, its big-endian form RIFX and its 64-bit form RF64), AIFF, W64 and CAF state their size; an OGG stream marks
its last page. FLAC is checked by the decoder, MP3 by its number of frames (`recordings.py`).
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from asdlib.data.listing import FORMATS, refuse_special, refuse_unreadable_format
from asdlib.errors import AsdError

# Programs that write to a pipe do not know the size and state one close to 2 or 4 GiB instead: ffmpeg 0xFFFFFFFF, SoX
# 0x7FFFF000 (less for odd frames; in AIFF 0x7F000000), arecord 0x7FFFFF00 or 0x80000000.
_UNKNOWN_SIZES = (0x7F000000, 1 << 31, 1 << 32)
_CLOSE = 1 << 16
_NEGATIVE = 1 << 63  # the same in W64, which has 64 bits for it: usually -1
_W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")  # the GUID that is "riff" in W64
_PAGE = 1 << 16  # bytes: the most that a page of OGG has
_LAST_PAGE = 4  # a flag in the header of a page
_BEGINNINGS = {
    "WAV": (b"RIFF", b"RIFX", b"RF64"),
    "FLAC": (b"fLaC", b"ID3"),
    "OGG": (b"OggS",),
    "MP3": (b"ID3", b"\xff\xe2", b"\xff\xe3", b"\xff\xf2", b"\xff\xf3", b"\xff\xfa", b"\xff\xfb"),
    "AIFF": (b"FORM",),
    "W64": (_W64[:12],),
    "CAF": (b"caff",),
}


def format_of(path: Path) -> str:
    """Return the format that the ending of a file states."""
    refuse_unreadable_format(path)
    return FORMATS[path.suffix.lower()]


def refuse_damaged(path: Path) -> None:
    """Raise AsdError if the file is empty, of another format than its ending states, or not as long as it states."""
    refuse_special(path)
    expected = format_of(path)
    try:
        with path.open("rb") as handle:
            start = handle.read(12)
            if not start:
                raise AsdError(f"{path}: is empty: replace or remove the file")
            if not start.startswith(_BEGINNINGS[expected]) or (expected == "WAV" and start[8:] != b"WAVE"):
                article = "an" if expected in ("AIFF", "OGG", "MP3") else "a"
                raise AsdError(f"{path}: is not {article} {expected} file: replace or remove it")
            if len(start) < 12:
                raise AsdError(f"{path}: is truncated ({len(start)} bytes): copy or download it again")
            if expected == "WAV":
                _check_chunks(path, handle, ">" if start[:4] == b"RIFX" else "<")
            elif expected == "AIFF":
                _refuse_shorter(path, struct.unpack(">I", start[4:8])[0] + 8)
            elif expected == "W64":
                handle.seek(16)
                size = handle.read(8)
                if len(size) < 8:
                    raise AsdError(f"{path}: is truncated (within its header): copy or download it again")
                _refuse_shorter(path, struct.unpack("<Q", size)[0])
            elif expected == "OGG":
                _refuse_unfinished(path, handle)
            elif expected == "CAF":
                _check_caf(path, handle)
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): check the file and its permissions") from error


def _check_chunks(path: Path, handle: BinaryIO, order: str) -> None:
    """Go to the chunk of audio data of a WAV file and compare its size; chunks of odd length are padded by one byte."""
    long_size = None
    while len(header := handle.read(8)) == 8:
        name, length = struct.unpack(f"{order}4sI", header)
        if name == b"ds64":  # RF64: the sizes of the file and of its audio
            content = handle.read(length)
            long_size = struct.unpack("<8xQ", content[:16].ljust(16, b"\0"))[0]
            continue
        if name == b"data":
            known = long_size if long_size is not None and length == 0xFFFFFFFF else length
            return _refuse_wrong_size(path, handle, known, order, exact=long_size is not None)
        handle.seek(length + length % 2, os.SEEK_CUR)
    raise AsdError(f"{path}: is truncated (no audio data): copy or download it again")


def _refuse_wrong_size(path: Path, handle: BinaryIO, length: int, order: str, exact: bool) -> None:
    """Raise AsdError unless the audio data, at which `handle` stands, has `length` bytes, or its size is unknown.

    An `exact` length is that of RF64, which may be close to the lengths that stand for an unknown one.
    """
    rest = path.stat().st_size - handle.tell()
    if not exact and _is_unknown(length):
        return
    if rest < length:
        raise AsdError(f"{path}: is truncated ({length - rest} bytes short): copy or download it again")
    handle.seek(length, os.SEEK_CUR)
    if not _are_chunks(handle.read(), length % 2, order):
        raise AsdError(
            f"{path}: its header states {length} bytes of audio, but {rest} follow: copy or download it again, or "
            "repair it (sox --ignore-length)"
        )


def _is_unknown(size: int) -> bool:
    """Return whether a header states this size of a file that was written to a pipe."""
    return size >= _NEGATIVE or any(abs(size - stated) <= _CLOSE for stated in _UNKNOWN_SIZES)


def _are_chunks(rest: bytes, padding: int, order: str) -> bool:
    """Return whether what follows the audio is other chunks: no more audio, and nothing that is cut."""
    start = padding
    while start < len(rest):
        name, length = struct.unpack(f"{order}4sI", rest[start : start + 8].ljust(8, b"\xff"))
        start += 8 + length
        if name == b"data" or not (name.isascii() and name.decode().isprintable()) or start > len(rest):
            return False
        start += length % 2
    return True


def _check_caf(path: Path, handle: BinaryIO) -> None:
    """Go to the chunk of audio data of a CAF file and compare its size; -1 is an unknown one."""
    handle.seek(8)
    while len(header := handle.read(12)) == 12:
        name, length = struct.unpack(">4sq", header)
        if name == b"data":
            return _refuse_shorter(path, handle.tell() + length)
        handle.seek(max(0, length), os.SEEK_CUR)
    raise AsdError(f"{path}: is truncated (no audio data): copy or download it again")


def _refuse_shorter(path: Path, stated: int) -> None:
    """Raise AsdError if a file is shorter than the number of bytes that its header states."""
    short = stated - path.stat().st_size
    if short > 1 and not _is_unknown(stated):  # one: the padding of an odd chunk, which some programs leave out
        raise AsdError(f"{path}: is truncated ({short} bytes short): copy or download it again")


def _refuse_unfinished(path: Path, handle: BinaryIO) -> None:
    """Raise AsdError unless the last page of an OGG stream is marked as the last one."""
    handle.seek(max(0, path.stat().st_size - 2 * _PAGE))
    end = handle.read()
    page = end[end.rfind(b"OggS") :]
    segments = page[27 : 27 + page[26]] if len(page) > 27 else b""
    whole = len(page) >= 27 + len(segments) + sum(segments) if segments else False
    if not whole or not page[5] & _LAST_PAGE:
        raise AsdError(f"{path}: is truncated (its last page is missing): copy or download it again")
