"""Models that do not fit the models or datasets that they build on, above all by their scopes."""

from asdlib.errors import AsdError
from asdlib.workflow import class_facts
from asdlib.workflow.recipe import Settings, as_list
from asdlib.workflow.words import ALL, SECTION


def refuse_narrow_starts(model: Settings, where: str) -> None:
    """Raise AsdError for a joint model that starts from a model of one machine, and the like."""
    widths = (SECTION, "machine", ALL)
    for init in as_list(model.get("init")):
        if class_facts.is_frozen("models", init):
            raise AsdError(f"{where}: {init['name']} is not trained: name its public weights as checkpoint instead")
        wanted, given = model["scope"], init["scope"]
        if widths.index(given) < widths.index(wanted):
            own = "on all" if wanted == ALL else f"per {wanted}"
            raise AsdError(
                f"{where}: {init['name']} is trained per {given}, {model['name']} {own}: use scope: {wanted} in both"
            )


def refuse_narrow_corpus(model: Settings, where: str) -> None:
    """Raise AsdError for a model of one machine that has a corpus, which has the machines of many datasets."""
    scope = model["scope"]
    if model.get("corpus") and scope != ALL:
        raise AsdError(f"{where}: {model['name']} is trained per {scope}: use scope: all, or leave the corpus out")


def refuse_trained_labeller(labeller: Settings, where: str) -> None:
    """Raise AsdError for pseudo-labels by a trained model, which may itself have learned from labels."""
    model = labeller["model"]
    if not class_facts.is_frozen("models", model):
        raise AsdError(f"{where}.model: {model['name']} is trained: name a model that is not")
