"""Whether thresholds keep their promise on the normal test clips, of which they know nothing."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from asdlib.evaluation.score_table import PROMISED
from asdlib.workflow.words import ALL

FAR_OVER = 2  # times the promised rate
_log = logging.getLogger(__name__)
_notice = logging.getLogger("asdlib.notice")  # also shown on stderr


def warn_of_false_alarms(rows: Sequence[dict[str, Any]]) -> None:
    """Log the false alarms of one variant, seed and dataset, and warn where they are over twice the promise.

    `rows` are those of scores.csv, of which only those of sections count. Sections without normal test clips are left
    out.
    """
    of_sections = [row for row in rows if ALL not in (row["machine"], row["section"])]
    known = [row for row in of_sections if not math.isnan(row["false_alarms"])]
    if not known:
        return
    name = f"{known[0]['system']} {known[0]['variant']}, seed {known[0]['seed']}"
    _log.info("%s: false alarms among normal test clips, %s promised: %s", name, _promised(known), _shown(known))
    far = [row for row in known if is_far_over(row)]
    if far:
        _notice.warning(
            "%s: more than twice the promised %s of the normal test clips exceed the threshold: %s "
            "(docs/scoring.md, The threshold)", name, _promised(far), _shown(far),
        )  # fmt: skip


def is_far_over(row: Mapping[str, Any]) -> bool:
    """Return whether a row of scores.csv has more than twice the promised false alarms; no figure is not more."""
    return row["false_alarms"] > FAR_OVER * row[PROMISED]


def _promised(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rates that are promised: few training clips promise less than many."""
    rates = sorted({row[PROMISED] for row in rows})
    if any(map(math.isnan, rates)):
        return "no rate"
    return f"{rates[0]:.3g} %" if len(rates) == 1 else f"{rates[0]:.3g} to {rates[-1]:.3g} %"


def _shown(rows: Sequence[dict[str, Any]]) -> str:
    return ", ".join(
        f"{row['dataset']}/{row['machine']} {row['section']} {row['false_alarms']:.0f} % of {row['n_normal']}"
        for row in rows
    )
