"""Tests of the challenge's layout: names and folders of every year, attributes tables, and what is refused."""

import logging
import os
import unicodedata
from pathlib import Path

import pytest

from asdlib.data.attributes import read_attributes
from asdlib.data.layout import parse, scan
from asdlib.data.listing import unused
from asdlib.errors import AsdError

TRAIN = "train/section_00_source_train_normal_0000_spd_1.wav"
TEST = "test/section_00_target_test_anomaly_0000_spd_1.wav"
HEADER = "file_name,d1p,d1v\n"
ROW = "section_00_source_train_normal_0000_spd_1,spd,1\n"

# folder and name: section, kind, domain, label, attributes as written in the name
NAMES = {
    # 2020: development, evaluation
    "train/normal_id_02_00000000.wav": ("02", "train", None, "normal", ""),
    "test/anomaly_id_04_00000012.wav": ("04", "test", None, "anomaly", ""),
    "test/id_01_00000012.wav": ("01", "test", None, None, ""),
    # 2021: a test folder per domain
    "train/section_01_target_train_normal_0002_strength_1.wav": ("01", "train", "target", "normal", "strength_1"),
    "source_test/section_00_source_test_normal_0000.wav": ("00", "test", "source", "normal", ""),
    "target_test/section_02_target_test_anomaly_0099.wav": ("02", "test", "target", "anomaly", ""),
    "target_test/section_03_target_test_0000.wav": ("03", "test", "target", None, ""),
    "source_test/section_03_0000.wav": ("03", "test", "source", None, ""),
    # 2022
    "train/section_00_source_train_normal_0000_car_A1.wav": ("00", "train", "source", "normal", "car_A1"),
    "test/section_02_target_test_normal_0049_vel_8.wav": ("02", "test", "target", "normal", "vel_8"),
    "test/section_04_test_0100.wav": ("04", "test", None, None, ""),
    "test/section_03_0000.wav": ("03", "test", None, None, ""),
    # 2023-2025; the full names of 2024's RoboticArm lack the split
    "test/section_00_source_normal_0035_spd_2.wav": ("00", "test", "source", "normal", "spd_2"),
    "train/section_00_source_train_normal_0001_noAttribute.wav": ("00", "train", "source", "normal", "noAttribute"),
    "test/section_00_source_test_normal_0000.WAV": ("00", "test", "source", "normal", ""),
    "test/section_00_source_test_normal_0000_anomaly_train.wav": ("00", "test", "source", "normal", "anomaly_train"),
    # supplements: the kind is a word before the number
    "supplemental/section_00_machine_0001_spd_1.wav": ("00", "clean", "source", "normal", "spd_1"),
    "supplemental/section_00_machine_0100.wav": ("00", "clean", "source", "normal", ""),
    "supplemental/section_00_machine_source_0000_noAttribute.wav": ("00", "clean", "source", "normal", "noAttribute"),
    "supplemental/section_01_machine_target_train_normal_0000.wav": ("01", "clean", "target", "normal", ""),
    "supplemental/section_00_machine_0001_noise_2.wav": ("00", "clean", "source", "normal", "noise_2"),
    "supplemental/section_00_noise_0001.wav": ("00", "noise", None, None, ""),
    "supplemental/section_00_noise_0001_machine_off.wav": ("00", "noise", None, None, "machine_off"),
    "supplemental/section_00_noise_0000_n_A.wav": ("00", "noise", None, None, "n_A"),
    "supplemental/section_00_source_supplemental_machine_0000.wav": ("00", "clean", "source", "normal", ""),
    "supplemental/section_00_noise_supplemental_normal_0000.wav": ("00", "noise", None, None, ""),
    "supplemental/section_00_target_machine_A1_0000_x.wav": ("00", "clean", "target", "normal", "x"),
    # an empty tail
    "supplemental/section_00_machine_0001_.wav": ("00", "clean", "source", "normal", ""),
    "train/section_00_source_train_normal_0001_.wav": ("00", "train", "source", "normal", ""),
}


@pytest.mark.parametrize(("file", "expected"), NAMES.items(), ids=NAMES)
def test_names_of_every_year(file, expected):
    clip = parse(Path("data/fan") / file, "fan")
    assert (clip.section, clip.kind, clip.domain, clip.label, clip.tail) == expected
    assert clip.source_file == f"fan/{file}"
    assert clip.split == ("supplemental" if file.startswith("supplemental") else clip.kind)


REFUSED = [
    ("train/section_00_0000.wav", "without a label among the training clips"),
    ("train/id_00_00000000.wav", "without a label among the training clips"),
    ("train/section_00_source_test_normal_0000.wav", "is in train/ but is named as a test clip"),
    ("test/section_00_source_train_normal_0000.wav", "is in test/ but is named as a train clip"),
    ("source_test/section_00_target_test_normal_0000.wav", "is in source_test/ but is named as a target clip"),
    ("target_test/section_00_source_test_0000.wav", "is in target_test/ but is named as a source clip"),
    ("train/section_00_source_train_anomaly_0000.wav", "an anomaly among the training clips"),
    ("train/anomaly_id_00_00000000.wav", "an anomaly among the training clips"),
    ("train/holiday.wav", "not a DCASE name"),
    ("train/section_0_source_train_normal_0000.wav", "not a DCASE name"),
    ("train/section_00_middle_train_normal_0000.wav", "not a DCASE name"),
    ("test/section_00_source_test_normal_0000spd.wav", "not a DCASE name"),
    ("supplemental/section_00_source_train_normal_0000.wav", "not the name of a supplement"),
    ("supplemental/section_00_speech_0000.wav", "not the name of a supplement"),
    ("supplemental/section_00_machine.wav", "not the name of a supplement"),
    ("supplemental/section_00_machinery_0000.wav", "not the name of a supplement"),
    ("supplemental/section_00_machine_noise_0000.wav", "not the name of a supplement"),
    ("supplemental/section_00_0000_noise.wav", "not the name of a supplement"),
    ("supplemental/section_00_machine_anomaly_0000.wav", "an anomaly among the supplements"),
]


@pytest.mark.parametrize(("file", "problem"), REFUSED, ids=[file for file, _ in REFUSED])
def test_a_name_that_contradicts_its_place_is_refused(file, problem):
    with pytest.raises(AsdError, match=problem) as error:
        parse(Path("data/fan") / file, "fan")
    assert str(error.value).startswith(f"data/fan/{file}: ")


def machine(folder: Path, *names: str, **files: str) -> Path:
    """Create a machine's folder with empty recordings, and CSV files (`attributes_00`, …) with these contents."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


STATED = ["section_00_0000.wav", "section_00_supplemental_0001_noise.wav", "section_00_machine_0002.wav"]


@pytest.mark.parametrize("kind", ["clean", "noise"])
def test_the_kind_that_the_dataset_states_decides(tmp_path, kind):
    folder = machine(tmp_path, "train/section_00_source_train_normal_0000.wav", TEST)
    machine(folder, *(f"supplemental/{name}" for name in STATED))
    found = [clip for clip in scan(folder, "fan", supplements=kind) if clip.split == "supplemental"]
    domain, label = ("source", "normal") if kind == "clean" else (None, None)
    assert {(clip.section, clip.kind, clip.domain, clip.label) for clip in found} == {("00", kind, domain, label)}
    assert len(found) == len(STATED)
    with pytest.raises(AsdError, match=r"not the name .*, or state the machine's kind under `supplements` in the"):
        scan(folder, "fan")


def test_unknown_supplements_of_official_archives_are_left_out_with_one_warning(tmp_path, caplog):
    folder = machine(tmp_path, "train/section_00_source_train_normal_0000.wav", TEST)
    machine(folder, *(f"supplemental/{name}" for name in ("section_00_noise_0001.wav", "a.wav", *STATED[:2])))
    assert [clip.kind for clip in scan(folder, "fan", strict=False)] == ["train", "test", "noise"]
    (record,) = caplog.records
    assert record.name == "asdlib.notice", "shown on stderr"
    assert record.getMessage().startswith(f"{folder}/supplemental/a.wav: not the name of a supplement: ")
    assert record.getMessage().endswith(" (and 2 more); left out")
    with pytest.raises(AsdError, match=r"supplemental/a\.wav: not the name of a supplement"):
        scan(folder, "fan")


@pytest.mark.parametrize("name", ["train/a.wav", "test/a.wav"])
def test_an_unknown_training_or_test_clip_is_refused_even_in_official_archives(tmp_path, name):
    with pytest.raises(AsdError, match="not a DCASE name"):
        scan(machine(tmp_path, "train/section_00_source_train_normal_0000.wav", TEST, name), "fan", strict=False)


def test_clips_come_by_kind_then_name(tmp_path):
    names = [
        "supplemental/section_00_noise_0000.wav",
        TEST,
        "train/section_00_target_train_normal_0000_noAttribute.wav",
        "train/section_00_source_train_normal_0001_noAttribute.wav",
        "train/section_00_source_train_normal_0000_noAttribute.wav",
        "supplemental/section_00_machine_0000.wav",
    ]
    found = [clip.source_file.partition("/")[2] for clip in scan(machine(tmp_path, *names), "fan")]
    assert found == [names[4], names[3], names[2], names[1], names[5], names[0]]


def test_one_name_may_stand_in_training_and_test_of_2020(tmp_path):
    folder = machine(tmp_path, "train/normal_id_00_00000000.wav", "test/normal_id_00_00000000.wav")
    assert [clip.kind for clip in scan(folder, "fan")] == ["train", "test"]


@pytest.mark.parametrize(
    "twin", [TEST.replace(".wav", ".WAV"), TEST.replace("test/", "target_test/")], ids=["other ending", "other folder"]
)
def test_duplicates_are_refused(tmp_path, twin):
    folder = machine(tmp_path, TRAIN, TEST, twin, attributes_00=HEADER + ROW)
    with pytest.raises(AsdError, match=r"section_00_target_test_anomaly_0000_spd_1\.\w+ has the same name: remove one"):
        scan(folder, "fan")


def test_what_is_not_used_is_said_in_one_line(tmp_path, caplog):
    others = ["train/a.m4a", "train/b.M4A", "test/old/a.wav", "val/a.wav", "train/.DS_Store", "notes.csv", "README"]
    folder = machine(tmp_path, TRAIN.replace("spd_1", "noAttribute"), TEST, *others)
    assert len(scan(folder, "fan")) == 2
    (record,) = caplog.records
    how = "convert what is to be used: ffmpeg -i a.m4a a.wav"
    said = f"6 entries are not used: notes.csv, 2 × folder, 2 × .m4a, 1 × without an ending; {how}"
    assert record.getMessage() == f"{folder}: {said}"
    assert record.name == "asdlib.notice", "which steps also show on stderr"


def test_the_line_about_what_is_not_used_stays_short():
    names = [*(f"{number}.csv" for number in range(9)), *(f"a.{number}" for number in range(9)), "b.8"]
    said = "19 entries are not used: 0.csv, 1.csv, 2.csv, 3.csv, 4.csv, …, 2 × .8, 1 × .0, 1 × .1, 1 × .2, 1 × .3, …"
    assert unused(names) == said


def test_tables_are_read_whatever_the_case_of_their_names(tmp_path):
    folder = machine(tmp_path, TRAIN, "test/section_00_0000.wav")
    (folder / "Attributes_00.CSV").write_text(HEADER + ROW)
    (folder / "Ground_Truth.csv").write_text("file_name,label,domain,attributes\nx.wav,normal,source,\n")
    with pytest.raises(AsdError, match=r"Ground_Truth\.csv: has no row for"):
        scan(folder, "fan")
    (folder / "Ground_Truth.csv").unlink()
    assert scan(folder, "fan")[0].attributes == {"spd": "1"}
    (folder / "Attributes_00.CSV").write_text(HEADER)
    with pytest.raises(AsdError, match=r"Attributes_00\.CSV: has no row for the training clip"):
        scan(folder, "fan")


@pytest.mark.parametrize("name", ["attributes.csv", "Attributes00.csv", "train/attributes_00.csv"])
def test_a_table_of_attributes_that_is_not_read_is_refused(tmp_path, caplog, name):
    folder = machine(tmp_path, TRAIN.replace("spd_1", "noAttribute"), TEST)
    (folder / name).write_text(HEADER + ROW)
    complaint = rf"^{folder}/{name}: is not read: move it to {folder}/attributes_<NN>\.csv, NN being the section$"
    with pytest.raises(AsdError, match=complaint):
        scan(folder, "fan")
    assert len(scan(folder, "fan", strict=False)) == 2
    assert f"1 entry is not used: {name}" in caplog.text


def test_two_tables_of_ground_truth_are_refused(tmp_path):
    folder = machine(tmp_path, TRAIN, TEST, attributes_00=HEADER + ROW, ground_truth="", Ground_truth="")
    with pytest.raises(AsdError, match=r"Ground_truth\.csv: ground_truth\.csv has the same name: remove one of them"):
        scan(folder, "fan")


@pytest.mark.parametrize(("on_disk", "written"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_are_compared_in_one_unicode_form(tmp_path, on_disk, written):
    train, test = TRAIN.replace("spd_1", "Öl_1"), "test/section_00_0000.wav"
    folder = machine(tmp_path, unicodedata.normalize(on_disk, train), test)
    table = HEADER + f"{train},Öl,ü\n"
    (folder / "attributes_00.csv").write_text(unicodedata.normalize(written, table), encoding="utf-8")
    assert scan(folder, "fan")[0].attributes == {"Öl": "ü"}, "values in one form, so that they are one class"
    machine(tmp_path, unicodedata.normalize(written, train))
    with pytest.raises(AsdError, match="has the same name: remove one of them"):
        scan(folder, "fan")


@pytest.mark.parametrize("odd", [os.fsdecode(b"\xff"), "\x1b[31m", "a\nb", "\u2028"], ids=ascii)
def test_names_that_no_table_or_terminal_can_hold_are_refused(tmp_path, odd):
    folder = machine(tmp_path, TRAIN, TEST, TRAIN.replace("spd_1", odd), attributes_00=HEADER + ROW)
    with pytest.raises(AsdError, match="its name has control characters or bytes outside UTF-8: rename it") as error:
        scan(folder, "fan")
    assert str(error.value).isprintable()


def test_odd_names_of_other_files_do_no_harm(tmp_path, caplog):
    folder = machine(tmp_path, TRAIN, TEST, os.fsdecode(b"train/\xff\x1b\n.txt"), attributes_00=HEADER + ROW)
    (folder / "train" / "up").symlink_to("..")
    (folder / "train" / "loop").symlink_to("loop")
    os.mkfifo(folder / "test" / "pipe")
    assert len(scan(folder, "fan")) == 2
    assert "4 entries are not used: 2 × without an ending, 1 × folder, 1 × .txt" in caplog.text


@pytest.mark.parametrize("name", ["attributes_00.csv", "ground_truth.csv"])
def test_a_table_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(machine(tmp_path, TRAIN, TEST) / name)
    with pytest.raises(AsdError, match=rf"{name}: is a named pipe, not a file: replace or remove it"):
        scan(tmp_path, "fan")


STYLES = {
    "path with ending": "file_name,d1p,d1v\nfan/train/section_00_source_train_normal_0000_spd_1.wav,spd,1\n",
    "bare name": "file_name,d1p,d1v\nsection_00_source_train_normal_0000_spd_1,spd,1\n",
    "upper-case ending": "file_name,d1p,d1v\nsection_00_source_train_normal_0000_spd_1.WAV,spd,1\n",
    "semicolons": "file_name;d1p;d1v\nsection_00_source_train_normal_0000_spd_1;spd;1\n",
    "path of Windows": "file_name,d1p,d1v\r\nfan\\train\\section_00_source_train_normal_0000_spd_1.wav,spd,1\r\n",
    "byte order mark, spaces": "\ufefffile_name, d1p, d1v\nsection_00_source_train_normal_0000_spd_1 , spd , 1\n",
    "unused parameter": "file_name,d1p,d1v,d2p,d2v\nsection_00_source_train_normal_0000_spd_1,spd,1,,\n\n",
}


@pytest.mark.parametrize("text", STYLES.values(), ids=STYLES)
def test_attributes_in_every_style(tmp_path, text):
    clips = scan(machine(tmp_path, TRAIN, TEST, attributes_00=text), "fan")
    assert [clip.attributes for clip in clips] == [{"spd": "1"}, {}]


def test_attribute_less_machines_have_a_table_without_parameters(tmp_path):
    train = TRAIN.replace("spd_1", "noAttribute")
    clips = scan(machine(tmp_path, train, TEST, attributes_00=f"file_name\nfan/{train}\n"), "fan")
    assert [clip.attributes for clip in clips] == [{}, {}]


def test_sections_have_tables_of_their_own(tmp_path):
    names = [TRAIN, TRAIN.replace("section_00", "section_01"), TEST, TEST.replace("section_00", "section_01")]
    tables = {f"attributes_{s}": f"file_name,d1p,d1v\n{names[int(s)]},spd,{s}\n" for s in ("00", "01")}
    clips = scan(machine(tmp_path, *names, **tables), "fan")
    assert [clip.attributes for clip in clips] == [{"spd": "00"}, {"spd": "01"}, {}, {}]


BAD_TABLES = {
    "row without a clip": (HEADER + ROW + ROW.replace("0000", "0009"), "normal_0009_spd_1: there is no such clip"),
    "clip without a row": (HEADER, "has no row for the training clip section_00_source_train_normal_0000_spd_1.wav"),
    "missing": (None, r"attributes_00\.csv: is missing: add it"),
}


@pytest.mark.parametrize(("text", "problem"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_inconsistent_attributes_are_refused_or_logged(tmp_path, caplog, text, problem):
    folder = machine(tmp_path, TRAIN, TEST, **({} if text is None else {"attributes_00": text}))
    with pytest.raises(AsdError, match=problem):
        scan(folder, "fan", strict=True)
    with caplog.at_level(logging.WARNING):
        assert len(scan(folder, "fan", strict=False)) == 2
    assert problem.replace("\\", "") in caplog.text
    assert len(caplog.records) == 1, "one line per machine, not per clip"


@pytest.mark.parametrize("tests", ["source_test", "Source_Test"])
def test_2021_has_no_attributes_tables(tmp_path, caplog, tests):
    folder = machine(
        tmp_path,
        "train/section_00_source_train_normal_0000_strength_1_ambient.wav",
        "train/section_00_source_train_normal_0001_noAttribute.wav",
        "train/section_00_target_train_normal_0000.wav",
        f"{tests}/section_00_source_test_normal_0000_strength_2.wav",  # a test clip's attributes are never read
    )
    expected = [{"attributes": "strength_1_ambient"}, {}, {}, {}]
    assert [clip.attributes for clip in scan(folder, "fan")] == expected
    assert not caplog.records


def test_attributes_in_names_are_not_read_where_there_is_a_table(tmp_path):
    folder = machine(tmp_path, TRAIN, "source_test/section_00_source_test_normal_0000.wav", attributes_00=HEADER + ROW)
    assert [clip.attributes for clip in scan(folder, "fan")] == [{"spd": "1"}, {}]
    folder = machine(tmp_path / "2022", TRAIN, TEST)
    assert [clip.attributes for clip in scan(folder, "fan", strict=False)] == [{}, {}]


BROKEN_TABLES = {
    "no header": (ROW, "has no header file_name,d1p,d1v"),
    "empty": ("", "has no header file_name,d1p,d1v"),
    "half a pair": (HEADER + ROW.replace(",1", ""), "line 2: expected a file name and pairs"),
    "no name": (HEADER + ".wav,spd,1\n", "line 2: expected a file name and pairs"),
    "row twice": (HEADER + ROW + "fan/train/" + ROW, "line 3: section_00_source_train_normal_0000_spd_1 already"),
}


@pytest.mark.parametrize(("text", "problem"), BROKEN_TABLES.values(), ids=BROKEN_TABLES)
def test_broken_tables_are_refused_even_of_official_archives(tmp_path, text, problem):
    with pytest.raises(AsdError, match=problem):
        scan(machine(tmp_path, TRAIN, TEST, attributes_00=text), "fan", strict=False)


LOSSES = {
    "a value without a parameter": (HEADER + ROW.replace("spd", ""), "line 2: the value 1 has no parameter: add its"),
    "a parameter twice": (HEADER + ROW.strip() + ",spd,2\n", "line 2: the parameter spd occurs twice: name the"),
}


@pytest.mark.parametrize(("text", "problem"), LOSSES.values(), ids=LOSSES)
def test_values_that_are_lost_are_refused_or_said_of_official_archives(tmp_path, caplog, text, problem):
    folder = machine(tmp_path, TRAIN, TEST, attributes_00=text)
    with pytest.raises(AsdError, match=problem):
        scan(folder, "fan")
    scan(folder, "fan", strict=False)
    assert problem in caplog.text


def test_a_parameter_may_be_repeated_with_its_value(tmp_path):
    (clip, _) = scan(machine(tmp_path, TRAIN, TEST, attributes_00=HEADER + ROW.strip() + ",spd,1\n"), "fan")
    assert clip.attributes == {"spd": "1"}


def test_a_repeated_parameter_of_an_official_archive_loses_no_value(tmp_path, caplog):
    """The names of the ToyCarEmu and the ToyDrone of 2026 end in mic_2_mic_1, perhaps their tables' rows, too."""
    other = TRAIN.replace("0000", "0001")
    pairs = ",spd,3,mic,2,mic,1,mic,7\n"
    table = HEADER + "".join(Path(name).stem + pairs for name in (TRAIN, other))
    clips = scan(machine(tmp_path, TRAIN, other, TEST, attributes_00=table), "ToyDrone", strict=False)
    assert clips[0].attributes == clips[1].attributes == {"spd": "3", "mic": "2", "mic_2": "1", "mic_3": "7"}
    said = "line 2 (and 3 more): the parameter mic occurs twice: name the second one mic_2"
    assert [record.getMessage().partition(", ")[2] for record in caplog.records] == [said]


def test_another_case_makes_no_other_attribute_in_an_official_archive(tmp_path):
    """Test clips of a gearbox of 2026 are named pro_y, its training clips pro_Y."""
    names = [f"train/section_00_target_train_normal_000{n}_pro_{value}.wav" for n, value in enumerate("YZz")]
    names += [f"test/section_00_target_test_normal_000{n}_{tail}.wav" for n, tail in enumerate(("pro_y", "PRO_q", "x"))]
    rows = [f"{Path(name).stem},{','.join(Path(name).stem.split('_')[-2:])}\n" for name in names]
    folder = machine(tmp_path, *names, attributes_00=HEADER + "".join(rows))
    read = {strict: [clip.attributes for clip in scan(folder, "gearboxEmu", strict)] for strict in (True, False)}
    assert read[False] == [*({"pro": value} for value in "YZzY"), {"PRO": "q"}, {"0002": "x"}]
    assert read[True] == [*({"pro": value} for value in "YZzy"), {"PRO": "q"}, {"0002": "x"}]


def test_a_table_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "attributes_00.csv").write_bytes(b"file_name\n\xff\xfe")
    with pytest.raises(AsdError, match=r"attributes_00\.csv, line 2: the byte 0xff is not UTF-8: save the file"):
        read_attributes([tmp_path / "attributes_00.csv"])


def test_ground_truth_completes_anonymous_test_clips(tmp_path):
    truth = "file_name,label,domain,attributes\nsection_00_0000.wav,anomaly,target,spd_1\n"
    folder = machine(
        tmp_path, "train/section_00_source_train_normal_0000.wav", "test/section_00_0000.wav", ground_truth=truth
    )
    (_, test) = scan(folder, "fan")
    assert (test.label, test.domain, test.attributes) == ("anomaly", "target", {})
    (folder / "ground_truth.csv").write_text(truth.replace("0000", "0001"))
    with pytest.raises(AsdError, match=r"ground_truth\.csv: has no row for section_00_0000\.wav"):
        scan(folder, "fan")


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        (
            "test/section_00_source_test_normal_0000.wav",
            "anomaly,source",
            "is anomaly, but its name or folder says normal",
        ),
        (
            "test/section_00_source_test_normal_0000.wav",
            "normal,target",
            "is target, but its name or folder says source",
        ),
        (
            "target_test/section_00_target_test_0000.wav",
            "normal,source",
            "is source, but its name or folder says target",
        ),
    ],
)
def test_a_truth_that_contradicts_a_name_or_a_folder_is_refused(tmp_path, name, row, said):
    file = name.rpartition("/")[2]
    truth = f"file_name,label,domain,attributes\n{file},{row},\n"
    folder = machine(tmp_path, "train/section_00_source_train_normal_0000.wav", name, ground_truth=truth)
    with pytest.raises(AsdError, match=rf"ground_truth\.csv: {file} {said}: correct one of them$"):
        scan(folder, "fan")
    labels = ("anomaly" if "anomaly" in row else "normal"), ("target" if "target" in name else "source")
    right = truth.replace(row, ",".join(("normal", labels[1])))
    (folder / "ground_truth.csv").write_text(right)
    assert scan(folder, "fan")[1].label == "normal"


def test_a_truth_of_some_clips_labels_those(tmp_path, caplog):
    names = ["train/section_00_source_train_normal_0000.wav", "test/section_00_0000.wav", "test/section_00_0001.wav"]
    folder = machine(tmp_path, *names, ground_truth="file_name,label,domain,attributes\n")
    with pytest.raises(AsdError, match=r"ground_truth\.csv: has no rows: complete or remove the file"):
        scan(folder, "fan")
    with (folder / "ground_truth.csv").open("a") as handle:
        handle.write("section_00_0001.wav,anomaly,,\n")
    assert [clip.label for clip in scan(folder, "fan")] == ["normal", None, "anomaly"]
    said = "has no row for section_00_0000.wav: scored, but without a label for the figures"
    assert [record.getMessage() for record in caplog.records] == [f"{folder}/ground_truth.csv: {said}"]


def test_folders_in_capitals_and_all_formats_are_read(tmp_path):
    flac = TEST.replace("test/", "Test/").replace(".wav", ".FLAC")
    folder = machine(tmp_path, TRAIN.replace("train/", "Train/"), flac, attributes_00=HEADER + ROW)
    assert [clip.source_file.split("/")[1] for clip in scan(folder, "fan")] == ["train", "test"]
    assert scan(folder, "fan")[1].label == "anomaly"


def test_a_machine_of_mvtec_without_training_clips_is_told_both_layouts(tmp_path):
    for name in ("good/0.wav", "leak/0.wav"):
        (tmp_path / "p/test" / name).parent.mkdir(parents=True)
        (tmp_path / "p/test" / name).touch()
    said = "p/train: machine p has no train clips: add recordings, or leave the machine out; mvtec has folders in test"
    with pytest.raises(AsdError, match=said):
        scan(tmp_path / "p", "p")


def test_recordings_of_another_format_are_said_also_if_there_are_no_others(tmp_path, caplog):
    with pytest.raises(AsdError, match="machine fan has no train clips"):
        scan(machine(tmp_path, TRAIN.replace(".wav", ".wma"), TEST), "fan")
    name = TRAIN.removeprefix("train/").removesuffix(".wav")
    how = f"convert what is to be used: ffmpeg -i {name}.wma {name}.wav"
    said = f"{tmp_path}: 1 entry is not used: 1 × .wma; {how}"
    assert [record.getMessage() for record in caplog.records] == [said]


@pytest.mark.parametrize("missing", ["train", "test"])
def test_a_machine_needs_training_and_test_clips(tmp_path, missing):
    names = [name for name in (TRAIN, TEST) if not name.startswith(missing)]
    with pytest.raises(AsdError, match=rf"{missing}: machine fan has no {missing} clips: add recordings"):
        scan(machine(tmp_path, *names), "fan")
