"""The check of recordings before a run: one toy for each fault, and a clean one without any."""

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from helpers.toy_recordings import RATE, flac_without_length, make_machine, write_wav

from asdlib.data.checks import sounds, strays
from asdlib.data.checks.problem import ERROR, NOTE, WARNING, Problem
from asdlib.data.clip import Clip
from asdlib.data.clip_audio import split, write_audio
from asdlib.data.clip_format import ClipFormat
from asdlib.data.layouts.folders import FORMS
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.planning.check import Checked, check_recordings, present, strays_in
from asdlib.planning.clip_counts import in_folder
from asdlib.planning.requirements import Present
from asdlib.workflow.datasets import select

SECONDS = 0.2
FORMAT = {"sample_rate": RATE, "seconds": SECONDS, "resample": False, "downmix": False, "channel": None,
          "longer": "cut", "allow_silent": False}  # fmt: skip
TRAIN = "fan/train/section_00_source_train_normal_0001_noAttribute.wav"
TEST = "fan/test/section_00_source_test_normal_0000_noAttribute.wav"


def graph(data: Path, noise_pool: Path | None = None, **prepare):
    """Return the part of a graph that the check of recordings uses."""
    config = {"data": str(data), "datasets": {}, "test_share": 0.25, "prepare": FORMAT | prepare}
    chosen = select(config | {"noise_pool": str(noise_pool) if noise_pool else None})
    return SimpleNamespace(datasets=chosen, config=config)


def check(data: Path, everything: bool = False, noise_pool: Path | None = None, **prepare) -> Checked:
    return check_recordings(graph(data, noise_pool, **prepare), everything)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    folder = tmp_path / "recs"
    for seed, machine in enumerate(("fan", "pump")):
        make_machine(
            folder / machine, train=2, target=1, test=1, seconds=SECONDS, supplement=None, attributes=False, seed=seed
        )
    return folder


def noise(seconds: float = SECONDS, level: float = 0.05, channels: int = 1, seed: int = 9) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal((round(seconds * RATE), channels)).clip(-3, 3)


def put(name: str, *samples, **options) -> Callable[[Path], None]:
    return lambda folder: write_wav(folder / name, *samples, **options)


def copied(source: str, target: str) -> Callable[[Path], None]:
    def copy(folder: Path) -> None:
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / source, folder / target)

    return copy


def written(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text)


def moved(source: str, target: str) -> Callable[[Path], None]:
    return lambda folder: (folder / source).rename(folder / target)


def with_some_rows(folder: Path) -> None:
    for number in range(2):
        write_wav(folder / f"fan/test/section_00_000{number}.wav", noise(seed=number))
    (folder / "fan/ground_truth.csv").write_text(
        "file_name,label,domain,attributes\nsection_00_0000.wav,normal,source,\n"
    )


LOUD = noise(level=0.6, seed=3)
FAULTS = {
    "a name": (put("fan/train/foo.wav", noise()), ERROR, "fan/train/foo.wav: not a DCASE name: use section_"),
    "names": (
        lambda folder: [put(f"fan/train/foo{n}.wav", noise(seed=n))(folder) for n in (1, 2)], ERROR,
        "foo1.wav: not a DCASE name: use section_<NN>_<source|target>_train_<normal|anomaly>_<NNNN>_….wav (and 1 more)",
    ),
    "a damaged file": (written(TRAIN, "no sound"), ERROR, f"{TRAIN}: is not a WAV file: replace or remove it"),
    "an empty recording": (put(TRAIN, noise(0)), ERROR, f"{TRAIN}: contains no samples: replace or remove the file"),
    "too short": (put(TRAIN, noise(0.05)), ERROR, f"{TRAIN}: lasts 0.05 s, a clip needs 0.1 s: replace or remove it"),
    "NaN": (put(TRAIN, np.full(3200, np.nan), subtype="FLOAT"), ERROR, f"{TRAIN}: contains NaN or infinite samples"),
    "rate and channels together": (
        lambda folder: (put(TRAIN, noise(channels=2), rate=44100)(folder), put(TEST, noise(0.1), rate=8000)(folder)),
        ERROR,
        "fan: 2 of 7 recordings are not mono at 16000 Hz (1 with 2 channels at 44100 Hz, 1 with 1 channel at 8000 Hz)"
        ": convert them, or set prepare: {downmix: true, resample: true}, or channel: 0 in place of downmix",
    ),
    "silence": (put(TRAIN, noise(level=0)), ERROR, f"{TRAIN}: is digital silence: replace or remove it, or set prep"),
    "nearly silent": (put(TRAIN, noise(level=1e-4)), WARNING, f"{TRAIN}: is nearly silent (RMS -79.8 dBFS, below -70)"),
    "clipped": (put(TRAIN, LOUD.clip(-1, 1)), WARNING, f"{TRAIN}: is clipped: 9.4 % of its samples are at full sca"),
    "the same sound": (
        copied(TRAIN, "fan/train/section_00_source_train_normal_0007_noAttribute.wav"), WARNING,
        "normal_0007_noAttribute.wav: is the same sound as ",
    ),
    "a training clip in test": (
        copied(TRAIN, TEST), ERROR, f"{TEST}: this test clip is the same sound as the training clip ",
    ),
    "a normal anomaly": (
        copied(TEST, TEST.replace("normal", "anomaly")), ERROR, ": this anomaly is the same sound as the normal clip ",
    ),
    "longer": (
        put(TRAIN, noise(0.5)), WARNING,
        "fan: 1 of 7 recordings is longer than 0.2 s (0.5 s), and 17.6 % of all sound is cut off: "
        "set prepare: {longer: split}, or seconds",
    ),
    "longer by different lengths": (
        lambda folder: [put(TRAIN, noise(0.5))(folder), put(TEST, noise(0.4))(folder)], WARNING,
        "fan: 2 of 7 recordings are longer than 0.2 s (0.4 to 0.5 s), and 26.3 % of all sound is cut off: ",
    ),
    "shorter": (put(TRAIN, noise(0.15)), NOTE, "fan: 1 of 7 recordings is shorter than 0.2 s (0.15 s) and padded: "),
    "a format that is not read": (
        written("fan/train/a.m4a", ""), WARNING, "1 entry is not used: 1 × .m4a; convert what is to be used: ffmpeg",
    ),
    "a folder that is not read": (
        put("fan/training/a.wav", noise()), WARNING,
        "fan/training: 1 × .wav is not used: this layout has its recordings in <machine>/{train,test,supplemental}",
    ),
    "a format that is not read, in such a folder": (
        lambda folder: [put("fan/training/a.wav", noise())(folder), written("fan/training/a b.m4a", "")(folder)],
        WARNING, "fan/training: 1 × .m4a is not in a format that is read: convert what is to be used: ffmpeg -i 'a b.m",
    ),
    "a folder beside the machines": (
        put("valve/all/a.wav", noise()), WARNING, "valve/all: 1 × .wav is not used: this layout has its ",
    ),
    "capitals": (moved("fan/train", "fan/Train"), WARNING, "fan/Train: is read as train, which other programs do "),
    "ground truth of some clips": (
        with_some_rows, WARNING, "ground_truth.csv: has no row for section_00_0001.wav: scored, but without a label",
    ),
    "no label": (
        put("fan/test/section_00_0009.wav", noise()), NOTE,
        "fan, section 00: 1 of 5 test clips have no label and are scored without figures: add labels in ground_truth",
    ),
    "no anomaly": (
        lambda folder: [
            path.unlink() for path in (*folder.glob("pump/test/*anomaly*"), folder / "pump/attributes_00.csv")
        ], NOTE,
        "pump, section 00: no test clip is labelled anomaly, so there is no AUC: add some",
    ),
    "a row without a clip": (
        written("fan/attributes_00.csv", "file_name,d1p,d1v\nfan/train/none.wav,speed,3\n"), ERROR,
        "attributes_00.csv: row none: there is no such clip: restore the clip, or remove the row",
    ),
    "no training clips": (
        lambda folder: shutil.rmtree(folder / "fan/train"), ERROR, "fan/train: machine fan has no train clips: add",
    ),
}  # fmt: skip


def test_clean_recordings_have_no_problem(clean: Path) -> None:
    found = check(clean)
    assert found.problems == []
    counts = [(one.machine, one.kind, one.domain, one.label, one.recordings, one.clips) for one in found.groups]
    assert counts[:6] == [
        ("fan", "train", "source", "normal", 2, 2),
        ("fan", "train", "target", "normal", 1, 1),
        ("fan", "test", "source", "anomaly", 1, 1),
        ("fan", "test", "source", "normal", 1, 1),
        ("fan", "test", "target", "anomaly", 1, 1),
        ("fan", "test", "target", "normal", 1, 1),
    ]
    assert {one.seconds for one in found.groups} == {(SECONDS, SECONDS)}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line(clean: Path, fault: str) -> None:
    make, level, line = FAULTS[fault]
    make(clean)
    problems = check(clean).problems
    assert [one.level for one in problems if line in one.line] == [level], problems
    assert all("\n" not in one.line and one.line.count(": ") >= 1 for one in problems)


def test_nothing_is_modified(clean: Path) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in (clean, *clean.rglob("*"))}

    before = state()
    check(clean, everything=True)
    assert state() == before


# --- what prepare will do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "level", "line"),
    [
        ({"longer": "split"}, NOTE, "fan: 1 of 7 recordings is longer than 0.2 s (0.5 s): split into 3 clips of 0.2 s"),
        ({"longer": "refuse"}, ERROR, "longer than 0.2 s (0.5 s): set prepare: {longer: split} or {longer: cut}"),
        (
            {"seconds": 0.5},
            NOTE,
            "fan: 6 of 7 recordings are shorter than 0.5 s (0.2 s) and padded: padding is neither ",
        ),
    ],
)
def test_lengths(clean: Path, settings: dict, level: str, line: str) -> None:
    write_wav(clean / TRAIN, noise(0.5))
    assert [one.level for one in check(clean, **settings).problems if line in one.line] == [level]


def test_recordings_of_one_other_length_suggest_it(clean: Path) -> None:
    found = check(clean, seconds=0.4)
    assert found.problems[0].line.startswith("fan: all recordings are shorter than 0.4 s (0.2 s) and padded: ")
    assert found.problems[0].line.endswith("neither trained on nor scored, or set prepare: {seconds: 0.2}")


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.29, 0.31, 0.4, 0.45, 1.0])
def test_the_number_of_clips_is_that_of_prepare(tmp_path: Path, seconds: float) -> None:
    wanted = ClipFormat(**FORMAT | {"longer": "split"})
    path = write_wav(tmp_path / "a.wav", noise(seconds))
    clip = sounds.Clip(path, "fan/train/a.wav", "00", "train", "source", "normal")
    written_clips = write_audio([clip], tmp_path / "out.parquet", {}, wanted).clips
    assert wanted.pieces(round(seconds * RATE)) == written_clips == len(ClipTable(tmp_path / "out.parquet").clips())


def test_what_the_settings_allow_is_a_note_and_mixed_recorders_a_warning(clean: Path) -> None:
    write_wav(clean / TRAIN, noise(0.2, channels=2), rate=8000)
    found = [(one.level, one.line) for one in check(clean, resample=True, channel=1).problems if "rates" in one.line
             or "converted" in one.line]  # fmt: skip
    assert found == [
        (NOTE, "fan: 1 of 7 recordings is converted to mono at 16000 Hz (1 with 2 channels at 8000 Hz)"),
        (WARNING, "fan: rates or channels differ (6 with 1 channel at 16000 Hz, 1 with 2 channels at 8000 Hz): a "
                  "detector may learn the recorder: record all clips alike"),
    ]  # fmt: skip
    missing = f"{clean / TRAIN}: has 2 channels, the last is 1: correct prepare.channel (2)"
    assert Problem(ERROR, missing) in check(clean, resample=True, channel=2).problems


def test_channels_that_cancel_each_other_are_found_if_they_are_averaged(clean: Path) -> None:
    write_wav(clean / TRAIN, noise() * [1, -1])
    line = f"{clean / TRAIN}: its channels cancel each other when they are averaged: convert it to one of them"
    assert Problem(ERROR, line) in check(clean, downmix=True).problems
    assert not [one for one in check(clean, channel=0).problems + check(clean).problems if "cancel" in one.line]


def test_a_pause_of_a_whole_clip_is_refused_only_when_recordings_are_split(clean: Path) -> None:
    write_wav(clean / TRAIN, np.concatenate([noise(), noise(level=0), noise()]))
    line = f"{clean / TRAIN}: is digital silence from 0.2 s on, for a whole clip: cut it out, or set prepare: {{allow_s"
    assert not [one for one in check(clean).problems if "silence" in one.line]
    assert [one.level for one in check(clean, longer="split").problems if one.line.startswith(line)] == [ERROR]
    assert not [one for one in check(clean, longer="split", allow_silent=True).problems if "silence" in one.line]


@pytest.mark.parametrize(
    ("seconds", "rest", "wrong"),
    [(0.2, 0.1, True), (0.23, 0.1, True), (0.24, 0.05, False), (3199 / RATE, 0.1, False), (0.0, 0.15, False)],
)
def test_a_pause_at_the_end_is_refused_if_it_becomes_a_clip(clean: Path, seconds: float, rest: float, wrong: bool):
    """The last clip begins earlier, unless what is left is too short for one."""
    sounding = noise(2 * SECONDS + rest - seconds)
    write_wav(clean / TRAIN, np.concatenate([sounding, noise(seconds, level=0)]))
    problems = [one for one in check(clean, longer="split").problems if "digital silence" in one.line]
    assert [one.level for one in problems] == [ERROR] * wrong
    with pytest.raises(AsdError, match="digital silence") if wrong else nullcontext():
        list(split(Clip(clean / TRAIN, TRAIN, "00", "train", None, None), ClipFormat(**FORMAT | {"longer": "split"})))


def test_an_empty_recording_is_found_among_those_whose_level_is_not_measured(clean: Path, monkeypatch) -> None:
    monkeypatch.setattr(sounds, "HEARD", 1)
    write_wav(clean / TEST, noise(0))
    line = f"{clean / TEST}: contains no samples: replace or remove the file"
    assert [one.line for one in check(clean).problems if one.level == ERROR] == [line]


def test_the_level_of_silence_is_below_all_others(clean: Path) -> None:
    write_wav(clean / TEST, noise(level=0))
    (group,) = (
        one
        for one in check(clean, allow_silent=True).groups
        if (one.machine, one.kind, one.domain, one.label) == ("fan", "test", "source", "normal")
    )
    assert (group.rms, group.rms_range, group.peak) == (-np.inf, (-np.inf, -np.inf), -np.inf)


def test_a_flac_file_without_a_length_is_an_error_and_counts_as_one_clip(clean: Path) -> None:
    (clean / TRAIN).unlink()
    flac_without_length(clean / TRAIN.replace(".wav", ".flac"), noise(1.0))
    chosen = graph(clean, longer="split")
    problems = check_recordings(chosen).problems
    assert [one.level for one in problems if "flac: does not state its length" in one.line] == [ERROR]
    counted = in_folder(chosen.datasets["recs"], "fan", ["00"], ClipFormat(**chosen.config["prepare"]))
    assert counted == {"train": 3, "test": 4}


def test_a_recording_named_like_a_piece_is_refused_if_recordings_are_split(clean: Path) -> None:
    data = clean.parent / "own"
    for number, name in enumerate(("a", "b", "x@00002.000", "x@00004.000")):
        write_wav(data / f"{name}.wav", noise(seed=number))
    write_wav(data / "y@00000.000.wav", noise(3 * SECONDS))
    line = "x@00002.000.wav: is named like a clip of a split recording (@ and seconds) (and 1 more): rename it"
    assert [line in one.line for one in check(data, longer="split").problems if one.level == ERROR] == [True]
    assert not [one for one in check(data).problems if "named like" in one.line]
    wanted = ClipFormat(**FORMAT | {"longer": "split"})
    with pytest.raises(AsdError, match=r"x@00002\.000\.wav: is named like a clip of a split recording .*: rename it$"):
        list(split(Clip(data / "x@00002.000.wav", "own/train/x@00002.000.wav", "00", "train", None, None), wanted))
    assert (
        len(list(split(Clip(data / "y@00000.000.wav", "own/train/y@00000.000.wav", "00", "train", None, None), wanted)))
        == 3
    )


# --- levels and copies ----------------------------------------------------------------------------------------------


def test_levels(tmp_path: Path) -> None:
    time = np.arange(3200) / RATE
    for name, level in (("a", 0.5), ("b", 0.05)):
        write_wav(tmp_path / "recs" / f"{name}.wav", level * np.sin(2 * np.pi * 1000 * time))
    train, test = check(tmp_path / "recs").groups
    assert train.peak == pytest.approx(-6.02, abs=0.01)
    assert train.rms == pytest.approx(-9.03, abs=0.01)
    assert test.rms == pytest.approx(-29.03, abs=0.01)


def test_only_a_part_is_heard_unless_all_are_asked_for(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "HEARD", 3)
    assert sum(one.heard for one in check(clean).groups) == 6
    assert sum(one.heard for one in check(clean, everything=True).groups) == 14
    monkeypatch.setattr(sounds, "HEARD_SECONDS", 0.1)
    write_wav(clean / TRAIN, np.concatenate([noise(level=0), noise()]))
    assert [one for one in check(clean).problems if "digital silence" in one.line] == []  # the file is not among those
    assert [one.line for one in check(clean, True, longer="split").problems if "digital silence from 0 s" in one.line]


def test_the_same_sound_in_another_format_is_found(clean: Path) -> None:
    samples, rate = soundfile.read(clean / TRAIN, dtype="int16")
    soundfile.write((clean / TRAIN).with_name("section_00_source_train_normal_0008_noAttribute.flac"), samples, rate)
    (found,) = check(clean).problems
    assert found.level == WARNING
    assert "is the same sound as" in found.line


def test_a_copy_that_cannot_be_read_to_its_end_is_no_copy(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied(TRAIN, "fan/train/section_00_source_train_normal_0007_noAttribute.wav")(clean)
    found = check(clean)
    (group,) = sounds.same_sounds(found.sounds["recs", "fan"])
    assert len(group) == 2
    (clean / TRAIN).write_bytes((clean / TRAIN).read_bytes()[:-100])
    assert sounds.same_sounds(found.sounds["recs", "fan"]) == []


def test_sounds_that_are_alike_in_the_middle_only_are_not_copies(clean: Path) -> None:
    samples, rate = soundfile.read(clean / TRAIN, dtype="int16")
    samples[0] += 1
    write_wav((clean / TRAIN).with_name("section_00_source_train_normal_0008_noAttribute.wav"), samples, rate=rate)
    assert check(clean).problems == []


# --- other layouts --------------------------------------------------------------------------------------------------


def table(folder: Path, *rows: str) -> Path:
    for number, row in enumerate(rows):
        write_wav(folder / row.partition(",")[0], noise(seed=number))
    (folder / "clips.csv").write_text("\n".join(["file,split,label", *rows]) + "\n")
    return folder / "clips.csv"


def test_a_table(tmp_path: Path) -> None:
    rows = ["a.wav,train,normal", "b.wav,train,normal", "c.wav,test,normal", "d.wav,test,anomaly"]
    path = table(tmp_path, *rows)
    assert check(path).problems == []
    write_wav(tmp_path / "e.wav", noise(seed=8))
    write_wav(tmp_path / "elsewhere/f.wav", noise(seed=8))  # none of the folders of the table
    (found,) = check(path).problems
    line = f"{tmp_path}: 1 × .wav is not used: add a row for each to clips.csv, if they belong to it"
    assert found == Problem(WARNING, line)


def test_a_folder_that_another_layout_ignores(tmp_path: Path) -> None:
    for number in range(4):
        write_wav(tmp_path / f"recs/fan/id_00/normal/{number}.wav", noise(seed=number))
    write_wav(tmp_path / "recs/fan/id_00/abnormal/0.wav", noise(seed=7))
    assert check(tmp_path / "recs").problems == []
    write_wav(tmp_path / "recs/fan/id_00/tuesday/0.wav", noise(seed=8))
    (found,) = check(tmp_path / "recs").problems
    assert found.line.endswith(f"tuesday: 1 × .wav is not used: this layout has its recordings in {FORMS['mimii']}")


def test_a_machine_of_mvtec_without_its_training_is_told_that_layout(tmp_path: Path) -> None:
    for name in ("good/0", "leak/1"):
        write_wav(tmp_path / f"recs/p/test/{name}.wav", noise(seed=int(name[-1])))
    error, *strays = [one.line for one in check(tmp_path / "recs").problems if "not used: 2" not in one.line]
    assert "p/train: machine p has no train clips: add recordings, or leave the machine out; mvtec has" in error
    assert all(FORMS["mvtec"] in line for line in strays)
    assert len(strays) == 2


LAID_OUT = {
    "flat": (["fan/normal/0.wav", "fan/normal/1.wav", "fan/later/2.wav"], "move anomalies into a folder abnormal, or "),
    "mvtec": (["fan/train/0.wav", "fan/test/1.wav"], "move clips into test/good and test/abnormal, or use a table of "),
    "mimii": (["fan/id_00/normal/0.wav", "fan/id_00/normal/1.wav"], "move clips into id_<NN>/normal and id_<NN>/abn"),
}
TRUTH = "file_name,label,domain,attributes\n0.wav,normal,,\n"


def lines_about(data: Path, what: str) -> list[Problem]:
    return [one for one in check(data).problems if what in one.line]


@pytest.mark.parametrize("place", ["", "first"])
@pytest.mark.parametrize("layout", LAID_OUT)
def test_labels_in_a_file_that_the_layout_does_not_read(tmp_path: Path, layout: str, place: str) -> None:
    names, remedy = LAID_OUT[layout]
    for seed, name in enumerate(names):
        write_wav(tmp_path / "recs" / name, noise(seed=seed))
    assert lines_about(tmp_path / "recs", "not read") == []
    path = (tmp_path / "recs/fan" if not place else (tmp_path / "recs" / names[0]).parent) / "ground_truth.csv"
    path.write_text(TRUTH)
    (found,) = lines_about(tmp_path / "recs", "not read")
    assert found.level == WARNING
    assert found.line.startswith(f"{path}: is not read in this layout ({layout}): {remedy}")
    unlabelled = lines_about(tmp_path / "recs", "have no label")
    assert [remedy in one.line for one in unlabelled] == [True] * (layout != "mimii")
    assert not [one for one in unlabelled if "ground_truth" in one.line]


def test_labels_in_a_file_beside_a_table(tmp_path: Path) -> None:
    path = table(tmp_path, "fan/a.wav,train,normal", "fan/b.wav,test,")
    (tmp_path / "fan/ground_truth.csv").write_text(TRUTH)
    remedy = "add labels in the column label of the table"
    line = f"{tmp_path}/fan/ground_truth.csv: is not read beside a table: {remedy}"
    assert lines_about(path, "not read") == [Problem(WARNING, line)]
    (found,) = lines_about(path, "have no label")
    assert found.line.endswith(f": {remedy}")
    whole = path.rename(tmp_path / "ground_truth.csv")  # the table itself may have this name
    assert lines_about(whole, f"{whole}: is not read") == []


def test_machines_whose_names_differ_only_in_capitals(clean: Path) -> None:
    shutil.move(clean / "pump", clean / "Fan")
    (clean / "Fan/attributes_00.csv").unlink(missing_ok=True)
    line = "recs: machines Fan, fan: differ only in capitals and are 2 machines: use one name if they are one, otherwis"
    (found,) = [one for one in check(clean).problems if one.line.startswith(line)]
    assert found.level == WARNING


def test_labels_in_a_file_beside_the_folders_of_machines(clean: Path) -> None:
    (clean / "ground_truth.csv").write_text(TRUTH)
    (found,) = check(clean).problems
    assert found.line.startswith(f"{clean}/ground_truth.csv: is not read beside the folders of machines: move it into")
    with_some_rows(clean)
    (clean / "ground_truth.csv").unlink()
    assert lines_about(clean, "not read") == []


def test_folders_that_nobody_can_understand(tmp_path: Path) -> None:
    write_wav(tmp_path / "recs/fan/Training/a.wav", noise())
    (found,) = strays_in(str(tmp_path / "recs"))
    assert found.line.startswith(f"{tmp_path}/recs/fan/Training: 1 × .wav is not used: expected <machine>/{{train")
    assert strays_in(str(tmp_path / "nothing")) == strays_in(["fan"]) == []


def test_recordings_of_machines_are_no_strays_if_something_else_is_wrong(clean: Path) -> None:
    """Such as a folder that has the name of a declared dataset."""
    assert strays_in(str(clean)) == []
    write_wav(clean / "motor/Training/a.wav", noise())
    (found,) = strays_in(str(clean))
    assert found.line.startswith(f"{clean}/motor/Training: 1 × .wav is not used")


def test_the_folder_of_a_machine_in_place_of_the_one_above(clean: Path) -> None:
    line = f"{clean}/fan: is the folder of a machine: name the one above it: {clean}"
    assert strays_in(str(clean / "fan")) == [Problem(WARNING, line)]


def test_links_that_lead_back_do_not_end_in_a_circle(clean: Path) -> None:
    (clean / "again").symlink_to(clean)
    assert check(clean).problems == []


def test_what_a_machine_s_folder_has_beside_its_recordings_is_said_once(clean: Path) -> None:
    (clean / "fan/train/a.m4a").touch()
    (found,) = check(clean).problems
    assert found.line.startswith(f"{clean}/fan: 1 entry is not used: 1 × .m4a; ")


def test_a_folder_that_cannot_be_read_is_a_line(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As lost+found on a disk of one's own; root may read everything, so the refusal is made here."""
    (clean / "lost").mkdir()
    real = strays.entries

    def entries(folder: Path) -> list:
        if Path(folder).name == "lost":
            raise AsdError(f"{folder}: cannot be read (Permission denied): check its permissions")
        return real(folder)

    monkeypatch.setattr(strays, "entries", entries)
    line = f"{clean}/lost: cannot be read (Permission denied): check its permissions"
    assert check(clean).problems == [Problem(WARNING, line)]


def test_a_noise_pool_is_checked_too(clean: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "pool/a.wav", noise(3), rate=8000)
    found = check(clean, noise_pool=tmp_path / "pool")
    assert found.pools == {"recs": 1}
    assert [one.line for one in found.problems] == [
        "noise_pool: no recording is mono at 16000 Hz (1 with 1 channel at 8000 Hz): convert them, or set "
        "prepare: {resample: true}"
    ]
    assert found.problems[0].settings == ("resample: true",)


def test_recordings_that_are_not_here_yet_are_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = {"source": {"kind": "zenodo"}, "machines": ["fan"]}
    config = {"data": "far", "datasets": {"far": source}, "noise_pool": None, "test_share": 0.2, "prepare": FORMAT}
    found = check_recordings(SimpleNamespace(datasets=select(config), config=config))
    line = "far: the recordings of fan are not here yet: a run fetches them, or asdlib fetch --data far"
    assert found.problems == [Problem(NOTE, line)]


def test_systems_see_the_clips_that_are_long_enough(clean: Path) -> None:
    write_wav(clean / TRAIN, noise(0.01))
    write_wav(clean / TEST, noise(0.15))
    known = graph(clean)
    found = present(known, check_recordings(known))
    assert found.shortest == {("recs", "fan"): 2400, ("recs", "pump"): 3200}
    assert len(found.clips["recs", "fan"]) == 7


def train_clips(found: Present) -> int:
    return sum(clip.kind == "train" for clip in found.clips["recs", "fan"])


def test_systems_see_the_pieces_of_long_recordings(clean: Path, tmp_path: Path) -> None:
    write_wav(clean / TRAIN, noise(0.55))  # 0.15 s remain
    pool = tmp_path / "pool"
    write_wav(pool / "hall.wav", noise(0.45))
    cut, split = graph(clean, pool), graph(clean, pool, longer="split")
    found = present(cut, check_recordings(cut))
    assert (train_clips(found), found.shortest["recs", "fan"]) == (3, 3200)
    assert found.pools == {"recs": 1}
    found = present(split, check_recordings(split))
    assert (train_clips(found), found.shortest["recs", "fan"]) == (5, 2400)
    assert found.recordings(("recs", "fan"), "train") == 3
