"""`asdlib score --follow` and `--by-file`; the scores are invented.

tests/end_to_end/test_systems.py compares the scores of a followed folder with those of a run.
"""

import csv
import io
import json
import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from helpers.checkout import ROOT
from helpers.refusals import refused

from asdlib.cli import main
from asdlib.commands import clip_pipeline, new_clips
from asdlib.commands.clip_pipeline import ClipPipeline
from asdlib.commands.follow import Alarm, Rule
from asdlib.commands.follow_state import Remembered, StateFile
from asdlib.commands.new_clips import Scorer, Scores
from asdlib.commands.scoring_target import ScoringTarget, fitted
from asdlib.data.arrivals import Arrivals, Seen
from asdlib.errors import AsdError, OutOfGpuMemoryError
from asdlib.runtime.stop_request import StopRequest
from asdlib.scoring import fitted_variant
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph
from asdlib.workflow.variants import Variant

OPTIONS = ("--system", "baseline", "--variant", "mse", "--machine", "fan", "--configfile", "settings.yaml")
STOPS = (signal.SIGTERM, signal.SIGINT)


def scored(recordings: list[Path], clips: list[list[float]]) -> Scores:
    """Return the scores of recordings from those of their clips; the threshold is 2."""
    names = [path for path, own in zip(recordings, clips, strict=True) for _ in own]
    scores = np.array([score for own in clips for score in own], np.float32)
    return Scores(names, [], scores, 2.0, np.arange(10.0), 0, 1, recordings, [len(own) for own in clips])


@pytest.fixture
def follow(ran: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., tuple[list[dict], str]]:
    """Return a function that follows a folder until all that is scored has been printed.

    Its first argument is what happens to each recording: the scores of its clips, or an error.
    """
    monkeypatch.setattr(new_clips, "_refuse_other_format", lambda *_: None)
    monkeypatch.setattr(Scorer, "load", lambda _: 2.0)
    (ran / "new").mkdir()

    def run(outcomes: dict[str, list[float] | AsdError], *options: str, stop: int = signal.SIGTERM, code: int = 0):
        for time, name in enumerate(outcomes):
            Path("new", name).touch()
            os.utime(Path("new", name), (time, time))
        left = list(outcomes)

        def score(scorer: Scorer, recordings: list[Path]) -> Scores:
            assert recordings == [Path("new", left.pop(0))]
            if not left:
                os.kill(os.getpid(), stop)
            outcome = outcomes[recordings[0].name]
            if isinstance(outcome, AsdError):
                raise outcome
            return scored(recordings, [outcome])

        monkeypatch.setattr(Scorer, "score", score)
        assert main(["score", "--follow", "new", "--existing", "--interval", "0.01", *options, *OPTIONS]) == code
        out, err = capsys.readouterr()
        return [json.loads(line) for line in out.splitlines()], err

    return run


@pytest.mark.parametrize("stop", STOPS)
def test_each_recording_has_a_line_and_a_signal_ends_after_the_one_under_way(follow, caplog, stop: int) -> None:
    handler = signal.getsignal(stop)
    (first, second), err = follow({"b.wav": [1.0], "a\n.wav": [1.5, 3.5]}, stop=stop)
    time = datetime.fromisoformat(first.pop("time"))
    assert (time.utcoffset(), time.microsecond) == (timedelta(0), 0)
    same = {"threshold": 2.0, "cut": False, "padded": True}
    assert first == {"file": "new/b.wav", "clips": 1, "anomaly_score": 1.0, "max_score": 1.0, "decision": 0,
                     "percentile": 10.0, **same}  # fmt: skip
    assert second.pop("time")
    assert second == {"file": "new/a\n.wav", "clips": 2, "anomaly_score": 2.5, "max_score": 3.5, "decision": 1,
                      "percentile": 30.0, **same}  # fmt: skip
    assert caplog.messages == ["new: followed, every 0.01 s, threshold 2"]
    assert err == ""
    assert signal.getsignal(stop) == handler


def test_a_line_is_printed_at_once_and_the_next_recording_not_waited_for(follow, monkeypatch) -> None:
    """A pipe gets what is printed only when it is flushed."""
    written, seen, waits = io.BytesIO(), [], []
    done, wait = Arrivals.done, StopRequest.wait
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="utf-8"))
    monkeypatch.setattr(Arrivals, "done", lambda *given: seen.append(written.getvalue().count(b"\n")) or done(*given))
    monkeypatch.setattr(StopRequest, "wait", lambda *given: waits.append(given[1]) or wait(*given))
    follow({"a.wav": [1.0], "b.wav": [1.0]})
    assert seen == [1, 2]
    assert [seconds for seconds in waits if seconds != 0.01] == [0, 0]  # 0.01: between two looks


@pytest.mark.parametrize("stop", STOPS)
def test_a_signal_ends_the_wait_for_recordings(follow, monkeypatch, capsys, caplog, stop: int) -> None:
    """What is there at the start is left out, and said to be."""
    Path("new/old.wav").touch()
    looks = []

    def look(arrivals) -> list[Path]:
        looks.append(arrivals)
        os.kill(os.getpid(), stop)
        return []

    monkeypatch.setattr("asdlib.data.arrivals.Arrivals.look", look)
    assert main(["score", "--follow", "new", *OPTIONS]) == 0
    assert len(looks) == 1
    assert capsys.readouterr() == ("", "")
    assert caplog.messages == ["new: followed, every 2 s, threshold 2; already there and left out: 1"]


def test_a_recording_that_cannot_be_scored_has_a_line_and_the_others_are_scored(follow) -> None:
    told, _ = follow({"a.wav": AsdError("a.wav: is truncated"), "b.wav": [3.0]}, "--alarm", "1/1")
    assert [line.pop("time") is not None for line in told] == [True, True]
    assert told[0] == {"file": "new/a.wav", "error": "a.wav: is truncated"}
    assert (told[1]["file"], told[1]["alarm"]) == ("new/b.wav", True)


def test_too_little_gpu_memory_is_not_the_fault_of_a_recording(follow) -> None:
    told, err = follow({"a.wav": OutOfGpuMemoryError("dense_ae: out of GPU memory")}, code=2)
    assert told == []
    assert err == "asdlib: error: dense_ae: out of GPU memory\n"


def test_a_folder_that_goes_away_ends_the_command(follow, monkeypatch, capsys) -> None:
    monkeypatch.setattr(Scorer, "load", lambda _: Path("new").rename("gone") and 2.0)
    assert main(["score", "--follow", "new", *OPTIONS]) == 2
    assert capsys.readouterr().err.endswith("new: cannot be read (No such file or directory): check its permissions\n")


def test_the_alarm_is_in_the_lines_and_its_changes_in_the_log(follow, caplog) -> None:
    """2 of the last 3; a recording without a score is none of them."""
    outcomes = [[3.0], [1.0], AsdError("no sound"), [3.0], [1.0], [1.0], [3.0]]
    told, _ = follow({f"{number}.wav": outcome for number, outcome in enumerate(outcomes)}, "--alarm", "2/3")
    assert [line.get("alarm") for line in told] == [False, False, None, True, False, False, False]
    assert caplog.messages[1:] == [
        "ALARM: 2 of the last 3 recordings exceed the threshold",
        "alarm is over: 1 of the last 3 recordings exceed the threshold",
    ]


def test_an_alarm_needs_no_more_recordings_than_exceed() -> None:
    alarm = Alarm(Rule(2, 5))
    assert [alarm.after(decision) for decision in (1, 1, 0, 0, 0, 0)] == [False, True, True, True, True, False]


def test_a_restart_goes_on_where_the_command_ended(follow, caplog) -> None:
    """What was scored is not scored again, what came in between is, and the alarm has its window."""
    options = ("--alarm", "2/3", "--state", "kept/state.json")
    follow({"a.wav": [3.0], "b.wav": AsdError("b.wav: is truncated"), "c.wav": [3.0]}, *options)
    told, err = follow({"d.wav": [1.0], "e.wav": [1.0]}, *options)
    assert [(Path(line["file"]).name, line["alarm"]) for line in told] == [("d.wav", True), ("e.wav", False)]
    assert caplog.messages[-2:] == [
        "new: followed, every 0.01 s, threshold 2; known from kept/state.json: 2",
        "alarm is over: 1 of the last 3 recordings exceed the threshold",
    ], "the alarm that goes on is no new one"
    assert err == ""
    state = json.loads(Path("kept/state.json").read_text())
    assert state["finished"] == ["a.wav", "c.wav", "d.wav", "e.wav"]
    assert list(state["failed"]) == ["b.wav"]
    assert state["decisions"] == [1, 0, 0]
    told, _ = follow({"f.wav": [3.0]}, *options)
    assert [(Path(line["file"]).name, line["alarm"]) for line in told] == [("f.wav", False)]


def test_a_restart_scores_what_was_due_when_the_command_was_stopped(follow, monkeypatch) -> None:
    """Three have appeared, and the signal comes during the first."""
    options = ("--state", "state.json")
    for name in ("b.wav", "c.wav"):
        Path("new", name).touch()
        os.utime(Path("new", name), (9, 9))
    told, _ = follow({"a.wav": [1.0]}, *options)
    assert [line["file"] for line in told] == ["new/a.wav"]
    told, _ = follow({"b.wav": [1.0], "c.wav": [1.0]}, *options)
    assert [line["file"] for line in told] == ["new/b.wav", "new/c.wav"]


def test_what_was_left_out_at_the_first_start_stays_left_out(ran: Path, follow, monkeypatch) -> None:
    """The state is written before the first recording comes."""
    Path("new/old.wav").touch()
    monkeypatch.setattr(Scorer, "load", lambda _: os.kill(os.getpid(), signal.SIGTERM) or 2.0)
    with pytest.raises(SystemExit):
        main(["score", "--follow", "new", "--state", "state.json", *OPTIONS])
    assert json.loads(Path("state.json").read_text())["finished"] == ["old.wav"]


NO_STATES = {
    "empty": ("", r"is not a state of --follow \(JSONDecodeError: .*\): delete it to start anew, or name another file"),
    "cut": ('{"follows": {', r"is not a state of --follow \(JSONDecodeError: "),
    "a config": ("data: recordings\n", r"is not a state of --follow \(JSONDecodeError: "),
    "another JSON": ('{"clips": []}', r"is not a state of --follow \(KeyError: 'follows'\): "),
    "a list": ("[1]", r"is not a state of --follow \(TypeError: "),
    "other values": (
        '{"follows": {}, "finished": [1], "failed": {}, "decisions": []}',
        r"is not a state of --follow \(ValueError: finished or decisions have other values\): ",
    ),
    "another decision": (
        '{"follows": {}, "finished": ["a.wav"], "failed": {}, "decisions": [1, 2]}',
        r"is not a state of --follow \(ValueError: finished or decisions have other values\): ",
    ),
    "a list of failures": (
        '{"follows": {}, "finished": [], "failed": ["a.wav"], "decisions": []}',
        r"is not a state of --follow \(AttributeError: ",
    ),
    "another folder": (
        '{"follows": {"folder": "/old"}, "finished": [], "failed": {}, "decisions": []}',
        r"is the state for another folder, /old: name another file with --state",
    ),
}


@pytest.mark.parametrize(("content", "complaint"), NO_STATES.values(), ids=NO_STATES)
def test_a_file_that_is_no_state_is_refused_and_kept(ran: Path, capsys, content: str, complaint: str) -> None:
    """It may be a file of the user's that was named by mistake."""
    Path("new").mkdir()
    Path("state.json").write_text(content)
    assert main(["score", "--follow", "new", "--state", "state.json", *OPTIONS]) == 2
    assert re.fullmatch(rf"asdlib: error: state.json: {complaint}.*\n", capsys.readouterr().err)
    assert Path("state.json").read_text() == content


def test_a_folder_in_place_of_a_state_is_said(ran: Path, capsys) -> None:
    Path("new").mkdir()
    Path("state.json").mkdir()
    assert main(["score", "--follow", "new", "--state", "state.json", *OPTIONS]) == 2
    assert capsys.readouterr().err == "asdlib: error: state.json: is a folder, not a file: replace or remove it\n"


def test_the_state_of_another_variant_is_refused(follow, capsys) -> None:
    follow({"a.wav": [3.0]}, "--state", "state.json")
    other = ["mahalanobis" if word == "mse" else word for word in OPTIONS]
    assert main(["score", "--follow", "new", "--state", "state.json", *other]) == 2
    assert "state.json: is the state for another variant, mse: name another file" in capsys.readouterr().err


def test_a_state_is_for_one_folder_variant_and_section(tmp_path: Path) -> None:
    variant = Variant("toy", "a", 1, (), "", {})
    target, folder = ScoringTarget(variant, "here", "fan", "00"), tmp_path / "new"
    others = {
        f"folder, {folder}": (tmp_path / "old", target),
        "system, toy": (folder, replace(target, variant=replace(variant, system="other"))),
        "variant, a": (folder, replace(target, variant=replace(variant, name="b"))),
        "seed, 1": (folder, replace(target, variant=replace(variant, seed=2))),
        "dataset, here": (folder, replace(target, dataset="there")),
        "machine, fan": (folder, replace(target, machine="pump")),
        "section, 00": (folder, replace(target, section="01")),
    }
    path = tmp_path / "state.json"
    remembered = Remembered(Seen(frozenset({"b.wav", "a.wav"}), {"c.wav": (5, 7)}), [0, 1])
    StateFile(path, folder, target).write(remembered)
    assert StateFile(path, folder, target).read() == remembered
    for what, other in others.items():
        said = f"{path}: is the state for another {what}: name another file with --state"
        refused(StateFile(path, *other).read, re.escape(said))


@pytest.mark.parametrize("rule", ["3", "0/5", "6/5", "3/5/7", "a/b", "-1/5", "3/", ""])
def test_a_wrong_rule_is_refused(rule: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["score", "--follow", "new", f"--alarm={rule}", *OPTIONS])
    assert "is not N/M with N from 1 to M: give a rule such as 3/5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["--config", "data=demo", "new/a.wav"], "--config: new/a.wav: is not key=value: put it before the options"),
        (["--configfile", "settings.yaml", "my.WAV"], "--configfile: my.WAV: is not a config file: put it before "),
        (["--configfile", "settings.yaml", "new/"], "--configfile: new: is not a file: correct it, or put it before "),
    ],
)
def test_recordings_that_an_option_has_taken_are_named(ran: Path, capsys, given: list[str], complaint: str) -> None:
    Path("my.WAV").touch()
    Path("new").mkdir()
    assert main(["score", *OPTIONS[:-2], *given]) == 2
    assert capsys.readouterr().err.startswith(f"asdlib: error: {complaint}")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_a_wrong_interval_is_refused(seconds: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["score", "--follow", "new", f"--interval={seconds}", *OPTIONS])
    assert "is not a time: give seconds, such as 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ([], "CLIP: no recordings are named: give files or folders, or --follow FOLDER"),
        (["my.wav", "--follow", "new"], "CLIP: does not go with --follow, which prints lines of JSON: leave one of "),
        (["--follow", "new", "--csv"], "--csv: does not go with --follow, "),
        (["--follow", "new", "--by-file"], "--by-file: does not go with --follow, "),
        (["my.wav", "--alarm", "3/5"], "--alarm: is about recordings to come: add --follow FOLDER, or leave it out"),
        (["my.wav", "--state", "a.json"], "--state: is about recordings to come: "),
        (["my.wav", "--existing"], "--existing: is about recordings to come: "),
        (["--follow", "my.wav"], "my.wav: is not a folder: give --follow the folder in which recordings appear"),
        (["--follow", "absent"], "absent: is not a folder: "),
    ],
)
def test_options_that_do_not_go_together_are_refused(ran: Path, capsys, given: list[str], complaint: str) -> None:
    assert main(["score", *given, *OPTIONS]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"asdlib: error: {complaint}")
    assert err.count("\n") == 1


Recorded = dict[str, list[Path]]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Replace the steps by some that write empty files; return what each of them has loaded or read."""
    found: Recorded = {"loaded": [], "embedded": [], "separated": [], "extracted": []}

    def stand_in(read: list[Path]) -> type:
        class StandIn:
            def __init__(self, weights: Path, device: str, **_: object) -> None:
                found["loaded"].append(weights)

            def write(self, source: Path, out: Path) -> None:
                out.touch()
                read.append(source)

        return StandIn

    def extract(audio: Path, out: Path, settings: dict) -> None:
        out.touch()
        found["extracted"].append(audio)

    monkeypatch.setattr(clip_pipeline, "Embedder", stand_in(found["embedded"]))
    monkeypatch.setattr(clip_pipeline, "ClipSeparator", stand_in(found["separated"]))
    monkeypatch.setattr(clip_pipeline, "extract_features", extract)
    return found


def test_networks_are_loaded_once(here: Path, recorded: Recorded) -> None:
    """For all recordings, and for all branches and views that share them."""
    graph = Graph(read_config([Path("settings.yaml")], []), Path())
    pipeline = ClipPipeline(graph, ScoringTarget(graph.variant("baseline", "mse", ""), "recordings", "fan", "00"))
    pipeline.load()
    assert len(recorded["loaded"]) == 1, "before the first recording"
    audio = []
    for number in range(3):
        folder = here / str(number)
        audio.append(clip_pipeline._path(folder, "audio", "raw"))
        audio[-1].touch()
        for _ in range(2):
            assert [path.relative_to(folder).parts[0] for path in pipeline.embeddings(folder)] == ["embeddings"]
    assert len(recorded["loaded"]) == 1
    assert len(recorded["embedded"]) == 3
    assert recorded["extracted"] == audio


def test_separators_are_loaded_with_the_models(tmp_path: Path, recorded: Recorded, monkeypatch) -> None:
    """The variant has a view of the recordings and one of what is separated from them."""
    monkeypatch.chdir(ROOT)
    graph = Graph(read_config([], ["data=demo"]), Path())
    pipeline = ClipPipeline(graph, ScoringTarget(graph.variant("system2", "1", ""), "demo", "fan", "00"))
    pipeline.load()
    assert [path.parts[1] for path in recorded["loaded"]] == ["models", "separators"]
    raw = clip_pipeline._path(tmp_path, "audio", "raw")
    raw.touch()
    first, second = pipeline.embeddings(tmp_path)
    assert first.is_relative_to(tmp_path / "embeddings")
    assert (first.parent.name, second.parent.parent.name) == ("raw", "separated")
    assert recorded["separated"] == [raw]
    assert recorded["extracted"] == [raw, tmp_path / "audio" / second.relative_to(first.parents[1])]
    assert len(recorded["loaded"]) == 2


def test_a_section_is_scored_by_its_own_model_and_training_clips(here: Path, recorded: Recorded, monkeypatch) -> None:
    monkeypatch.setattr(fitted_variant, "fit_variant", lambda paths, chosen: chosen.section)
    graph = Graph(read_config([Path("settings.yaml")], []), Path())
    target = ScoringTarget(graph.variant("baseline", "mse", ""), "recordings", "pump", "01")
    ClipPipeline(graph, target).load()
    (weights,) = recorded["loaded"]
    assert weights.parts[-3:] == ("recordings", "pump@01", "model.safetensors")
    assert fitted(graph, target) == "01"


# --- --by-file ------------------------------------------------------------------------------------------------------


@pytest.fixture
def split(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two recordings have scores, the first those of three clips; it is given twice."""
    given = [Path("long.wav"), Path("b.wav"), Path("long.wav")]
    scores = scored(given, [[1.0, 1.5, 8.0], [2.0], [0.5, 1.0]])
    monkeypatch.setattr(new_clips, "_refuse_other_format", lambda *_: None)
    monkeypatch.setattr(Scorer, "score", lambda *_: scores)


def test_a_recording_has_the_mean_and_the_maximum_of_its_clips(split, capsys) -> None:
    assert main(["score", "long.wav", "--by-file", "--csv", *OPTIONS]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows == [
        {"file": "long.wav", "clips": "3", "anomaly_score": "3.5", "max_score": "8.0", "threshold": "2.0",
         "decision": "1", "percentile": "40.0"},
        {"file": "b.wav", "clips": "1", "anomaly_score": "2.0", "max_score": "2.0", "threshold": "2.0",
         "decision": "0", "percentile": "20.0"},
        {"file": "long.wav", "clips": "2", "anomaly_score": "0.75", "max_score": "1.0", "threshold": "2.0",
         "decision": "0", "percentile": "10.0"},
    ]  # fmt: skip


def test_the_table_of_recordings_says_what_its_scores_are(split, capsys) -> None:
    assert main(["score", "long.wav", "--by-file", *OPTIONS]) == 0
    head, first, *_, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["file", "clips", "anomaly_score", "max_score", "threshold", "decision", "percentile"]
    assert first.split() == ["long.wav", "3", "3.5", "8", "2", "anomaly", "40.0"]
    assert last == "anomaly_score: the mean of the recording's clips; max_score: the highest of them."


def test_json_has_clips_and_recordings(split, capsys) -> None:
    assert main(["score", "long.wav", "--json", *OPTIONS]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["decision"], one["percentile"]) for one in told["clips"]] == [
        (0, 10.0), (0, 20.0), (1, 80.0), (0, 20.0), (0, 10.0), (0, 10.0),
    ], "a score that is the threshold does not exceed it, and none is lower than itself"  # fmt: skip
    assert len(told["files"]) == 3
    assert told["files"][0] == {"file": "long.wav", "clips": 3, "anomaly_score": 3.5, "max_score": 8.0, "decision": 1,
                                "percentile": 40.0}  # fmt: skip
