"""Tables of clips: what each column decides, what is assumed without it, and rows that are refused."""

import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asdlib.data.layouts.machine_clips import clips_of, read_clips
from asdlib.data.layouts.table import read_table
from asdlib.errors import AsdError

FILES = [f"a/{number}.flac" for number in range(10)]


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table beside ten recordings and returns its path."""
    for file in FILES:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()

    def write(text: str, name: str = "pump.csv") -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def known(path: Path, machine: str = "pump", share: float = 0.2) -> list[tuple]:
    return [
        (clip.source_file, clip.section, clip.kind, clip.domain, clip.label, clip.attributes)
        for clip in read_clips(path, machine, "table", share)
    ]


WHOLE = """file,machine,split,label,domain,section,kind,speed,load
a/0.flac,fan,train,normal,source,00,machine,3,
a/1.flac,fan,Train,,target,1,,,full
a/2.flac,fan,test,anomaly,target,01,,5,
a/3.flac,fan,test,,,00,,,
a/4.flac,fan,supplemental,,,00,noise,,
a/5.flac,fan,supplemental,,,00,machine,,
a/6.flac,pump,train,,,,,,
a/7.flac,pump,test,,,,,,
"""
MEANT = [
    ("fan/train/a__0.flac", "00", "train", "source", "normal", {"speed": "3"}),
    ("fan/train/a__1.flac", "01", "train", "target", "normal", {"load": "full"}),
    ("fan/test/a__2.flac", "01", "test", "target", "anomaly", {"speed": "5"}),
    ("fan/test/a__3.flac", "00", "test", None, None, {}),
    ("fan/supplemental/a__5.flac", "00", "clean", "source", "normal", {}),
    ("fan/supplemental/a__4.flac", "00", "noise", None, None, {}),
]


def test_every_column_is_used(table):
    path = table(WHOLE)
    assert known(path, "fan") == MEANT
    assert read_table(path).machines == ["fan", "pump"]
    assert read_table(path).understood == ["8 rows", "attributes: speed (3, 5), load (full)"], "nothing is assumed"


@pytest.mark.parametrize("form", ["tsv", "semicolon", "parquet", "absolute", "byte order mark"])
def test_the_form_of_the_file_does_not_matter(table, tmp_path, form):
    if form == "parquet":
        header, *rows = (line.split(",") for line in WHOLE.splitlines())
        path = tmp_path / "pump.parquet"
        pq.write_table(pa.table({name: [row[at] or None for row in rows] for at, name in enumerate(header)}), path)
    elif form == "absolute":
        moved = tmp_path / "elsewhere"
        moved.mkdir()
        path = moved / "pump.csv"
        path.write_text(WHOLE.replace("a/", f"{tmp_path}/a/"))
        assert [row[0] for row in known(path, "fan")] == [row[0].replace("a__", "") for row in MEANT]
        return
    else:
        text, name = {
            "tsv": (WHOLE.replace(",", "\t"), "pump.TSV"),
            "semicolon": (WHOLE.replace(",", ";"), "pump.csv"),
            "byte order mark": (f"\ufeff{WHOLE}", "pump.csv"),
        }[form]
        path = table(text, name)
    assert known(path, "fan") == MEANT


def test_what_is_assumed_is_said(table):
    path = table("file\n" + "\n".join(FILES))
    rows = known(path)
    assert [row[2] for row in rows] == ["train"] * 8 + ["test"] * 2
    assert {row[3:5] for row in rows} == {("source", "normal")}
    assert [row[0] for row in rows[-2:]] == ["pump/test/a__8.flac", "pump/test/a__9.flac"], "the last, not any two"
    assert read_table(path).understood == [
        "10 rows",
        "no column machine: every row is of the machine pump",
        "no column split: every clip is trained on, unless it is held out",
        "no column label: every clip is normal",
        "no column domain: every clip is of the source domain",
        "no column section: every clip is of section 00",
    ]
    _, said = clips_of(read_table(path).recordings, path, 0.2)
    assert said == ["pump, section 00: 2 of 10 normal recordings are held out as test clips (test_share), the last in "
                    "the order of names"]  # fmt: skip


def test_labels_decide_the_split_where_none_is_stated(table):
    rows = [f"{file},normal" for file in FILES[:8]] + [f"{FILES[8]},anomaly", f"{FILES[9]},"]
    found = known(table("file,label\n" + "\n".join(rows)))
    assert [row[2] for row in found] == ["train"] * 6 + ["test"] * 4
    assert [row[4] for row in found[6:]] == ["normal", "normal", "anomaly", None]


def test_nothing_is_held_out_where_test_clips_are_stated(table):
    rows = [f"{FILES[0]},test,normal", f"{FILES[1]},test,anomaly", *(f"{file},,normal" for file in FILES[2:])]
    assert [row[2] for row in known(table("file,split,label\n" + "\n".join(rows)))] == ["train"] * 8 + ["test"] * 2
    rows = [f"{FILES[0]},test", *(f"{file},train" for file in FILES[1:])]
    assert [row[2] for row in known(table("file,split\n" + "\n".join(rows)))] == ["train"] * 9 + ["test"]


BY_NAMES = "the last in the order of names"
SESSIONS = {  # of a/0 to a/9; two clips are asked for
    "more than asked for": ("mtmtwwwmtt", "456", "the last sessions"),
    "as many as asked for": ("zzmmmmmmmm", "01", "the last sessions"),
    "the larger part": ("mmmttttttt", "3456789", "the last sessions"),
    "not all are stated": ("000       ", "89", BY_NAMES),
}


@pytest.mark.parametrize(("sessions", "expected", "how"), SESSIONS.values(), ids=SESSIONS)
def test_sessions_are_held_out_as_a_whole(table, sessions, expected, how):
    rows = [f"{file},{session}" for file, session in zip(FILES, sessions, strict=True)]
    path = table("file,session\n" + "\n".join(rows))
    assert "".join(row[0][-6] for row in known(path) if row[2] == "test") == expected
    (phrase,) = clips_of(read_table(path).recordings, path, 0.2)[1]
    assert phrase.endswith(f"{len(expected)} of 10 normal recordings are held out as test clips (test_share), {how}")


REFUSED = {
    "no column of files": ("path,label\na,normal\n", r"pump\.csv: has no column file \(columns: path, label\): name"),
    "no header": ("a/0.flac\n", r"has no column file \(columns: a/0\.flac\)"),
    "empty": ("", r"pump\.csv: is empty: add a header"),
    "no rows": ("file\n", r"pump\.csv: has no rows: add one"),
    "a column twice": ("file,speed,speed\n", "two columns are named speed: remove one"),
    "a column without a name": ("file,,\n", "a column has no name"),
    "too few cells": ("file,label\na/0.flac\n", "line 2: 1 cells under 2 columns: correct it"),
    "no file": ("file\na/0.flac\na/gone.flac\nb.wav\n", r"line 3: there is no file .*a/gone\.flac \(and 1 more\)"),
    "a path of Windows": (
        "file\na/0.flac\na\\1.flac\na\\2.flac\n",
        r"line 3: there is no file \S*a\\+1\.flac \(and 1 more\), but \S*a/1\.flac: write / in place of \\+ in the col",
    ),
    "a path of Windows to nothing": ("file\na\\gone.flac\n", r"no file \S*a\\+gone\.flac: correct the column file"),
    "tabs": ("file\tlabel\na/0.flac\tnormal\n", r"pump\.csv: cells are separated by tabs: name it pump\.tsv$"),
    "an empty file": ("file,label\n,normal\n", "line 2: file is empty"),
    "a file twice": ("file\na/0.flac\na/1.flac\na/../a/0.flac\n", r"line 4: a/\.\./a/0\.flac is also in line 2"),
    "an unclosed quote": (
        'file,speed\na/0.flac,1\n"a/1.flac,2\na/2.flac,3\n',
        "line 3: is not CSV .*: correct the quo",
    ),
    "a format that is not read": ("file\na/my 0.m4a\n", r"line 2: .*: ffmpeg -i 'my 0\.m4a' 'my 0\.wav'$"),
    "a label of its own": ("file,label\na/0.flac,worn\n", "line 2: label: 'worn': use normal, anomaly, or leave it"),
    "a label of its own before too few cells": ("file,label\na/0.flac,worn\na/1.flac\n", "line 2: label: 'worn'"),
    "a label that is a folder": ("file,label\na/0.flac,OK\n", "line 2: label: 'OK': write normal in place of OK$"),
    "labels that are folders": (
        "file,label\na/0.flac,abnormal\na/1.flac,ok\na/2.flac,nok\na/3.flac,unknown\n",
        "'abnormal', 'ok', 'nok', 'unknown'\\): write anomaly in place of abnormal and nok, normal in place of ok, "
        "nothing in place of unknown$",
    ),
    "labels of its own": (
        "file,label\na/0.flac,normal\na/1.flac,good\na/2.flac,worn\na/3.flac,good\na/4.flac,\n",
        r"line 3: label: 'good' \(3 lines, with 'good', 'worn'\): use normal, anomaly, or leave it empty$",
    ),
    "a label of its own in several lines": (
        "file,label\na/0.flac,1\n\na/1.flac,1\n",
        r"line 2: label: '1' \(2 lines\): use",
    ),
    "a split of its own": ("file,split\na/0.flac,val\n", "line 2: split: 'val': use train, test, supplemental, or"),
    "a domain of its own": ("file,domain\na/0.flac,lab\n", "line 2: domain: 'lab': use source, target, or"),
    "a section of its own": ("file,section\na/0.flac,A\n", "line 2: section: 'A': use two digits, such as 00"),
    "a machine without a name": ("file,machine\na/0.flac,\n", "line 2: machine is empty"),
    "an anomaly to train on": ("file,split,label\na/0.flac,train,anomaly\n", "line 2: an anomaly among the training"),
    "a supplement without a kind": ("file,split\na/0.flac,supplemental\n", "line 2: a supplement without a kind"),
    "an anomalous supplement": (
        "file,split,label,kind\na/0.flac,supplemental,anomaly,machine\n",
        "line 2: an anomaly among the supplements",
    ),
    "noise to train on": ("file,split,kind\na/0.flac,train,noise\n", "line 2: noise among the train clips"),
    "not UTF-8": ("file\na/\udcff.wav\n", r"line 2: the byte 0xff is not UTF-8"),
    "one recording": ("file\na/0.flac\n", "pump, section 00: has 1 normal recording, which cannot be both"),
    "no test clips": ("file,split\na/0.flac,train\n", "machine pump has no test clips in section 00: add some"),
    "no training clips": (
        "file,split\na/0.flac,test\n",
        "machine pump has no normal recordings to train on",
    ),
}


@pytest.mark.parametrize(("text", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_understood_is_refused_with_its_line(table, tmp_path, text, problem):
    path = tmp_path / "pump.csv"
    table("")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(AsdError, match=problem) as error:
        read_clips(path, "pump", "table", 0.2)
    assert "\n" not in str(error.value)


def test_a_file_is_found_twice_under_any_name(table, tmp_path):
    (tmp_path / "link.flac").symlink_to("a/0.flac")
    for name in (f"{tmp_path}/a/0.flac", "link.flac"):
        with pytest.raises(AsdError, match=rf"line 4: {name} is also in line 2: remove one of them"):
            read_table(table(f"file,split\na/0.flac,train\na/1.flac,test\n{name},test\n"))


def test_a_link_to_a_folder_is_followed_before_two_dots(table, tmp_path):
    (tmp_path / "b" / "inner").mkdir(parents=True)
    (tmp_path / "b" / "c.flac").touch()
    (tmp_path / "link").symlink_to("b/inner")
    (found, _) = read_table(table("file\nlink/../c.flac\na/0.flac\n")).recordings
    assert found.path.samefile(tmp_path / "b" / "c.flac")


def test_a_folder_has_one_spelling_however_a_table_names_it(table, tmp_path):
    """`asdlib check` looks by their paths for files that no row names."""
    found = read_table(table("file\na/../a/0.flac\na/1.flac\n")).recordings
    assert [one.path for one in found] == [tmp_path / "a" / "0.flac", tmp_path / "a" / "1.flac"]


@pytest.mark.parametrize("header", ["file,label,kind", "file,split,kind"])
def test_a_row_without_a_split_is_a_supplement_if_its_kind_is_stated(table, header):
    words = ("normal", "normal") if "label" in header else ("train", "test")
    rows = [
        *(f"{file},{word}," for file, word in zip(FILES, words, strict=False)),
        "a/2.flac,,machine",
        "a/3.flac,,noise",
    ]
    assert [row[2] for row in known(table("\n".join([header, *rows])))] == ["train", "test", "clean", "noise"]


def test_the_first_line_may_tell_excel_the_delimiter(table):
    for delimiter in ";,":
        text = WHOLE.replace(",", delimiter)
        assert known(table(f"sep={delimiter}\r\n{text}"), "fan") == MEANT
    with pytest.raises(AsdError, match="line 3: 1 cells under 2 columns"):
        read_table(table("sep=;\nfile;label\na/0.flac\n"))


def test_cells_may_be_quoted_whatever_separates_them(table):
    quoted = "\n".join(";".join(f'"{cell}"' for cell in line.split(",")) for line in WHOLE.splitlines())
    assert known(table(quoted), "fan") == MEANT


def test_empty_rows_of_a_spreadsheet_are_no_clips(table):
    head, *rows = WHOLE.splitlines(keepends=True)
    assert known(table("".join([head, "\n", *rows, ",,,,,,,,\n"])), "fan") == MEANT


def test_values_are_in_one_unicode_form_and_files_are_named_as_on_the_disk(table, tmp_path):
    file, value = (unicodedata.normalize("NFD", text) for text in ("Öl.wav", "kühl"))
    (tmp_path / file).touch()
    (found,) = read_table(table(f"file,fluid\n{file},{value}\n")).recordings
    assert (found.path, found.attributes) == (tmp_path / file, {"fluid": unicodedata.normalize("NFC", "kühl")})


def test_the_row_numbers_of_pandas_are_no_attribute(tmp_path, table):
    table("")
    pq.write_table(
        pa.table({"file": FILES, "speed": ["1"] * 10, "__index_level_0__": range(10)}), tmp_path / "pump.parquet"
    )
    assert {tuple(row[5]) for row in known(tmp_path / "pump.parquet")} == {("speed",)}


def test_a_path_that_no_file_can_have_is_missing(tmp_path, table):
    table("")
    pq.write_table(pa.table({"file": ["a/0.flac", "a\0.flac"]}), tmp_path / "pump.parquet")
    with pytest.raises(AsdError, match="line 3: there is no file"):
        read_table(tmp_path / "pump.parquet")


def test_commas_in_a_file_named_tsv(table):
    with pytest.raises(AsdError, match=r"pump\.tsv: cells are separated by commas: name it pump\.csv$"):
        read_table(table("file,label\na/0.flac,normal\n", "pump.tsv"))


def test_many_unknown_words_are_cut(table):
    rows = "\n".join(f"{file},{number}" for number, file in enumerate(FILES[:5]))
    with pytest.raises(AsdError, match=r"line 2: label: '0' \(5 lines, with '0', '1', '2', '3', '4'\): use normal"):
        read_table(table(f"file,label\n{rows}\n"))
    rows = "\n".join(f"{file},{number}" for number, file in enumerate(FILES))
    with pytest.raises(AsdError, match=r"line 2: label: '0' \(10 lines, with '0', '1', '2', '3', '4', …\): use normal"):
        read_table(table(f"file,label\n{rows}\n"))


def test_a_damaged_parquet_file_is_refused_in_one_line(table):
    with pytest.raises(AsdError, match=r"^.*pump\.parquet: is not a Parquet file \(.*\): save it again$"):
        read_table(table("PAR1 no", "pump.parquet"))
    with pytest.raises(AsdError, match=r"gone\.csv: cannot be read \(No such file"):
        read_table(Path("gone.csv"))


def test_a_table_that_breaks_off_while_it_is_read_is_refused(tmp_path):
    (tmp_path / "pump.csv").symlink_to("/proc/self/mem")  # its first byte cannot be read
    with pytest.raises(AsdError, match=r"pump\.csv: cannot be read \(Input/output error\): check the file and"):
        read_table(tmp_path / "pump.csv")


def test_names_are_valid_and_unique(tmp_path):
    files = ["x/a.wav", "x__a.wav", "X/A.flac", " b .wav", "=c,d.wav", "é.wav"]
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    lines = "\n".join(f'"{file}"' for file in files)
    (tmp_path / "pump.csv").write_text(f"file\n{lines}\n")
    (tmp_path / "b .wav").touch()
    names = [row[0].split("/")[-1] for row in known(tmp_path / "pump.csv")]
    assert len(set(names)) == len(files)
    assert {"=c,d.wav", "é.wav", "b .wav"} < set(names)
    assert sum(name.lower().startswith("x__a__") for name in names) == 3, "told apart by a checksum of the path"
    (tmp_path / "a\x1b.wav").touch()
    (tmp_path / "pump.csv").write_text("file\nb .wav\na\x1b.wav\n")
    with pytest.raises(AsdError, match="its name has control characters or bytes outside UTF-8: rename it"):
        read_clips(tmp_path / "pump.csv", "pump", "table", 0.2)
