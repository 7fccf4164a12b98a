"""The content of a package for the challenge: the chosen variants, their files, and what the workflow knows about them.

No numpy or torch at import, because this runs when the graph is built. The config's block `submission` has the
settings.
"""

from pathlib import Path
from typing import Any

from asdlib.data import made
from asdlib.data.listing import is_file
from asdlib.errors import AsdError
from asdlib.evaluation.figures import AREAS, SINCE_2022
from asdlib.workflow import inputs, paths
from asdlib.workflow.ancestry import sizes_for
from asdlib.workflow.graph import Graph
from asdlib.workflow.variants import Variant
from asdlib.workflow.words import ALL, RAW

NEEDED = ("variants", "author", "institute", "authors")
MOST = 4  # number of systems that one team may submit


def check(graph: Graph) -> None:
    """Refuse, before anything runs, a block that names variants but is incomplete."""
    if graph.config["submission"]["variants"]:
        report_file(graph)
        settings(graph)


def variants(graph: Graph) -> list[Variant]:
    """Return the chosen variants in the order of their numbers, with the run's first seed.

    Raises AsdError, naming the key, if the block is incomplete or wrong.
    """
    block = graph.config["submission"]
    for key in NEEDED:
        if not block[key]:
            raise AsdError(f"config: submission.{key}: is missing: a package needs it (docs/submission.md)")
    if sum(author.get("corresponding", False) for author in block["authors"]) != 1:
        raise AsdError("config: submission.authors: exactly one must be corresponding: mark it `corresponding: true`")
    if len(block["variants"]) > MOST:
        raise AsdError(f"config: submission.variants: {len(block['variants'])} are too many: name at most {MOST}")
    for name in [*block["variants"], *block["meta"]]:
        _known(graph, name)
    return [graph.variants[(*name.split("/"), graph.config["seeds"][0])] for name in block["variants"]]


def refuse_changed_package() -> list[str]:
    """Return no input. Raises AsdError if the package that is there has files that were added or changed by hand."""
    for path in (paths.SUBMISSION, paths.SUBMISSION_ARCHIVE):
        made.refuse_altered(Path(path))
    return []


def score_files(graph: Graph) -> list[str]:
    """Return the score and decision files that go into the package."""
    dataset = graph.config["submission"]["dataset"]
    return [
        inputs.scored_file(graph, variant, *section, kind)
        for variant in variants(graph)
        for section in graph.all_datasets[dataset].sections
        for kind in ("anomaly_score", "decision_result")
    ]


def clip_files(graph: Graph) -> list[str]:
    """Return the prepared clips of every machine, which have the clips' names and, if known, labels."""
    dataset = graph.config["submission"]["dataset"]
    return [paths.audio(RAW, dataset, machine) for machine in graph.machines(dataset)]


def network_files(graph: Graph) -> list[str]:
    """Return the files that say how large the networks are that the package's scores depend on."""
    found = [path for variant in variants(graph) for paths in _networks(graph, variant).values() for path in paths]
    return list(dict.fromkeys(found))


def report_file(graph: Graph) -> list[str]:
    """Return the technical report, if the config names one."""
    path = graph.config["submission"]["report"]
    if path and not is_file(Path(path)):
        raise AsdError(f"config: submission.report: {path}: no such file: correct the path, or leave it out (null)")
    return [path] if path else []


def settings(graph: Graph) -> dict[str, Any]:
    """Return what determines the package in addition to the files of the functions above."""
    block = graph.config["submission"]
    label = f"{block['author']}_{block['institute']}_task2"
    return {
        "label": label,
        "authors": block["authors"],
        "clips": clip_files(graph),
        "declared_clips": (graph.all_datasets[block["dataset"]].clips or {}).get("test"),
        "sample_rate": graph.config["prepare"]["sample_rate"],
        "report": block["report"],
        "development": {"dataset": block["development"], "machines": _development_machines(graph)},
        "systems": [
            {
                "label": f"{label}_{number}",
                "scores": inputs.score_folder(graph, variant, block["dataset"]),
                "title": graph.recipes.systems[variant.system]["title"],
                "branches": len(variant.branches),
                "networks": _networks(graph, variant),
                "meta": block["meta"].get(f"{variant.system}/{variant.name}", {}),
                "figures": _figures(graph, variant, block["development"]),
                "evaluated": _figures(graph, variant, block["dataset"]),
            }
            for number, variant in enumerate(variants(graph), start=1)
        ],
    }


def _known(graph: Graph, name: str) -> None:
    known = [f"{system}/{variant}" for system, variant, _ in graph.variants]
    if name not in known:
        raise AsdError(f"config: submission: {name}: there is no such variant: use one of: {', '.join(known)}")


def _development_machines(graph: Graph) -> list[str]:
    """Return the machines whose figures the meta files contain."""
    name = graph.config["submission"]["development"]
    if name in graph.all_datasets:
        return graph.machines(name)
    declared = graph.config["datasets"].get(name, {}).get("machines")
    if not declared:
        known = ", ".join(graph.config["datasets"])
        raise AsdError(
            f"config: submission.development: there is no dataset {name!r} with machines: use one of: {known}"
        )
    return declared


def _networks(graph: Graph, variant: Variant) -> dict[str, list[str]]:
    """Return {machine: the files that say how large the networks are that process one of its clips}."""
    dataset = graph.config["submission"]["dataset"]
    return {machine: sizes_for(graph, variant, dataset, machine) for machine in graph.machines(dataset)}


def _figures(graph: Graph, variant: Variant, dataset: str) -> list[dict[str, str]]:
    """Return the sections' rows of this variant, seed and dataset in the system's table: AUCs and pAUC in percent.

    The table is no input of the rule `submission`, because otherwise a package would require trainings on the
    development set. A row therefore counts only if it has the submitted recipes and the table is not older than the
    scores. Figures of 2020 and 2021 have other definitions under the same names and do not count.
    """
    path = Path(paths.scores(variant.system))
    if not path.is_file() or _older(path, inputs.score_folder(graph, variant, dataset)):
        return []
    from asdlib.evaluation.score_table import METRIC, read_score_table  # imports pandas, which the graph does not need

    wanted = {"variant": variant.name, "dataset": dataset, "seed": str(variant.seed), "recipe": variant.recipe}
    wanted[METRIC] = SINCE_2022.name
    rows = read_score_table(path)
    rows = rows[(rows[list(wanted)] == list(wanted.values())).all(axis=1) & ~rows["section"].isin(["", ALL])]
    return rows[["machine", "section", *AREAS]].dropna().astype(str).to_dict("records")


def _older(table: Path, scores: str) -> bool:
    """Return whether a table is older than any of the scores in a folder."""
    return any(path.stat().st_mtime > table.stat().st_mtime for path in Path(scores).glob("anomaly_score_*.csv"))
