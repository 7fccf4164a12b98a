"""Bad recordings: an error of one line, with the file and the remedy, and no partial file.

test_bad_artefacts.py tests archives, disks and damaged results, test_bad_config.py the config, and
test_bad_input_shown.py what a user sees on the terminal.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.refusals import files, refused
from helpers.toy_recordings import PREPARE, RATE, make_machine, write_wav

from asdlib.steps.prepare import PrepareSettings, prepare
from asdlib.workflow.typed_settings import typed

TRAIN = "train/section_00_source_train_normal_0000_spd_0_mic_source.wav"
TEST = "test/section_00_target_test_anomaly_0001_spd_1_mic_target.wav"
TABLE = "attributes_00.csv"
HUM = 0.1 * np.sin(np.arange(1600) / 5)


def wav(name: str, samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Callable[[Path], object]:
    return lambda fan: write_wav(fan / name, samples, rate, subtype)


def content(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda fan: (fan / name).write_bytes(change((fan / name).read_bytes() if (fan / name).exists() else b""))


def renamed(name: str, new: str) -> Callable[[Path], object]:
    return lambda fan: (fan / name).rename(fan / new)


def copied(name: str, new: str) -> Callable[[Path], object]:
    return lambda fan: shutil.copy(fan / name, fan / new)


def removed(name: str) -> Callable[[Path], object]:
    return lambda fan: shutil.rmtree(fan / name) if (fan / name).is_dir() else (fan / name).unlink()


def anonymous(truth: str) -> Callable[[Path], object]:
    def change(fan: Path) -> None:
        renamed(TEST, "test/section_00_0000.wav")(fan)
        content(TABLE, lambda data: b"".join(line for line in data.splitlines(True) if TEST.encode() not in line))(fan)
        (fan / "ground_truth.csv").write_text(truth)

    return change


# case: the error in the recordings, and the message; FAN stands for the machine's folder
RECORDINGS = {
    "clip empty": (content(TRAIN, lambda data: b""), f"FAN/{TRAIN}: is empty: replace or remove the file"),
    "clip truncated": (
        content(TRAIN, lambda data: data[:-40]),
        rf"FAN/{TRAIN}: is truncated \(40 bytes short\): copy or download it again",
    ),
    "clip whose header states a quarter of it": (
        content(TEST, lambda data: data[:40] + (800).to_bytes(4, "little") + data[44:]),
        rf"FAN/{TEST}: its header states 800 bytes of audio, but 3200 follow: copy .* again, or repair it \(sox .*\)",
    ),
    "clip too short for a model": (
        wav(TEST, HUM[:799]),
        rf"FAN/{TEST}: lasts 0.0499 s, a clip needs 0.05 s: replace or remove it",
    ),
    "clip that is a pipe": (
        lambda fan: os.mkfifo(fan / "test/section_00_source_test_normal_0009.wav"),
        r"FAN/test/.*_0009.wav: is a named pipe, not a file: replace or remove it",
    ),
    "clip that is a device": (
        lambda fan: (fan / "test/section_00_source_test_normal_0009.wav").symlink_to("/dev/zero"),
        r"FAN/test/.*_0009.wav: is a device, not a file: replace or remove it",
    ),
    "clip that is a loop of links": (
        lambda fan: (fan / "test/section_00_source_test_normal_0009.WAV").symlink_to(
            "section_00_source_test_normal_0009.WAV"
        ),
        r"FAN/test/.*_0009.WAV: cannot be read \(Too many levels .*\): check the file and its permissions",
    ),
    "clip with a byte outside UTF-8 in its name": (
        copied(TEST, TEST.replace("mic", os.fsdecode(b"\xff\x1b\n"))),
        r"FAN/test/.*spd_1_\\xff\\x1b\\n_target.wav: its name has control characters or bytes .*: rename it",
    ),
    "clip cut in its header": (
        content(TEST, lambda data: data[:20]),
        rf"FAN/{TEST}: is truncated \(no audio data\): copy .* again",
    ),
    "clip without samples": (wav(TRAIN, HUM[:0]), f"FAN/{TRAIN}: contains no samples: replace or remove the file"),
    "clip that is text": (
        content(TEST, lambda data: b"a,b,c\n" * 99),
        f"FAN/{TEST}: is not a WAV file: replace or remove it",
    ),
    "clip of another format than its ending": (
        content(TEST, lambda data: b"fLaC" + data[4:]),
        f"FAN/{TEST}: is not a WAV file: replace or remove it",
    ),
    "clip in an unknown code": (
        content(TEST, lambda data: data[:20] + b"\x99\x99" + data[22:]),
        rf"FAN/{TEST}: cannot be read as WAV \(.*\): replace the file",
    ),
    "clip with NaN": (
        wav(TRAIN, np.where(np.arange(1600) == 7, np.nan, HUM), subtype="FLOAT"),
        f"FAN/{TRAIN}: contains NaN or infinite samples: replace or remove the file",
    ),
    "clip with infinity": (
        wav(TEST, np.where(np.arange(1600) == 7, np.inf, HUM), subtype="DOUBLE"),
        f"FAN/{TEST}: contains NaN or infinite samples: replace .*",
    ),
    "clip beyond full scale": (
        wav(TEST, 3e4 * HUM, subtype="FLOAT"),
        rf"FAN/{TEST}: exceeds full scale \(peak .*\): scale it down",
    ),
    "clip silent": (
        wav(TEST, 0 * HUM),
        f"FAN/{TEST}: is digital silence: replace or remove it, or set prepare.allow_silent: true",
    ),
    "clip at another rate": (
        wav(TEST, HUM, rate=44100),
        f"FAN/{TEST}: is sampled at 44100 Hz, expected 16000: convert it, or set prepare.resample: true",
    ),
    "clip in stereo": (
        wav(TRAIN, np.stack([HUM, HUM], 1)),
        f"FAN/{TRAIN}: has 2 channels, expected 1: convert it, or set prepare.downmix: true",
    ),
    "clip that is a link to nowhere": (
        lambda fan: (fan / "test/section_00_source_test_normal_0009.wav").symlink_to("gone"),
        r"FAN/test/.*_0009.wav: cannot be read \(No such file .*\): check the file and its permissions",
    ),
    "foreign name": (
        renamed(TEST, "test/monday.wav"),
        r"FAN/test/monday.wav: not a DCASE name: use section_<NN>_.*\.wav",
    ),
    "foreign supplement": (
        copied(TEST, "supplemental/section_00_voice_0000.wav"),
        "FAN/supplemental/section_00_voice_0000.wav: not the name of a supplement: use section_.*",
    ),
    "anomaly among the training clips": (
        renamed(TRAIN, TRAIN.replace("normal", "anomaly")),
        "FAN/train/.*: an anomaly among the training clips: move it to test/, or rename it",
    ),
    "unlabelled training clip": (
        renamed(TRAIN, "train/section_00_0000.wav"),
        "FAN/train/.*: a clip without a label among the training clips: move .*",
    ),
    "test clip in train": (
        renamed(TEST, TEST.replace("test/", "train/")),
        "FAN/train/.*: is in train/ but is named as a test clip: move or rename it",
    ),
    "training clip in test": (
        renamed(TRAIN, TRAIN.replace("train/", "test/")),
        "FAN/test/.*: is in test/ but is named as a train clip: move or rename it",
    ),
    "clip twice, .wav and .WAV": (
        copied(TEST, TEST.replace(".wav", ".WAV")),
        r"FAN/test/.*: fan/test/.* has the same name: remove one of them",
    ),
    "no training clips": (
        removed("train"),
        "FAN/train: machine fan has no train clips: add recordings, or leave the machine out",
    ),
    "no test clips": (
        removed("test"),
        "FAN/test: machine fan has no test clips: add recordings, or leave the machine out; a table of clips needs "
        r"none \(docs/own_data\.md\)",
    ),
    "no recordings": (removed("."), "FAN: there is no such folder: restore the recordings of fan"),
    "no training clips of a section": (
        lambda fan: make_machine(fan, train=0, target=0, seconds=0.1, sections=("01",)),
        "FAN/train: machine fan has no train clips of section 01: add recordings, or leave the section out",
    ),
    "attributes missing": (
        removed(TABLE),
        f"FAN/{TABLE}: is missing: add it, or name clips without attributes …_noAttribute.wav",
    ),
    "attributes under another name": (
        renamed(TABLE, "attributes.csv"),
        r"FAN/attributes.csv: is not read: move it to FAN/attributes_<NN>.csv, NN being the section",
    ),
    "attributes that are a pipe": (
        lambda fan: (removed(TABLE)(fan), os.mkfifo(fan / TABLE)),
        f"FAN/{TABLE}: is a named pipe, not a file: replace or remove it",
    ),
    "attributes without a header": (
        content(TABLE, lambda data: data.partition(b"\n")[2]),
        f"FAN/{TABLE}: has no header file_name,d1p,d1v,…: add one",
    ),
    "attributes that are not text": (
        content(TABLE, lambda data: b"\xff" + data),
        f"FAN/{TABLE}, line 1: the byte 0xff is not UTF-8: save the file as UTF-8",
    ),
    "attributes with half a pair": (
        content(TABLE, lambda data: data + b"x.wav,spd\n"),
        rf"FAN/{TABLE}, line \d+: expected a file name and pairs of parameter and value: correct it",
    ),
    "attributes row twice": (
        content(TABLE, lambda data: data + data.splitlines()[1]),
        rf"FAN/{TABLE}, line \d+: .* already has a row: remove one of them",
    ),
    "attributes row without a clip": (
        content(TABLE, lambda data: data + b"gone.wav,a,b\n"),
        f"FAN/{TABLE}: row gone: there is no such clip: restore the clip, or remove the row",
    ),
    "training clip without a row": (
        copied(TRAIN, TRAIN.replace("0000", "0099")),
        rf"FAN/{TABLE}: has no row for the training clip .*_0099_.*\.wav: add it",
    ),
    "ground truth without any row": (
        anonymous("file_name,label,domain,attributes\n"),
        "FAN/ground_truth.csv: has no rows: complete or remove the file",
    ),
    "ground truth without a row": (
        anonymous("file_name,label,domain,attributes\nx.wav,normal,source,\n"),
        "FAN/ground_truth.csv: has no row for section_00_0000.wav, but one for x, which is no clip: correct it",
    ),
    "ground truth with a wrong word": (
        anonymous("file_name,label,domain,attributes\nx.wav,good,source,\n"),
        r"FAN/ground_truth.csv, line 2: .*: correct it",
    ),
}


@pytest.mark.parametrize(("spoil", "complaint"), RECORDINGS.values(), ids=RECORDINGS)
def test_recordings(tmp_path, spoil, complaint):
    fan = make_machine(tmp_path / "fan", train=2, target=1, seconds=0.1)
    spoil(fan)
    before, out = files(tmp_path), tmp_path / "results" / "fan.parquet"
    sections = PREPARE | {"sections": ["00", "01"] if (fan / "attributes_01.csv").exists() else ["00"]}
    settings = typed(PrepareSettings, sections)
    refused(lambda: prepare(fan, "mine", "fan", out, settings), complaint.replace("FAN", re.escape(str(fan))))
    assert files(tmp_path) == before, "something half-written was left"
