"""The same sound twice, and training clips among the test clips."""

from collections.abc import Iterator, Sequence

from asdlib.data.checks.problem import ERROR, WARNING, Problem
from asdlib.data.checks.sounds import Sound, same_sounds
from asdlib.errors import and_more


def copies(sounds: Sequence[Sound]) -> Iterator[Problem]:
    """Yield a line for training clips that are also test clips, for one sound with two labels, and for other copies."""
    leaked, contradictory, others = [], [], []
    for group in same_sounds(sounds):
        kinds = {one.clip.kind: one for one in group}
        labels = {one.clip.label: one for one in group if one.clip.label}
        if {"train", "test"} <= kinds.keys():
            leaked.append((kinds["test"], kinds["train"]))
        elif len(labels) > 1:
            contradictory.append((labels["anomaly"], labels["normal"]))
        else:
            others.append((group[1], group[0]))
    if leaked:
        what = f"this test clip is the same sound as the training clip {leaked[0][1].path}{and_more(leaked)}"
        yield Problem(ERROR, f"{leaked[0][0].path}: {what}: remove one of them")
    if contradictory:
        what = f"this anomaly is the same sound as the normal clip {contradictory[0][1].path}{and_more(contradictory)}"
        yield Problem(ERROR, f"{contradictory[0][0].path}: {what}: remove one of them")
    if others:
        what = f"is the same sound as {others[0][1].path}{and_more(others)}"
        yield Problem(WARNING, f"{others[0][0].path}: {what}: remove one of them")
