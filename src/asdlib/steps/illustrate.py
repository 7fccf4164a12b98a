"""Draw a system's figures of one machine, and choose the clips that a report lets one see and hear."""

import csv
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.report.charts import Scores, histograms, roc_curves
from asdlib.report.maps import embedding_map
from asdlib.report.parts import write_part
from asdlib.report.selection import ends
from asdlib.report.sounds import read_clips, sounds_of

Row = dict[str, Any]
_log = logging.getLogger(__name__)


def illustrate(clips: Path, out: Path, settings: dict[str, Any]) -> None:
    """Write `out` (JSON): ROC curves, histograms, embedding maps, and the most and least anomalous clips.

    `clips` is the system's clips.csv. Labels and domains of test clips are displayed and used for nothing else. With
    several seeds, all is of the first one.
    """
    rows = _rows(clips, settings)
    sections, shown = [], []
    for section in settings["sections"]:
        scores = {v["variant"]: _scores(rows, v, settings, section) for v in settings["variants"]}
        sections.append(
            {
                "section": section,
                "roc": roc_curves(list(scores.values())),
                "histograms": [{"variant": name, "picture": histograms(one)} for name, one in scores.items()],
                "maps": _maps(settings, section),
            }
        )
        for variant, one in scores.items():
            own = [row for row in rows if (row["variant"], row["section"]) == (variant, section)]
            shown += [{**row, "threshold": one.threshold} for row in ends(own, settings["clips"])]
    part = {name: settings[name] for name in ("system", "dataset", "machine", "seed")}
    write_part(out, {**part, "sections": sections, "clips": _clips(shown, settings)})
    _log.info("%s: %d sections, %d clips", settings["machine"], len(sections), len({row["clip"] for row in shown}))


def _rows(path: Path, settings: dict[str, Any]) -> list[Row]:
    """Return the machine's rows of clips.csv under the first seed."""
    wanted = tuple(str(settings[name]) for name in ("dataset", "machine", "seed"))
    with path.open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if (row["dataset"], row["machine"], row["seed"]) == wanted]
    if not rows:
        raise AsdError(f"{path}: has no clip of {settings['machine']}: delete it and run again")
    return rows


def _scores(rows: list[Row], variant: Row, settings: dict[str, Any], section: str) -> Scores:
    own = [row for row in rows if (row["variant"], row["section"]) == (variant["variant"], section)]
    train = json.loads(Path(variant["training_scores"][section]).read_text(encoding="utf-8"))
    return Scores(
        variant["variant"],
        scores=np.array([float(row["anomaly_score"]) for row in own]),
        labels=[row["label"] or None for row in own],
        domains=[row["domain"] or None for row in own],
        train_scores=np.array([clip["score"] for clip in train["clips"]]),
        train_domains=[clip["domain"] for clip in train["clips"]],
        threshold=train["threshold"],
    )


def _maps(settings: dict[str, Any], section: str) -> list[Row]:
    """Return a map of every embedding that variants share or have for themselves, with who reads it."""
    maps = []
    for block in settings["maps"]:
        drawn = embedding_map(Path(block["path"]), block["representation"], section, settings["points"], block["name"])
        maps.append({"name": block["name"], "variants": block["variants"], "picture": drawn})
    return maps


def _clips(shown: list[Row], settings: dict[str, Any]) -> list[Row]:
    """Return every shown clip once, with its sounds and with the variants that show it."""
    separators = {v["variant"]: v["separators"] for v in settings["variants"]}
    paths = {"raw": Path(settings["audio"])}
    paths |= {name: Path(path) for block in separators.values() for name, path in block.items()}
    waves = read_clips(paths, {row["clip"] for row in shown})
    rate = ClipTable(paths["raw"]).recipe["sample_rate"]
    clips: dict[str, Row] = {}
    for row in shown:
        name = row["clip"]
        if name not in clips:
            facts = {key: row[key] for key in ("section", "clip", "label", "domain", "attributes")}
            heard = {"raw"}.union(*(separators[other["variant"]] for other in shown if other["clip"] == name))
            views = {view: wave for view, wave in waves[name].items() if view in heard}
            clips[name] = {**facts, "shown": [], "sounds": sounds_of(views, rate)}
        reason = {key: row[key] for key in ("system", "variant", "end", "rank", "of", "threshold")}
        reason |= {"score": float(row["anomaly_score"]), "decision": int(row["decision"])}
        clips[name]["shown"].append(reason)
    return list(clips.values())
