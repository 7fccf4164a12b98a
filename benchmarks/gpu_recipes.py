"""The recipes of config/systems with artificial clips, for `gpu_check.py`: networks, examples and their batches."""

from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import yaml
from full_size import CONFIG
from torch import nn

from asdlib.data.tables import clip_rows
from asdlib.examples.clips import Batch, Clips, origins
from asdlib.frontends import FRONTENDS
from asdlib.separation.mixtures import MixturePairs
from asdlib.separation.settings import Pairs
from asdlib.training.batches import Batches, Examples, shuffled
from asdlib.training.build import build_model, build_separator
from asdlib.training.settings import Training
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.recipes import Recipes, merge

RATE = 16000
MACHINES = [f"machine_{number}" for number in range(7)]
TOY_SIZES = CONFIG.parent / "tests" / "end_to_end" / "toy_sizes"
DISTINCT = 56  # different clips; a larger set repeats them


@dataclass(frozen=True)
class Case:
    """A recipe's network, still on the CPU, with its training settings and examples; `seconds` is a clip's length."""

    recipe: Recipe
    network: nn.Module
    examples: Examples
    training: Training
    seconds: float

    def batches(self, count: int, device: torch.device, size: int | None = None) -> list[Any]:
        """Return `count` batches of `size` examples (default: the recipe's) on a device."""
        size = size or self.training.batch_size
        order = shuffled(torch.arange(len(self.examples)), 0, 0, count * size)
        return list(islice(Batches(self.examples, order, size, device), count))

    def clips(self, count: int) -> Batch | torch.Tensor:
        """Return clips to embed, or waveforms (1, samples) to separate, as the steps `embed` and `separate` do."""
        if self.recipe.registry == "separators":
            return torch.from_numpy(np.stack([_waveform(number, self.seconds) for number in range(count)]))
        clips = artificial_clips(self.recipe, count, self.seconds)
        unknown = torch.zeros(count, dtype=torch.bool)
        return Batch(clips.features.float(), clips.frames, unknown, origins=origins(clips.table))


def recipes() -> list[tuple[str, str]]:
    """Return (registry, name) of every trained recipe, once per set of equal sizes."""
    found = _resolver(small=False)
    seen: dict[str, tuple[str, str]] = {}
    for registry, name in sorted(found.blocks, key=lambda pair: pair[0] != "separators"):
        if registry in ("separators", "models"):
            recipe = found.resolve(registry, name, seed=0)
            if not recipe.trained:
                continue
            sizes = (recipe.arguments, recipe.training, len(recipe.views), recipe.settings.get("frontend"))
            seen.setdefault(repr(sizes), (registry, name))
    return list(seen.values())


def full_recipe(registry: str, name: str) -> Recipe:
    """Return a recipe as config/systems has it."""
    return _resolver(small=False).resolve(registry, name, seed=0)


def case(registry: str, name: str, small: bool, clips: int = 504, **changes: Any) -> Case:
    """Return a recipe with `clips` artificial clips, at full or small size; `changes` replace single settings."""
    seconds = 2.0 if small else 10.0
    settings = merge(_resolver(small).resolve(registry, name, seed=0).settings, changes)
    if small and registry == "separators":  # also those that have no toy size
        settings = merge(settings, {"pairs": {"segment": 0.5}})
    recipe = Recipe(registry, settings)
    torch.manual_seed(0)
    if registry == "separators":
        network, examples = build_separator(recipe), _mixtures(settings, seconds)
    else:
        made = artificial_clips(recipe, clips, seconds)
        network, _ = build_model(recipe, made)
        examples = network.examples(made)
    if hasattr(examples, "begin_epoch"):
        examples.begin_epoch(0)
    if hasattr(network, "begin_epoch"):
        network.begin_epoch(0, settings["training"]["epochs"])
    return Case(recipe, network, examples, Training(**settings["training"]), seconds)


def artificial_clips(recipe: Recipe, count: int, seconds: float) -> Clips:
    """Return the features of `count` clips of seven machines; every machine has attributes and both domains."""
    settings = recipe.frontend.settings
    frontend = FRONTENDS[recipe.frontend.kind](**recipe.frontend.arguments)
    samples = round(RATE * seconds)
    waveforms = torch.from_numpy(np.stack([_waveform(number, seconds) for number in range(min(count, DISTINCT))]))
    lengths = torch.full((len(waveforms),), samples)
    needs_samples = getattr(frontend, "needs_samples", False)
    features = frontend(waveforms, lengths) if needs_samples else frontend(waveforms)
    repeated = features.to(getattr(torch, settings.get("dtype", "float32")))[torch.arange(count) % len(features)]
    kinds = sorted({view.partition("/")[0] for view in recipe.views})
    table = clip_rows([_row(number, samples, frontend.frames(samples)) for number in range(count)])
    for name, values in (
        ("dataset", ["artificial"] * count),
        ("machine", [MACHINES[number % len(MACHINES)] for number in range(count)]),
        ("view_kind", [kinds[number // len(MACHINES) % len(kinds)] for number in range(count)]),
    ):
        table = table.append_column(name, pa.array(values))
    return Clips(table, repeated)


def embedded(made: Case, clips: Any) -> torch.Tensor:
    """Return everything that the step `embed` or `separate` computes of clips, in one vector or as waveforms."""
    if made.recipe.registry == "separators":
        return made.network.separate(clips)
    if hasattr(made.network, "for_machine"):
        made.network.for_machine("machine_0")
    found = made.network.embed(clips)
    return torch.cat([found[name].float().flatten() for name in sorted(found)])


@cache
def _resolver(small: bool) -> Recipes:
    changes: dict[str, Any] = {}
    for path in sorted(TOY_SIZES.glob("*.yaml")) if small else []:
        changes = merge(changes, yaml.safe_load(path.read_text(encoding="utf-8"))["override"])
    public = yaml.safe_load((CONFIG / "checkpoints.yaml").read_text(encoding="utf-8"))["checkpoints"]
    return Recipes(CONFIG / "systems", changes, public)


def _mixtures(settings: dict[str, Any], seconds: float) -> MixturePairs:
    pairs = replace(Pairs(**settings["pairs"]), per_epoch=400, validation_mixtures=4)
    recordings = [(_waveform(number, seconds) * 32767).astype(np.int16) for number in range(40)]
    return MixturePairs(recordings[:20], recordings[20:], pairs, RATE, 0)


@cache
def _waveform(number: int, seconds: float) -> np.ndarray:
    """Return one of many different hums with noise, float32 within [-1, 1]."""
    rng = np.random.default_rng(number)
    time = np.arange(round(RATE * seconds)) / RATE
    base = 80 + 40 * (number % len(MACHINES)) + 5 * (number // len(MACHINES) % 3)
    hum = sum(np.sin(2 * np.pi * base * n * time + rng.uniform(0, 6)) / n for n in (1, 2, 3, 5))
    return (0.1 * hum + 0.03 * rng.standard_normal(len(time))).astype(np.float32)


def _row(number: int, samples: int, frames: int) -> dict[str, Any]:
    return {
        "clip": f"clip_{number}", "section": "00", "domain": "target" if number % 5 == 4 else "source",
        "split": "train", "label": "normal", "attributes": {"speed": str(number // len(MACHINES) % 3)},
        "kind": "train", "samples": samples, "frames": frames, "source_file": f"train/clip_{number}.wav",
    }  # fmt: skip
