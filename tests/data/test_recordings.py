"""Tests of the WAV reader: many formats, and many types of damage."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asdlib.data.recordings import read_wav
from asdlib.errors import AsdError

RATE = 16000
SAMPLES = np.random.default_rng(0).integers(-3000, 3000, RATE).astype("<i2")
PCM16 = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)


def riff(data: bytes = SAMPLES.tobytes(), *, fmt=PCM16, before=b"", length=None, kind=b"RIFF") -> bytes:
    """Return the bytes of a WAV file; `length` is the length of the data that its header states."""
    size = len(data) if length is None else length
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + before + b"data" + struct.pack("<I", size) + data
    return kind + struct.pack("<I", len(body)) + body


def chunk(content: bytes) -> bytes:
    """Return a LIST chunk, padded to an even length as the format requires."""
    return b"LIST" + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


WHOLE = {
    "plain": riff(),
    "LIST before the data": riff(before=chunk(b"made in a lab!")),
    "odd LIST before the data": riff(before=chunk(b"abc")),
    "LIST behind the data": riff() + chunk(b"abcd"),
    "two chunks behind the data, the last odd and unpadded": riff() + chunk(b"abc") + chunk(b"abc")[:-1],
    "streamed by ffmpeg": riff(length=0xFFFFFFFF),
    "streamed by SoX": riff(length=0x7FFFF000),
    "streamed by SoX, frames of 3 bytes": riff(length=0x7FFFEFFF),
    "streamed by arecord": riff(length=0x80000000),
    "streamed by an old arecord": riff(length=0x7FFFFF00),
    "streamed, size rounded up": riff(length=0x80000024),
    "half a sample at the end": riff(SAMPLES.tobytes() + b"\1"),
    "RIFF length of 0": riff()[:4] + b"\0\0\0\0" + riff()[8:],
}


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_16_bit_mono_comes_back_as_recorded(tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    samples = read_wav(path, RATE)
    assert samples.dtype == np.int16
    np.testing.assert_array_equal(samples, SAMPLES)


@pytest.mark.parametrize("subtype", ["PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_finer_formats_are_rounded_to_16_bits(tmp_path, subtype, kind):
    soundfile.write(tmp_path / "a.wav", SAMPLES / 32768 + 0.3 / 32768, RATE, subtype=subtype, format=kind)
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav", RATE), SAMPLES)


def test_wave_format_extensible_of_16_bits(tmp_path):
    soundfile.write(tmp_path / "a.wav", SAMPLES, RATE, format="WAVEX", subtype="PCM_16")
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav", RATE), SAMPLES)


def test_8_bits_of_odd_length(tmp_path):
    soundfile.write(tmp_path / "a.wav", SAMPLES[:999] / 32768, RATE, subtype="PCM_U8")
    assert np.abs(read_wav(tmp_path / "a.wav", RATE).astype(int) - SAMPLES[:999]).max() < 256


def test_full_scale_does_not_wrap(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([1.0, -1.0, 0.5]), RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav", RATE), [32767, -32768, 16384])


FLOAT = struct.pack("<HHIIHH", 3, 1, RATE, 4 * RATE, 4, 32)
DAMAGED = {
    "empty": (b"", "is empty: replace"),
    "three bytes": (b"RIF", "is not a WAV file"),
    "text": (b"file_name,d1p,d1v\nclip,spd,1\n", "is not a WAV file"),
    "cut in the header": (riff()[:30], r"is truncated \(no audio data\)"),
    "cut in the data": (riff()[:-100], r"is truncated \(100 bytes short\)"),
    "cut to 32 kB from 3 GB": (riff(length=0xC0000000), r"is truncated \(3221193472 bytes short\)"),
    "half the length in the header": (riff(length=RATE), "header states 16000 bytes of audio, but 32000 follow: copy"),
    "length still 0": (riff(length=0), "header states 0 bytes of audio, but 32000 follow"),
    "one sample more than stated": (riff(length=2 * RATE - 2), "header states 31998 bytes of audio, but 32000 follow"),
    "audio in two chunks": (riff() + riff()[36:], "header states 32000 bytes of audio, but 64008 follow"),
    "cut behind the data": (riff() + chunk(b"abcdefgh")[:-4], "header states 32000 bytes of audio, but 32012 follow"),
    "nothing streamed": (riff(b"", length=0xFFFFFFFF), "contains no samples"),
    "no samples": (riff(b""), "contains no samples"),
    "RF64": (riff(kind=b"RF64"), "of type RF64: convert it to plain RIFF WAV"),
    "RIFX": (riff(kind=b"RIFX"), "of type RIFX: convert it to plain RIFF WAV"),
    "no format": (b"RIFF\x28\0\0\0WAVEdata\4\0\0\0abcd", "cannot be read as WAV"),
    "no channels": (riff(fmt=struct.pack("<HHIIHH", 1, 0, RATE, 2 * RATE, 2, 16)), "cannot be read as WAV"),
    "MP3 inside": (riff(fmt=struct.pack("<HHIIHH", 0x55, 1, RATE, 4000, 1, 0)), "cannot be read as WAV"),
    "NaN": (riff(np.array([0.1, np.nan], "<f4").tobytes(), fmt=FLOAT), "contains NaN or infinite samples"),
    "infinite": (riff(np.array([0.1, np.inf], "<f4").tobytes(), fmt=FLOAT), "contains NaN or infinite samples"),
    "beyond full scale": (riff(np.array([0.1, 3000], "<f4").tobytes(), fmt=FLOAT), r"exceeds full scale \(peak 3000"),
}


@pytest.mark.parametrize(("content", "problem"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_refused_in_one_line(tmp_path, content, problem):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(AsdError, match=problem) as error:
        read_wav(path, RATE)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.wav").write_bytes(riff())
    monkeypatch.setattr(Path, "open", refuse)  # chmod would not stop root
    with pytest.raises(AsdError, match=r"a\.wav: cannot be read \(Permission denied\): check the file"):
        read_wav(tmp_path / "a.wav", RATE)


def test_a_missing_file_is_refused(tmp_path):
    (tmp_path / "a.wav").symlink_to(tmp_path / "gone.wav")
    with pytest.raises(AsdError, match=r"a\.wav: cannot be read \(No such file"):
        read_wav(tmp_path / "a.wav", RATE)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AsdError, match=r"a\.wav: is a named pipe, not a file: replace or remove it"):
        read_wav(tmp_path / "a.wav", RATE)
    (tmp_path / "b.wav").symlink_to("/dev/zero")
    with pytest.raises(AsdError, match=r"b\.wav: is a device, not a file: replace or remove it"):
        read_wav(tmp_path / "b.wav", RATE)
    with pytest.raises(AsdError, match=r"is a folder, not a file"):
        read_wav(tmp_path, RATE)
    (tmp_path / "c.wav").symlink_to("c.wav")
    with pytest.raises(AsdError, match=r"c\.wav: cannot be read \(Too many levels of symbolic links\): check"):
        read_wav(tmp_path / "c.wav", RATE)
    with pytest.raises(AsdError, match=r"^a\\x00\.wav: is not a file name"):
        read_wav(Path("a\0.wav"), RATE)


def tone(rate: int, frequency: float = 1000.0, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampling_keeps_pitch_level_and_length(tmp_path, rate):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(rate), rate)
    with pytest.raises(AsdError, match=rf"at {rate} Hz, expected 16000: convert it, or set prepare\.resample: true"):
        read_wav(path, RATE)
    samples = read_wav(path, RATE, resample=True)
    assert len(samples) == RATE
    spectrum = np.abs(np.fft.rfft(samples / 32768)) / (RATE / 2)  # bins of 1 Hz; a sine's amplitude
    assert spectrum.argmax() == 1000
    assert spectrum[1000] == pytest.approx(0.5, rel=0.005)
    inside = slice(RATE // 4, -RATE // 4)  # the filter rings at the ends
    np.testing.assert_allclose(samples[inside] / 32768, tone(RATE)[inside], atol=1e-3)


def test_nothing_is_folded_down(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(48000, 9500.0), 48000)
    samples = read_wav(tmp_path / "a.wav", RATE, resample=True)
    assert np.abs(samples[1000:-1000]).max() < 0.5 * 32768 * 1e-3, "9.5 kHz would fold down to 6.5 kHz"


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_down_mixing_averages_the_channels(tmp_path, subtype):
    path = tmp_path / "a.wav"
    both = np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1)
    soundfile.write(path, both, RATE, subtype=subtype)
    with pytest.raises(AsdError, match=r"has 2 channels, expected 1: convert it, or set prepare\.downmix: true"):
        read_wav(path, RATE)
    np.testing.assert_array_equal(read_wav(path, RATE, downmix=True), np.full(100, 4096))


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_channels_that_cancel_each_other_are_not_called_silent(tmp_path, subtype):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(RATE), -tone(RATE)], axis=1), RATE, subtype=subtype)
    with pytest.raises(AsdError, match=r"a\.wav: its channels cancel each other when they are averaged: convert it to"):
        read_wav(path, RATE, downmix=True)
    soundfile.write(path, np.zeros((100, 2)), RATE, subtype=subtype)
    assert not read_wav(path, RATE, downmix=True).any()


def test_down_mixing_and_resampling_together(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(32000), tone(32000)], axis=1), 32000)
    with pytest.raises(AsdError, match="channels"):
        read_wav(tmp_path / "a.wav", RATE, resample=True)
    with pytest.raises(AsdError, match="sampled"):
        read_wav(tmp_path / "a.wav", RATE, downmix=True)
    samples = read_wav(tmp_path / "a.wav", RATE, resample=True, downmix=True)
    np.testing.assert_allclose(samples[4000:-4000] / 32768, tone(RATE)[4000:-4000], atol=1e-3)
