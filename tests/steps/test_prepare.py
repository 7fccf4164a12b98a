"""Recordings of any length become clips of one length; the table shows which were cut or padded."""

import logging
import shutil

import numpy as np
import pytest
import soundfile
from helpers.registry_toys import all_recipes
from helpers.toy_recordings import PREPARE, RATE, make_machine, sound, write_wav

from asdlib.data.clip_format import ClipFormat
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.frontends import FRONTENDS
from asdlib.steps.prepare import PrepareSettings, prepare
from asdlib.steps.prepare_far import prepare_far
from asdlib.training.short_clips import least_frames
from asdlib.workflow.arguments import arguments
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.typed_settings import typed

FIRST = "train/section_00_source_train_normal_0000_spd_0_mic_source.wav"


@pytest.fixture
def machine(tmp_path):
    return make_machine(tmp_path / "fan", train=2, target=1, test=1, seconds=0.1)


@pytest.fixture
def prepared(tmp_path):
    """Return a function that prepares a machine and returns the table."""

    def run(machine, **changed) -> ClipTable:
        out = tmp_path / "out.parquet"
        prepare(machine, "toy", machine.name, out, typed(PrepareSettings, PREPARE | changed))
        return ClipTable(out)

    return run


def column(table: ClipTable, name: str) -> list:
    return table.clips().column(name).to_pylist()


def test_one_row_a_clip_with_all_that_is_known(machine, prepared):
    table = prepared(machine)
    rows = table.clips().to_pylist()
    assert [row["kind"] for row in rows] == ["train"] * 3 + ["test"] * 4 + ["noise"] * 2
    assert rows[0] == {
        "clip": FIRST.removeprefix("train/").removesuffix(".wav"),
        "section": "00",
        "domain": "source",
        "split": "train",
        "label": "normal",
        "attributes": [("spd", "0"), ("mic", "source")],
        "kind": "train",
        "samples": 1600,
        "recorded_samples": 1600,
        "frames": None,
        "source_file": f"fan/{FIRST}",
    }
    assert [(row["domain"], row["label"]) for row in rows[3:]] == [
        ("source", "anomaly"),
        ("source", "normal"),
        ("target", "anomaly"),
        ("target", "normal"),
        (None, None),
        (None, None),
    ]
    assert table.recipe == {"dataset": "toy", "machine": "fan", **PREPARE}


def test_16_bit_audio_is_stored_as_recorded(machine, prepared):
    clips, audio = prepared(machine).load("audio")
    assert (audio.dtype, audio.shape) == (np.int16, (9, 1600))
    for name, samples in zip(clips.column("source_file").to_pylist(), audio, strict=True):
        np.testing.assert_array_equal(samples, soundfile.read(machine.parent / name, dtype="int16")[0])


def test_cut_and_padded_clips_are_counted_and_can_be_told(machine, prepared, caplog):
    rng = np.random.default_rng(1)
    for number, length in enumerate((800, 1599, 1600, 1601, 5000)):
        name = f"section_00_source_test_normal_{number:04d}_noAttribute.wav"
        write_wav(machine / "test" / name, sound(rng, length / RATE))
    with caplog.at_level(logging.INFO):
        table = prepared(machine)
    assert "toy/fan: 14 clips, 2 cut and 2 padded to 0.1 s" in caplog.text
    recorded = column(table, "recorded_samples")
    assert sorted(recorded)[:2] + sorted(recorded)[-2:] == [800, 1599, 1601, 5000]
    assert column(table, "samples") == [min(length, 1600) for length in recorded]
    clips, audio = table.load("audio", "test")
    for clip, samples in zip(clips.to_pylist(), audio, strict=True):
        original = soundfile.read(machine.parent / clip["source_file"], dtype="int16")[0]
        np.testing.assert_array_equal(samples[: clip["samples"]], original[:1600])
        assert not samples[clip["samples"] :].any()


def test_the_same_recordings_give_the_same_bytes_anywhere(machine, tmp_path, prepared):
    first = prepared(machine).path.read_bytes()
    moved = shutil.copytree(machine, tmp_path / "elsewhere" / "fan")
    assert prepared(moved).path.read_bytes() == first


def test_only_the_sections_of_the_run_are_stored(tmp_path, prepared):
    machine = make_machine(tmp_path / "fan", train=1, target=0, test=1, seconds=0.1, sections=("00", "01"))
    assert set(column(prepared(machine, sections=["01"]), "section")) == {"01"}
    assert column(prepared(machine, sections=["00", "01"]), "section").count("00") == 7


@pytest.mark.parametrize("kind", ["train", "test"])
def test_every_section_needs_training_and_test_clips(tmp_path, prepared, kind):
    machine = make_machine(tmp_path / "fan", train=1, target=0, test=1, seconds=0.1, sections=("00", "01"))
    for path in (machine / kind).glob("section_01_*"):
        path.unlink()
    with pytest.raises(AsdError, match=rf"fan/{kind}: machine fan has no {kind} clips of section 01: add recordings"):
        prepared(machine, sections=["00", "01"], strict=False)
    assert column(prepared(machine, sections=["00"], strict=False), "section")


def test_resampling_and_down_mixing_if_allowed(machine, prepared):
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(4800) / 48000)
    write_wav(machine / FIRST, np.stack([tone, tone], axis=1), rate=48000)
    with pytest.raises(AsdError, match=f"{FIRST}: has 2 channels"):
        prepared(machine)
    table = prepared(machine, resample=True, downmix=True)
    assert column(table, "recorded_samples") == [1600] * 9, "counted at the rate of the clips"
    _, audio = table.load("audio", "train")
    assert np.abs(np.fft.rfft(audio[0])).argmax() == 100, "bins of 10 Hz"


def test_silence_is_refused_unless_allowed(machine, prepared, tmp_path):
    write_wav(machine / FIRST, np.zeros(1600))
    with pytest.raises(AsdError, match=f"{FIRST}: is digital silence: .* prepare.allow_silent: true"):
        prepared(machine)
    assert {path.name for path in tmp_path.iterdir()} == {"fan"}, "no half-written table"
    assert not prepared(machine, allow_silent=True).load("audio", "train")[1][0].any()


def test_a_clip_too_short_for_a_model_is_refused(machine, prepared):
    write_wav(machine / FIRST, np.full(799, 0.1))
    with pytest.raises(AsdError, match=f"{FIRST}: lasts 0.0499 s, a clip needs 0.05 s: replace or remove it"):
        prepared(machine)
    write_wav(machine / FIRST, np.full(2047, 0.1))
    with pytest.raises(AsdError, match=f"{FIRST}: lasts 0.128 s, a clip needs 0.128 s: replace or remove it"):
        prepared(machine, seconds=10.0)


def test_a_supplement_may_be_short(machine, prepared):
    write_wav(machine / "supplemental" / "section_00_noise_0000.wav", np.full(10, 0.1))
    assert min(column(prepared(machine), "samples")) == 10


def test_the_shortest_clip_is_long_enough_for_every_model():
    models, frontends = all_recipes("models"), all_recipes("frontends")
    samples = ClipFormat(RATE, 10.0, False, False, False).shortest
    for name, block in models.items():
        made = frontends[block["frontend"]]
        frontend = FRONTENDS[made["kind"]](**arguments("frontends", made))
        model = Recipe("models", {"name": name, **block})
        assert frontend.frames(samples) >= least_frames(model), name


def test_official_archives_may_have_untidy_attributes(machine, prepared):
    (machine / "attributes_00.csv").unlink()
    with pytest.raises(AsdError, match=r"attributes_00\.csv: is missing"):
        prepared(machine)
    assert column(prepared(machine, strict=False), "attributes") == [[]] * 9


def test_long_recordings_are_split_or_refused(machine, prepared, caplog):
    rng = np.random.default_rng(2)
    name = "test/section_00_source_test_normal_0099_noAttribute.wav"
    long = sound(rng, 0.35)
    write_wav(machine / name, long)
    with pytest.raises(AsdError, match=r"0099_.*: lasts 0\.35 s, a clip 0\.1 s: set prepare\.longer: split"):
        prepared(machine, longer="refuse")
    with caplog.at_level(logging.INFO):
        clips, audio = prepared(machine, longer="split").load("audio", "test")
    assert "toy/fan: 1 recordings split into several clips" in caplog.messages
    stem = f"fan/{name.removesuffix('.wav')}"
    found = {
        name: row for name, row in zip(clips.column("source_file").to_pylist(), audio, strict=True) if stem in name
    }
    assert list(found) == [f"{stem}@{start}.wav" for start in ("00000.000", "00000.100", "00000.200", "00000.250")]
    whole = soundfile.read(machine / name, dtype="int16")[0]
    for start, samples in zip((0, 1600, 3200, 4000), found.values(), strict=True):
        np.testing.assert_array_equal(samples, whole[start : start + 1600])
    assert len(clips) == 4 + 4, "recordings of a clip's length keep their names"


def test_both_microphones_become_tables_with_the_same_rows(machine, prepared, tmp_path):
    rng = np.random.default_rng(3)
    for path in machine.glob("*/*.wav"):
        write_wav(path, np.stack([sound(rng, 0.12), sound(rng, 0.12, level=0.02)], axis=1))
    near = prepared(machine, channel="near")
    out = tmp_path / "far.parquet"
    prepare_far(machine, "toy", "fan", out, typed(PrepareSettings, PREPARE | {"channel": "far"}))
    far = ClipTable(out)
    assert far.clips().equals(near.clips())
    (clips, heard), (_, other) = far.load("audio"), near.load("audio")
    for name, *rows in zip(clips.column("source_file").to_pylist(), other, heard, strict=True):
        recorded = soundfile.read(machine.parent / name, dtype="int16")[0]
        np.testing.assert_array_equal(np.stack(rows, axis=1), recorded[:1600])
    assert (near.recipe["channel"], far.recipe["channel"]) == ("near", "far")
    write_wav(machine / FIRST, sound(rng, 0.1))
    with pytest.raises(AsdError, match=f"{FIRST}: has one channel and none of a far microphone"):
        prepare_far(machine, "toy", "fan", out, typed(PrepareSettings, PREPARE | {"channel": "far"}))
