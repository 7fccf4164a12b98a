"""The frames of an MP3 file, counted.

Without a header of Xing, decoders guess the length from the first frame, and libsndfile stops there.
"""

from pathlib import Path

_MPEG1, _MPEG2, _RESERVED = 3, 2, 1  # what a frame's header says; MPEG 2.5 is 0
_MPEG1_KBIT = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBIT = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG1_HERTZ = (44100, 48000, 32000)


def samples_in_frames(path: Path) -> int:
    """Return the samples of the frames of an MP3 file, as far as these follow each other."""
    content, samples = path.read_bytes(), 0
    position = _tag(content)
    while frame := _frame(content[position : position + 4]):
        position, samples = position + frame[0], samples + frame[1]
    return samples


def _tag(content: bytes) -> int:
    """Return the length of the tag (ID3) before the first frame."""
    if not content.startswith(b"ID3"):
        return 0
    length = 0
    for byte in content[6:10]:  # of seven bits each
        length = length << 7 | byte
    return 10 + length


def _frame(header: bytes) -> tuple[int, int] | None:
    """Return the bytes and the samples of a frame of layer III; None if this is no header of one."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, rate, bits, padding = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4, header[2] >> 1 & 1
    if version == _RESERVED or rate == 3 or bits in (0, 15):  # reserved, or a rate that no header states
        return None
    kbit = (_MPEG1_KBIT if version == _MPEG1 else _MPEG2_KBIT)[bits]
    hertz = _MPEG1_HERTZ[rate] // {_MPEG1: 1, _MPEG2: 2}.get(version, 4)
    samples = 1152 if version == _MPEG1 else 576
    return samples // 8 * 1000 * kbit // hertz + padding, samples
