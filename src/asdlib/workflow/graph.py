"""The graph: the checked config, its datasets, and its recipes and variants for every seed.

The rules use it through `inputs` (the files that a stage reads), `settings` (the params that decide its result) and
`stage_code` (hashes of its code). Nothing here is specific to a report.
"""

import sys
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from asdlib.errors import AsdError, printable
from asdlib.workflow import datasets, recipe_check, yaml_files
from asdlib.workflow.datasets import Dataset
from asdlib.workflow.own_machines import warnings_of
from asdlib.workflow.recipe import Recipe, canonical
from asdlib.workflow.recipes import Recipes
from asdlib.workflow.section import Section
from asdlib.workflow.variants import Variant
from asdlib.workflow.words import SCORED


class Graph:
    """The datasets, recipes and variants of a config; `root` is the workflow's folder.

    Raises AsdError for an invalid config.
    """

    def __init__(self, config: dict[str, Any], root: Path):
        yaml_files.check(config, "config", "config")
        self.config = canonical(config)
        self.root = Path(root)
        self.datasets: dict[str, Dataset] = datasets.select(self.config)
        self.recipes = Recipes(
            self.root / "config" / "systems", self.config["override"], self.config["checkpoints"], list(self.datasets)
        )
        self._refuse_unknown_systems()
        for name, dataset in self.all_datasets.items():
            if dataset.source:
                recipe_check.check("sources", dataset.source, {"kind"}, f"config: datasets.{name}.source")

    @property
    def gpus(self) -> int:
        """The number of GPUs that a computing job requests; 0 for a run on the CPU, which must not wait for a GPU."""
        return 0 if self.config["device"] == "cpu" else 1

    # --- recipes -----------------------------------------------------------------------------------------------

    @cached_property
    def variants(self) -> dict[tuple[str, str, int], Variant]:
        """{(system, variant, seed): variant} for all systems and seeds."""
        return {
            (system, variant.name, seed): variant
            for system in self.recipes.systems
            for seed in self.config["seeds"]
            for variant in self.recipes.variants(system, seed)
        }

    @cached_property
    def recipes_by_key(self) -> dict[tuple[str, str], Recipe]:
        """{(registry, key): recipe} for all systems and seeds."""
        found = {}
        for (registry, name), seed in product(self.recipes.blocks, self.config["seeds"]):
            recipe = self.recipes.resolve(registry, name, seed)
            found[registry, recipe.key] = recipe
        return found

    def recipe(self, registry: str, key: str) -> Recipe:
        """Return the recipe that has a key. Raises AsdError for an unknown key, such as that of an older config."""
        if (registry, key) not in self.recipes_by_key:
            known = ", ".join(self.keys(registry)) or "none"
            raise AsdError(f"{registry}: {key}: no recipe of the config has this key: use: {known}")
        return self.recipes_by_key[registry, key]

    def keys(self, registry: str) -> list[str]:
        """Return the keys of all recipes of a registry, sorted."""
        return sorted(key for r, key in self.recipes_by_key if r == registry)

    def trained_keys(self, registry: str) -> list[str]:
        """Return the keys of those recipes of a registry that are trained."""
        return [key for key in self.keys(registry) if self.recipe(registry, key).trained]

    def devices(self, registry: str, key: str) -> int:
        """Return the number of GPUs (on a CPU: processes) that train a recipe together."""
        return (self.recipe(registry, key).training or {}).get("devices", 1)

    def variant(self, system: str, name: str, seeded: str) -> Variant:
        """Return the variant that the wildcards of a path name.

        `seeded` is empty, or `/seed_<n>` if there are several seeds. Raises AsdError for an unknown variant.
        """
        seed = int(seeded.removeprefix("/seed_")) if seeded else self.config["seeds"][0]
        if (system, name, seed) not in self.variants:
            known = ", ".join(sorted({v for s, v, _ in self.variants if s == system}))
            raise AsdError(
                f"config/systems/{system}.yaml: variants.{name}: there is no such variant: use one of: {known}"
            )
        return self.variants[system, name, seed]

    def variants_of(self, system: str) -> list[Variant]:
        """Return a system's variants for all seeds."""
        return [variant for variant in self.variants.values() if variant.system == system]

    # --- datasets ----------------------------------------------------------------------------------------------

    @cached_property
    def all_datasets(self) -> dict[str, Dataset]:
        """The run's datasets, those in the recipes' `corpus` and `noise_from`, and the submitted one."""
        found = dict(self.datasets)
        for (registry, recipe), block in self.recipes.blocks.items():
            for key in ("corpus", "noise_from"):
                for name in block.get(key) or []:
                    if name not in found and (key, name) != ("corpus", SCORED):
                        found[name] = datasets.declared(name, self.config, f"config: {registry}.{recipe}.{key}")
        submission = self.config["submission"]
        if submission["variants"] and submission["dataset"] not in found:
            name = submission["dataset"]
            found[name] = datasets.declared(name, self.config, "config: submission.dataset")
        return found

    def machines(self, dataset: str) -> list[str]:
        """Return the machines of a dataset."""
        return list(self.all_datasets[dataset].machines)

    @cached_property
    def sections(self) -> list[Section]:
        """Every section of the run's datasets."""
        return [section for dataset in self.datasets.values() for section in dataset.sections]

    @cached_property
    def run_machines(self) -> list[tuple[str, str]]:
        """Every (dataset, machine) of the run's datasets."""
        return [(dataset, machine) for dataset in self.datasets for machine in self.machines(dataset)]

    def fetched(self) -> list[str]:
        """Return the datasets whose recordings are downloaded or synthesised by a job."""
        return [dataset.name for dataset in self.all_datasets.values() if dataset.source]

    def say_how_data_is_understood(self) -> None:
        """Print how tables and layouts of the user's own are understood, so that nothing is assumed in silence."""
        for dataset in self.datasets.values():
            for phrase in (*dataset.understood, *warnings_of(dataset.folder, dataset.own)):
                print(printable(phrase), file=sys.stderr)

    def _refuse_unknown_systems(self) -> None:
        for system in self.config["systems"]:
            if system not in self.recipes.systems:
                known = ", ".join(self.recipes.systems)
                raise AsdError(f"config: systems: there is no config/systems/{system}.yaml: use: {known}")
