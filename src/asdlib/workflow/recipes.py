"""Read the system files and resolve their recipes.

A recipe is a named block of `config/systems/*.yaml`: a separator, augmentation, frontend, labeller, model or backend.
It names the recipes that it builds on. Resolving a recipe replaces those names by the named blocks, recursively. A
resolved recipe has a key `<name>-<fingerprint>`; the fingerprint is six hexadecimal digits of a hash of the whole
resolved block. Artefacts are stored under the key, so that different settings never share a file.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from asdlib.errors import AsdError
from asdlib.workflow import class_facts, paths, recipe_check
from asdlib.workflow.arguments import RESERVED
from asdlib.workflow.recipe import Recipe, Settings, as_list, canonical
from asdlib.workflow.scopes import refuse_narrow_corpus, refuse_narrow_starts, refuse_trained_labeller
from asdlib.workflow.shared_recipes import SHARED, SMALLEST, shared_recipes
from asdlib.workflow.system_files import system_files
from asdlib.workflow.variants import Branch, Variant
from asdlib.workflow.words import FAR, NAME, RAW, SCORED
from asdlib.workflow.yaml_files import check, load_yaml

REGISTRIES = ("separators", "augmentations", "frontends", "labellers", "models", "backends")
# The keys of a recipe that name another recipe, and that recipe's registry.
REFERENCES = {
    "augmentations": {"separator": "separators"},
    "labellers": {"model": "models"},
    "models": {"frontend": "frontends", "init": "models", "labeller": "labellers"},
}
SEEDED = ("separators", "augmentations", "models")
# Arguments of a class that no recipe sets. The seed is that of the run; for the check, any value will do.
GIVEN = {"augmentations": {"seed": 0}}
VIEWS = {"separated": "separators", "augmented": "augmentations"}
# The keys that identify a file of public weights; a pin or a licence changes no result.
PUBLIC = ("repository", "revision", "file")
Name = tuple[str, str]  # (registry, recipe)


class Recipes:
    """The recipes and variants of all system files, and the recipes of `shared.yaml` beside their folder.

    `override` is the config's block of that name, {registry: {recipe: {key: value}}}. It is merged into the recipes
    before they are resolved, so that overridden recipes have other keys. Where it has the name of another recipe
    instead of {key: value}, that one is used wherever the first is named. `checkpoints` is the config's block of public
    weights, from which models may start. `scored` are the datasets of the run, which a corpus may include.
    """

    def __init__(
        self,
        folder: Path,
        override: Settings | None = None,
        checkpoints: Settings | None = None,
        scored: Iterable[str] = (),
    ):
        self.folder = Path(folder)
        self.override = override or {}
        self.checkpoints = checkpoints or {}
        self.scored = sorted(scored)
        self._origins: dict[Name, str] = {}  # file and key of every recipe; filled by `blocks`
        self._refuse_unknown_overrides()

    @cached_property
    def systems(self) -> dict[str, Settings]:
        """{system: content of its file}, without overrides."""
        files = system_files(self.folder)
        for path in files:
            if not re.fullmatch(NAME, path.stem):
                raise AsdError(f"{path}: a system is named after its file: use up to 100 letters, digits and ._+-")
        found = {path.stem: load_yaml(path, schema="system") for path in files}
        for path in files:
            if path.stem in paths.TAKEN or "report" in found[path.stem]["variants"]:
                raise AsdError(f"{path}: the name is taken by a folder of results: choose another")
        return found

    @cached_property
    def shared(self) -> Settings:
        """The recipes, by registry, that belong to no system, so that any may name them."""
        return shared_recipes(self.folder.parent / SHARED, REGISTRIES)

    @cached_property
    def blocks(self) -> dict[Name, Settings]:
        """{(registry, recipe): block} with the overrides merged in and all keys checked against the classes."""
        blocks: dict[Name, Settings] = {}
        for path, content in self._contents.items():
            for registry in REGISTRIES:
                for name, block in content.get(registry, {}).items():
                    where = f"{path}: {registry}.{name}"
                    if (registry, name) in blocks:
                        first = self._origins[registry, name]
                        raise AsdError(f"{where}: {first.partition(': ')[0]} has a recipe of this name: rename one")
                    _check(registry, block, where)
                    blocks[registry, name] = self._overridden(registry, name, block)
                    self._origins[registry, name] = where
        return blocks

    def resolve(
        self, registry: str, name: str, seed: int, asked_by: str = "config", above: tuple[Name, ...] = ()
    ) -> Recipe:
        """Return a recipe with all recipes that it builds on, for one seed.

        `asked_by` is the file and key that names the recipe; it begins error messages. `above` are the recipes that
        are being resolved. Raises AsdError for an unknown recipe, or for one that builds on itself.
        """
        if (registry, name) not in self.blocks:
            known = ", ".join(sorted(n for r, n in self.blocks if r == registry)) or "none"
            raise AsdError(f"{asked_by}: no recipe {registry}.{name}: define it, or name one of: {known}")
        way = (*above, (registry, name))
        if (registry, name) in above:
            cycle = " > ".join(step for _, step in way)
            raise AsdError(f"{asked_by}: {registry}.{name} builds on itself ({cycle}): remove the cycle")
        change = self.override.get(registry, {}).get(name)
        if isinstance(change, str):
            return self.resolve(registry, change, seed, f"config: override.{registry}.{name}", way)
        here = self._origins[registry, name]
        settings = {**self.blocks[registry, name], "name": name}
        for field, target in REFERENCES.get(registry, {}).items():
            named = as_list(settings.get(field))
            resolved = [self.resolve(target, one, seed, f"{here}.{field}", way).settings for one in named]
            if resolved:
                settings[field] = resolved if isinstance(settings[field], list) else resolved[0]
        if registry == "labellers":
            refuse_trained_labeller(settings, here)
        if registry == "models":
            settings |= self._model_settings(settings, seed, here)
        if registry in SEEDED and not class_facts.is_frozen(registry, settings):
            settings["seed"] = seed
        return Recipe(registry, canonical(settings))

    def variants(self, system: str, seed: int) -> list[Variant]:
        """Return the variants of a system for one seed, in the order of its file."""
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

    @property
    def _contents(self) -> dict[str, Settings]:
        """{file: content} of all files with recipes."""
        own = {f"{self.folder / system}.yaml": content for system, content in self.systems.items()}
        return {**own, str(self.folder.parent / SHARED): self.shared}

    def _overridden(self, registry: str, name: str, block: Settings) -> Settings:
        """Return a recipe's block with the config's `override` merged in."""
        change = self.override.get(registry, {}).get(name, {})
        if not change or isinstance(change, str):
            return block
        changed = merge(block, change)
        check(SMALLEST | {registry: {name: changed}}, "system", "config: override")
        _check(registry, changed, f"config: override.{registry}.{name}")
        return changed

    def _model_settings(self, settings: Settings, seed: int, here: str) -> Settings:
        """Return the settings of a model that need more than its own recipe: views, scope, corpus, public weights."""
        public = settings.get("checkpoint")
        found: Settings = {"checkpoint": self._public(public, f"{here}.checkpoint")} if public else {}
        if class_facts.is_frozen("models", settings):
            return found
        # Sorted: training examples follow the order of the views, which the key does not represent.
        views = self._views(sorted(settings.get("views", [RAW])), seed, f"{here}.views")
        found |= {"views": views, "scope": settings.get("scope", "machine")}
        if SCORED in (settings.get("corpus") or []):
            named = [name for name in settings["corpus"] if name != SCORED]
            found["corpus"] = [*named, *(name for name in self.scored if name not in named)]
        refuse_narrow_starts(settings | found, f"{here}.init")
        refuse_narrow_corpus(settings | found, f"{here}.corpus")
        return found

    def _branch(self, block: Settings, seed: int, where: str) -> Branch:
        return Branch(
            self.resolve("models", block["model"], seed, where),
            self.resolve("backends", block["backend"], seed, where),
            tuple(self._views(block.get("views", [RAW]), seed, where)),
        )

    def _views(self, names: list[str], seed: int, where: str) -> Settings:
        """Return {view with the key of its recipe: settings of that recipe, or None for `raw`}."""
        views: Settings = {}
        for name in names:
            if name in (RAW, FAR):
                views[name] = None
                continue
            kind, _, recipe = name.partition("/")
            if kind not in VIEWS:
                raise AsdError(
                    f"{where}: view {name!r}: use raw, far, separated/<separator> or augmented/<augmentation>"
                )
            made_by = self.resolve(VIEWS[kind], recipe, seed, where)
            views[f"{kind}/{made_by.key}"] = made_by.settings
        return views

    def _public(self, name: str, where: str) -> Settings:
        """Return the name of public weights and the keys that identify their file."""
        if name not in self.checkpoints:
            known = ", ".join(sorted(self.checkpoints)) or "none"
            raise AsdError(f"{where}: the config's checkpoints have no {name!r}: use null (from scratch), or: {known}")
        return {"name": name, **public_source(self.checkpoints[name])}

    def _refuse_unknown_overrides(self) -> None:
        defined = {(registry, name) for content in self._contents.values() for registry in REGISTRIES
                   for name in content.get(registry, {})}  # fmt: skip
        for registry, recipes in self.override.items():
            for name in recipes:
                if (registry, name) not in defined:
                    raise AsdError(
                        f"config: override.{registry}.{name}: no system file defines this recipe: correct the name"
                    )


def public_source(checkpoint: Settings) -> Settings:
    """Return the part of a block of `checkpoints` that identifies the file."""
    return {key: checkpoint[key] for key in PUBLIC if key in checkpoint}


def merge(base: Any, change: Any) -> Any:
    """Return `base` with `change` merged in; dictionaries are merged key by key, other values replaced."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    return {**base, **{key: merge(base.get(key), value) for key, value in change.items()}}


def _check(registry: str, block: Settings, where: str) -> None:
    """Raise AsdError for a recipe that its class does not accept, sets the seed, or names noise that it ignores."""
    if "seed" in block:
        raise AsdError(f"{where}.seed: the config's `seeds` apply to every recipe: remove it")
    if block.get("noise_from") and "noise" not in block:
        raise AsdError(f"{where}.noise_from: is ignored without noise: pool: add this, or leave noise_from out")
    recipe_check.check(registry, block | GIVEN.get(registry, {}), RESERVED[registry], where)
