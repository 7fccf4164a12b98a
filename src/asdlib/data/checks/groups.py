"""How many recordings a machine has of each kind, domain and label, and what they sound like."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from asdlib.data.checks.problem import NOTE, Problem
from asdlib.data.checks.sounds import Sound, decibels
from asdlib.data.clip import KINDS
from asdlib.data.clip_format import ClipFormat
from asdlib.data.layouts.labels import REMEDIES


@dataclass(frozen=True)
class Group:
    """Recordings of one kind, domain and label. Levels in dBFS are None if they were not measured."""

    machine: str
    section: str
    kind: str  # train, test, clean or noise
    domain: str | None
    label: str | None
    recordings: int
    clips: int  # that are made of them
    seconds: tuple[float, float]  # the shortest and the longest
    rates: list[int]
    channels: list[int]
    heard: int  # recordings whose level was measured
    rms: float | None  # the median
    rms_range: tuple[float, float] | None
    peak: float | None  # the highest
    clipped: float | None  # the share of samples at full scale


def groups(machine: str, sounds: Sequence[Sound], wanted: ClipFormat) -> Iterator[Group]:
    """Yield the groups of a machine's recordings, in the order of sections, kinds, domains and labels."""
    for key, found in groupby(sorted(sounds, key=_order), key=_order):
        section, number, domain, label = key
        yield _group((machine, section, KINDS[number], domain or None, label or None), list(found), wanted)


def labels(machine: str, sounds: Sequence[Sound], layout: str) -> Iterator[Problem]:
    """Yield a line for each section whose test clips have no labels, or only one."""
    tests = sorted((one.clip for one in sounds if one.clip.kind == "test"), key=lambda clip: clip.section)
    for section, found in groupby(tests, key=lambda clip: clip.section):
        clips = list(found)
        known = {clip.label for clip in clips if clip.label}
        unknown = sum(not clip.label for clip in clips)
        where = f"{machine}, section {section}"
        if unknown:
            what = f"{unknown} of {len(clips)} test clips have no label and are scored without figures"
            yield Problem(NOTE, f"{where}: {what}: {REMEDIES[layout]}")
        if len(known) == 1:
            other = ({"normal", "anomaly"} - known).pop()
            yield Problem(NOTE, f"{where}: no test clip is labelled {other}, so there is no AUC: add some")


def _order(sound: Sound) -> tuple[str, int, str, str]:
    clip = sound.clip
    return clip.section, KINDS.index(clip.kind), clip.domain or "", clip.label or ""


def _group(key: tuple[str, str, str, str | None, str | None], sounds: list[Sound], wanted: ClipFormat) -> Group:
    heard = [one.level for one in sounds if one.level]
    rms = [level.dbfs for level in heard]
    lengths = [one.seconds for one in sounds]
    return Group(
        *key,
        recordings=len(sounds),
        clips=sum(one.made(wanted) for one in sounds),
        seconds=(min(lengths), max(lengths)),
        rates=sorted({one.rate for one in sounds}),
        channels=sorted({one.channels for one in sounds}),
        heard=len(heard),
        rms=median(rms) if heard else None,
        rms_range=(min(rms), max(rms)) if heard else None,
        peak=decibels(max(level.peak for level in heard)) if heard else None,
        clipped=sum(level.clipped for level in heard) / len(heard) if heard else None,
    )
