"""Put the challenge's package together: scores, decisions and a meta file for each chosen variant, checked."""

import logging
import shutil
import zipfile
from pathlib import Path
from typing import Any

from asdlib.data.files import atomic
from asdlib.scoring.score_files import DECISIONS, SCORES, submission_path
from asdlib.submission.check import check_figures, check_files, check_scores, clips_to_score
from asdlib.submission.meta import meta_file
from asdlib.weights.parameter_counts import count_parameters

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file knows: the same content gives the same bytes
_log = logging.getLogger(__name__)
_progress = logging.getLogger("asdlib.progress")  # shown on a terminal, too


def submission(folder: Path, archive: Path, settings: dict[str, Any]) -> None:
    """Write the folder `task2` of the package and the zip file `archive` that holds it.

    `settings` (asdlib.submission.inputs) name the variants, their files and what is known of them. Every system's
    folder is checked before anything appears; AsdError names the first file that is not as the challenge takes it.
    """
    places = clips_to_score(map(Path, settings["clips"]))
    for (machine, section), clips in places.items():
        published = settings["declared_clips"]
        if published not in (None, len(clips)):
            _log.warning("%s section %s: %d test clips, %d were published", machine, section, len(clips), published)
    with atomic(folder) as temporary:
        temporary.mkdir()
        for entry in settings["entries"]:
            _add(temporary / entry["label"], entry, places, settings)
        if settings["report"]:
            shutil.copyfile(settings["report"], temporary / f"{settings['label']}.technical_report.pdf")
        else:
            _progress.warning(
                "no technical report: the challenge wants one, name it by submission.report in the config"
            )
        _pack(temporary, archive, folder.name)


def _add(folder: Path, entry: dict[str, Any], places: dict, settings: dict[str, Any]) -> None:
    """Write one system's folder and check it."""
    source = Path(entry["scores"])
    sections = check_scores(source, places)
    folder.mkdir()
    for path in (submission_path(source, kind, *place) for place in places for kind in (SCORES, DECISIONS)):
        shutil.copyfile(path, folder / path.name)
    development = settings["development"]
    given, known = entry["meta"], _known(entry, settings)
    meta = meta_file(folder.name, settings["authors"], given, known, development["machines"], entry["figures"])
    (folder / f"{folder.name}.meta.yaml").write_text(meta.text, encoding="utf-8")
    check_files(folder, places)
    _log.info("%s: %d machines and sections, %d clips", folder.name, len(places), sum(map(len, places.values())))
    if meta.open:
        _progress.warning("%s.meta.yaml: to be filled in: %s", folder.name, ", ".join(dict.fromkeys(meta.open)))
    if not entry["figures"]:
        _log.warning("%s: no figures of %s: no table of this recipe has them", folder.name, development["dataset"])
    if check_figures(source, sections, entry["evaluated"]):
        _log.info("%s: our evaluator finds the figures of scores.csv", folder.name)
    else:
        _log.info("%s: figures not compared: no labels, or no table of this recipe", folder.name)


def _known(entry: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the meta file that the workflow can tell."""
    sizes = {path: count_parameters(path) for paths in entry["networks"].values() for path in map(Path, paths)}
    ensemble = entry["branches"] if entry["branches"] > 1 else None
    return {
        "name": entry["title"],
        "input_sampling_rate": f"{settings['sample_rate'] / 1000:g}kHz",
        "ensemble_method_subsystem_count": ensemble,
        "decision_making": "average" if ensemble else None,
        # of the machine whose clips pass through most: where every machine has its own network, one is used at a time
        "total_parameters": max(sum(sizes[Path(path)] for path in paths) for paths in entry["networks"].values()),
    }


def _pack(folder: Path, archive: Path, name: str) -> None:
    with atomic(archive) as temporary, zipfile.ZipFile(temporary, "w") as package:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            info = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}", EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(info, path.read_bytes())
