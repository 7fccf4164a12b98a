"""Build and check the challenge's package: scores, decisions and a meta file for each chosen variant."""

import logging
import shutil
import zipfile
from pathlib import Path
from typing import Any

from asdlib.data.files import atomic
from asdlib.data.made import record, refuse_altered
from asdlib.data.pieces import piece_to_test
from asdlib.data.tables import ClipTable
from asdlib.data.text_files import whole_text
from asdlib.errors import AsdError
from asdlib.scoring.score_files import DECISIONS, SCORES, submission_path
from asdlib.submission.check import check_figures, check_files, check_scores, clips_to_score
from asdlib.submission.meta import meta_file
from asdlib.submission.settings import SubmissionSettings, SubmittedSystem
from asdlib.weights.parameter_counts import count_parameters

# The earliest date of a zip file; fixed, so that the same content gives the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)
_log = logging.getLogger(__name__)
_progress = logging.getLogger("asdlib.progress")  # also shown on stderr if that is a terminal


def submission(folder: Path, archive: Path, settings: SubmissionSettings) -> None:
    """Write the package's folder `task2` and the zip file `archive` with the same content.

    All systems are checked before the folder and the archive appear. Raises AsdError with the name of the first file
    that the challenge would not accept, or that was added to an earlier package or changed there by hand.
    """
    for path in map(Path, settings.clips):
        _refuse_pieces(path)
    sections = clips_to_score(map(Path, settings.clips))
    for (machine, section), clips in sections.items():
        published = settings.declared_clips
        if published not in (None, len(clips)):
            _log.warning("%s section %s: %d test clips, %d were published", machine, section, len(clips), published)
    with atomic(folder) as temporary:
        temporary.mkdir()
        for system in settings.systems:
            _add(temporary / system.label, system, sections, settings)
        if settings.report:
            shutil.copyfile(settings.report, temporary / f"{settings.label}.technical_report.pdf")
        else:
            _progress.warning("no technical report: the challenge requires one: set submission.report in the config")
        for path in (folder, archive):
            refuse_altered(path)
        _pack(temporary, archive, folder.name)
    record(folder)
    record(archive)


def _refuse_pieces(path: Path) -> None:
    """Raise AsdError if test recordings were split: the challenge wants one score under each published name."""
    if name := piece_to_test(ClipTable(path)):
        what = f"{name.rpartition('/')[2]} is a piece of a recording, and the challenge scores whole ones"
        raise AsdError(f"{path}: {what}: set prepare.longer: cut, or longer prepare.seconds")


def _add(folder: Path, system: SubmittedSystem, sections: dict, settings: SubmissionSettings) -> None:
    """Write one system's folder and check it."""
    source = Path(system.scores)
    scored = check_scores(source, sections)
    folder.mkdir()
    for path in (submission_path(source, kind, *section) for section in sections for kind in (SCORES, DECISIONS)):
        whole_text(path)  # otherwise a last score that is cut off would be another score
        shutil.copyfile(path, folder / path.name)
    known, machines = _known(system, settings), settings.development.machines
    meta = meta_file(folder.name, settings.authors, system.meta, known, machines, system.figures)
    (folder / f"{folder.name}.meta.yaml").write_text(meta.text, encoding="utf-8")
    check_files(folder, sections)
    _log.info("%s: %d machines and sections, %d clips", folder.name, len(sections), sum(map(len, sections.values())))
    if meta.open:
        _progress.warning("%s.meta.yaml: to be filled in: %s", folder.name, ", ".join(dict.fromkeys(meta.open)))
    if not system.figures:
        dataset = settings.development.dataset
        _log.warning("%s: no figures of %s: no table contains this recipe", folder.name, dataset)
    if check_figures(source, scored, system.evaluated):
        _log.info("%s: our evaluator reproduces the figures in scores.csv", folder.name)
    else:
        _log.info("%s: figures not compared: no labels, or no table contains this recipe", folder.name)


def _known(system: SubmittedSystem, settings: SubmissionSettings) -> dict[str, Any]:
    """Return the fields of the meta file that the workflow knows."""
    sizes = {path: _parameters(Path(path)) for paths in system.networks.values() for path in paths}
    return {
        "name": system.title,
        "input_sampling_rate": f"{settings.sample_rate / 1000:g}kHz",
        "ensemble_method_subsystem_count": system.ensemble,
        "decision_making": "average" if system.ensemble else None,
        # The largest sum of any machine: if every machine has its own network, only one of them is used for a clip.
        "total_parameters": max(sum(sizes[path] for path in paths) for paths in system.networks.values()),
    }


def _parameters(path: Path) -> int:
    """Return the number of parameters of a trained network, or of the frozen one that made a table of embeddings."""
    return ClipTable(path).notes["parameters"] if path.suffix == ".parquet" else count_parameters(path)


def _pack(folder: Path, archive: Path, name: str) -> None:
    with atomic(archive) as temporary, zipfile.ZipFile(temporary, "w") as package:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            info = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}", EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(info, path.read_bytes())
