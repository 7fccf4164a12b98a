"""`asdlib export`: write a trained network as an ONNX file, for programs without Python."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdlib.commands import target_options
from asdlib.errors import AsdError

if TYPE_CHECKING:
    from asdlib.commands.scoring_target import ScoringTarget
    from asdlib.workflow.graph import Graph
    from asdlib.workflow.variants import Branch

# What every file says of itself, by which it is recognised.
FACTS = {"system", "variant", "dataset", "machine", "section", "seed", "model", "frontend", "prepare"}
HELP = "write a trained network as an ONNX file, from features to embedding"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    target_options.add_arguments(parser)
    parser.add_argument("--model", help="required if the variant has several")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx", help="the file to write")
    target_options.add_config(parser)


def run(args: argparse.Namespace) -> None:
    """Write the file and print how far it deviates from PyTorch; without a result, no file is left."""
    from asdlib.workflow.config import read_config
    from asdlib.workflow.graph import Graph

    graph = Graph(read_config(args.configfile, args.config), Path())
    target = target_options.chosen(graph, args)
    branches = {branch.model.name: branch for branch in target.variant.branches}
    branch = branches[target_options.one_of("--model", args.model, list(branches))]
    if not branch.model.trained:
        raise AsdError(f"--model: {branch.model.name} is not trained: choose a variant with a trained model")
    target_options.refuse_missing(graph, target, args)
    if not args.out.absolute().parent.is_dir():
        raise AsdError(f"--out: {args.out}: there is no folder {args.out.parent}: create it")
    from asdlib.training import onnx_file  # imports torch, which is slow: only after the checks

    if os.path.lexists(args.out):
        onnx_file.refuse_other(args.out, FACTS)
    exported = _network(graph, target, branch)
    facts = _facts(graph, target, branch, exported)
    used, deviation = onnx_file.export(exported, args.out, facts)
    print(f"{args.out}: {', '.join(exported.outputs)}; at most {deviation:.1g} from PyTorch in {used}")


def _network(graph: "Graph", target: "ScoringTarget", branch: "Branch") -> Any:
    """Return the network of a branch, the shape of its features and the outputs to export."""
    from asdlib.data.clip_format import ClipFormat
    from asdlib.frontends import FRONTENDS
    from asdlib.training import onnx_file
    from asdlib.training.build import restore_model
    from asdlib.weights import checkpoints
    from asdlib.workflow.inputs import weights_of_section
    from asdlib.workflow.typed_settings import typed

    weights = weights_of_section(graph, branch.model, target.dataset, target.machine, target.section)
    network = restore_model(checkpoints.load(Path(weights)))
    if hasattr(network, "for_machine"):
        network.for_machine(target.machine)
    frontend = FRONTENDS[branch.model.frontend.kind](**branch.model.frontend.arguments)
    samples = typed(ClipFormat, graph.config["prepare"]).samples
    read = branch.backend.settings.get("representation")
    simple = branch.backend.kind in onnx_file.SIMPLE and len(target.variant.branches) == len(branch.views) == 1
    shape, frames = frontend.shape(samples), frontend.frames(samples)
    return onnx_file.Exported(branch.model.name, network, shape, frames, read, score=simple)


def _facts(graph: "Graph", target: "ScoringTarget", branch: "Branch", exported: Any) -> dict[str, str]:
    """Return what the file says of itself: whose it is, what its input is made of, and the threshold of its score."""
    import json

    from asdlib.commands.scoring_target import fitted

    variant = target.variant
    facts = {"system": variant.system, "variant": variant.name, "dataset": target.dataset, "machine": target.machine}
    facts |= {"section": target.section, "seed": str(variant.seed), "model": branch.model.key}
    made_of = {"frontend": branch.model.frontend.settings, "prepare": graph.config["prepare"]}
    facts |= {name: json.dumps(block, sort_keys=True) for name, block in made_of.items()}
    if exported.score:
        facts["threshold"] = repr(fitted(graph, target).threshold)
    return facts
