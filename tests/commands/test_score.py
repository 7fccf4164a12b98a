"""`asdlib score`: errors and output.

tests/end_to_end/test_systems.py compares its scores with those of a run, for every system.
"""

import csv
import gc
import io
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from helpers.refusals import files
from helpers.toy_recordings import RATE, write_wav

from asdlib.cli import main
from asdlib.commands import clip_pipeline, new_clips
from asdlib.commands.clip_pipeline import ClipPipeline
from asdlib.commands.new_clips import Scorer, Scores
from asdlib.commands.score import _scorer
from asdlib.commands.scoring_target import ScoringTarget
from asdlib.data.clip import Clip
from asdlib.data.clip_audio import Written, write_audio
from asdlib.data.clip_format import ClipFormat
from asdlib.errors import AsdError
from asdlib.scoring.fitted_variant import FittedVariant
from asdlib.scoring.fusion import Fusion
from asdlib.workflow import settings
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph

OPTIONS = ("--system", "baseline", "--variant", "mse", "--machine", "fan")
HUM = 0.1 * np.sin(np.arange(RATE) / 10)


def refused(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    """Run the command, check that it fails with a one-line message and writes no file, and return the message."""
    before = files(Path())
    assert main(["score", *arguments, "--configfile", "settings.yaml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert files(Path()) == before
    return err.removeprefix("asdlib: error: ").rstrip()


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"--system": "system9"}, "--system: system9 is not in the config: choose one of: baseline"),
        ({"--variant": "9"}, "--variant: 9 is not in the config: choose one of: mse, mahalanobis"),
        ({"--variant": None}, "--variant: is required: choose one of: mse, mahalanobis"),
        ({"--machine": "drone"}, "--machine: drone is not in the config: choose one of: fan, pump"),
        ({"--machine": "pump"}, "--dataset: is required: choose one of: recordings, others"),
        (
            {"--machine": "pump", "--dataset": "others"},
            "--section: is required: choose one of: 00, 01",
        ),
        ({"--dataset": "others"}, "--dataset: others is not in the config: choose one of: recordings"),
        ({"--seed": "7"}, "--seed: 7 is not in the config: choose one of: 13711"),
    ],
)
def test_what_is_not_in_the_config_is_named(here: Path, capsys, changed: dict, complaint: str) -> None:
    options = dict(zip(OPTIONS[::2], OPTIONS[1::2], strict=True)) | changed
    words = [word for option, value in options.items() if value for word in (option, value)]
    assert refused(capsys, *words, "my.wav").startswith(complaint)


def test_what_was_not_trained_is_named_with_the_run_that_makes_it(here: Path, capsys) -> None:
    told = refused(capsys, *OPTIONS, "my.wav")
    assert told.startswith("results/models/dense_ae-")
    call = "snakemake results/baseline/scores.csv --cores all --configfile settings.yaml"
    assert told.endswith(f"model.safetensors: was not made with this config: run `{call}` first")


def test_beside_a_finished_table_the_files_themselves_are_what_to_run(ran: Path, capsys) -> None:
    """Snakemake does not remake a lost file for a table that exists."""
    (ran / "results/baseline").mkdir()
    (ran / "results/baseline/scores.csv").touch()
    (lost,) = Path().glob("results/embeddings/*/raw/recordings/fan.parquet")
    lost.unlink()
    told = refused(capsys, *OPTIONS, "my.wav")
    assert f"run `snakemake {lost} --cores all --configfile settings.yaml` first" in told


def not_a_number(path: Path) -> None:
    write_wav(path, np.full(RATE, np.nan), subtype="FLOAT")


def truncated(path: Path) -> None:
    write_wav(path, HUM)
    path.write_bytes(path.read_bytes()[:-40])


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (truncated, "my.wav: is truncated (40 bytes short): copy or download it again"),
    "rate": (lambda path: write_wav(path, HUM, 8000), "my.wav: is sampled at 8000 Hz, expected 16000: convert it, "),
    "stereo": (lambda path: write_wav(path, np.stack([HUM, HUM], 1)), "my.wav: has 2 channels, expected 1: convert "),
    "silent": (lambda path: write_wav(path, 0 * HUM), "my.wav: is digital silence: replace or remove it, or set "),
    "nan": (not_a_number, "my.wav: contains NaN or infinite samples: replace or remove the file"),
    "text": (lambda path: path.write_text("hello, I am no sound"), "my.wav: is not a WAV file: replace or remove it"),
    "pipe": (pipe, "my.wav: is a named pipe, not a file: replace or remove it"),
    "short for every model": (
        lambda path: write_wav(path, HUM[:2047]),
        "my.wav: lasts 0.128 s, a clip needs 0.128 s: replace or remove it",
    ),
    "absent": (Path.unlink, "my.wav: cannot be read (No such file or directory): check the file and its "),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_recording_is_refused_in_one_line(ran: Path, capsys, kind: str) -> None:
    spoil, complaint = BAD[kind]
    spoil(Path("my.wav"))
    assert refused(capsys, *OPTIONS, "my.wav").startswith(complaint)


def test_of_several_bad_recordings_the_first_is_named_and_all_are_counted(ran: Path, capsys) -> None:
    for name in ("a.wav", "b.wav"):
        truncated(Path(name))
    said = ".wav: is truncated (40 bytes short): copy or download it again"
    assert refused(capsys, *OPTIONS, "b.wav") == f"b{said}"
    assert refused(capsys, *OPTIONS, "b.wav", "a.wav") == f"b{said} (2 recordings, none can be scored)"


def listed(content: bytes) -> io.TextIOWrapper:
    """Return a standard input of this content, in a locale that cannot decode it."""
    return io.TextIOWrapper(io.BytesIO(content), encoding="ascii")


@pytest.mark.parametrize(("given", "where"), [("empty", "empty"), ("-", "standard input")])
def test_no_recordings_are_refused(ran: Path, capsys, monkeypatch, given: str, where: str) -> None:
    Path("empty").mkdir()
    Path("empty/notes.txt").touch()
    monkeypatch.setattr("sys.stdin", listed(b"\n"))
    told = refused(capsys, *OPTIONS, given)
    assert told == f"{where}: contains no recordings: give files, or folders that contain some"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_list_in_utf_16_is_refused(ran: Path, capsys, monkeypatch, encoding: str) -> None:
    monkeypatch.setattr("sys.stdin", listed("my.wav\r\n".encode(encoding)))
    complaint = "is UTF-16, or not text (it contains zero bytes): save it as UTF-8"
    assert refused(capsys, *OPTIONS, "-") == f"standard input: {complaint}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_killed_command_leaves_nothing(ran: Path, tmp_path: Path, monkeypatch, capsys, number: int) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    seen = []

    def killed(clips: list, out: Path, *_: object) -> None:
        out.write_bytes(b"half")
        seen.append(out)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(clip_pipeline, "write_audio", killed)
    try:
        code = main(["score", *OPTIONS, "my.wav", "--configfile", "settings.yaml"])
    except SystemExit as ended:
        code = ended.code
    assert code == 128 + number
    assert capsys.readouterr().err == ("asdlib: interrupted\n" if number == signal.SIGINT else "")
    assert tmp_path / "temporary" in seen[0].parents
    assert not list((tmp_path / "temporary").iterdir())
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


OTHER = {
    "seconds": ({"seconds": 2.0}, {}, "{seconds: 1.0}", "{seconds: 2.0}"),
    "channel": ({"channel": 0}, {"channel": 1}, "{channel: 1}", "{channel: 0}"),
    "a channel instead of the mean": (
        {"downmix": True},
        {"channel": 1},
        "{channel: 1, downmix: false}",
        "{channel: null, downmix: true}",
    ),
    "the mean instead of a channel": (
        {"channel": "near"},
        {"downmix": True},
        "{channel: null, downmix: true}",
        "{channel: near, downmix: false}",
    ),
    "no channel": ({"channel": 1}, {}, "{channel: null}", "{channel: 1}"),
    "no mean": ({"downmix": True}, {}, "{downmix: false}", "{downmix: true}"),
}
FORM = ClipFormat(RATE, 1.0, resample=False, downmix=False, allow_silent=False)


def prepared(**changed: object) -> Path:
    """Write the clips of a run with another clip format; return their table."""
    form = replace(FORM, **changed)
    table = Path("results/audio/raw/recordings/fan.parquet")
    write_audio([Clip(Path("my.wav"), "fan/test/my.wav", "00", "test", None, None)], table, asdict(form), form)
    return table


@pytest.mark.parametrize(("made", "given", "now", "then"), OTHER.values(), ids=OTHER)
def test_another_clip_format_than_the_run_s_is_refused(
    ran: Path, capsys, made: dict, given: dict, now: str, then: str
) -> None:
    table = prepared(**made)
    told = refused(capsys, *OPTIONS, "my.wav", "--config", f"prepare={json.dumps(given)}")
    remedy = "set what the run had, or run again with this"
    assert told == f"config: prepare: is {now}, but {table} was made with {then}: {remedy}"


@pytest.mark.parametrize(
    ("made", "given"),
    [
        ({}, {"resample": True, "allow_silent": True}),
        ({"channel": "near"}, {"channel": 0}),
        ({"channel": 1, "downmix": True}, {"channel": "far"}),
        ({}, {"channel": 1}),  # the run's recordings are mono
        ({}, {"downmix": True}),
        ({"longer": "split"}, {"longer": "cut"}),
        ({"longer": "cut"}, {"longer": "split"}),
    ],
)
def test_settings_that_change_no_clip_may_differ(ran: Path, caplog, made: dict, given: dict) -> None:
    prepared(**made)
    graph = Graph(read_config([Path("settings.yaml")], [f"prepare={json.dumps(given)}"]), Path())
    Scorer(graph, ScoringTarget(graph.variant("baseline", "mse", ""), "recordings", "fan", "00"))
    assert caplog.messages == []


def test_the_channel_of_the_dataset_is_compared(ran: Path) -> None:
    """A dataset with two microphones names one, which the config's null means there."""
    prepared(channel="near")
    graph = Graph(read_config([Path("settings.yaml")], []), Path())
    target = ScoringTarget(graph.variant("baseline", "mse", ""), "recordings", "fan", "00")
    with pytest.raises(AsdError, match=r"is \{channel: null\}"):
        Scorer(graph, target)
    graph.all_datasets["recordings"] = replace(graph.all_datasets["recordings"], channel="near")
    Scorer(graph, target)


def test_without_the_run_s_clips_a_warning_says_what_is_not_checked(ran: Path, caplog) -> None:
    graph = Graph(read_config([Path("settings.yaml")], ["prepare={longer: split}"]), Path())
    Scorer(graph, ScoringTarget(graph.variant("baseline", "mse", ""), "recordings", "fan", "00"))
    (told,) = caplog.messages
    missing = "results/audio/raw/recordings/fan.parquet: is missing: cannot check that prepare has the run's settings"
    assert told == f"{missing} (sample_rate, seconds, channel, downmix)"


def test_a_variant_that_scores_made_clips_is_refused(ran: Path) -> None:
    graph = Graph(read_config([Path("settings.yaml")], []), Path())
    variant = graph.variant("baseline", "mse", "")
    made = replace(variant, branches=tuple(replace(one, views=("augmented/remix",)) for one in variant.branches))
    said = r"^baseline: scores augmented/remix, which no new clip has: choose another variant$"
    with pytest.raises(AsdError, match=said):
        Scorer(graph, ScoringTarget(made, "recordings", "fan", "00"))


# --- what is printed ------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(ran: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that receives the names of the scored recordings; their scores are invented."""
    names: list[str] = []

    def score_clips(scorer: Scorer, recordings: list[Path]) -> Scores:
        names.extend(map(str, recordings))
        scores = np.linspace(1, 3, len(recordings), dtype=np.float32)
        figures = scores, 2.5, np.repeat([0.5, 2, 2.7], [10, 8, 2]), 0, len(recordings) - 2
        return Scores(recordings, [], *figures, recordings, [1] * len(recordings))

    monkeypatch.setattr(Scorer, "score", score_clips)
    monkeypatch.setattr(new_clips, "_refuse_other_format", lambda *_: None)
    return names


def score(*arguments: str) -> None:
    assert main(["score", *OPTIONS, *arguments, "--configfile", "settings.yaml"]) == 0


def test_the_table_says_what_the_figures_mean(asked: list[str], capsys) -> None:
    score("b.wav", "a.wav")
    head, first, second, empty, *notes = capsys.readouterr().out.splitlines()
    assert head.split() == ["clip", "anomaly_score", "threshold", "decision", "percentile"]
    assert first.split() == ["b.wav", "1", "2.5", "normal", "50.0"]
    assert second.split() == ["a.wav", "3", "2.5", "anomaly", "100.0"]
    assert empty == ""
    assert notes[0].startswith("baseline mse, recordings/fan section 00. Percentile: the share of the 20 ")
    assert notes[1:] == ["lower, in percent; 90.0 % of them score below the threshold."]


def test_another_quantile_fits_the_threshold_anew(asked: list[str], monkeypatch, capsys) -> None:
    """Also instead of a published one; the models are those of the run."""
    seen = []

    def decisions(scorer: Scorer, recordings: list[Path]) -> Scores:
        seen.append(settings.score(scorer._graph, scorer._target.variant, "recordings", "00")["decision"])
        return made(scorer, recordings)

    made = Scorer.score
    monkeypatch.setattr(Scorer, "score", decisions)
    score("b.wav", "a.wav", "--config", "threshold=published")
    score("b.wav", "a.wav", "--config", "threshold=published", "--quantile", "0.99")
    assert seen == [{"threshold": "published", "quantile": 0.9}, {"threshold": "fitted", "quantile": 0.99}]
    for wrong in ("1", "0", "90", "nan", "much"):
        with pytest.raises(SystemExit):
            score("b.wav", "--quantile", wrong)
        assert "--quantile" in capsys.readouterr().err


def test_a_device_can_be_chosen(asked: list[str], monkeypatch) -> None:
    seen, made = [], Scorer.score
    monkeypatch.setattr(Scorer, "score", lambda *given: seen.append(given[0]._graph.config["device"]) or made(*given))
    score("b.wav")
    score("b.wav", "--device", "auto")
    assert seen == ["cpu", "auto"]


def test_csv_and_json_hold_the_same(asked: list[str], capsys) -> None:
    score("b.wav", "a.wav", "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[1] == {"clip": "a.wav", "anomaly_score": "3.0", "threshold": "2.5", "decision": "1",
                       "percentile": "100.0"}  # fmt: skip
    score("b.wav", "a.wav", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["clips"][1] == {"clip": "a.wav", "anomaly_score": 3.0, "decision": 1, "percentile": 100.0}
    assert (told["system"], told["variant"], told["machine"], told["threshold"]) == ("baseline", "mse", "fan", 2.5)
    assert told["recipe"].startswith("dense_ae-")


def test_the_name_of_a_recording_is_no_formula(asked: list[str], capsys) -> None:
    for name in ("=1+1.wav", "@b.wav"):
        write_wav(Path(name), HUM)
    score("=1+1.wav", "@b.wav", "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["clip"] for row in rows] == ["'=1+1.wav", "'@b.wav"]
    score("=1+1.wav", "@b.wav", "--json")
    assert json.loads(capsys.readouterr().out)["clips"][0]["clip"] == "=1+1.wav"


def test_folders_and_lists_stand_for_their_recordings(asked: list[str], monkeypatch, caplog) -> None:
    for name in ("b.WAV", "a.wav", ".hidden.wav", "notes.txt"):
        write_wav(Path("new") / name, HUM)
    listed = "\ufeffc d.wav\r\n\nmy.wav\n".encode() + b"\xff.wav\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(listed)))
    score("my.wav", "new", "-")
    assert asked == ["my.wav", "new/a.wav", "new/b.WAV", "c d.wav", "my.wav", os.fsdecode(b"\xff.wav")]
    assert caplog.messages == ["new: 1 entry is not used: 1 × .txt", "0 clips cut and 4 padded to 1 s"]


@pytest.mark.parametrize("form", ["--csv", "--json", None])
def test_names_are_printed_escaped(asked: list[str], capsys, form: str | None) -> None:
    score(os.fsdecode(b"a\xff\x1b\n.wav"), "b.wav", *([form] if form else []))
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert "a\\xff\\x1b\\n.wav" in out or json.loads(out)["clips"][0]["clip"] == os.fsdecode(b"a\xff\x1b\n.wav")


def test_the_other_recordings_are_scored(ran: Path, capsys, caplog, monkeypatch) -> None:
    """The scores are invented: only what is left out, and said, is tested here."""
    truncated(Path("broken.wav"))
    write_wav(Path("short.wav"), HUM[:2047])
    shutil.copy("my.wav", os.fsdecode(b"other\xff.wav"))
    stored = []

    def prepare(pipeline, clips, folder):
        stored.extend(clips)
        return Written([1] * len(clips), cut=0, padded=0)

    monkeypatch.setattr(ClipPipeline, "prepare", prepare)
    monkeypatch.setattr(ClipPipeline, "embeddings", lambda *_: None)
    monkeypatch.setattr(new_clips, "_refuse_other_format", lambda *_: None)
    monkeypatch.setattr(new_clips, "read_views", lambda *_: (None, None))
    monkeypatch.setattr(new_clips, "file_names", lambda _: ["a.wav", "b.wav"])
    invented = FittedVariant([], Fusion("mean"), None, np.arange(4.0), 2.5, 0.9)
    monkeypatch.setattr(FittedVariant, "anomaly_score", lambda *_: np.array([1.0, 3.0]))
    monkeypatch.setattr(new_clips, "fitted", lambda *_: invented)
    given = ["broken.wav", "my.wav", "short.wav", os.fsdecode(b"other\xff.wav")]
    assert main(["score", *OPTIONS, *given, "--csv", "--configfile", "settings.yaml"]) == 2
    out, err = capsys.readouterr()
    assert [row["clip"] for row in csv.DictReader(io.StringIO(out))] == ["my.wav", "other\\xff.wav"]
    assert [str(clip.path) for clip in stored] == given[1::2]
    assert caplog.messages == [
        "broken.wav: is truncated (40 bytes short): copy or download it again",
        "short.wav: lasts 0.128 s, a clip needs 0.128 s: replace or remove it",
    ]
    assert err == ("asdlib: error: 2 of 4 recordings have no score (see above): replace them, or leave them out\n")


def test_a_pause_of_a_whole_clip_leaves_out_its_recording_only(ran: Path) -> None:
    write_wav(Path("pause.wav"), np.concatenate([HUM, 0 * HUM, HUM]))
    graph = Graph(read_config([Path("settings.yaml")], ['prepare={"longer": "split"}']), Path())
    target = ScoringTarget(graph.variant("baseline", "mse", ""), "recordings", "fan", "00")
    usable, refused = new_clips._sorted_out(graph, target, [Path("pause.wav"), Path("my.wav")])
    assert [clip.path for clip in usable] == [Path("my.wav")]
    said = "pause.wav: is digital silence from 1 s on, for a whole clip: cut it out, or set prepare.allow_silent: true"
    assert refused == [said]


def test_a_recording_that_is_too_short_for_the_model_is_refused(ran: Path) -> None:
    """`prepare` takes it: its 2560 samples are 1 + 2560 // 512 frames."""
    write_wav(Path("short.wav"), HUM[:2560])
    more = "override={models: {dense_ae: {frames: 7}}}"
    graph = Graph(read_config([Path("settings.yaml")], [more]), Path())
    target = ScoringTarget(graph.variant("baseline", "mse", ""), "recordings", "fan", "00")
    with pytest.raises(AsdError, match=r"^short\.wav: has 6 frames, dense_ae needs 7: give a longer recording$"):
        Scorer(graph, target).score([Path("short.wav")])


LISTS = {
    "byte order mark": "\ufeffü.wav\nmy.wav\n".encode(),
    "line ends of Windows": "ü.wav\r\n\r\nmy.wav\r\n".encode(),
    "both, and no last line end": "\ufeffü.wav\r\nmy.wav".encode(),
}


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS)
def test_lists_of_any_editor_are_read(asked: list[str], monkeypatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", listed(content))
    score("-")
    assert asked == ["ü.wav", "my.wav"]


def test_csv_is_utf8_in_any_locale(asked: list[str], monkeypatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    score("ü.wav", "my.wav", "--csv")
    assert [line.split(b",")[0] for line in written.getvalue().splitlines()] == [b"clip", "ü.wav".encode(), b"my.wav"]


def test_what_a_command_that_goes_on_leaves_behind_is_collected(tmp_path: Path, monkeypatch) -> None:
    """A command looks for no garbage while it imports, and one with `--follow` may run for months."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(new_clips, "Scorer", lambda *_: gc.isenabled())
    gc.disable()
    try:
        assert _scorer(None, None)
    finally:
        gc.enable()
