"""Tests of the ground truth: the two published forms, and `ground_truth.csv`."""

from dataclasses import replace
from pathlib import Path

import pytest

from asdlib.data.truth import (
    Truth,
    load_truth,
    parse_name,
    read_evaluator,
    read_rename_list,
    rename_list_machines,
    write_truth,
)
from asdlib.errors import AsdError

RENAME = """\
fan
section_00_0000.wav,section_00_source_test_normal_0003_m-n_X.wav
section_00_0001.wav,section_00_target_test_anomaly_0007_noAttribute.wav
RoboticArm
section_00_0001.wav,section_00_source_normal_0035_bp_3.wav
pump
id_01_00000000.wav,anomaly_id_01_00000012.wav,1
id_01_00000001.wav,normal_id_01_00000002.wav,0
"""
FAN = [
    Truth("section_00_0000.wav", "normal", "source", "m-n_X"),
    Truth("section_00_0001.wav", "anomaly", "target", ""),
]


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def clips(folder: Path, *names: str) -> Path:
    for name in names:
        put(folder / name, "")
    return folder


NAMES = {
    "section_00_source_test_normal_0003_m-n_X.wav": ("normal", "source", "m-n_X"),
    "fan/test/section_03_target_test_anomaly_0011_car_G2_spd_34V.wav": (
        "anomaly",
        "target",
        "car_G2_spd_34V",
    ),
    "section_00_target_test_normal_0001_noAttribute": ("normal", "target", ""),
    "section_00_source_anomaly_0035_bp_3.wav": ("anomaly", "source", "bp_3"),
    "section_00_source_test_normal_0001_mic_a_normal_b.wav": ("normal", "source", "mic_a_normal_b"),
    "section_05_source_test_normal_0001.wav": ("normal", "source", ""),
    "anomaly_id_01_00000012.wav": ("anomaly", None, ""),
    "section_00_0001.wav": (None, None, ""),
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_names(name, expected):
    assert parse_name(name) == expected


@pytest.mark.parametrize("text", [RENAME, RENAME.replace("\n", "\r\n"), "\ufeff" + RENAME, RENAME + "\n"])
def test_rename_list(tmp_path, text):
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode())
    assert rename_list_machines(path) == ["fan", "RoboticArm", "pump"]
    assert read_rename_list(path, "fan") == FAN
    assert read_rename_list(path, "RoboticArm") == [Truth("section_00_0001.wav", "normal", "source", "bp_3")]
    assert [(row.label, row.domain) for row in read_rename_list(path, "pump")] == [
        ("anomaly", None),
        ("normal", None),
    ]


BAD_LISTS = {
    "other machine": ("slider\na.wav,b_normal_1.wav\n", "no block for machine fan"),
    "no label": ("fan\na.wav,section_00_source_test_0001.wav\n", ", line 2: neither normal nor anomaly"),
    "contradiction": (
        "fan\na.wav,normal_id_01_1.wav,1\n",
        ", line 2: the name says normal, the last column anomaly",
    ),
    "not binary": ("fan\na.wav,normal_id_01_1.wav,2\n", ", line 2: '2' is neither 0 nor 1"),
    "twice": ("fan\na.wav,x_normal_1.wav\na.wav,x_anomaly_1.wav\n", "a.wav is listed twice"),
    "a web page": ("<html><body>404</body></html>\n", "no block for machine fan"),
}


@pytest.mark.parametrize(("text", "message"), BAD_LISTS.values(), ids=BAD_LISTS.keys())
def test_bad_rename_lists(tmp_path, text, message):
    with pytest.raises(AsdError, match=message) as caught:
        read_rename_list(put(tmp_path / "list.csv", text), "fan")
    assert "list.csv" in str(caught.value)


def tables(folder: Path, **texts: str) -> dict[str, Path]:
    return {name: put(folder / f"{name}.csv", text) for name, text in texts.items()}


def test_evaluator_tables(tmp_path):
    made = tables(
        tmp_path,
        labels="section_00_0000.wav,0\r\nsection_00_0001.wav,1\r\n",
        domains="section_00_0001.wav,1\nsection_00_0000.wav,0\n",
        attributes="section_00_0000.wav,section_00_source_test_normal_0003_m-n_X\n"
        "section_00_0001.wav,section_00_target_test_anomaly_0007_noAttribute\n",
    )
    assert read_evaluator({None: made["labels"]}, made["domains"], made["attributes"]) == FAN


def test_evaluator_tables_of_2022_have_a_header_and_paths(tmp_path):
    made = tables(
        tmp_path,
        labels="section_03_0000.wav,0\n",
        domains="section_03_0000.wav,1\n",
        attributes="file_name,d1p,d1v,file_name_with_full_attributes\n\n"
        "fan/test/section_03_0000.wav,m-n,X,fan/test/section_03_target_test_normal_0000_m-n_X.wav\n",
    )
    rows = read_evaluator({None: made["labels"]}, made["domains"], made["attributes"])
    assert rows == [Truth("section_03_0000.wav", "normal", "target", "m-n_X")]


@pytest.mark.parametrize("wrong", ["section_00_target_test_normal_0003_a_1", "section_00_source_test_anomaly_0003_a_1"])
def test_attributes_that_contradict_the_labels_are_left_out_as_a_whole(tmp_path, wrong, caplog):
    made = tables(
        tmp_path,
        labels="section_00_0000.wav,0\nsection_00_0001.wav,1\n",
        domains="section_00_0000.wav,0\nsection_00_0001.wav,1\n",
        attributes=f"section_00_0000.wav,{wrong}\nsection_00_0001.wav,section_00_target_test_anomaly_0007_a_2\n",
    )
    rows = read_evaluator({None: made["labels"]}, made["domains"], made["attributes"])
    assert [(row.label, row.domain, row.attributes) for row in rows] == [
        ("normal", "source", ""),
        ("anomaly", "target", ""),
    ]
    assert "attributes.csv" in caplog.text


BAD_TABLES = {
    "label is not a number": (
        {"labels": "a.wav,normal\n", "domains": "a.wav,0\n"},
        "labels.csv, line 1: 'normal' is neither",
    ),
    "three columns": ({"labels": "a.wav,0,1\n", "domains": "a.wav,0\n"}, "labels.csv, line 1: not"),
    "twice": ({"labels": "a.wav,0\na.wav,1\n", "domains": "a.wav,0\n"}, "labels.csv, line 2: a.wav is listed twice"),
    "no domain": ({"labels": "a.wav,0\nb.wav,0\n", "domains": "a.wav,0\n"}, "domains.csv: no line for b.wav"),
}


@pytest.mark.parametrize(("texts", "message"), BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_bad_evaluator_tables(tmp_path, texts, message):
    made = tables(tmp_path, **texts)
    with pytest.raises(AsdError, match=message):
        read_evaluator({None: made["labels"]}, made["domains"])


def test_what_is_written_is_what_is_read(tmp_path):
    folder = clips(tmp_path / "fan", "test/section_00_0000.wav", "test/section_00_0001.wav")
    path = write_truth(FAN[::-1], folder)
    assert path.read_text() == (
        "file_name,label,domain,attributes\n"
        "section_00_0000.wav,normal,source,m-n_X\n"
        "section_00_0001.wav,anomaly,target,\n"
    )
    meant = {row.file_name.removesuffix(".wav"): row for row in FAN}
    assert load_truth(path) == meant
    path.write_text(path.read_text().replace(",", ";"))  # as spreadsheets save it in many countries
    assert load_truth(path) == meant


def test_the_names_written_are_those_of_the_clips(tmp_path):
    folder = clips(tmp_path / "fan", "test/section_00_test_0000.wav", "test/section_00_test_0001.wav")
    path = write_truth(FAN, folder)
    assert [row.file_name for row in load_truth(path).values()] == [
        "section_00_test_0000.wav",
        "section_00_test_0001.wav",
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["test/section_00_0000.wav"], "1 lines of ground truth without a test clip, the first is section_00_0001:"),
        (
            [f"test/section_00_000{n}.wav" for n in range(4)],
            "2 test clips without ground truth, the first is section_00_0002:",
        ),
        ([], "2 lines of ground truth without a test clip"),
    ],
)
def test_truth_and_clips_must_be_the_same(tmp_path, names, message):
    with pytest.raises(AsdError, match=message):
        write_truth(FAN, clips(tmp_path / "fan", *names))
    assert not (tmp_path / "fan/ground_truth.csv").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line must be"),
        ("file,label\n", "the first line must be"),
        (
            "file_name,label,domain,attributes\na.wav,1,source,\n",
            r", line 2: not file_name,normal\|anomaly,source\|target\|,attributes",
        ),
        ("file_name,label,domain,attributes\na.wav,normal,,\na.wav,normal,,\n", "a.wav is listed twice"),
    ],
)
def test_a_broken_ground_truth_file(tmp_path, text, message):
    put(tmp_path / "ground_truth.csv", text)
    with pytest.raises(AsdError, match=message):
        load_truth(tmp_path / "ground_truth.csv")


def test_blank_lines_are_no_rows(tmp_path):
    text = "file_name,label,domain,attributes\n\na.wav,normal,source,\n  \n,,,\n\n"
    put(tmp_path / "ground_truth.csv", text)
    assert list(load_truth(tmp_path / "ground_truth.csv")) == ["a"]


def test_the_clips_of_a_list_may_end_in_capitals(tmp_path):
    folder = clips(tmp_path / "fan", "test/section_00_0000.WAV", "test/section_00_0001.wav")
    write_truth(FAN, folder)
    assert "section_00_0000.WAV,normal," in (folder / "ground_truth.csv").read_text()


def test_attributes_that_are_formulas_are_written_guarded_and_read_back(tmp_path):
    for number in range(2):
        put(tmp_path / f"test/section_00_000{number}.wav", "")
    rows = [replace(FAN[0], attributes="=1+1"), replace(FAN[1], attributes="'@x")]
    path = write_truth(rows, tmp_path)
    assert [line.rpartition(",")[2] for line in path.read_text().splitlines()[1:]] == ["'=1+1", "''@x"]
    assert list(load_truth(path).values()) == rows
