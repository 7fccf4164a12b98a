"""Recordings of two microphones, from the files to the scores of a system that compares both."""

import csv
from collections import Counter
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.checkout import SETTINGS, make_checkout
from helpers.in_process import run_system
from helpers.toy_recordings import RATE, make_machine, sound, write_wav

from asdlib.cli import main

VIEW = "separated/far_subtraction"


def test_a_system_of_two_microphones_is_run_and_scores_new_recordings(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    checkout = make_checkout(tmp_path / "run", SETTINGS.replace("seconds: 1.0}", "seconds: 0.5, channel: near}", 1))
    path = checkout.folder / "config" / "systems" / "baseline.yaml"
    content = yaml.safe_load(path.read_text())
    content["models"]["dense_ae"]["views"] = [VIEW]
    branch = {"model": "dense_ae", "backend": "reconstruction_error", "views": ["raw", VIEW]}
    path.write_text(yaml.safe_dump({**content, "variants": {"both": {"branches": [branch]}}}))
    folder, rng = make_machine(checkout.folder / "recordings" / "fan", seconds=0.1), np.random.default_rng(1)
    for clip in folder.glob("*/*.wav"):
        background = 0.1 * rng.standard_normal(RATE // 2).clip(-3, 3)
        write_wav(clip, np.stack([sound(rng, 0.5) + background, background], axis=1))
    steps = run_system(checkout, "results/baseline/scores.csv")
    assert sorted(steps) == sorted(
        ["prepare", "prepare_far", "separate", *["extract_features", "embed"] * 2, "train_model", "score", "tabulate"]
    )
    new = sorted(map(str, (folder / "test").iterdir()))
    with chdir(checkout.folder):
        (scored,) = Path("results").glob("baseline/both/toy/anomaly_score_fan_section_00_test.csv")
        expected = [float(score) for _, score in csv.reader(scored.open())]
        words = ["--system", "baseline", "--variant", "both", "--machine", "fan"]
        config = ["--csv", "--configfile", "settings.yaml"]
        assert main(["score", *words, *new, *config]) == 0
        rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
        assert [float(row["anomaly_score"]) for row in rows] == pytest.approx(expected, rel=1e-5)
        mono = str(write_wav(Path("mono.wav"), sound(rng, 0.5)))
        assert main(["score", *words, mono, *config]) == 2
        assert "mono.wav: has one channel and none of a far microphone" in capsys.readouterr().err


def test_the_baseline_is_planned_on_both_sets_of_2026(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "run", "data: [dcase2026_dev, dcase2026_eval]\nground_truth: true\n")
    jobs = checkout.jobs("results/baseline/scores.csv")
    fetched = {job.removeprefix("download ") for job in jobs if job.startswith("download ")}
    prepared = {job.removeprefix("prepare ") for job in jobs if job.startswith("prepare ")}
    assert fetched == prepared
    assert Counter(job.split()[0] for job in fetched) == {"dcase2026_dev": 7, "dcase2026_eval": 5}
    assert not [job for job in jobs if job.startswith("prepare_far")], "nothing reads the far microphone"
