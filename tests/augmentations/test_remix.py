"""Tests of `remix`: the SNR drawn, the recording's level, the numbers of clips, and reproducibility."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.audio_tables import audio_table, noise_clips

from asdlib.augmentations.remix import Remix
from asdlib.errors import AsdError
from asdlib.separation.mixing import rms

TIME = np.arange(1000) / 1000


def hums(count: int, level: int) -> list[np.ndarray]:
    """Return the sounds of a machine, pure tones."""
    return [np.rint(level * np.sin(2 * np.pi * 50 * TIME + number)).astype(np.int16) for number in range(count)]


def tables(folder: Path, train: int = 10, target: int = 2, **notes: bool) -> tuple:
    heard = hums(train, 2000)
    recorded = [hum + hiss for hum, hiss in zip(heard, noise_clips(train, 4000, 1), strict=True)]
    raw = audio_table(folder / "fan.parquet", {"train": recorded, "test": hums(2, 100)}, target)
    separated = audio_table(folder / "s" / "fan.parquet", {"train": heard, "test": hums(2, 100)}, target, notes)
    return raw, separated, [audio_table(folder / "valve.parquet", {"noise": noise_clips(5, 300, 2)})]


def made(remix: Remix, given: tuple) -> dict[str, np.ndarray]:
    pieces = list(remix.augment(*given))
    names = [name for clips, _ in pieces for name in clips.column("clip").to_pylist()]
    return dict(zip(names, np.concatenate([audio for _, audio in pieces]), strict=True))


def snr(mixed: np.ndarray, machine: np.ndarray) -> float:
    """Return the ratio in dB of a mixture's projection on the machine's sound to the rest."""
    machine, mixed = machine.astype(float), mixed.astype(float)
    part = (mixed @ machine) / (machine @ machine) * machine
    return 20 * np.log10(rms(part) / rms(mixed - part))


def test_noise_is_added_at_a_drawn_snr_and_the_level_is_the_recordings(tmp_path: Path) -> None:
    given = tables(tmp_path)
    found = made(Remix(snr=[-5, 10], per_clip=20, seed=1), given)
    recorded = dict(
        zip(given[0].clips("train").column("clip").to_pylist(), given[0].load("audio", "train")[1], strict=True)
    )
    ratios = []
    for name, mixed in found.items():
        clip = name.split("_remix_")[0]
        assert rms(mixed) == pytest.approx(rms(recorded[clip]), rel=1e-3)
        ratios.append(snr(mixed, hums(10, 2000)[int(clip[-4:])]))
    assert -6.5 < min(ratios) < -4
    assert 9 < max(ratios) < 11.5
    assert np.mean(ratios) == pytest.approx(2.5, abs=1)


def test_a_separated_clip_without_sound_makes_no_silent_example(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw, separated, noise = tables(tmp_path)
    heard = separated.load("audio", "train")[1]
    heard[3] = 0
    silenced = audio_table(tmp_path / "z" / "fan.parquet", {"train": list(heard), "test": hums(2, 100)}, 2, {})
    usual, found = (made(Remix(snr=[0, 0], seed=1), (raw, table, noise)) for table in (separated, silenced))
    recorded = dict(zip(raw.clips("train").column("clip").to_pylist(), raw.load("audio", "train")[1], strict=True))
    changed = [name for name in found if not np.array_equal(found[name], usual[name])]
    assert len(changed) == 1
    assert snr(found[changed[0]], recorded[changed[0].split("_remix_")[0]]) == pytest.approx(0, abs=1)
    assert caplog.text.count("separated clips are silent") == 1  # not of the usual ones
    assert "fan: 1 separated clips are silent: their recordings are mixed" in caplog.text


def test_a_silent_recording_stays_silent_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    silent = audio_table(tmp_path / "fan.parquet", {"train": [np.zeros(1000, np.int16), *hums(2, 2000)]})
    noise = [audio_table(tmp_path / "valve.parquet", {"noise": noise_clips(5, 300, 2)})]
    found = list(made(Remix(snr=[0, 0], seed=1), (silent, silent, noise)).values())
    assert [audio.any() for audio in found] == [False, True, True]
    assert "are silent" not in caplog.text


def test_a_short_clip_is_padded_with_zeros(tmp_path: Path) -> None:
    short = audio_table(tmp_path / "fan.parquet", {"train": [hums(1, 2000)[0][:600], *hums(1, 2000)]})
    noise = [audio_table(tmp_path / "valve.parquet", {"noise": noise_clips(5, 300, 2)})]
    found = np.stack(list(made(Remix(snr=[0, 0], seed=1), (short, short, noise)).values()))
    assert found[:, 500:600].any(axis=1).all()
    assert not found[0, 600:].any()


def test_clips_are_named_after_their_recording_and_copy(tmp_path: Path) -> None:
    found = list(made(Remix(snr=[0, 5], per_clip=4, seed=1), tables(tmp_path)))
    assert found[:4] == [f"section_00_source_train_normal_0000_remix_{number:04d}" for number in range(4)]
    assert len(found) == 40


def test_a_made_clip_depends_on_its_name_and_the_seed_alone(tmp_path: Path) -> None:
    """A clip stays the same with more clips, another share or other recordings."""
    few = made(Remix(snr=[0, 5], seed=1), tables(tmp_path / "a"))
    many = made(Remix(snr=[0, 5], count=50, target_share=0.5, seed=1), tables(tmp_path / "b"))
    fewer = made(Remix(snr=[0, 5], seed=1), tables(tmp_path / "c", train=4, target=0))
    for name in few.keys() & many.keys():
        assert np.array_equal(few[name], many[name])
    shared = few.keys() & fewer.keys()
    assert len(shared) == 4
    seed = made(Remix(snr=[0, 5], seed=2), tables(tmp_path / "d"))
    assert not any(np.array_equal(few[name], seed[name]) for name in few)
    assert len({audio.tobytes() for audio in many.values()}) == 50


@pytest.mark.parametrize(
    ("arguments", "source", "target"),
    [
        ({}, [1], [1]),
        ({"per_clip": 3}, [3], [3]),
        ({"count": 25}, [2, 3], [2, 3]),
        ({"count": 100, "target_share": 0.2}, [10], [10]),  # 4:1
        ({"count": 103, "target_share": 0.5}, [6, 7], [26]),
        ({"count": 3, "target_share": 0.0}, [0, 1], [0]),
        ({"count": 0}, [0], [0]),
    ],
)
def test_domains_come_in_the_wanted_share_and_clips_evenly(arguments: dict, source: list, target: list) -> None:
    copies = Remix(snr=[0, 5], seed=4, **arguments).copies(["source"] * 8 + ["target"] * 2, "fan")
    assert sorted(set(copies[:8])) == source
    assert sorted(set(copies[8:])) in (target, target[:1], target[1:])
    total = arguments.get("count", 10 * arguments.get("per_clip", 1))
    assert sum(copies) == total
    if "target_share" in arguments:
        assert sum(copies[8:]) == round(total * arguments["target_share"])


def test_which_clips_get_one_more_is_drawn_from_the_seed() -> None:
    domains = ["source"] * 20
    one, same, other = (Remix(snr=[0, 5], seed=seed, count=25).copies(domains, "fan") for seed in (1, 1, 2))
    assert one == same != other
    assert Counter(one) == {1: 15, 2: 5}
    assert one[:5] != [2] * 5  # not simply the first clips, because names are ordered by attributes


def test_a_share_without_both_domains_is_mentioned(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        copies = Remix(snr=[0, 5], seed=1, count=8, target_share=0.2).copies(["source"] * 4, "fan")
    assert copies == [2] * 4
    assert "fan: has clips of one domain only" in caplog.text


@pytest.mark.parametrize("without", ["identity", "none"])
def test_without_a_separator_the_recordings_are_mixed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, without: str
) -> None:
    raw, separated, noise = tables(tmp_path, separated=False)
    with caplog.at_level(logging.INFO):
        found = made(Remix(snr=[30, 30], seed=1), (raw, separated if without == "identity" else None, noise))
    assert "fan: is not separated: noise is added to its recordings" in caplog.text
    for mixed, recorded in zip(found.values(), raw.load("audio", "train")[1], strict=True):
        assert snr(mixed, recorded) == pytest.approx(30, abs=1)


def test_without_noise_clips_it_is_estimated_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw, separated, _ = tables(tmp_path)
    with caplog.at_level(logging.WARNING, "asdlib.notice"):
        assert len(made(Remix(snr=[0, 5], seed=1), (raw, separated, []))) == 10
    assert "noise is estimated" in caplog.text


def test_without_noise_clips_a_recipe_may_refuse_the_estimate(tmp_path: Path) -> None:
    raw, separated, _ = tables(tmp_path)
    expected = r"fan.parquet: noise: there are no noise clips for fan: add them, or set a noise_pool$"
    with pytest.raises(AsdError, match=expected):
        made(Remix(snr=[0, 5], seed=1, estimate=False), (raw, separated, []))


def test_a_loud_mixture_is_not_clipped(tmp_path: Path) -> None:
    square = [np.where(np.sin(2 * np.pi * 5 * TIME) >= 0, 32000, -32000).astype(np.int16)] * 3
    raw = audio_table(tmp_path / "fan.parquet", {"train": square})
    noise = [audio_table(tmp_path / "valve.parquet", {"noise": noise_clips(5, 300, 2)})]
    found = np.stack(list(made(Remix(snr=[0, 0], seed=1), (raw, raw, noise)).values())).astype(int)
    assert np.abs(found).max() == pytest.approx(0.99 * 32768, abs=1)
    assert (np.abs(found) > 32400).mean() < 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"snr": [5, 0]}, "remix: snr"), ({"snr": [0, 5], "target_share": 1.5}, "remix: target_share: 1.5")],
)
def test_impossible_settings_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(AsdError, match=message):
        Remix(**arguments, seed=0)


@pytest.mark.parametrize("ones", [0, 250])
def test_silent_noise_is_refused_and_otherwise_left_out(tmp_path: Path, ones: int) -> None:
    """Of 1,000 samples, 250 that are 1 have an RMS of half a quantisation step."""
    raw, separated, loud = tables(tmp_path)
    silence = np.arange(1000) < ones
    silent = audio_table(tmp_path / "slider.parquet", {"noise": [silence.astype(np.int16)]})
    with pytest.raises(AsdError, match="digital silence"):
        made(Remix(snr=[0, 5], seed=1), (raw, separated, [silent]))
    both = made(Remix(snr=[0, 5], seed=1), (raw, separated, [*loud, silent]))
    assert all(
        (both[name] == one).all() for name, one in made(Remix(snr=[0, 5], seed=1), (raw, separated, loud)).items()
    )


def test_a_machines_own_noise_is_used_as_well_and_test_clips_never(tmp_path: Path) -> None:
    """Each noise clip has one frequency, which identifies it in a mixture."""
    tones = {
        name: [np.rint(500 * np.sin(2 * np.pi * f * TIME)).astype(np.int16)]
        for name, f in (("own", 200), ("other", 300))
    }
    raw = audio_table(tmp_path / "fan.parquet", {"train": hums(10, 2000), "test": hums(2, 100), "noise": tones["own"]})
    other = {"train": hums(1, 9000), "test": hums(1, 9000), "noise": tones["other"]}
    found = made(Remix(snr=[0, 0], per_clip=5, seed=1), (raw, None, [audio_table(tmp_path / "valve.parquet", other)]))
    spectra = np.abs(np.fft.rfft(np.stack(list(found.values()))))
    heard = {tuple(np.flatnonzero(spectrum > 0.1 * spectrum.max())) for spectrum in spectra}
    assert heard == {(50, 200), (50, 300)}
