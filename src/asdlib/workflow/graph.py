"""The graph's paths and settings: what a rule's wildcards stand for.

`workflow/rules/*.smk` ask here for inputs, settings and code hashes. Nothing here knows a report or imports torch.
"""

import os
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from asdlib.errors import AsdError
from asdlib.workflow import code_hash, datasets, recipe_check, yaml_files
from asdlib.workflow.datasets import Dataset
from asdlib.workflow.recipes import Recipe, Recipes, Variant, canonical

JOINT = "all"  # the place of a model that is trained on all machines at once
CORPUS = "corpus"  # in place of the dataset, where a model's recipe names those it is trained on
# What `score` makes: how the files' names begin and end.
SCORED = {"anomaly_score": "test.csv", "decision_result": "test.csv", "training_score": "train.json"}


class Graph:
    """A checked config, its datasets and its resolved recipes under every seed."""

    def __init__(self, config: dict[str, Any], root: Path):
        config = {key: yaml_files.from_text(key, value) for key, value in config.items()}
        yaml_files.check(config, "config", "config")
        config = canonical(config)
        self.config = config
        self.root = Path(root)
        self.recipes = Recipes(self.root / "config" / "systems", config["override"], config["checkpoints"])
        self.datasets: dict[str, Dataset] = datasets.select(config)
        for system in config["systems"]:
            if system not in self.recipes.systems:
                known = ", ".join(self.recipes.systems)
                raise AsdError(f"config: systems: there is no config/systems/{system}.yaml: use: {known}")

        for name, dataset in self.all_datasets.items():
            if dataset.source:
                recipe_check.check("sources", dataset.source, {"kind"}, f"config: datasets.{name}.source")

    @property
    def gpus(self) -> int:
        """The GPUs that a computing job asks for; a run on the CPU must not wait for one."""
        return 0 if self.config["device"] == "cpu" else 1

    def devices(self, section: str, key: str) -> int:
        """The GPUs, or processes on a CPU, that share a recipe's training."""
        return self.recipe(section, key).settings["training"].get("devices", 1)

    # --- recipes -----------------------------------------------------------------------------------------------

    @cached_property
    def variants(self) -> dict[tuple[str, str, int], Variant]:
        """All variants of all systems under all seeds."""
        return {
            (system, variant.name, seed): variant
            for system in self.recipes.systems
            for seed in self.config["seeds"]
            for variant in self.recipes.variants(system, seed)
        }

    @cached_property
    def table(self) -> dict[tuple[str, str], Recipe]:
        """{(section, key): recipe} of every recipe of every system under every seed."""
        return {
            (section, recipe.key): recipe
            for section, name in self.recipes.blocks
            for seed in self.config["seeds"]
            for recipe in [self.recipes.resolve(section, name, seed)]
        }

    def recipe(self, section: str, key: str) -> Recipe:
        """Return the recipe of a key; a key of an older config has none."""
        if (section, key) not in self.table:
            known = ", ".join(sorted(k for s, k in self.table if s == section)) or "none"
            raise AsdError(f"{section}: {key}: no recipe of the config has this key: use: {known}")
        return self.table[section, key]

    def variant(self, system: str, name: str, seeded: str) -> Variant:
        """Return a variant by a path's wildcards; `seeded` is empty, or `/seed_<n>` if there are several seeds."""
        seed = int(seeded.removeprefix("/seed_")) if seeded else self.config["seeds"][0]
        if (system, name, seed) not in self.variants:
            known = ", ".join(sorted({v for s, v, _ in self.variants if s == system}))
            raise AsdError(f"config/systems/{system}.yaml: variants.{name}: there is none: use one of: {known}")
        return self.variants[system, name, seed]

    def keys(self, section: str) -> list[str]:
        """Return all keys of a section."""
        return sorted(key for s, key in self.table if s == section)

    # --- datasets ----------------------------------------------------------------------------------------------

    @cached_property
    def all_datasets(self) -> dict[str, Dataset]:
        """The run's datasets, those that recipes name as corpora, and the one that is submitted."""
        found = dict(self.datasets)
        for (section, recipe), block in self.recipes.blocks.items():
            for name in block.get("corpus") or []:
                if name not in found:
                    found[name] = datasets.declared(name, self.config, f"config: {section}.{recipe}.corpus")
        submission = self.config["submission"]
        if submission["variants"] and submission["dataset"] not in found:
            name = submission["dataset"]
            found[name] = datasets.declared(name, self.config, "config: submission.dataset")
        return found

    def machines(self, dataset: str) -> list[str]:
        """Return the machines of a dataset."""
        return list(self.all_datasets[dataset].machines)

    @cached_property
    def places(self) -> list[tuple[str, str, str]]:
        """Every (dataset, machine, section) of the run."""
        return [
            (dataset.name, machine, section)
            for dataset in self.datasets.values()
            for machine, sections in dataset.machines.items()
            for section in sections
        ]

    @property
    def sections(self) -> set[str]:
        """The sections of all datasets."""
        every = self.all_datasets.values()
        return {section for dataset in every for sections in dataset.machines.values() for section in sections}

    def fetched(self) -> list[str]:
        """Return the datasets whose recordings a job fetches or makes."""
        return [dataset.name for dataset in self.all_datasets.values() if dataset.source]

    def fetched_recordings(self, dataset: str, machine: str) -> list[str]:
        """Return the folder that `download` makes; nothing for recordings that lie in a folder of the user's."""
        chosen = self.all_datasets[dataset]
        if machine not in chosen.machines:
            known = ", ".join(chosen.machines)
            raise AsdError(f"config: datasets.{dataset}: there is no machine {machine}: use one of: {known}")
        return [str(chosen.recordings(machine))] if chosen.source else []

    # --- settings: one dictionary a stage ----------------------------------------------------------------------

    @cache  # noqa: B019 (one graph a run)
    def download_settings(self, dataset: str) -> dict[str, Any]:
        """Everything that decides what `download` brings: the dataset's block."""
        chosen = self.all_datasets[dataset]
        truth = chosen.ground_truth if self.config["ground_truth"] else None
        return {"name": dataset, "year": chosen.year, "source": chosen.source, "ground_truth": truth}

    @cache  # noqa: B019
    def prepare_settings(self, dataset: str, machine: str) -> dict[str, Any]:
        """The clip format and, for recordings in place, a fingerprint of the files."""
        chosen = self.all_datasets[dataset]
        found = datasets.fingerprint(chosen.recordings(machine)) if chosen.folder else None
        strict = (
            chosen.source is None or chosen.source["kind"] != "zenodo"
        )  # official archives have quirks of their own
        return {
            **self.config["prepare"],
            "sections": list(chosen.machines[machine]),
            "recordings": found,
            "strict": strict,
        }

    @cache  # noqa: B019
    def noise_settings(self, dataset: str) -> dict[str, Any]:
        """The clip format of a noise pool and a fingerprint of its files."""
        pool = self.all_datasets[dataset].noise_pool
        return {**self.config["prepare"], "recordings": datasets.pool_fingerprint(pool)}

    def score_settings(self, variant: Variant, section: str) -> dict[str, Any]:
        """The backends of a variant and how their scores are joined."""
        return {
            "branches": [
                {"backend": branch.backend.settings, "views": len(branch.views)} for branch in variant.branches
            ],
            "fusion": variant.fusion,
            "decision": variant.decision,
            "section": section,
        }

    def tabulate_settings(self, system: str) -> dict[str, Any]:
        """What a system's table holds: every variant and seed in every place."""
        variants = [
            {
                "variant": v.name,
                "seed": v.seed,
                "recipe": v.recipe,
                "folders": {name: self.score_folder(v, name) for name in self.datasets},
            }
            for v in self.variants.values()
            if v.system == system
        ]
        places = [{"dataset": d, "machine": m, "section": s} for d, m, s in self.places]
        return {"system": system, "variants": variants, "places": places}

    # --- paths -------------------------------------------------------------------------------------------------

    def features_of(self, model: Recipe, views: tuple[str, ...], dataset: str, machine: str) -> list[str]:
        """Return the feature files that a model reads for one machine (or all), in an order that no config decides."""
        names = model.corpus if dataset == CORPUS else [dataset]
        places = sorted((d, m) for d in names for m in (self.machines(d) if machine == JOINT else [machine]))
        return [f"results/features/{model.frontend}/{view}/{d}/{m}.parquet" for d, m in places for view in views]

    def training_features(self, key: str, dataset: str, place: str) -> list[str]:
        """Return the feature files that a model is trained on."""
        model = self.recipe("models", key)
        if (place == JOINT) != (model.settings["scope"] == JOINT):
            raise AsdError(
                f"results/models/{key}/{dataset}/{place}: its scope is {model.settings['scope']}: ask for that"
            )
        if (dataset == CORPUS) != bool(model.corpus):
            meant = f"trained on a corpus: ask for {CORPUS}" if model.corpus else "trained on one dataset: ask for that"
            raise AsdError(f"results/models/{key}/{dataset}/{place}: it is {meant}")
        return self.features_of(model, model.views, dataset, place)

    def embedded_features(self, key: str, view: str, dataset: str, machine: str) -> str:
        """Return the features that a model represents: those of one view of a machine's clips."""
        return self.features_of(self.recipe("models", key), (view,), dataset, machine)[0]

    def init_checkpoint(self, key: str, dataset: str, place: str) -> list[str]:
        """Return the weights that a model's training starts from, if its recipe names any."""
        return [
            self.checkpoint(self.recipe("models", init), dataset, place) for init in self.recipe("models", key).init
        ]

    def public_weights(self, key: str) -> list[str]:
        """Return the file of public weights that a model's training starts from, if its recipe names any."""
        public = self.recipe("models", key).public
        return [f"resources/checkpoints/{public['name']}/{public['file']}"] if public else []

    def public_pins(self, key: str) -> list[str]:
        """Return the SHA-256 that the config pins for a model's public weights, if it does."""
        public = self.recipe("models", key).public
        pin = self.config["checkpoints"][public["name"]].get("sha256") if public else None
        return [pin] if pin else []

    def separated_for(self, key: str, dataset: str, machine: str) -> list[str]:
        """Return the separated clips that an augmentation mixes, if its recipe names a separator."""
        separator = self.recipe("augmentations", key).separator
        return [f"results/audio/separated/{separator}/{dataset}/{machine}.parquet"] if separator else []

    def noise_of(self, dataset: str, machine: str) -> list[str]:
        """Return where background noise for a machine is found: the dataset's other machines, and its noise pool."""
        others = [f"results/audio/raw/{dataset}/{m}.parquet" for m in sorted(self.machines(dataset)) if m != machine]
        pool = [f"results/audio/noise/{dataset}.parquet"] if self.all_datasets[dataset].noise_pool else []
        return others + pool

    def noise_for(self, key: str, dataset: str, machine: str) -> list[str]:
        """Return the noise that an augmentation draws from, if its recipe says `noise: pool`."""
        wanted = self.recipe("augmentations", key).settings.get("noise") == "pool"
        return self.noise_of(dataset, machine) if wanted else []

    def checkpoint(self, model: Recipe, dataset: str, machine: str) -> str:
        """Return the weights that serve a machine: its own, or the joint model's."""
        place = JOINT if model.settings["scope"] == JOINT else machine
        return f"results/models/{model.key}/{CORPUS if model.corpus else dataset}/{place}/model.safetensors"

    def embeddings_of(self, variant: Variant, dataset: str, machine: str) -> list[str]:
        """Return the embeddings that a variant scores, branch by branch and view by view."""
        return [
            f"results/embeddings/{branch.model.key}/{view}/{dataset}/{machine}.parquet"
            for branch in variant.branches
            for view in branch.views
        ]

    def score_folder(self, variant: Variant, dataset: str) -> str:
        """Return the folder of a variant's submission files; several seeds lie in folders of their own."""
        folder = f"results/{variant.system}/{variant.name}/{dataset}"
        return folder if len(self.config["seeds"]) == 1 else f"{folder}/seed_{variant.seed}"

    def scored_file(self, variant: Variant, dataset: str, machine: str, section: str, prefix: str) -> str:
        """Return one file of what `score` makes of a section: the prefix is one of `SCORED`."""
        return f"{self.score_folder(variant, dataset)}/{prefix}_{machine}_section_{section}_{SCORED[prefix]}"

    def score_files(self, system: str, prefix: str) -> list[str]:
        """Return all files of a system that begin so, in the order of its table's rows."""
        return [
            self.scored_file(v, d, m, s, prefix)
            for v in self.variants.values()
            if v.system == system
            for d, m, s in self.places
        ]

    def reported_file(self, system: str) -> list[str]:
        """Return the file of a report's own figures; a system without a report has none."""
        path = self.root / "resources" / "reported" / f"{system}.csv"
        return [os.path.relpath(path)] if path.is_file() else []  # relative: a moved clone re-runs nothing

    def audio_files(self) -> list[str]:
        """Return the prepared clips of every machine of the run."""
        return list(dict.fromkeys(f"results/audio/raw/{d}/{m}.parquet" for d, m, _ in self.places))

    # --- code --------------------------------------------------------------------------------------------------

    @cache  # noqa: B019
    def code(self, step: str, *classes: tuple[str, str]) -> str:
        """Hash the code of a step and of the classes, (section, kind), that it builds."""
        chosen = [code_hash.registry_module(section, kind) for section, kind in classes]
        return code_hash.hash_of(f"asdlib.steps.{step}", *chosen)

    def recipe_code(self, step: str, section: str, key: str) -> str:
        """Hash the code of a step that builds the class of one recipe."""
        return self.code(step, (section, self.recipe(section, key).settings["kind"]))

    def source_code(self, dataset: str) -> str:
        """Hash the code that fetches or makes a dataset's recordings."""
        return self.code("download", ("sources", self.all_datasets[dataset].source["kind"]))


def backends_of(variant: Variant) -> list[tuple[str, str]]:
    """Return the classes that scoring a variant builds."""
    return [("backends", branch.backend.settings["kind"]) for branch in variant.branches]
