"""Which systems can run on the recordings of a run, and why others cannot.

The classes of the library say what they need; what is asked here is what their jobs ask later.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import pyarrow as pa
import torch

from asdlib.augmentations import AUGMENTATIONS
from asdlib.backends import BACKENDS
from asdlib.data.clip import Clip
from asdlib.data.clip_format import ClipFormat
from asdlib.errors import AsdError
from asdlib.examples.clips import Clips
from asdlib.examples.pseudo_labels import with_column
from asdlib.frontends import FRONTENDS
from asdlib.frontends.rate import wrong_rate
from asdlib.labellers import LABELLERS
from asdlib.models import MODELS
from asdlib.separation.mixtures import too_few
from asdlib.separation.noise_pool import no_noise
from asdlib.separation.settings import Pairs
from asdlib.separation.training_data import not_separated
from asdlib.training.short_clips import least_frames
from asdlib.training.wrong_settings import ask
from asdlib.workflow import inputs, paths
from asdlib.workflow.ancestry import augmentations_for, models_of, public_for, separators_for, variant_reads_far
from asdlib.workflow.graph import Graph
from asdlib.workflow.public_files import only_by_hand
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.variants import Variant
from asdlib.workflow.words import RAW

THIS = "this machine"
ESTIMATED = f"{no_noise(THIS)}; until then, noise is estimated from the recordings"
LEFT_OUT = "a row of the table says that this machine has no scores"
NOT_FAR = "compares two microphones, and a recording has one channel: choose another variant"
_ATTRIBUTES = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True)
class Verdict:
    """Why a variant cannot run (empty if it can), and what it does without, or for which machines it has no scores."""

    system: str
    variant: str
    refusals: list[str]
    notes: list[str]


@dataclass(frozen=True)
class Present:
    """What is there: the clips of machines, the recordings of noise pools, the length of the shortest clip.

    The keys are (dataset, machine), and datasets. `one_channel` are the machines with a recording that has only one.
    """

    clips: dict[tuple[str, str], list[Clip]]
    pools: dict[str, int]
    shortest: dict[tuple[str, str], int]  # samples
    one_channel: frozenset[tuple[str, str]] = frozenset()

    def recordings(self, one: tuple[str, str], kind: str) -> int:
        """Return the number of recordings that a machine's clips of a kind are, or are pieces of."""
        return len({clip.source_file for clip in self.clips[one] if clip.kind == kind})


def verdicts(graph: Graph, present: Present) -> list[Verdict]:
    """Return a verdict for every variant of every system, on all machines whose recordings are there."""
    seed = graph.config["seeds"][0]
    return [_verdict(graph, variant, present) for variant in graph.variants.values() if variant.seed == seed]


def _verdict(graph: Graph, variant: Variant, present: Present) -> Verdict:
    refusals, notes = list(_weights(graph, variant)), list(_elsewhere(graph, variant, present))
    for model in {model.key: model for model in models_of(variant)}.values():
        refusals += [*_form(graph, model, present), *_trainings(graph, model, present)]
    few = {one: [*_backends(graph, variant, one, present), *_few_pairs(graph, variant, one, present)]
           for one in present.clips}  # fmt: skip
    some_run = not all(few.values())  # the score of a machine with too few clips is left out, those of others are not
    found = [(one[1], f"{LEFT_OUT}: {reason}" if some_run else reason, some_run) for one in few for reason in few[one]]
    for one in present.clips:
        if one in present.one_channel and variant_reads_far(graph, variant, *one):
            found.append((one[1], NOT_FAR, False))
        found += [(one[1], note, True) for note in _separators(graph, variant, one, present)]
        found += [(one[1], *said) for said in _augmentations(graph, variant, one, present)]
    refusals += _by_machines([(machine, reason) for machine, reason, runs in found if not runs])
    notes += _by_machines([(machine, reason) for machine, reason, runs in found if runs])
    return Verdict(variant.system, variant.name, list(dict.fromkeys(refusals)), list(dict.fromkeys(notes)))


def _by_machines(found: list[tuple[str, str]]) -> list[str]:
    """Return one line for each reason, with all machines that it holds for."""
    machines: dict[str, dict[str, None]] = {}
    for machine, reason in found:
        machines.setdefault(reason, {})[machine] = None
    return [f"{', '.join(names)}: {reason}" for reason, names in machines.items()]


def _weights(graph: Graph, variant: Variant) -> Iterator[str]:
    """Yield the public weights that are not there and that no job can fetch."""
    for path in public_for(variant):
        name = Path(path).parent.name
        problem = only_by_hand(name, graph.config["checkpoints"][name])
        if problem and not Path(path).exists():
            yield problem


def _elsewhere(graph: Graph, variant: Variant, present: Present) -> Iterator[str]:
    """Yield the other datasets whose recordings a variant needs and that are not there."""
    machines = ((name, one) for model in models_of(variant) for name in model.corpus for one in graph.machines(name))
    missing = [
        name for name, machine in machines
        if (name, machine) not in present.clips and not graph.all_datasets[name].recordings(machine).exists()
    ]  # fmt: skip
    names = sorted(set(missing))
    if names:
        what = ", ".join(names) if len(names) < 4 else f"{len(names)} datasets from {names[0]} to {names[-1]}"
        yield f"also learns from {what}: not here yet: a run or asdlib fetch gets them"


def _form(graph: Graph, model: Recipe, present: Present) -> Iterator[str]:
    """Yield what is wrong with the rate and with the shortest clip, for a model and its frontend."""
    frontend = FRONTENDS[model.frontend.kind](**model.frontend.arguments)
    if problem := wrong_rate(frontend, model.frontend.name, graph.config["prepare"]["sample_rate"]):
        yield problem
    least = least_frames(model)
    for (_, machine), samples in present.shortest.items():
        frames = frontend.frames(samples)
        if frames < least:
            yield f"{machine}: the shortest clip has {frames} frames, {model.name} needs {least}: replace or remove it"


def _trainings(graph: Graph, model: Recipe, present: Present) -> Iterator[str]:
    """Yield why a model cannot be trained on its clips, as far as these are there."""
    refuse = getattr(MODELS[model.kind], "refuse", None)
    frontend = FRONTENDS[model.frontend.kind](**model.frontend.arguments)
    features = torch.empty((0, *frontend.shape(typed(ClipFormat, graph.config["prepare"]).samples)))
    groups = [[(name, one) for one in graph.machines(name)] for name in model.corpus or graph.datasets]
    everyone = list(chain.from_iterable(groups))
    trainings = [everyone] if model.corpus else groups if model.joint else [[one] for one in everyone]
    for machines in trainings if refuse else ():
        if machines and all(one in present.clips for one in machines):
            table = pa.concat_tables([_learned(model, one, present) for one in machines])
            yield from _raised(partial(ask, refuse, model, Clips(table, features)))


def _raised(check: Callable[[], None]) -> Iterator[str]:
    """Yield the message of the AsdError that is raised, if one is."""
    try:
        check()
    except AsdError as error:
        yield str(error)


def _learned(model: Recipe, one: tuple[str, str], present: Present) -> pa.Table:
    """Return what is known of the training clips of a machine, with as many pseudo-labels as a model will learn."""
    table = _metadata(one, present)
    if not model.labeller:
        return table
    labeller = LABELLERS[model.labeller.kind](**model.labeller.arguments)
    return with_column(table, labeller.expected(table))


def _metadata(one: tuple[str, str], present: Present) -> pa.Table:
    """Return what is known of the training clips of a machine."""
    rows = [
        {
            "dataset": one[0],
            "machine": one[1],
            "section": clip.section,
            "domain": clip.domain,
            "attributes": list(clip.attributes.items()),
        }
        for clip in present.clips[one] if clip.kind == "train"
    ]  # fmt: skip
    text = ("dataset", "machine", "section", "domain")
    schema = pa.schema([*((name, pa.string()) for name in text), ("attributes", _ATTRIBUTES)])
    return pa.Table.from_pylist(rows, schema)


def _backends(graph: Graph, variant: Variant, one: tuple[str, str], present: Present) -> Iterator[str]:
    """Yield why a backend cannot be fitted to the training clips of a section."""
    for branch in variant.branches:
        refuse = getattr(BACKENDS[branch.backend.kind], "refuse", None)
        for section in graph.all_datasets[one[0]].machines[one[1]] if refuse else ():
            own = [clip for clip in present.clips[one] if clip.kind == "train" and clip.section == section]
            if own:
                yield from _raised(partial(refuse, [clip.domain for clip in own]))


def _few_pairs(graph: Graph, variant: Variant, one: tuple[str, str], present: Present) -> Iterator[str]:
    """Yield why a separator of a machine cannot be trained on so few recordings."""
    for clean, noise, unused in _trained_separators(graph, variant, one, present):
        if not unused:
            found = [too_few(clean or present.recordings(one, "train"), "machine"), noise and too_few(noise, "noise")]
            yield from filter(None, found)


def _separators(graph: Graph, variant: Variant, one: tuple[str, str], present: Present) -> Iterator[str]:
    """Yield what is to be said about the separators of a machine, which run nevertheless."""
    for _, noise, unused in _trained_separators(graph, variant, one, present):
        if unused:
            yield unused
        elif not noise:
            yield ESTIMATED


def _trained_separators(
    graph: Graph, variant: Variant, one: tuple[str, str], present: Present
) -> Iterator[tuple[int, int, str | None]]:
    """Yield the numbers of clean and noise recordings for each trained separator, and why it is not used, if so."""
    for key in separators_for(graph, variant, *one):
        recipe = graph.recipe("separators", key)
        if recipe.trained:
            clean = present.recordings(one, "clean")
            noise = _noise(inputs.noise_for_separator(graph, *one), one, present)
            yield clean, noise, not_separated(clean, noise, Pairs(**recipe.settings["pairs"]))


def _augmentations(
    graph: Graph, variant: Variant, one: tuple[str, str], present: Present
) -> Iterator[tuple[str, bool]]:
    """Yield what is to be said about augmentations that add noise, and whether they run nevertheless."""
    for key in augmentations_for(graph, variant, *one):
        recipe = graph.recipe("augmentations", key)
        estimates = getattr(AUGMENTATIONS[recipe.kind](**recipe.arguments, seed=recipe.seed), "estimate", None)
        if estimates is None or _noise(inputs.noise_for_augmentation(graph, key, *one), one, present):
            continue
        if estimates:
            yield ESTIMATED, True
        else:
            yield no_noise(THIS), False


def _noise(tables: Sequence[str], one: tuple[str, str], present: Present) -> int:
    """Return the number of noise recordings of a machine and in some tables, as far as they are there."""
    machines = {paths.audio(RAW, *other): present.recordings(other, "noise") for other in present.clips}
    pools = {paths.noise(dataset): count for dataset, count in present.pools.items()}
    tables = dict.fromkeys([*tables, paths.audio(RAW, *one)])
    return sum((machines | pools).get(table, 0) for table in tables)
