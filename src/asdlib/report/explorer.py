"""What the page's script draws of a section: every test clip with its scores, percentiles, maps and their errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from asdlib.report.charts import Scores
from asdlib.report.settings import ShownMachine
from asdlib.report.sounds import Waves

DIGITS = 5  # of a score; decisions are made before rounding
RANKED = 20  # clips of a variant in the table of a section without labels
Row = dict[str, Any]


def explored(rows: Mapping[str, Sequence[Row]], scores: Mapping[str, Scores], maps: Sequence[Row]) -> Row:
    """Return the test clips of a section in the order of their names, with one entry for each variant and map.

    `rows` are the rows of clips.csv of each variant, and `scores` what was drawn of them. All lists have one value for
    each clip. A percentile is the percentage of clips with a lower score; clips with the same score count half.
    """
    names = sorted({row["clip"] for own in rows.values() for row in own})
    facts = {row["clip"]: row for own in rows.values() for row in own}
    return {
        "clips": [{key: facts[name][key] for key in ("clip", "label", "domain")} for name in names],
        "variants": [_variant(own, scores[variant], names) for variant, own in rows.items()],
        "maps": [
            {
                "name": one["name"],
                "variants": one["variants"],
                "places": [one["picture"]["places"].get(name) for name in names],
                "bands": one["bands"] and [one["bands"].get(name) for name in names],
            }
            for one in maps
            if one["picture"]
        ],
    }


def _variant(rows: Sequence[Row], drawn: Scores, names: list[str]) -> Row:
    own = {row["clip"]: row for row in rows}
    values = np.array([own[name]["anomaly_score"] for name in names], dtype=float)
    normal = drawn.scores[[label == "normal" for label in drawn.labels]]
    return {
        "variant": drawn.variant,
        "threshold": _rounded(drawn.threshold),
        "scores": [_rounded(value) for value in values],
        "ranks": ranks(values),
        "decisions": [int(own[name]["decision"]) for name in names],
        "training": percentiles(values, drawn.train_scores),
        "trained": len(drawn.train_scores),
        "normal": percentiles(values, normal),
        "normals": len(normal),
    }


def error_maps_of(found: Row, waves: Mapping[str, Waves], section: str, settings: ShownMachine) -> list[Row]:
    """Return for each autoencoder the maps of its errors, one for each clip of what `explored` returns.

    The clips whose sounds are not given have None. Variants that have refused the section are not in `found`, and a
    model that no other variant uses is left out.
    """
    scored = {one["variant"] for one in found["variants"]}
    names = [clip["clip"] for clip in found["clips"]]
    drawn = []
    for one in settings.errors:
        variants = [variant for variant in one.variants if variant in scored]
        if variants:
            from asdlib.report import error_maps  # imports torch, which takes a second and not every system needs

            heard = {name: waves[name] for name in names if name in waves}
            own = error_maps.error_maps(one, settings.machine, section, heard)
            facts = {"name": one.name, "view": one.view, "variants": variants, "brightest": error_maps.BRIGHTEST}
            drawn.append({**facts, "pictures": [own.get(name) for name in names]})
    return drawn


def rankings(found: Row) -> list[Row]:
    """Return the `RANKED` most anomalous clips of each variant of what `explored` returns, the first one on top."""
    tables = []
    for one in found["variants"]:
        rows = [_ranked(found, one, clip) for clip in np.argsort(one["ranks"])[:RANKED]]
        tables.append({"variant": one["variant"], "of": len(one["ranks"]), "rows": rows})
    return tables


def _ranked(found: Row, variant: Row, clip: int) -> Row:
    facts = {"rank": variant["ranks"][clip], "clip": found["clips"][clip]["clip"], "score": variant["scores"][clip]}
    return facts | {
        "above": bool(variant["decisions"][clip]),
        "training": variant["training"][clip] if variant["training"] else None,
    }


def ranks(values: np.ndarray) -> list[int]:
    """Return the rank of each value; 1 is the highest. Of equal ones, the first has the lower rank."""
    found = np.empty(len(values), dtype=int)
    found[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
    return found.tolist()


def percentiles(values: np.ndarray, among: np.ndarray) -> list[int]:
    """Return for each value the percentage of `among` that is lower; equal ones count half. Nothing without any."""
    if not len(among):
        return []
    ordered = np.sort(among)
    lower, up_to = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return [int(share) for share in np.floor(50 * (lower + up_to) / len(ordered) + 0.5)]


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
