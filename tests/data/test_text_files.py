"""Text that users write: every reader takes a byte order mark and any line ends, and refuses other encodings."""

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.refusals import refused

from asdlib.data.attributes import read_attributes
from asdlib.data.listing import TRUTH_FILE
from asdlib.data.text_files import read_csv, read_text
from asdlib.data.truth import load_truth
from asdlib.evaluation.reported import COLUMNS, load_reported
from asdlib.scoring.score_files import read_scores
from asdlib.workflow.yaml_files import read_yaml

# reader: the file's name, its text, and how it is read
READERS: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
    "attributes": (
        "attributes_00.csv",
        "file_name,d1p,d1v\nsection_00_source_train_normal_0000_ü_1,ü,1\n",
        lambda path: {name: values for name, (_, values) in read_attributes([path])[0].items()},
    ),
    "ground truth": (
        TRUTH_FILE,
        "file_name,label,domain,attributes\nü.wav,normal,source,\n",
        lambda path: load_truth(path),
    ),
    "scores": ("anomaly_score.csv", "ü.wav,1.5\n", read_scores),
    "reported figures": (
        "toy.csv",
        f"{','.join(COLUMNS)}\nv,d,m,50,50,50,50,ü\n",
        lambda path: load_reported(path).reset_index().to_dict("records"),
    ),
    "config": ("mine.yaml", "data: ü\nseeds:\n  - 1\n", read_yaml),
}
SPELLINGS: dict[str, Callable[[str], bytes]] = {
    "byte order mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "both": lambda text: codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode(),
    "no line end at the end": lambda text: text.rstrip("\n").encode(),
}
FOREIGN: dict[str, Callable[[str], bytes]] = {
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-be"),
    "Latin-1": lambda text: text.encode("latin-1"),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize(("name", "text", "read"), READERS.values(), ids=READERS)
def test_a_mark_and_line_ends_change_nothing(tmp_path: Path, name: str, text: str, read, spelling) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    expected = read(path)
    assert "ü" in str(expected)
    path.write_bytes(spelling(text))
    assert str(read(path)) == str(expected)  # as text, because NaN differs from itself


@pytest.mark.parametrize("encoded", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize(("name", "text", "read"), READERS.values(), ids=READERS)
def test_another_encoding_is_refused_in_one_line(tmp_path: Path, name: str, text: str, read, encoded) -> None:
    path = tmp_path / name
    path.write_bytes(encoded(text))
    foreign = r"is UTF-16, or not text \(it contains zero bytes\): save it as UTF-8"
    refused(lambda: read(path), rf"{path}(: {foreign}|, line \d+: the byte 0xfc is not UTF-8: save the file as UTF-8)")


@pytest.mark.parametrize(("name", "text", "read"), list(READERS.values())[:4], ids=list(READERS)[:4])
def test_a_quote_that_is_not_closed_swallows_no_rows(tmp_path: Path, name: str, text: str, read) -> None:
    path = tmp_path / name
    lines = len(text.splitlines())
    path.write_text(f'{text}"{text}{text}', encoding="utf-8")
    said = r"is not CSV \(unexpected end of data\): correct the quotes of this row"
    refused(lambda: read(path), rf"{path}, line {lines + 1}: {said}")


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b'a\r\n"two\r\nlines",b\r\nc\r\n')
    assert list(read_csv(path)) == [(1, ["a"]), (3, ["two\r\nlines", "b"]), (4, ["c"])]
    path.write_bytes(b"one\ntwo\nthr\xe9\xe9\n")
    refused(lambda: read_text(path), rf"{path}, line 3: the byte 0xe9 is not UTF-8: save the file as UTF-8")
