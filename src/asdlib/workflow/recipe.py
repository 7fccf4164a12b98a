"""Resolved recipes: named blocks of the system files, together with all recipes that they build on."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from asdlib.workflow.arguments import arguments
from asdlib.workflow.words import ALL, SECTION

Settings = dict[str, Any]  # JSON-like, for keys, params and the headers of artefacts


@dataclass(frozen=True)
class Recipe:
    """A resolved recipe of a registry. `settings` contains the settings of all recipes that it builds on."""

    registry: str
    settings: Settings

    @property
    def name(self) -> str:
        """The name of the recipe in the system file."""
        return self.settings["name"]

    @property
    def kind(self) -> str:
        """The name in the registry of the class that the recipe configures."""
        return self.settings["kind"]

    @cached_property
    def key(self) -> str:
        """`<name>-<fingerprint>`: the key under which the recipe's artefacts are stored."""
        return key_of(self.settings)

    @property
    def seed(self) -> int:
        """The seed of the training, or of an augmentation's random numbers; a model that is not trained has none."""
        return self.settings["seed"]

    @property
    def arguments(self) -> Settings:
        """The arguments of the constructor of the recipe's class."""
        return arguments(self.registry, self.settings)

    @property
    def training(self) -> Settings | None:
        """The block `training`, or None for a recipe that is not trained."""
        return self.settings.get("training")

    @property
    def trained(self) -> bool:
        """Whether a job trains the recipe; the key of a model or separator that is not trained has no seed."""
        return self.training is not None

    @property
    def views(self) -> tuple[str, ...]:
        """The views that a model is trained on."""
        return tuple(self.settings.get("views") or ())

    @property
    def joint(self) -> bool:
        """Whether one model is trained for all machines of a dataset or corpus."""
        return self.settings.get("scope") == ALL

    @property
    def of_sections(self) -> bool:
        """Whether each section of a machine has a model of its own."""
        return self.settings.get("scope") == SECTION

    @property
    def frontend(self) -> "Recipe | None":
        """The frontend of a model."""
        return self._part("frontends", "frontend")

    @property
    def separator(self) -> "Recipe | None":
        """The separator whose output an augmentation mixes, or None."""
        return self._part("separators", "separator")

    @property
    def init(self) -> list["Recipe"]:
        """The models that this model is initialised from."""
        return [Recipe("models", settings) for settings in as_list(self.settings.get("init"))]

    @property
    def labeller(self) -> "Recipe | None":
        """What gives the training clips of a model pseudo-labels, or None."""
        return self._part("labellers", "labeller")

    @property
    def model(self) -> "Recipe | None":
        """The frozen model by whose embeddings a labeller judges."""
        return self._part("models", "model")

    @property
    def starts(self) -> list["Recipe"]:
        """The models without which this model cannot be trained: those of `init`, and that of its labeller."""
        return [*self.init, *([self.labeller.model] if self.labeller else [])]

    @property
    def public(self) -> Settings | None:
        """The public weights that a model starts from (name, repository, revision, file), or None."""
        return self.settings.get("checkpoint")

    @property
    def from_scratch(self) -> bool:
        """Whether the model, or one of its `starts`, has `checkpoint: null` instead of public weights."""
        refused = "checkpoint" in self.settings and self.settings["checkpoint"] is None
        return refused or any(start.from_scratch for start in self.starts)

    @property
    def corpus(self) -> list[str]:
        """The datasets in the model's corpus; if empty, the model is trained on each dataset of the run."""
        return self.settings.get("corpus") or []

    @property
    def noise_from(self) -> list[str]:
        """The datasets whose noise clips an augmentation adds to public recordings; if empty, the clip's own one."""
        return self.settings.get("noise_from") or []

    def _part(self, registry: str, field: str) -> "Recipe | None":
        settings = self.settings.get(field)
        return Recipe(registry, settings) if settings else None


def key_of(settings: Settings) -> str:
    """Return `<name>-<fingerprint>` of resolved settings; the order of the settings does not matter."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return f"{settings['name']}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def canonical(settings: Any) -> Any:
    """Return settings with sorted keys.

    Snakemake compares params as text; another order of the keys must not re-run anything.
    """
    return json.loads(json.dumps(settings, sort_keys=True))


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, None as an empty list, and any other value as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
