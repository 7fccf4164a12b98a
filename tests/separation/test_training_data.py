"""Tests of the choice of training data by the supplements, and that test clips are never read."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.audio_tables import RATE, audio_table, noise_clips

from asdlib.data.tables import ClipTable
from asdlib.separation.mixtures import MixturePairs
from asdlib.separation.noise_pool import estimated_noise, recordings
from asdlib.separation.settings import Pairs
from asdlib.separation.training_data import separation_data

IDENTITY = Pairs(segment=0.1)
NOISY_TARGET = Pairs(segment=0.1, noise_only="noisy_target")
# Recordings are recognised by their levels.
TRAIN, CLEAN, OWN_NOISE, OTHER_NOISE, TEST = 8000, 6000, 1000, 500, 30000


def machine(folder: Path, name: str = "fan", **kinds: int) -> ClipTable:
    """Return a machine with training and test clips, and the given numbers of clips of other `kinds`."""
    clips = {"train": noise_clips(6, TRAIN, 1), "test": noise_clips(4, TEST, 2)}
    clips["clean"] = noise_clips(kinds.get("clean", 0), CLEAN, 3)
    clips["noise"] = noise_clips(kinds.get("noise", 0), OWN_NOISE, 4)
    return audio_table(folder / f"{name}.parquet", clips)


def other(folder: Path, noise: int = 5) -> ClipTable:
    clips = {"train": noise_clips(2, TRAIN, 5), "test": noise_clips(2, TEST, 6)}
    return audio_table(folder / "valve.parquet", clips | {"noise": noise_clips(noise, OTHER_NOISE, 7)})


def levels(examples: MixturePairs) -> tuple[list[int], list[int]]:
    """Return the levels of the machine's and of the noise recordings, training and held-out together."""
    parts = (examples, examples.validation)
    machine = [samples for part in parts for samples in part.machine]
    noise = [samples for part in parts for samples in part.noise]
    return tuple(sorted(int(round(np.abs(one).max(), -2)) for one in many) for many in (machine, noise))


def test_clean_clips_meet_the_noise_of_all_machines(tmp_path: Path) -> None:
    examples, said = separation_data(machine(tmp_path, clean=4), [other(tmp_path)], IDENTITY, 0)
    assert levels(examples) == ([CLEAN] * 4, [OTHER_NOISE] * 5)
    assert said == "fan: 4 clean clips in 5 recordings of noise"


def test_own_noise_counts_once_even_where_the_own_table_is_in_the_pool(tmp_path: Path) -> None:
    given = machine(tmp_path, clean=4, noise=3)
    examples, _ = separation_data(given, [other(tmp_path), ClipTable(given.path)], IDENTITY, 0)
    assert levels(examples)[1] == [OTHER_NOISE] * 5 + [OWN_NOISE] * 3


def test_without_clean_clips_recordings_pass_unchanged(tmp_path: Path) -> None:
    examples, said = separation_data(machine(tmp_path, noise=4), [other(tmp_path)], IDENTITY, 0)
    assert examples is None
    assert said == "fan: no clean clips: recordings pass unchanged (pairs.noise_only: identity)"


def test_a_noisy_target_meets_the_machines_own_noise(tmp_path: Path) -> None:
    examples, said = separation_data(machine(tmp_path, noise=4), [other(tmp_path)], NOISY_TARGET, 0)
    assert levels(examples) == ([TRAIN] * 6, [OWN_NOISE] * 4)
    assert "6 recordings as they are in 4 further recordings of noise" in said


def test_a_noisy_target_without_noise_of_its_own_meets_the_pools(tmp_path: Path) -> None:
    examples, _ = separation_data(machine(tmp_path), [other(tmp_path)], NOISY_TARGET, 0)
    assert levels(examples) == ([TRAIN] * 6, [OTHER_NOISE] * 5)
    nothing, said = separation_data(machine(tmp_path), [other(tmp_path, noise=0)], NOISY_TARGET, 0)
    assert nothing is None
    assert "neither clean clips nor any machine's noise clips" in said


@pytest.mark.parametrize("kind", ["clean", "noise"])
def test_mixtures_have_the_chosen_length_and_depend_on_the_seed(tmp_path: Path, kind: str) -> None:
    given = machine(tmp_path, **{kind: 4}), [other(tmp_path)], NOISY_TARGET
    drawn = [separation_data(*given, seed)[0].batch(torch.arange(2)).mixture for seed in (1, 1, 2)]
    assert drawn[0].shape == (2, 100)  # 0.1 s
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_without_any_noise_clip_the_noise_is_estimated_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "asdlib.notice"):
        examples, _ = separation_data(machine(tmp_path, clean=4), [other(tmp_path, noise=0)], IDENTITY, 0)
    assert "fan: there are no noise clips: noise is estimated from its quietest frames" in caplog.text
    assert levels(examples)[0] == [CLEAN] * 4
    assert len(examples.noise) == len(examples.validation.noise) == 1


def test_no_test_clip_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    groups = ClipTable._groups
    monkeypatch.setattr(ClipTable, "_groups", lambda self, kinds: read.append(kinds) or groups(self, kinds))
    for pairs in (IDENTITY, NOISY_TARGET):
        for kinds in ({"clean": 4}, {"noise": 4}, {}):
            separation_data(machine(tmp_path, **kinds), [other(tmp_path, noise=0)], pairs, 0)
    assert {kind for kinds in read for kind in kinds} == {"clean", "noise", "train"}
    assert all(kinds for kinds in read)  # no kinds would mean all


def test_padding_is_left_out(tmp_path: Path) -> None:
    given = [samples[:length] for samples, length in zip(noise_clips(3, 500, 1), (100, 1000, 700), strict=True)]
    found = recordings(audio_table(tmp_path / "fan.parquet", {"noise": given}), "noise")
    assert [len(samples) for samples in found] == [100, 1000, 700]
    assert all(np.array_equal(one, other) for one, other in zip(found, given, strict=True))


def test_estimated_noise_is_what_is_heard_between_the_machines_strokes(tmp_path: Path) -> None:
    """The machine pauses for 192 of 1280 samples, with constant noise in the background."""
    clips = noise_clips(30, 100, 1, length=1280)
    for number, samples in enumerate(clips):
        pause = 64 * (number % 12)
        samples += np.concatenate([np.full(pause, 9000), np.zeros(192), np.full(1280 - 192 - pause, 9000)]).astype(
            np.int16
        )
    found = estimated_noise(audio_table(tmp_path / "fan.parquet", {"train": clips}, length=1280))
    assert RATE == 1000  # 20 frames of 64 samples per clip, of which the quietest tenth is 2
    assert len(found) == 2
    assert sum(map(len, found)) == (2 * 30 - 1) * 32
    joined = np.concatenate(found).astype(float)
    assert np.abs(joined).max() < 200  # no stroke
    assert joined.std() == pytest.approx(100 / 3**0.5, rel=0.1)  # the background's power, not twice that
