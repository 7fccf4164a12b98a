"""Which systems can run: every reason is one that a job would give, and is told before any job."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.checkout import ROOT
from helpers.toy_recordings import write_wav

from asdlib.backends.topic_mixture import TopicMixture
from asdlib.data.clip import Clip
from asdlib.errors import AsdError
from asdlib.planning import requirements
from asdlib.planning.requirements import LEFT_OUT, Present, Verdict, verdicts
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph

FAN, PUMP = ("recs", "fan"), ("recs", "pump")
ESTIMATED = f"fan, pump: {requirements.ESTIMATED}"
UNSEPARATED = "no clean clips: recordings pass unchanged (pairs.noise_only: identity)"


def clip(kind: str, number: int, domain: str = "source", **attributes: str) -> Clip:
    return Clip(Path(f"{kind}{number}.wav"), f"{kind}{number}.wav", "00", kind, domain, None, attributes=attributes)


def clips(train: int = 4, clean: int = 0, noise: int = 0, **attributes: str) -> list[Clip]:
    counts = {"train": train, "test": 2, "clean": clean, "noise": noise}
    return [clip(kind, number, **attributes) for kind, count in counts.items() for number in range(count)]


BARE = Present({FAN: clips(), PUMP: clips()}, {}, {FAN: 160_000, PUMP: 160_000})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("requirements") / "recs"
    for machine in ("fan", "pump"):
        for kind in ("train", "test"):
            name = f"section_00_source_{kind}_normal_0000_noAttribute.wav"
            write_wav(folder / machine / kind / name, np.zeros(2))
    write_wav(folder.parent / "pool" / "noise.wav", np.zeros(2))
    return folder


@pytest.fixture
def found(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function: the verdict on one variant with some recordings and settings."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(requirements, "_elsewhere", lambda *_: [])

    def ask(system: str, variant: str, present: Present, *entries: str) -> Verdict:
        pool = str(folder.parent / "pool") if present.pools else None
        graph = Graph(read_config([], list(entries)) | {"data": str(folder), "noise_pool": pool}, ROOT)
        kept = {key: one for key, one in graph.variants.items() if key[:2] == (system, variant)}
        monkeypatch.setattr(graph, "variants", kept)
        (verdict,) = verdicts(graph, present)
        return verdict

    return ask


def only(machine: tuple[str, str], *own: Clip) -> Present:
    return replace(BARE, clips=BARE.clips | {machine: list(own)})


@pytest.mark.parametrize(
    ("system", "variant", "present", "refusals", "notes"),
    [
        ("baseline", "mse", BARE, [], []),
        ("system1", "1", BARE, [], [ESTIMATED]),
        ("system1", "1", replace(BARE, pools={"recs": 1}), [], []),
        ("system1", "1", only(PUMP, *clips(noise=1)), [], []),  # noise of one machine is noise for the others
        ("system3", "1", BARE, [], [f"fan, pump: {UNSEPARATED}"]),
        ("system3", "1", only(FAN, *clips(clean=3)), [],
         [f"fan: {requirements.ESTIMATED}", f"pump: {UNSEPARATED}"]),
        ("system3", "1", only(FAN, *clips(clean=1, noise=1)),
         [], [f"fan: {LEFT_OUT}: pairs: 1 machine recording(s), but at least 2 are needed (one is held out): add some",
              f"fan: {LEFT_OUT}: pairs: 1 noise recording(s), but at least 2 are needed (one is held out): add some",
              f"pump: {UNSEPARATED}"]),
        ("system3", "1", only(FAN, *clips(), *[clip("clean", 0)] * 3, *clips(train=0, noise=2)),  # pieces of one
         [], [f"fan: {LEFT_OUT}: pairs: 1 machine recording(s), but at least 2 are needed (one is held out): add some",
              f"pump: {UNSEPARATED}"]),
        ("system3", "1", replace(only(FAN, *clips(clean=2)), pools={"recs": 1}),
         [], [f"fan: {LEFT_OUT}: pairs: 1 noise recording(s), but at least 2 are needed (one is held out): add some",
              f"pump: {UNSEPARATED}"]),
        ("system5", "cnn_dtmm", only(FAN, *clips(train=2)),
         [], [f"fan: {LEFT_OUT}: backend topic_mixture: 2 training clips are too few to leave one out: add some"]),
        ("system5", "cnn_dtmm", replace(BARE, clips={FAN: clips(train=2), PUMP: clips(train=2)}),
         ["fan, pump: backend topic_mixture: 2 training clips are too few to leave one out: add some"], []),
        ("system1", "2", only(FAN, clip("train", 0), clip("train", 1, "target"), clip("noise", 0)),
         [], [f"fan: {LEFT_OUT}: backend nearest_neighbours: no domain has two training clips: add training clips"]),
        ("system4", "1", only(FAN, clip("train", 0, "target"), clip("train", 1, "target")),
         [], [f"fan: {LEFT_OUT}: backend prototypes: there is no training clip of the source domain: add some"]),
        ("baseline", "mse", replace(BARE, shortest={FAN: 1000, PUMP: 160_000}),
         ["fan: the shortest clip has 2 frames, dense_ae needs 5: replace or remove it"], []),
    ],
)  # fmt: skip
def test_verdicts(found, system: str, variant: str, present: Present, refusals: list, notes: list) -> None:
    verdict = found(system, variant, present)
    assert (verdict.refusals, verdict.notes) == (refusals, notes)


@pytest.mark.parametrize("machine", [FAN, PUMP])
def test_a_joint_classifier_is_asked_about_the_clips_of_all_machines(found, monkeypatch, machine) -> None:
    assert found("system2", "1", BARE).refusals == []
    monkeypatch.setattr(Graph, "machines", lambda graph, name: [machine[1]])
    alone = replace(BARE, clips={machine: BARE.clips[machine]})
    line = f"model eat_classifier: all training clips are of one class ({machine[1]}, source): add machines or domains"
    assert found("system2", "1", alone).refusals == [line]
    two = replace(alone, clips={machine: [*clips(speed="1"), *clips(speed="2")]})
    assert found("system2", "1", two).refusals == []


def test_the_classes_that_a_labeller_will_make_count(found, monkeypatch) -> None:
    monkeypatch.setattr(Graph, "machines", lambda graph, name: [FAN[1]])
    alone = replace(BARE, clips={FAN: clips(train=249)})
    (line,) = found("encoders", "beats_adapted", alone).refusals
    assert line == (
        "model adapted_beats: all training clips are of one class (00, fan, source, cluster 0 of recs): add machines, "
        "domains or attributes"
    )
    assert found("encoders", "beats_adapted", replace(alone, clips={FAN: clips(train=250)})).refusals == []


@pytest.mark.parametrize(
    ("system", "variant", "setting", "refusal"),
    [
        ("baseline", "mse", "prepare={sample_rate: 8000}",
         "config: prepare.sample_rate: is 8000, logmel_128 expects 16000: change one"),
        ("system1", "1", "prepare={seconds: 20}", "model dismae: frames 1008, features have 2001: set it to 2016 "
         "with --config 'override={models: {dismae_base: {frames: 2016}}}'"),
        ("system5", "cnn_ds", "prepare={seconds: 5}", "model dual_branch_cnn: samples 160000, clips have 80000: set it "
         "to 80000 with --config 'override={models: {dual_branch_cnn: {samples: 80000}}}'"),
        ("system5", "cnn_ds", "prepare={seconds: 0.1}",
         "model dual_branch_cnn: rows of 1×3426 values instead of 399543: use the frontend dual_spectra with the same "
         "n_fft and hop_length, and clips of 3072 samples or more"),
    ],
)  # fmt: skip
def test_settings_that_a_model_does_not_allow(found, system: str, variant: str, setting: str, refusal: str) -> None:
    assert found(system, variant, BARE).refusals == []
    (line,) = found(system, variant, BARE, setting).refusals
    assert line == refusal
    if "--config" in line:
        assert found(system, variant, BARE, setting, line.split("'")[1]).refusals == []


def test_weights_that_can_only_be_fetched_by_hand(found, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    block = {"file": "a.pth", "address": "https://example.org", "licence": "MIT"}
    config = Graph.__init__

    def without_address(graph: Graph, *args) -> None:
        config(graph, *args)
        graph.config["checkpoints"]["eat_base"] = block

    monkeypatch.setattr(Graph, "__init__", without_address)
    own = tmp_path / "eat_base" / "a.pth"
    monkeypatch.setattr(requirements, "public_for", lambda variant: [str(own)])
    (line,) = found("system2", "1", BARE).refusals
    assert line.startswith("resources/checkpoints/eat_base/a.pth: public weights eat_base cannot be downloaded automat")
    own.parent.mkdir()
    own.touch()
    assert found("system2", "1", BARE).refusals == []


def test_noise_that_a_recipe_does_not_estimate(found) -> None:
    """In system4 only the public recordings get noise, so one's own need none."""
    assert found("system4", "1", BARE).refusals == []
    estimate = "override={augmentations: {dismae_noise: {estimate: false}}}"
    assert found("system1", "1", BARE, estimate).refusals == [f"fan, pump: {requirements.no_noise(requirements.THIS)}"]
    assert found("system1", "1", replace(BARE, pools={"recs": 1}), estimate).refusals == []


def test_datasets_that_a_corpus_needs_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    graph = Graph(read_config_in_root(monkeypatch) | {"data": str(folder)}, ROOT)
    monkeypatch.chdir(tmp_path)  # without recordings
    notes = {(one.system, one.variant): one.notes for one in verdicts(graph, BARE)}
    assert notes["system2", "1"][0].startswith("also learns from dcase2025_dev, dcase2025_eval: not here yet: a run")
    assert notes["system2", "3"][0].startswith("also learns from 12 datasets from dcase2020_dev to dcase2025_eval: ")


def read_config_in_root(monkeypatch: pytest.MonkeyPatch) -> dict:
    monkeypatch.chdir(ROOT)
    return read_config([], [])


def test_what_the_check_says_is_what_the_backend_raises() -> None:
    with pytest.raises(AsdError, match="backend topic_mixture: 2 training clips are too few to leave one out"):
        TopicMixture.refuse(["source", "target"])
    TopicMixture.refuse(["source", "target", "target"])
