"""Resolved recipes: what a block of a system's file says, together with everything that it is built from."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from asdlib.workflow.arguments import arguments
from asdlib.workflow.words import ALL

Settings = dict[str, Any]  # as JSON has it: a recipe as it stands in keys, params and the headers of artefacts


@dataclass(frozen=True)
class Recipe:
    """A resolved recipe of a registry. `settings` hold the recipes that it is built from, down to the leaves."""

    registry: str
    settings: Settings

    @property
    def name(self) -> str:
        """Its name in the system's file."""
        return self.settings["name"]

    @property
    def kind(self) -> str:
        """The class that it configures, by its name in the registry."""
        return self.settings["kind"]

    @cached_property
    def key(self) -> str:
        """`<name>-<fingerprint>`: what its artefacts are called."""
        return key_of(self.settings)

    @property
    def seed(self) -> int:
        """The seed of its training or drawing."""
        return self.settings["seed"]

    @property
    def arguments(self) -> Settings:
        """The arguments of its class."""
        return arguments(self.registry, self.settings)

    @property
    def training(self) -> Settings | None:
        """The block `training`; None for a recipe that is not trained."""
        return self.settings.get("training")

    @property
    def views(self) -> tuple[str, ...]:
        """The views that a model is trained on."""
        return tuple(self.settings.get("views") or ())

    @property
    def joint(self) -> bool:
        """Whether one model is trained for all machines together."""
        return self.settings.get("scope") == ALL

    @property
    def frontend(self) -> "Recipe | None":
        """The frontend whose features a model reads."""
        return self._part("frontends", "frontend")

    @property
    def separator(self) -> "Recipe | None":
        """The separator whose output an augmentation mixes."""
        return self._part("separators", "separator")

    @property
    def init(self) -> list["Recipe"]:
        """The models that this one starts from."""
        return [Recipe("models", settings) for settings in as_list(self.settings.get("init"))]

    @property
    def public(self) -> Settings | None:
        """The published weights that a model starts from: their name and what decides which file is meant."""
        return self.settings.get("checkpoint")

    @property
    def from_scratch(self) -> bool:
        """Whether the model, or one that it starts from, does without published weights (`checkpoint: null`)."""
        refused = "checkpoint" in self.settings and self.settings["checkpoint"] is None
        return refused or any(init.from_scratch for init in self.init)

    @property
    def corpus(self) -> list[str]:
        """The datasets that a model is trained on if its recipe names them; else it learns from the run's own."""
        return self.settings.get("corpus") or []

    def _part(self, registry: str, field: str) -> "Recipe | None":
        settings = self.settings.get(field)
        return Recipe(registry, settings) if settings else None


def key_of(settings: Settings) -> str:
    """Return `<name>-<fingerprint>` of resolved settings; their order does not matter."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return f"{settings['name']}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def canonical(settings: Any) -> Any:
    """Return settings with sorted keys: Snakemake compares params as text, and an order must not re-run anything."""
    return json.loads(json.dumps(settings, sort_keys=True))


def as_list(value: Any) -> list[Any]:
    """Return nothing, one thing or a list of things as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
