"""Tests of `mp3_frames`: headers of layer III, with the lengths of frames that the standard gives for them."""

from pathlib import Path

import pytest

from asdlib.data.mp3_frames import samples_in_frames

FRAME = bytes.fromhex("fffb9064"), 417  # MPEG 1, 128 kbit/s, 44100 Hz


def samples(path: Path, *parts: tuple[bytes, int]) -> int:
    """Return the samples of a file of frames, each given as its header and its length in bytes."""
    path.write_bytes(b"".join(header.ljust(size, b"\0") for header, size in parts))
    return samples_in_frames(path)


@pytest.mark.parametrize(
    ("header", "size", "each"),
    [
        (*FRAME, 1152),
        (bytes.fromhex("fffb9264"), 418, 1152),  # with a byte of padding
        (bytes.fromhex("fffb1464"), 96, 1152),  # 32 kbit/s, 48000 Hz
        (bytes.fromhex("fffae864"), 1440, 1152),  # 320 kbit/s, 32000 Hz, with a checksum
        (bytes.fromhex("fff380c4"), 208, 576),  # MPEG 2, 64 kbit/s, 22050 Hz
        (bytes.fromhex("fff3e4c4"), 480, 576),  # 160 kbit/s, 24000 Hz
        (bytes.fromhex("ffe338c4"), 216, 576),  # MPEG 2.5, 24 kbit/s, 8000 Hz
    ],
)
def test_frames_that_follow_each_other_are_counted(tmp_path: Path, header: bytes, size: int, each: int) -> None:
    assert samples(tmp_path / "a.mp3", *[(header, size)] * 3) == 3 * each


@pytest.mark.parametrize(
    "header",
    [
        "54414700",  # TAG
        "ff7b9064",  # no sync word
        "fffd9064",  # layer II
        "ffeb9064",  # a reserved version
        "fffb9c64",  # a reserved sampling rate
        "fffb0064",  # a rate that no header states
        "fffbf064",  # a forbidden rate
        "fffb90",  # cut
    ],
)
def test_what_is_no_header_of_a_frame_ends_the_count(tmp_path: Path, header: str) -> None:
    assert samples(tmp_path / "a.mp3", FRAME, (bytes.fromhex(header), 0)) == 1152


def test_the_tag_before_the_frames_may_be_as_long_as_a_picture_of_the_cover(tmp_path: Path) -> None:
    """Its length is that of the content, as four digits of seven bits."""
    content = (1 << 21) + (2 << 7) + 3
    tag = b"ID3\4\0\0" + bytes([1, 0, 2, 3])
    assert samples(tmp_path / "a.mp3", (tag, 10 + content), FRAME, FRAME) == 2 * 1152
