"""The pseudo-labels that a training reads, and the embeddings that they are made from."""

from asdlib.workflow import inputs, paths
from asdlib.workflow.graph import Graph
from asdlib.workflow.words import RAW


def training_labels(graph: Graph, model: str, dataset: str, machine: str) -> list[str]:
    """Return the pseudo-labels of the clips that a model is trained on; an empty list for one without a labeller."""
    labeller = graph.recipe("models", model).labeller
    if not labeller:
        return []
    read = [paths.parse_features(path)[1:] for path in inputs.training_features(graph, model, dataset, machine)]
    return [paths.labels(labeller.key, *one) for one in dict.fromkeys(read)]


def labelled_embeddings(graph: Graph, labeller: str, dataset: str, machine: str) -> str:
    """Return the embeddings of a machine's recordings by which a labeller judges."""
    return paths.embeddings(graph.recipe("labellers", labeller).model.key, RAW, dataset, machine)
