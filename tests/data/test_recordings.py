"""Tests of the WAV reader: many formats, and many types of damage."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.toy_recordings import flac_without_length

from asdlib.data import recordings
from asdlib.data.clip_format import ClipFormat, prepared_samples
from asdlib.data.recordings import decode, read_audio, read_pieces
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
    "RF64 without the sizes that make it one": riff(kind=b"RF64"),
    "RIFF length of 0": riff()[:4] + b"\0\0\0\0" + riff()[8:],
}


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_16_bit_mono_comes_back_as_recorded(tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    samples = read_audio(path, RATE)
    assert samples.dtype == np.int16
    np.testing.assert_array_equal(samples, SAMPLES)


@pytest.mark.parametrize("subtype", ["PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_finer_formats_are_rounded_to_16_bits(tmp_path, subtype, kind):
    soundfile.write(tmp_path / "a.wav", SAMPLES / 32768 + 0.3 / 32768, RATE, subtype=subtype, format=kind)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", RATE), SAMPLES)


def test_wave_format_extensible_of_16_bits(tmp_path):
    soundfile.write(tmp_path / "a.wav", SAMPLES, RATE, format="WAVEX", subtype="PCM_16")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", RATE), SAMPLES)


def test_8_bits_of_odd_length(tmp_path):
    soundfile.write(tmp_path / "a.wav", SAMPLES[:999] / 32768, RATE, subtype="PCM_U8")
    assert np.abs(read_audio(tmp_path / "a.wav", RATE).astype(int) - SAMPLES[:999]).max() < 256


def test_full_scale_does_not_wrap(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([1.0, -1.0, 0.5]), RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", RATE), [32767, -32768, 16384])


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
    "RIFX with sizes of RIFF": (riff(kind=b"RIFX"), r"is truncated \(no audio data\)"),
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
        read_audio(path, RATE)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.wav").write_bytes(riff())
    monkeypatch.setattr(Path, "open", refuse)  # chmod would not stop root
    with pytest.raises(AsdError, match=r"a\.wav: cannot be read \(Permission denied\): check the file"):
        read_audio(tmp_path / "a.wav", RATE)


def aiff(stated: int) -> bytes:
    """Return the bytes of an AIFF file whose header states sizes from `stated` on, as programs that write to a pipe."""
    common = struct.pack(">hIh", 1, RATE, 16) + bytes.fromhex("400cfa00000000000000")  # 16000 in 80 bits
    sound = b"SSND" + struct.pack(">III", stated - 46, 0, 0) + SAMPLES.astype(">i2").tobytes()
    return b"FORM" + struct.pack(">I", stated) + b"AIFFCOMM" + struct.pack(">I", len(common)) + common + sound


def w64(stated: int) -> bytes:
    """Return the bytes of a W64 file whose header states this size of the file and of its audio."""
    rest = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    wave, fmt, data = b"wave" + rest, b"fmt " + rest, b"data" + rest
    head = bytes.fromhex("726966662e91cf11a5d628db04c10000") + struct.pack("<Q", stated) + wave
    return head + fmt + struct.pack("<Q", 24 + 16) + PCM16 + data + struct.pack("<Q", stated) + SAMPLES.tobytes()


STREAMED = {"ffmpeg.aiff": aiff(0xFFFFFFFF), "sox.aiff": aiff(0x7F000000), "a.w64": w64((1 << 64) - 1)}


@pytest.mark.parametrize("name", STREAMED)
def test_what_was_written_to_a_pipe_is_read_to_its_end(tmp_path, name):
    (tmp_path / name).write_bytes(STREAMED[name])
    np.testing.assert_array_equal(read_audio(tmp_path / name, RATE), SAMPLES)


@pytest.mark.parametrize(("name", "content"), [("a.aiff", b"FORM\0"), ("a.w64", w64(0)[:16])])
def test_a_file_that_ends_within_its_header_is_truncated(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AsdError, match=r"is truncated \((\d bytes|within its header)\): copy or download it again"):
        read_audio(tmp_path / name, RATE)


def test_the_byte_that_pads_an_aiff_file_may_be_missing(tmp_path):
    """Its size is stated with the byte, which some programs leave out."""
    path = tmp_path / "a.aiff"
    soundfile.write(path, SAMPLES, RATE, subtype="PCM_16")
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + struct.pack(">I", len(whole) - 8 + 1) + whole[8:])
    np.testing.assert_array_equal(read_audio(path, RATE), SAMPLES)
    path.write_bytes(whole[:4] + struct.pack(">I", len(whole) - 8 + 2) + whole[8:])
    with pytest.raises(AsdError, match=r"is truncated \(2 bytes short\): copy or download it again"):
        read_audio(path, RATE)


def test_a_flac_file_without_a_length_is_refused(tmp_path):
    path = tmp_path / "a b.flac"
    flac_without_length(path, SAMPLES)
    remedy = r"store it again and remove this file: ffmpeg -i 'a b\.flac' 'a b\.wav'$"
    said = rf"a b\.flac: does not state its length \(written to a pipe\?\): {remedy}"
    for read in (read_audio, lambda *_: next(read_pieces(path, RATE, RATE))):
        with pytest.raises(AsdError, match=said):
            read(path, RATE)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_sound_behind_the_length_that_an_mp3_file_seems_to_have_is_not_lost(tmp_path, rate):
    """The decoder guesses the length of a variable bit rate from the first frame, if a header of Xing is missing."""
    path, rng = tmp_path / "a.mp3", np.random.default_rng(0)
    sound = np.concatenate([rng.normal(size=2 * rate) * 0.2, rng.normal(size=2 * rate) * 1e-4]).clip(-1, 1)
    for mode in ("CONSTANT", "VARIABLE"):
        soundfile.write(path, sound, rate, format="MP3", bitrate_mode=mode, compression_level=0.3)
        assert len(read_audio(path, rate)) == len(sound)
        whole = path.read_bytes()
        header = max(whole.find(b"Xing"), whole.find(b"Info"))
        path.write_bytes(b"ID3\4\0\0\0\0\1\0" + bytes(128) + whole[whole.index(whole[:2], header) :])
        if mode == "CONSTANT":
            assert 0 <= len(read_audio(path, rate)) - len(sound) < 3000
    said = r"is longer than its beginning says \(\d{5,6} samples more\): store it again and remove this file: ffmpeg"
    with pytest.raises(AsdError, match=said):
        read_audio(path, rate)


def test_a_caf_file_that_is_cut_is_refused(tmp_path):
    path = tmp_path / "a.caf"
    soundfile.write(path, SAMPLES, RATE, format="CAF", subtype="PCM_16")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(AsdError, match=r"is truncated \(100 bytes short\): copy or download it again"):
        read_audio(path, RATE)
    path.write_bytes(whole[: whole.index(b"data")])
    with pytest.raises(AsdError, match=r"is truncated \(no audio data\)"):
        read_audio(path, RATE)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_stream_that_lacks_its_end_is_refused(tmp_path, subtype):
    """Decoders return what is there: without the last page, in its header, and one byte before its end."""
    path = tmp_path / "a.ogg"
    soundfile.write(path, SAMPLES / 32768, RATE, format="OGG", subtype=subtype)
    whole = path.read_bytes()
    last = whole.rindex(b"OggS")
    for end in (last, last + 20, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(AsdError, match=r"is truncated \(its last page is missing\): copy or download it again"):
            read_audio(path, RATE, resample=True)


FORMATS = {"flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "mp3": ("MP3", None),
           "aiff": ("AIFF", "PCM_16"), "aif": ("AIFF", "PCM_24"), "w64": ("W64", "PCM_16"), "caf": ("CAF", "PCM_16"),
           "rf64": ("RF64", "PCM_16"), "wav": ("RF64", "PCM_16")}  # fmt: skip


@pytest.mark.parametrize("ending", FORMATS)
def test_other_formats_are_read_and_their_damage_is_found(tmp_path, ending):
    kind, subtype = FORMATS[ending]
    path = tmp_path / f"a.{ending.upper()}"
    soundfile.write(path, SAMPLES / 32768, RATE, format=kind, subtype=subtype)
    found = read_audio(path, RATE)
    if subtype and subtype.startswith("PCM"):
        np.testing.assert_array_equal(found, SAMPLES)
    else:
        assert abs(len(found) - len(SAMPLES)) < 3000
        assert 0.5 < found.std() / SAMPLES.std() < 2
    whole = path.read_bytes()
    for content in (whole[: len(whole) * 6 // 10], whole[: len(whole) // 30]):
        path.write_bytes(content)
        with pytest.raises(AsdError, match=r"is truncated|cannot be read as|contains no samples"):
            read_audio(path, RATE)
    path.write_bytes(b"no sound at all")
    with pytest.raises(AsdError, match=r"is not an? \w+ file: replace or remove it"):
        read_audio(path, RATE)


def test_what_is_to_be_changed_is_told_together(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros((100, 2)), 48000)
    said = (
        "a.flac: has 2 channels, expected 1 and is sampled at 48000 Hz, expected 16000: convert it, or set prepare: "
        "{downmix: true, resample: true}"
    )
    with pytest.raises(AsdError) as error:
        read_audio(tmp_path / "a.flac", RATE)
    assert str(error.value) == f"{tmp_path}/{said}"


def test_one_of_several_channels(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([SAMPLES, np.zeros_like(SAMPLES), SAMPLES // 2], axis=1), RATE)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", RATE, channel=2), SAMPLES // 2)
    assert not read_audio(tmp_path / "a.wav", RATE, downmix=True, channel=1).any(), "silence, and no error"
    with pytest.raises(AsdError, match=r"has 3 channels, the last is 2: correct prepare\.channel \(3\)"):
        read_audio(tmp_path / "a.wav", RATE, channel=3)
    soundfile.write(tmp_path / "a.wav", SAMPLES, RATE)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", RATE, channel=2), SAMPLES)


def test_two_microphones(tmp_path):
    near, far = SAMPLES, SAMPLES[::-1] // 2
    soundfile.write(tmp_path / "a.wav", np.stack([near, far], axis=1), RATE)
    for channel, expected in (("near", near), ("far", far)):
        np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", RATE, channel=channel), expected)
        pieces = [*read_pieces(tmp_path / "a.wav", 100, RATE, channel=channel)]
        np.testing.assert_array_equal(np.concatenate(pieces), expected)
    soundfile.write(tmp_path / "a.wav", SAMPLES, RATE)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", RATE, channel="near"), SAMPLES)
    with pytest.raises(AsdError, match=r"a\.wav: has one channel and none of a far microphone: add it, or leave out"):
        read_audio(tmp_path / "a.wav", RATE, channel="far")


@pytest.mark.parametrize("rate", [16000, 44100, 8000])
def test_pieces_are_those_of_the_whole_recording(tmp_path, rate):
    rng = np.random.default_rng(1)
    soundfile.write(tmp_path / "a.flac", 0.1 * rng.standard_normal((rate * 47 // 2, 2)), rate)
    how = {"resample": True, "downmix": True}
    pieces = list(read_pieces(tmp_path / "a.flac", 3 * RATE, RATE, **how))
    assert [len(piece) for piece in pieces[:-1]] == [3 * RATE] * 7
    whole = read_audio(tmp_path / "a.flac", RATE, **how).astype(int)
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1, err_msg="no seams")


@pytest.mark.parametrize("ending", ["wav", "aif", "ogg", "opus", "mp3"])
def test_a_long_recording_is_decoded_in_blocks_and_stays_the_same(tmp_path, monkeypatch, ending):
    kind, subtype = ("WAV", "PCM_16") if ending == "wav" else FORMATS[ending]
    path = tmp_path / f"a.{ending}"
    sound = 0.1 * np.random.default_rng(1).standard_normal((RATE * 41 // 2, 2))
    soundfile.write(path, sound, RATE, format=kind, subtype=subtype)
    at = soundfile.info(path).samplerate  # that of Opus is always 48 kHz
    whole = read_audio(path, at, downmix=True)
    asked = []
    monkeypatch.setattr(recordings, "decode", lambda *given: asked.append(given[2]) or decode(*given))
    monkeypatch.setattr(recordings, "_LONG", 20)
    found = read_audio(path, at, downmix=True).astype(int)
    np.testing.assert_allclose(
        found, whole, rtol=0, atol=ending == "mp3"
    )  # libsndfile rounds MP3 by the place in a block
    assert asked == [10 * at] * 4, "two blocks, a shorter one and the end"


def test_a_missing_file_is_refused(tmp_path):
    (tmp_path / "a.wav").symlink_to(tmp_path / "gone.wav")
    with pytest.raises(AsdError, match=r"a\.wav: cannot be read \(No such file"):
        read_audio(tmp_path / "a.wav", RATE)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AsdError, match=r"a\.wav: is a named pipe, not a file: replace or remove it"):
        read_audio(tmp_path / "a.wav", RATE)
    (tmp_path / "b.wav").symlink_to("/dev/zero")
    with pytest.raises(AsdError, match=r"b\.wav: is a device, not a file: replace or remove it"):
        read_audio(tmp_path / "b.wav", RATE)
    with pytest.raises(AsdError, match=r"is a folder, not a file"):
        read_audio(tmp_path, RATE)
    (tmp_path / "c.wav").symlink_to("c.wav")
    with pytest.raises(AsdError, match=r"c\.wav: cannot be read \(Too many levels of symbolic links\): check"):
        read_audio(tmp_path / "c.wav", RATE)
    with pytest.raises(AsdError, match=r"^a\\x00\.wav: is not a file name"):
        read_audio(Path("a\0.wav"), RATE)


def tone(rate: int, frequency: float = 1000.0, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampling_keeps_pitch_level_and_length(tmp_path, rate):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(rate), rate)
    with pytest.raises(AsdError, match=rf"at {rate} Hz, expected 16000: convert it, or set prepare\.resample: true"):
        read_audio(path, RATE)
    samples = read_audio(path, RATE, resample=True)
    assert len(samples) == RATE
    spectrum = np.abs(np.fft.rfft(samples / 32768)) / (RATE / 2)  # bins of 1 Hz; a sine's amplitude
    assert spectrum.argmax() == 1000
    assert spectrum[1000] == pytest.approx(0.5, rel=0.005)
    inside = slice(RATE // 4, -RATE // 4)  # the filter rings at the ends
    np.testing.assert_allclose(samples[inside] / 32768, tone(RATE)[inside], atol=1e-3)


@pytest.mark.parametrize(("rate", "samples"), [(32000, 1001), (32000, 1003), (48000, 1000), (44100, 12345)])
def test_the_length_after_resampling_is_known_before(tmp_path, rate, samples):
    """Halves are rounded up: of 1001 samples at 32 kHz, 501 are left at 16 kHz."""
    soundfile.write(tmp_path / "a.wav", np.resize(SAMPLES, samples), rate)
    made = len(read_audio(tmp_path / "a.wav", RATE, resample=True))
    assert made == prepared_samples(samples, rate, ClipFormat(RATE, 1.0, True, False, False))


def test_nothing_is_folded_down(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(48000, 9500.0), 48000)
    samples = read_audio(tmp_path / "a.wav", RATE, resample=True)
    assert np.abs(samples[1000:-1000]).max() < 0.5 * 32768 * 1e-3, "9.5 kHz would fold down to 6.5 kHz"


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_down_mixing_averages_the_channels(tmp_path, subtype):
    path = tmp_path / "a.wav"
    both = np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1)
    soundfile.write(path, both, RATE, subtype=subtype)
    with pytest.raises(AsdError, match=r"has 2 channels, expected 1: convert it, or set prepare\.downmix: true"):
        read_audio(path, RATE)
    np.testing.assert_array_equal(read_audio(path, RATE, downmix=True), np.full(100, 4096))


def joined(path: Path, rate: int, **options) -> np.ndarray:
    """Return what `read_pieces` yields."""
    return np.concatenate([*read_pieces(path, 1000, rate, **options)])


@pytest.mark.parametrize("read", [read_audio, joined])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_channels_that_cancel_each_other_are_not_called_silent(tmp_path, subtype, read):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(RATE), -tone(RATE)], axis=1), RATE, subtype=subtype)
    with pytest.raises(AsdError, match=r"a\.wav: its channels cancel each other when they are averaged: convert it to"):
        read(path, RATE, downmix=True)
    assert read(path, RATE, channel=1).any()
    soundfile.write(path, np.zeros((100, 2)), RATE, subtype=subtype)
    assert not read(path, RATE, downmix=True).any()


def test_down_mixing_and_resampling_together(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(32000), tone(32000)], axis=1), 32000)
    with pytest.raises(AsdError, match="channels"):
        read_audio(tmp_path / "a.wav", RATE, resample=True)
    with pytest.raises(AsdError, match="sampled"):
        read_audio(tmp_path / "a.wav", RATE, downmix=True)
    samples = read_audio(tmp_path / "a.wav", RATE, resample=True, downmix=True)
    np.testing.assert_allclose(samples[4000:-4000] / 32768, tone(RATE)[4000:-4000], atol=1e-3)
