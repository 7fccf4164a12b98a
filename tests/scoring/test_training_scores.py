"""The scores of the training clips, written and read."""

from dataclasses import replace
from pathlib import Path

import pytest

from asdlib.errors import AsdError
from asdlib.scoring.training_scores import (
    TrainingScores,
    read_refusal,
    read_training_scores,
    write_refusal,
    write_training_scores,
)

CONTENT = TrainingScores(0.5, 0.9, ["a.wav", "b.wav"], ["source", None], [0.25, 1.0])


@pytest.mark.parametrize("content", [CONTENT, replace(CONTENT, quantile=None)])
def test_a_round_trip(tmp_path: Path, content: TrainingScores) -> None:
    write_training_scores(tmp_path / "scores.json", content)
    assert read_training_scores(tmp_path / "scores.json") == content


def test_a_refusal_is_read_and_is_no_scores(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_training_scores(path, CONTENT)
    assert read_refusal(path) is None
    write_refusal(path, "too few: add some")
    assert read_refusal(path) == "too few: add some"
    with pytest.raises(AsdError, match="is not a file of training scores"):
        read_training_scores(path)


@pytest.mark.parametrize("text", ["\0" * 40, "[]", "1", '{"refused": "cut'])
def test_a_damaged_file_is_no_refusal(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(AsdError, match=r"is not a file of training scores \(.*\): delete it and run again$"):
        read_refusal(tmp_path / "scores.json")


def test_every_cut_off_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_training_scores(path, CONTENT)
    text = path.read_text()
    for length in range(len(text) - 1):  # without its last line break it is whole
        path.write_text(text[:length])
        with pytest.raises(AsdError, match=r"^[^\n]*scores\.json: is not a file of training scores .*: delete it and"):
            read_training_scores(path)


NO_NUMBER = '{"threshold": "x", "quantile": 0.9, "clips": []}'
NO_QUANTILE = '{"threshold": 1, "clips": []}'


@pytest.mark.parametrize("text", ["\0" * 40, "[]", "{}", '{"threshold": 1, "clips": [{}]}', NO_NUMBER, NO_QUANTILE])
def test_other_content_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(AsdError, match=r"is not a file of training scores \(.*\): delete it and run again$"):
        read_training_scores(tmp_path / "scores.json")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AsdError, match=r"gone\.json: is missing: run again to remake it"):
        read_training_scores(tmp_path / "gone.json")


@pytest.mark.parametrize("wrong", [{"scores": [0.25, float("nan")]}, {"threshold": float("inf")}, {"scores": [0.25]}])
def test_what_is_no_number_or_lacks_a_clip_leaves_the_old_file(tmp_path: Path, wrong: dict) -> None:
    path = tmp_path / "scores.json"
    write_training_scores(path, CONTENT)
    with pytest.raises(ValueError, match=r"JSON|argument"):
        write_training_scores(path, replace(CONTENT, **wrong))
    assert read_training_scores(path) == CONTENT
    assert list(tmp_path.iterdir()) == [path]
