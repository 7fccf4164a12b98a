"""Write and read submission files."""

import struct

import numpy as np
import pytest

from asdlib.errors import AsdError
from asdlib.scoring.score_files import (
    DECISIONS,
    SCORES,
    find_submission,
    read_decisions,
    read_scores,
    write_decisions,
    write_scores,
)

CLIP, OTHER = "section_00_0000.wav", "section_00_0001.wav"


def test_scores_read_back_to_the_same_bits(tmp_path):
    rng = np.random.default_rng(0)
    numbers = [struct.unpack("<d", rng.bytes(8))[0] for _ in range(200)]
    values = [x for x in numbers if np.isfinite(x)] + [0.1, -0.0, 5e-324, 1e300, float(np.float32(164.22522))]
    rows = [(f"section_00_{i:04d}.wav", value) for i, value in enumerate(values)]
    path = write_scores(tmp_path / "new" / "folder", "ToyCar", "00", rows)
    assert [struct.pack("<d", x) for x in read_scores(path).values()] == [struct.pack("<d", x) for x in values]


def test_files_are_what_the_evaluator_takes(tmp_path):
    scores = write_scores(tmp_path, "3DPrinter", 3, [(CLIP, np.float32(164.2252197265625)), (OTHER, 2)])
    decisions = write_decisions(tmp_path, "3DPrinter", "03", [(CLIP, np.True_), (OTHER, 0)])
    assert scores.name == "anomaly_score_3DPrinter_section_03_test.csv"
    assert decisions.name == "decision_result_3DPrinter_section_03_test.csv"
    assert scores.read_bytes() == f"{CLIP},164.2252197265625\n{OTHER},2.0\n".encode()
    assert decisions.read_bytes() == f"{CLIP},1\n{OTHER},0\n".encode()
    assert read_decisions(decisions) == {CLIP: 1, OTHER: 0}


@pytest.mark.parametrize(
    ("write", "rows", "words"),
    [
        (write_scores, [(CLIP, 1.0), (CLIP, 2.0)], "appears twice"),
        (write_scores, [(CLIP, 1.0), (OTHER, float("nan"))], f"{OTHER} has the score nan"),
        (write_scores, [(CLIP, -np.inf)], "score -inf"),
        (write_decisions, [(CLIP, 2)], "decision 2"),
        (write_decisions, [(CLIP, 0.5)], "decision 0.5"),
    ],
)
def test_refused_rows_leave_the_old_file(tmp_path, write, rows, words):
    path = write(tmp_path, "fan", "00", [(CLIP, 1)])
    before = path.read_bytes()
    with pytest.raises(AsdError, match=words):
        write(tmp_path, "fan", "00", rows)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "name",
    [
        "anomaly_score_fan_section_00_test.csv",
        "anomaly_score_DCASE2025T2fan_section_00_test_seed13711_id(0_).csv",
        "anomaly_score_DCASE2025T2fan_section_00_test_seed13711_id(0_)_Eval.csv",
        "anomaly_score_DCASE2023T2fan_section_00_test_seed7_Eval.csv",
    ],
)
def test_both_naming_styles_are_found(tmp_path, name):
    others = (
        "decision_result_fan_section_00_test.csv",
        "anomaly_score_DCASE2025T2Toyfan_section_00_test_seed1.csv",
        "anomaly_score_DCASE2025T2fan_section_01_test_seed1.csv",
    )
    for other in others:
        (tmp_path / other).touch()
    (tmp_path / name).touch()
    assert find_submission(tmp_path, SCORES, "fan", "00").name == name


def test_absent_and_ambiguous_files(tmp_path):
    with pytest.raises(AsdError, match=r"decision_result_fan_section_00_test\.csv: no such file"):
        find_submission(tmp_path, DECISIONS, "fan", "00")
    (tmp_path / "anomaly_score_fan_section_00_test.csv").touch()
    (tmp_path / "anomaly_score_DCASE2025T2fan_section_00_test_seed13711_id(0_).csv").touch()
    with pytest.raises(AsdError, match="the same machine and section"):
        find_submission(tmp_path, SCORES, "fan", "00")


def test_number_texts_and_labelled_names(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_bytes(b"\xef\xbb\xbfa.wav,3\r\nlong_b.wav, 1.200e+00\r\n\r\nc.wav,-.5\n")
    assert read_scores(path, {"long_b.wav": "b.wav"}) == {"a.wav": 3.0, "b.wav": 1.2, "c.wav": -0.5}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no rows"),
        (b"\n\n", "no rows"),
        (b"file,score\na.wav,1\n", "line 1: file has the score 'score'"),
        (b"a.wav,1\nb.wav,high\n", "line 2: b.wav has the score 'high'"),
        (b"a.wav,1_0\n", "'1_0'"),
        (b"a.wav,\n", "''"),
        (b"a.wav,nan\n", "a.wav has the score nan"),
        (b"a.wav,-inf\n", "finite"),
        (b"a.wav,1e999\n", "finite"),
        (b"a.wav\n", "line 1: 1 columns"),
        (b"a.wav,1,2\n", "3 columns"),
        (b"a.wav;1\n", "1 columns"),
        (b"a.wav,1\nb.wav,2\na.wav,1\n", "line 3: a.wav appears twice"),
        (b"a.wav,1\nlong_a.wav,1\n", "line 2: long_a.wav appears twice"),
        (b"\xff\xfe\x00", "is UTF-16, or not text"),
        (b"a.wav,1\n\xe4.wav,2\n", "line 2: the byte 0xe4 is not UTF-8: save the file as UTF-8"),
    ],
)
def test_refused_score_files(tmp_path, content, words):
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(AsdError, match=words) as caught:
        read_scores(path, {"long_a.wav": "a.wav"})
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["2", "-1", "0.5", "yes", "", "1.0"])
def test_refused_decisions(tmp_path, text):
    path = tmp_path / "decisions.csv"
    path.write_text(f"a.wav,{text}\n")
    with pytest.raises(AsdError, match=r"a\.wav has the decision"):
        read_decisions(path)
