"""From the systems' files to resolved recipes with computed names.

A recipe is a named block of `config/systems/*.yaml`: a separator, an augmentation, a frontend, a model or a backend. It
names what it is built from. Resolving it replaces those names by the blocks they stand for, down to the leaves, and
gives it a key `<name>-<fingerprint>`: six hexadecimal digits of a hash over the whole resolved block. An artefact whose
path holds that key can never be mistaken for one made with other settings.

Standard library and yaml only: the graph is built from here, without torch.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from asdlib.errors import AsdError
from asdlib.workflow import recipe_check
from asdlib.workflow.arguments import RESERVED
from asdlib.workflow.yaml_files import check, load_yaml

SECTIONS = ("separators", "augmentations", "frontends", "models", "backends")
# A recipe's keys that name another recipe, and where that one lives.
REFERENCES = {
    "augmentations": {"separator": "separators"},
    "models": {"frontend": "frontends", "init": "models"},
}
# The least that a system's file holds: an overridden recipe is checked as a part of one.
SMALLEST = {"report": "", "title": "", "variants": {"v": {"branches": [{"model": "m", "backend": "b"}]}}}
SEEDED = ("separators", "augmentations", "models")
# Arguments of a class that no recipe states. The seed is the run's own; any will do for a check.
GIVEN = {"augmentations": {"seed": 0}}
VIEWS = {"separated": "separators", "augmented": "augmentations"}
# What decides which public weights a checkpoint's block means; a pin and a licence change no result.
PUBLIC = ("repository", "revision", "file")
# Folders of results that are no system's, and targets; a variant's are beside `report`.
TAKEN = {*SECTIONS, "audio", "benchmarks", "embeddings", "features", "logs", "report", "submission"}


@dataclass(frozen=True)
class Recipe:
    """A resolved recipe. `settings` holds its whole ancestry; `views` are the audio it reads, as paths."""

    section: str
    name: str
    key: str
    settings: dict[str, Any]
    views: tuple[str, ...] = ()

    @property
    def frontend(self) -> str | None:
        """The key of the frontend whose features a model reads."""
        frontend = self.settings.get("frontend")
        return key_of(frontend) if frontend else None

    @property
    def separator(self) -> str | None:
        """The key of the separator whose output an augmentation mixes."""
        separator = self.settings.get("separator")
        return key_of(separator) if separator else None

    @property
    def init(self) -> list[str]:
        """The keys of the models that this one starts from."""
        return [key_of(init) for init in as_list(self.settings.get("init"))]

    @property
    def public(self) -> dict[str, Any] | None:
        """The public weights that a model starts from."""
        return self.settings.get("checkpoint")

    @property
    def corpus(self) -> list[str]:
        """The datasets that a model is trained on, if its recipe names them; else it learns from those it serves."""
        return self.settings.get("corpus") or []


@dataclass(frozen=True)
class Branch:
    """One model, one backend, and the views of a clip that the model reads at test time."""

    model: Recipe
    backend: Recipe
    views: tuple[str, ...]

    @property
    def recipe(self) -> str:
        """The keys that made it: model (from scratch) (views, unless they are the recordings alone) > backend."""
        begun = " (from scratch)" if from_scratch(self.model.settings) else ""
        read = "" if self.views == ("raw",) else f" ({', '.join(self.views)})"
        return f"{self.model.key}{begun}{read} > {self.backend.key}"


@dataclass(frozen=True)
class Variant:
    """One of a system's own variants under one seed: its branches and how their scores are joined."""

    system: str
    name: str
    seed: int
    branches: tuple[Branch, ...]
    fusion: str
    decision: dict[str, Any]

    @property
    def recipe(self) -> str:
        """The keys that made it, as `scores.csv` states them: its branches, added up."""
        return " + ".join(branch.recipe for branch in self.branches)


class Recipes:
    """All recipes and variants of all systems' files.

    `override` is the config's block of that name: {section: {recipe: {key: value}}}, merged into the recipes before
    anything is resolved, so that a toy or a trial configuration gets keys of its own. `checkpoints` is the config's
    block of public weights, which models may start from.
    """

    def __init__(self, folder: Path, override: dict[str, Any] | None = None, checkpoints: dict[str, Any] | None = None):
        self.folder = Path(folder)
        self.override = override or {}
        self.checkpoints = checkpoints or {}
        self._places: dict[tuple[str, str], str] = {}  # file and key of every recipe, filled with `blocks`
        self._refuse_unknown_overrides()

    @cached_property
    def systems(self) -> dict[str, dict[str, Any]]:
        """The systems' files as they stand: {system: content}."""
        files = sorted(self.folder.glob("*.yaml"))
        if not files:
            raise AsdError(f"{self.folder}: holds no system's YAML file: restore config/systems")
        found = {path.stem: load_yaml(path, schema="system") for path in files}
        for path in files:
            if path.stem in TAKEN or "report" in found[path.stem]["variants"]:
                raise AsdError(f"{path}: the name is taken by a folder of results: choose another")
        return found

    @cached_property
    def blocks(self) -> dict[tuple[str, str], dict[str, Any]]:
        """{(section, recipe): block}, the overrides merged in, every key checked against the class it goes to."""
        blocks: dict[tuple[str, str], dict[str, Any]] = {}
        for system, content in self.systems.items():
            for section in SECTIONS:
                for name, block in content.get(section, {}).items():
                    where = f"{self.folder / system}.yaml: {section}.{name}"
                    if (section, name) in blocks:
                        first = self._places[section, name]
                        raise AsdError(f"{where}: {first.partition(': ')[0]} has a recipe of this name: rename one")
                    _check(section, block, where)
                    change = self.override.get(section, {}).get(name, {})
                    if change:
                        block = merge(block, change)
                        check(SMALLEST | {section: {name: block}}, "system", "config: override")
                        _check(section, block, f"config: override.{section}.{name}")
                    blocks[section, name], self._places[section, name] = block, where
        return blocks

    def resolve(
        self, section: str, name: str, seed: int, asked_by: str = "config", above: tuple[tuple[str, str], ...] = ()
    ) -> Recipe:
        """Resolve one recipe and everything it is built from under `seed`.

        `asked_by` is the file and key that names it, `above` the recipes that lie on the way to it.
        """
        if (section, name) not in self.blocks:
            known = ", ".join(sorted(n for s, n in self.blocks if s == section)) or "none"
            raise AsdError(f"{asked_by}: no recipe {section}.{name}: define it, or name one of: {known}")
        way = (*above, (section, name))
        if (section, name) in above:
            circle = " > ".join(step for _, step in way)
            raise AsdError(f"{asked_by}: {section}.{name} is built from itself ({circle}): break the circle")
        here = self._places[section, name]
        settings = {**self.blocks[section, name], "name": name}
        for field, target in REFERENCES.get(section, {}).items():
            named = as_list(settings.get(field))
            resolved = [self.resolve(target, one, seed, f"{here}.{field}", way).settings for one in named]
            if resolved:
                settings[field] = resolved if isinstance(settings[field], list) else resolved[0]
        views = {}
        if section == "models":
            # Sorted: examples follow the order of the files, and neither the key nor Snakemake sees that order.
            views = self._views(sorted(settings.get("audio", ["raw"])), seed, f"{here}.audio")
            settings |= {"audio": views, "scope": settings.get("scope", "machine")}
            _refuse_narrow_starts(settings, f"{here}.init")
            _refuse_narrow_corpus(settings, f"{here}.corpus")
            if settings.get("checkpoint"):
                settings["checkpoint"] = self._public(settings["checkpoint"], f"{here}.checkpoint")
        if section in SEEDED:
            settings["seed"] = seed
        return Recipe(section, name, key_of(settings), canonical(settings), tuple(views))

    def variants(self, system: str, seed: int) -> list[Variant]:
        """Resolve the variants of a system, in the order of its file."""
        where = f"{self.folder / system}.yaml: variants"
        return [
            Variant(
                system,
                name,
                seed,
                tuple(self._branch(branch, seed, f"{where}.{name}.branches") for branch in block["branches"]),
                block.get("fusion", "mean"),
                {"quantile": 0.9, **block.get("decision", {})},
            )
            for name, block in self.systems[system]["variants"].items()
        ]

    def _branch(self, block: dict[str, Any], seed: int, where: str) -> Branch:
        return Branch(
            self.resolve("models", block["model"], seed, where),
            self.resolve("backends", block["backend"], seed, where),
            tuple(self._views(block.get("views", ["raw"]), seed, where)),
        )

    def _views(self, names: list[str], seed: int, where: str) -> dict[str, Any]:
        """Resolve views: {path below results/audio: the recipe that makes it, None for `raw`}."""
        views: dict[str, Any] = {}
        for name in names:
            if name == "raw":
                views["raw"] = None
                continue
            kind, _, recipe = name.partition("/")
            if kind not in VIEWS:
                raise AsdError(f"{where}: view {name!r}: use raw, separated/<separator> or augmented/<augmentation>")
            made_by = self.resolve(VIEWS[kind], recipe, seed, where)
            views[f"{kind}/{made_by.key}"] = made_by.settings
        return views

    def _public(self, name: str, where: str) -> dict[str, Any]:
        """Return what decides which public weights are meant by a name."""
        if name not in self.checkpoints:
            known = ", ".join(sorted(self.checkpoints)) or "none"
            raise AsdError(f"{where}: the config's checkpoints have no {name!r}: use null (from scratch), or: {known}")
        return {"name": name, **public_source(self.checkpoints[name])}

    def _refuse_unknown_overrides(self) -> None:
        defined = {(section, name) for content in self.systems.values() for section in SECTIONS
                   for name in content.get(section, {})}  # fmt: skip
        for section, recipes in self.override.items():
            for name in recipes:
                if (section, name) not in defined:
                    raise AsdError(
                        f"config: override.{section}.{name}: no system's file defines this recipe: fix the name"
                    )


def _check(section: str, block: dict[str, Any], where: str) -> None:
    """Refuse a recipe that its class cannot take; the run's seed is not the recipe's to set."""
    if "seed" in block:
        raise AsdError(f"{where}.seed: the config's `seeds` decide for every recipe: remove it")
    recipe_check.check(section, block | GIVEN.get(section, {}), RESERVED[section], where)


def _refuse_narrow_starts(model: dict[str, Any], where: str) -> None:
    """A model of all machines has no machine whose weights it could start from."""
    for init in as_list(model.get("init")):
        if model["scope"] == "all" and init["scope"] != "all":
            raise AsdError(
                f"{where}: {init['name']} is trained per machine, {model['name']} on all: use scope: all in both"
            )


def _refuse_narrow_corpus(model: dict[str, Any], where: str) -> None:
    """A corpus has machines of many datasets: no one of them could be meant."""
    if model.get("corpus") and model["scope"] != "all":
        raise AsdError(f"{where}: {model['name']} is trained per machine: use scope: all, or leave the corpus out")


def public_source(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a block of public weights that decides which file it means."""
    return {key: checkpoint[key] for key in PUBLIC if key in checkpoint}


def from_scratch(model: dict[str, Any]) -> bool:
    """Tell whether a model, or one that it starts from, has public weights named as none (`checkpoint: null`)."""
    refused = "checkpoint" in model and model["checkpoint"] is None
    return refused or any(from_scratch(init) for init in as_list(model.get("init")))


def as_list(value: Any) -> list[Any]:
    """Return what may be nothing, one thing or a list of things, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def key_of(settings: dict[str, Any]) -> str:
    """Return `<name>-<fingerprint>` of resolved settings; their order does not matter."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return f"{settings['name']}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def canonical(settings: Any) -> Any:
    """Return settings with sorted keys: Snakemake compares them as text, and their order must not re-run anything."""
    return json.loads(json.dumps(settings, sort_keys=True))


def merge(base: Any, change: Any) -> Any:
    """Return `base` with `change` laid over it, dictionaries key by key."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    return {**base, **{key: merge(base.get(key), value) for key, value in change.items()}}
