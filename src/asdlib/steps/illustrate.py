"""Draw a system's plots of the machines of a dataset and select the clips that the report plays."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from asdlib.data.tables import ClipTable
from asdlib.evaluation.figures import definition_of
from asdlib.report.bands import strange_bands
from asdlib.report.charts import Scores, histograms, roc_curves
from asdlib.report.distances import distance_maps
from asdlib.report.explorer import error_maps_of, explored, rankings
from asdlib.report.illustrations import write_illustrations
from asdlib.report.maps import embedding_map
from asdlib.report.selection import ends, foremost, refusal, scored_clips, scored_somewhere, spread
from asdlib.report.settings import IllustrateSettings, ShownMachine, ShownVariant
from asdlib.report.sounds import Waves, read_clips, sounds_of
from asdlib.scoring.training_scores import read_training_scores
from asdlib.workflow.words import RAW

Row = dict[str, Any]
_log = logging.getLogger(__name__)


def illustrate(clips: Path, out: Path, settings: IllustrateSettings) -> None:
    """Write `out`: ROC curves, histograms, embedding maps, scores of all clips, and some clips to hear.

    `out` has a file (JSON) for each machine of the dataset, of which one at a time is in memory. `clips` is the
    system's clips.csv. Labels and domains of test clips are only displayed. If there are several seeds, only the first
    one is drawn. A variant that has refused a section, because it has too few training clips, is left out there.
    """
    write_illustrations(out, ((machine, _machine(clips, settings.of(machine))) for machine in settings.machines))


def _machine(clips: Path, settings: ShownMachine) -> Row:
    """Return the illustrations of a machine."""
    rows = scored_clips(clips, settings)
    sections, shown = [], []
    for section in settings.sections:
        variants = [variant for variant in settings.variants if not refusal(variant, section)]
        own = {variant.variant: _of(rows, variant.variant, section) for variant in variants}
        scores = {variant.variant: _scores(own[variant.variant], variant, section) for variant in variants}
        maps = _maps(settings, section, set(own))
        found = explored(own, scores, maps)
        labelled = any(clip["label"] for clip in found["clips"])
        sections.append(
            {
                "section": section,
                "roc": roc_curves(list(scores.values()), definition_of(settings.year)) if scores else None,
                "histograms": [{"variant": name, "picture": histograms(one)} for name, one in scores.items()],
                "maps": maps,
                "explored": found,
                "rankings": [] if labelled else rankings(found),
            }
        )
        for name, one in scores.items():
            shown += [{**row, "threshold": one.threshold} for row in ends(own[name], settings.clips)]
    others = spread if any(row["label"] for row in rows) else foremost  # without labels, the ranking is what there is
    heard = others(rows, settings.players)
    waves = _waves([*shown, *heard], settings)
    for one, compared in zip(sections, distance_maps(sections, waves, settings), strict=True):
        one["explored"]["errors"] = error_maps_of(one["explored"], waves, one["section"], settings)
        one["explored"]["distances"] = compared
    players = _clips(shown, heard, waves, settings)
    facts = {name: getattr(settings, name) for name in ("system", "dataset", "machine", "seed")}
    _log.info("%s: %d sections, %d clips", settings.machine, len(sections), len(players))
    return {**facts, "sections": sections, "clips": players}


def _of(rows: list[Row], variant: str, section: str) -> list[Row]:
    return [row for row in rows if (row["variant"], row["section"]) == (variant, section)]


def _scores(rows: list[Row], variant: ShownVariant, section: str) -> Scores:
    train = read_training_scores(Path(variant.training_scores_of(section)))
    return Scores(
        variant.variant,
        scores=np.array([row["anomaly_score"] for row in rows]),
        labels=[row["label"] or None for row in rows],
        domains=[row["domain"] or None for row in rows],
        train_scores=np.array(train.scores),
        train_domains=train.domains,
        threshold=train.threshold,
    )


def _maps(settings: ShownMachine, section: str, scored: set[str]) -> list[Row]:
    """Return a map of every model's embeddings, the variants that use them, and in which bands clips are strange.

    A model that only variants without scores use may have no embeddings.
    """
    return [
        {
            "name": one.name,
            "variants": one.variants,
            **embedding_map(Path(one.path), one.representation, section, settings.points, one.name),
            "bands": strange_bands(Path(one.path), one.representation, section, settings.points),
        }
        for one in settings.maps
        if scored & set(one.variants)
    ]


def _waves(rows: list[Row], settings: ShownMachine) -> dict[str, Waves]:
    """Return the sounds of the clips of some rows, as recorded and as separated for variants that have scores."""
    paths = {RAW: Path(settings.audio)}
    scored = [variant for variant in settings.variants if scored_somewhere(variant, settings)]
    paths |= {view: Path(path) for variant in scored for view, path in variant.separators.items()}
    return read_clips(paths, {row["clip"] for row in rows})


def _clips(shown: list[Row], heard: list[Row], waves: dict[str, Waves], settings: ShownMachine) -> list[Row]:
    """Return every clip once, with its sounds and the variants for which it is shown.

    Clips that are only `heard` have the sound as recorded.
    """
    separators = {variant.variant: variant.separators for variant in settings.variants}
    rate = ClipTable(Path(settings.audio)).recipe["sample_rate"]
    clips: dict[str, Row] = {}
    for row in [*shown, *heard]:
        name = row["clip"]
        if name not in clips:
            facts = {key: row[key] for key in ("section", "clip", "label", "domain", "attributes")}
            views = {RAW}.union(*(separators[other["variant"]] for other in shown if other["clip"] == name))
            own = {view: wave for view, wave in waves[name].items() if view in views}
            clips[name] = {**facts, "shown": [], "sounds": sounds_of(own, rate)}
    for row in shown:
        reason = {key: row[key] for key in ("system", "variant", "end", "rank", "of", "threshold")}
        reason |= {"score": row["anomaly_score"], "decision": row["decision"]}
        clips[row["clip"]]["shown"].append(reason)
    return list(clips.values())
