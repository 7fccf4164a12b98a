"""Which variant is best, and how sure that is: the official scores of a dataset with their intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from asdlib.evaluation.score_table import bounds, is_partial
from asdlib.report import tables

CHANCE = tables.CHANCE
NAMED = 3  # a sentence names at most this many variants
NO_SCORES = "There is no {what}: labels are missing, or a machine has not been scored."


@dataclass(frozen=True)
class Standing:
    """A variant's official score, the ends of its 95 % interval, and the reported score; NaN where one is missing.

    `partial` says that the score is a mean of other figures than the official ones.
    """

    system: str
    variant: str
    score: float
    low: float
    high: float
    reported: float
    partial: bool

    @property
    def name(self) -> str:
        """The system and the variant."""
        return f"{self.system}/{self.variant}"


def standings(rows: pd.DataFrame, dataset: str) -> list[Standing]:
    """Return the variants that have a score on a dataset, in the order of the tables; several seeds are their mean."""
    name = tables.definition(rows, dataset).score
    low, high = bounds(name)
    found = [
        Standing(
            row["system"],
            row["variant"],
            row[name],
            row[low],
            row[high],
            row.get(f"reported_{name}", math.nan),
            is_partial(row),
        )
        for row in tables.overall(rows, dataset)
    ]
    return [one for one in found if not math.isnan(one.score)]


def verdict(found: Sequence[Standing], what: str) -> str:
    """Return in words which variant has the best score (called `what`), and what the intervals say about it."""
    if not found:
        return NO_SCORES.format(what=what)
    official = [one for one in found if not one.partial]
    compared = official or list(found)
    best = max(one.score for one in compared)
    leaders = [one for one in compared if one.score == best]
    others = [one for one in compared if one.score != best]
    said = [_lead(leaders, what, alone=len(compared) == 1) + _distance(leaders, others) + "."]
    said += _chance(leaders)
    unknown = [one.name for one in others if math.isnan(one.high)]
    if unknown:
        said.append(f"There is no interval of {_listed(unknown)}.")
    if official and len(official) < len(found):
        said.append("Scores with * are means of other figures and are left out of this comparison.")
    return " ".join([*said, *_reported(found)])


def _lead(leaders: list[Standing], what: str, alone: bool) -> str:
    first = leaders[0]
    interval = "" if math.isnan(first.low) else f" (95 % interval {first.low:.1f} to {first.high:.1f})"
    if alone:
        return f"{first.name} has an {what} of {first.score:.2f}{interval}"
    verb = "has" if len(leaders) == 1 else "have"
    return f"{_listed([one.name for one in leaders])} {verb} the highest {what}, {first.score:.2f}{interval}"


def _distance(leaders: list[Standing], others: list[Standing]) -> str:
    """Return whether the intervals distinguish the best score from the others."""
    first = leaders[0]
    if math.isnan(first.low):
        return ", but without an interval it may be best by chance" if others else ""
    if not others:
        return ""
    known = [one for one in others if not math.isnan(one.high)]
    near = [one for one in known if one.high >= first.low]
    if not near:
        which = "intervals of all" if known == others else "known intervals of"
        return f"; the {which} other variants lie below it" if known else ""
    names = _listed([one.name for one in near])
    if len(near) == 1:
        return f", but its interval overlaps with that of {names}, so it may be best by chance"
    return f", but its interval overlaps with those of {len(near)} of {len(others)} other variants ({names}), " + (
        "so it may be best by chance"
    )


def _chance(leaders: list[Standing]) -> list[str]:
    first = leaders[0]
    if math.isnan(first.low) or first.low > CHANCE:
        return []
    return [f"Chance ({CHANCE:g}) lies {'within' if first.high >= CHANCE else 'above'} this interval."]


def _reported(found: Sequence[Standing]) -> list[str]:
    """Return where the reported scores lie, compared with our intervals."""
    known = [one for one in found if not math.isnan(one.reported + one.low)]
    if not known:
        return []
    places: dict[str, Callable[[Standing], bool]] = {
        "within": lambda one: one.low <= one.reported <= one.high,
        "above": lambda one: one.reported > one.high,
        "below": lambda one: one.reported < one.low,
    }
    counts = {place: sum(map(lies, known)) for place, lies in places.items()}
    if len(known) == 1:
        (place,) = (place for place, count in counts.items() if count)
        return [f"The reported score of {known[0].name} lies {place} our interval."]
    told = ", ".join(f"{count} {place}" for place, count in counts.items() if count)
    return [f"Of {len(known)} reported scores, {told} our intervals."]


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


# --- the chart -----------------------------------------------------------------------------------------------------


def chart(found: Sequence[Standing], what: str) -> dict[str, Any] | None:
    """Return a chart of the scores, as positions in percent of its width; None without scores.

    Each line has the score as a dot with its interval as whiskers, and the reported score as another mark.
    """
    if not found:
        return None
    values = [CHANCE, *(v for one in found for v in (one.score, one.low, one.high, one.reported) if not math.isnan(v))]
    step = 5 if max(values) - min(values) <= 25 else 10
    low, high = math.floor(min(values) / step) * step, math.ceil(max(values) / step) * step
    high = max(high, low + step)

    def place(value: float) -> float | None:
        return None if math.isnan(value) else round(100 * (value - low) / (high - low), 2)

    return {
        "ticks": [{"text": str(tick), "at": place(tick)} for tick in range(low, high + 1, step)],
        "chance": place(CHANCE),
        "alt": f"{what[0].upper()}{what[1:]}: {'; '.join(map(_line_text, found))}.",
        "lines": [
            {
                "name": one.name,
                "text": tables.rounded(one.score) + (tables.STAR if one.partial else ""),
                "score": place(one.score),
                "low": place(one.low),
                "high": place(one.high),
                "reported": place(one.reported),
            }
            for one in found
        ],
    }


def _line_text(one: Standing) -> str:
    interval = "" if math.isnan(one.low) else f", interval {one.low:.1f} to {one.high:.1f}"
    reported = "" if math.isnan(one.reported) else f", reported {one.reported:.2f}"
    return f"{one.name} {one.score:.2f}{interval}{reported}"
