"""Recipes: resolution, keys, seeds, views, overrides and errors."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from asdlib.errors import AsdError
from asdlib.workflow import recipes as module
from asdlib.workflow.recipe import key_of
from asdlib.workflow.recipes import Recipes, merge

SYSTEM: dict[str, Any] = {
    "report": "r",
    "title": "t",
    "separators": {"tasnet": {"kind": "tasnet", "width": 4, "training": {"epochs": 5}}},
    "augmentations": {
        "mix": {"kind": "mix", "separator": "tasnet", "share": 0.5},
        "shift": {"kind": "shift"},
    },
    "frontends": {"mel": {"kind": "log_mel", "n_mels": 64}, "raw_mel": {"kind": "log_mel"}},
    "models": {
        "joint": {
            "kind": "vit",
            "frontend": "mel",
            "views": ["raw", "separated/tasnet", "augmented/mix"],
            "scope": "all",
            "training": {"epochs": 10},
        },
        "tuned": {"kind": "vit", "frontend": "mel", "init": "joint", "depth": 2, "training": {"epochs": 1}},
        "plain": {"kind": "vit", "frontend": "raw_mel"},
    },
    "backends": {"knn": {"kind": "knn", "k": 1}},
    "variants": {
        "one": {"branches": [{"model": "tuned", "backend": "knn", "views": ["raw", "separated/tasnet"]}]},
        "two": {
            "branches": [{"model": "plain", "backend": "knn"}, {"model": "joint", "backend": "knn"}],
            "decision": {"quantile": 0.8},
        },
    },
}
PUBLIC = {"repository": "team/net", "file": "net.safetensors", "sha256": None, "licence": "MIT"}
Systems = Callable[..., Recipes]


@pytest.fixture
def systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systems:
    """Return a function that writes system files and reads them; the classes of the recipes need not exist."""
    monkeypatch.setattr(module.recipe_check, "check", lambda *_: None)

    def write(override: dict | None = None, checkpoints: dict | None = None, **files: dict[str, Any]) -> Recipes:
        for name, content in (files or {"toy": SYSTEM}).items():
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        return Recipes(tmp_path, override, checkpoints)

    return write


def changed(*path: str, value: Any) -> dict[str, Any]:
    """Return SYSTEM with one value replaced."""
    content = copy.deepcopy(SYSTEM)
    block = content
    for name in path[:-1]:
        block = block[name]
    block[path[-1]] = value
    return content


# --- resolution -----------------------------------------------------------------------------------------------------


def test_a_recipe_holds_its_whole_ancestry(systems: Systems) -> None:
    recipes = systems()
    tuned = recipes.resolve("models", "tuned", seed=7)
    separator = {"kind": "tasnet", "width": 4, "training": {"epochs": 5}, "name": "tasnet", "seed": 7}
    mix = {"kind": "mix", "separator": separator, "share": 0.5, "name": "mix", "seed": 7}
    mel = {"kind": "log_mel", "n_mels": 64, "name": "mel"}
    joint = {
        "kind": "vit",
        "frontend": mel,
        "views": {"raw": None, f"separated/{key_of(separator)}": separator, f"augmented/{key_of(mix)}": mix},
        "scope": "all",
        "training": {"epochs": 10},
        "name": "joint",
        "seed": 7,
    }
    assert tuned.settings == {
        "kind": "vit",
        "frontend": mel,
        "init": joint,
        "depth": 2,
        "views": {"raw": None},
        "scope": "machine",
        "training": {"epochs": 1},
        "name": "tuned",
        "seed": 7,
    }
    assert [init.key for init in tuned.init] == [recipes.resolve("models", "joint", 7).key] == [key_of(joint)]
    assert tuned.frontend == recipes.resolve("frontends", "mel", 7)
    assert recipes.resolve("augmentations", "mix", 7).separator == recipes.resolve("separators", "tasnet", 7)
    assert recipes.resolve("augmentations", "shift", 7).separator is None


def test_only_the_class_s_own_arguments_reach_it(systems: Systems) -> None:
    recipes = systems()
    assert recipes.resolve("models", "tuned", 0).arguments == {"depth": 2}
    assert recipes.resolve("augmentations", "mix", 0).arguments == {"share": 0.5}
    assert recipes.resolve("separators", "tasnet", 0).arguments == {"width": 4}


def test_views_are_paths_with_keys(systems: Systems) -> None:
    recipes = systems()
    tasnet, mix = (recipes.resolve(*name, 0).key for name in (("separators", "tasnet"), ("augmentations", "mix")))
    assert recipes.resolve("models", "joint", 0).views == (f"augmented/{mix}", "raw", f"separated/{tasnet}")
    assert recipes.resolve("models", "plain", 0).views == ("raw",)
    assert recipes.resolve("backends", "knn", 0).views == ()


def test_variants(systems: Systems) -> None:
    recipes = systems()
    one, two = recipes.variants("toy", seed=3)
    tasnet = recipes.resolve("separators", "tasnet", 3).key
    assert [branch.views for branch in one.branches] == [("raw", f"separated/{tasnet}")]
    assert [branch.model.name for branch in two.branches] == ["plain", "joint"]
    assert (one.seed, one.fusion, one.decision, two.decision) == (3, "mean", {"quantile": 0.9}, {"quantile": 0.8})
    plain, joint = (recipes.resolve("models", name, 3).key for name in ("plain", "joint"))
    knn = recipes.resolve("backends", "knn", 3).key
    assert two.recipe == f"{plain} > {knn} + {joint} > {knn}"


def test_a_variant_says_what_was_trained_from_scratch_where_public_weights_could_be(systems: Systems) -> None:
    recipes = systems(toy=changed("models", "joint", "checkpoint", value=None))
    one, two = recipes.variants("toy", seed=3)
    tasnet = recipes.resolve("separators", "tasnet", 3).key
    plain, joint, tuned = (recipes.resolve("models", name, 3).key for name in ("plain", "joint", "tuned"))
    knn = recipes.resolve("backends", "knn", 3).key
    assert one.recipe == f"{tuned} (from scratch) (raw, separated/{tasnet}) > {knn}"  # inherited through `init`
    assert two.recipe == f"{plain} > {knn} + {joint} (from scratch) > {knn}"  # `plain` has no key `checkpoint`


def test_a_variant_from_public_weights_says_nothing_of_scratch(systems: Systems) -> None:
    content = changed("models", "joint", "checkpoint", value="net")
    recipes = systems(toy=content, checkpoints={"net": PUBLIC})
    assert "scratch" not in "".join(variant.recipe for variant in recipes.variants("toy", seed=3))


def test_recipes_of_one_file_serve_another(systems: Systems) -> None:
    other = {
        "report": "r",
        "title": "t",
        "variants": {"x": {"branches": [{"model": "plain", "backend": "knn"}]}},
    }
    recipes = systems(toy=SYSTEM, other=other)
    assert recipes.variants("other", 0)[0].branches[0].model == recipes.resolve("models", "plain", 0)


# --- keys -----------------------------------------------------------------------------------------------------------


def test_keys_do_not_depend_on_order_or_comments(systems: Systems, tmp_path: Path) -> None:
    before = systems().resolve("models", "tuned", 0).key
    assert re.fullmatch(r"tuned-[0-9a-f]{6}", before)

    def backwards(value: Any) -> Any:
        return {key: backwards(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    (tmp_path / "toy.yaml").write_text(f"# a comment\n{yaml.safe_dump(backwards(SYSTEM), sort_keys=False)}")
    assert Recipes(tmp_path).resolve("models", "tuned", 0).key == before


@pytest.mark.parametrize(
    ("path", "value", "affected"),
    [
        (("separators", "tasnet", "width"), 8, {"tasnet", "mix", "joint", "tuned"}),
        (("separators", "tasnet", "training", "epochs"), 6, {"tasnet", "mix", "joint", "tuned"}),
        (("augmentations", "mix", "share"), 0.25, {"mix", "joint", "tuned"}),
        (("augmentations", "shift", "kind"), "roll", {"shift"}),
        (("frontends", "mel", "n_mels"), 32, {"mel", "joint", "tuned"}),
        (("frontends", "mel", "dtype"), "float16", {"mel", "joint", "tuned"}),
        (("frontends", "raw_mel", "n_mels"), 32, {"raw_mel", "plain"}),
        (("models", "joint", "training", "epochs"), 11, {"joint", "tuned"}),
        (("models", "joint", "views"), ["raw"], {"joint", "tuned"}),
        (
            ("models", "joint", "views"),
            ["separated/tasnet", "augmented/mix", "raw"],
            set(),
        ),  # in any order
        (("models", "tuned", "depth"), 3, {"tuned"}),
        (("models", "tuned", "init"), None, {"tuned"}),
        (("models", "plain", "scope"), "all", {"plain"}),
        (("models", "plain", "scope"), "machine", set()),  # the default
        (("models", "plain", "views"), ["raw"], set()),
        (("backends", "knn", "k"), 2, {"knn"}),
        (("title",), "another", set()),
    ],
)
def test_a_key_changes_with_any_ancestor_s_setting(
    systems: Systems, path: tuple[str, ...], value: Any, affected: set[str]
) -> None:
    before, after = _keys(systems(), 0), _keys(systems(toy=changed(*path, value=value)), 0)
    assert {name for name in before if before[name] != after[name]} == affected


@pytest.mark.parametrize(
    ("change", "affected"),
    [
        ({"sha256": "0" * 64}, set()),
        ({"licence": "MIT License"}, set()),
        ({"revision": "v2"}, {"joint", "tuned"}),
        ({"repository": "another/net"}, {"joint", "tuned"}),
        ({"file": "net.bin"}, {"joint", "tuned"}),
    ],
)
def test_public_weights_are_named_by_where_they_are_from(systems: Systems, change: dict, affected: set[str]) -> None:
    """Pinning a file that is already in use must not repeat any training."""
    content = changed("models", "joint", "checkpoint", value="net")
    before, after = (
        _keys(systems(toy=content, checkpoints={"net": block}), 0) for block in (PUBLIC, {**PUBLIC, **change})
    )
    assert {name for name in before if before[name] != after[name]} == affected


def test_seeds_reach_what_is_random(systems: Systems) -> None:
    recipes = systems()
    one, two = _keys(recipes, 1), _keys(recipes, 2)
    random = {"tasnet", "mix", "shift", "joint", "tuned", "plain"}
    assert {name for name in one if one[name] != two[name]} == random


def _keys(recipes: Recipes, seed: int) -> dict[str, str]:
    return {name: recipes.resolve(registry, name, seed).key for registry, name in recipes.blocks}


# --- overrides ------------------------------------------------------------------------------------------------------


def test_an_override_merges_key_by_key(systems: Systems) -> None:
    plain = systems()
    laid_over = systems({"models": {"joint": {"training": {"clip_norm": 1.0}}}})
    assert laid_over.resolve("models", "joint", 0).settings["training"] == {"epochs": 10, "clip_norm": 1.0}
    before, after = _keys(plain, 0), _keys(laid_over, 0)
    assert {name for name in before if before[name] != after[name]} == {"joint", "tuned"}


def test_an_override_may_put_one_recipe_in_the_place_of_another(systems: Systems) -> None:
    """Also where a recipe builds on it; the rest, and what the other one is, stay as they are."""
    plain, exchanged = systems(), systems({"models": {"plain": "joint"}})
    joint = plain.resolve("models", "joint", 0)
    assert exchanged.resolve("models", "plain", 0) == exchanged.resolve("models", "joint", 0) == joint
    recipes = (systems({"models": {"joint": "plain"}}), plain)
    one, other = (found.resolve("models", "tuned", 0).init for found in recipes)
    assert one == [plain.resolve("models", "plain", 0)] != other


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"joint": "ghost"}, r"^config: override\.models\.joint: no recipe models\.ghost: define it, or name one of: "),
        ({"joint": "plain", "plain": "joint"}, r"models\.joint builds on itself \(joint > plain > joint\): remove"),
        ({"joint": "joint"}, r"^config: override\.models\.joint: models\.joint builds on itself"),
    ],
)
def test_a_recipe_that_cannot_take_the_place_of_another(systems: Systems, change, problem: str) -> None:
    with pytest.raises(AsdError, match=problem):
        systems({"models": change}).resolve("models", "joint", 0)


def test_merge_changes_neither_side() -> None:
    base, change = {"a": {"b": 1, "c": [1]}}, {"a": {"c": [2], "d": {"e": 1}}}
    assert merge(base, change) == {"a": {"b": 1, "c": [2], "d": {"e": 1}}}
    assert base == {"a": {"b": 1, "c": [1]}}
    assert change == {"a": {"c": [2], "d": {"e": 1}}}


def test_a_wrong_key_in_an_override_is_blamed_on_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[2]
    recipes = Recipes(root / "config" / "systems", {"models": {"dense_ae": {"depht": 3}}})
    with pytest.raises(AsdError, match=r"^config: override\.models\.dense_ae\.depht: unknown key"):
        _ = recipes.blocks


def test_a_wrong_value_in_an_override_is_blamed_on_the_config(systems: Systems) -> None:
    with pytest.raises(AsdError, match=r"^config: override: models\.joint\.training\.epochs: 0 is less than the min"):
        _ = systems({"models": {"joint": {"training": {"epochs": 0}}}}).blocks


# --- errors: one line that names file and key -----------------------------------------------------------------------

CIRCLE = {
    **SYSTEM["models"],
    "a": {"kind": "vit", "init": "b"},
    "b": {"kind": "vit", "init": "c"},
    "c": {"kind": "vit", "init": "a"},
}
ONESELF = {**SYSTEM["models"], "a": {"kind": "vit", "init": "a"}}
REFUSED = {
    "no such frontend": (
        changed("models", "plain", "frontend", value="mle"),
        ("models", "plain"),
        "toy.yaml: models.plain.frontend: no recipe frontends.mle: define it, or name one of: mel, raw_mel",
    ),
    "no such separator": (
        changed("augmentations", "mix", "separator", value="x"),
        ("models", "tuned"),
        "toy.yaml: augmentations.mix.separator: no recipe separators.x: define it, or name one of: tasnet",
    ),
    "no such view": (
        changed("models", "joint", "views", value=["separated/x"]),
        ("models", "joint"),
        "toy.yaml: models.joint.views: no recipe separators.x: define it, or name one of: tasnet",
    ),
    "view of an unknown kind": (
        changed("models", "joint", "views", value=["denoised/tasnet"]),
        ("models", "joint"),
        "toy.yaml: models.joint.views: view 'denoised/tasnet': use raw, far, separated/<separator> or "
        "augmented/<augmentation>",
    ),
    "circle of three": (
        changed("models", value=CIRCLE),
        ("models", "a"),
        "toy.yaml: models.c.init: models.a builds on itself (a > b > c > a): remove the cycle",
    ),
    "circle of one": (
        changed("models", value=ONESELF),
        ("models", "a"),
        "toy.yaml: models.a.init: models.a builds on itself (a > a): remove the cycle",
    ),
    "joint model from a machine's": (
        changed("models", "joint", "init", value="plain"),
        ("models", "joint"),
        "toy.yaml: models.joint.init: plain is trained per machine, joint on all: use scope: all in both",
    ),
    "joint model from two, one of them a machine's": (
        changed("models", "joint", "init", value=["plain"]),
        ("models", "joint"),
        "toy.yaml: models.joint.init: plain is trained per machine, joint on all: use scope: all in both",
    ),
    "machine's model from those of sections": (
        changed("models", "joint", value=SYSTEM["models"]["joint"] | {"scope": "section"}),
        ("models", "tuned"),
        "toy.yaml: models.tuned.init: joint is trained per section, tuned per machine: use scope: machine in both",
    ),
    "corpus for the models of sections": (
        changed("models", "plain", value=SYSTEM["models"]["plain"] | {"scope": "section", "corpus": ["dcase2025_dev"]}),
        ("models", "plain"),
        "toy.yaml: models.plain.corpus: plain is trained per section: use scope: all, or leave the corpus out",
    ),
    "corpus for a machine's model": (
        changed("models", "plain", "corpus", value=["dcase2025_dev"]),
        ("models", "plain"),
        "toy.yaml: models.plain.corpus: plain is trained per machine: use scope: all, or leave the corpus out",
    ),
    "a negative number of held-out recordings": (
        changed("models", "joint", "training", value={"epochs": 1, "validation": 0.1, "validation_recordings": -1}),
        ("models", "joint"),
        "toy.yaml: models.joint.training.validation_recordings: -1 is less than the minimum of 1: correct the value "
        "(see workflow/schemas/system.schema.yaml)",
    ),
    "held-out recordings without a share": (
        changed("models", "joint", "training", value={"epochs": 1, "validation_recordings": 5}),
        ("models", "joint"),
        "toy.yaml: models.joint.training: 'validation' is a dependency of 'validation_recordings': correct the value "
        "(see workflow/schemas/system.schema.yaml)",
    ),
    "own seed": (
        changed("models", "plain", "seed", value=1),
        ("models", "plain"),
        "toy.yaml: models.plain.seed: the config's `seeds` apply to every recipe: remove it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, systems: Systems, tmp_path: Path) -> None:
    content, asked, message = REFUSED[case]
    with pytest.raises(AsdError) as refusal:
        systems(toy=content).resolve(*asked, 0)
    assert str(refusal.value) == f"{tmp_path}/{message}"


@pytest.mark.parametrize("field", ["model", "backend", "views"])
def test_a_branch_that_names_nothing(systems: Systems, field: str) -> None:
    branch = {"model": "plain", "backend": "knn", field: ["augmented/x"] if field == "views" else "x"}
    recipes = systems(toy=changed("variants", "one", "branches", value=[branch]))
    with pytest.raises(AsdError, match=r"toy\.yaml: variants\.one\.branches: no recipe \w+\.x: define it"):
        recipes.variants("toy", 0)


def test_a_name_in_two_files(systems: Systems, tmp_path: Path) -> None:
    recipes = systems(one=SYSTEM, two={**SYSTEM, "models": {}, "separators": {}, "augmentations": {}, "frontends": {}})
    with pytest.raises(AsdError) as refusal:
        _ = recipes.blocks
    expected = f"{tmp_path}/two.yaml: backends.knn: {tmp_path}/one.yaml has a recipe of this name: rename one"
    assert str(refusal.value) == expected


def test_a_name_twice_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text("report: r\ntitle: t\nbackends:\n  knn: {kind: knn}\n  knn: {kind: knn}\n")
    with pytest.raises(AsdError, match=r"toy\.yaml: knn: is defined twice \(line 5\)"):
        _ = Recipes(tmp_path).systems


def test_an_override_of_nothing(systems: Systems) -> None:
    with pytest.raises(AsdError, match=r"^config: override\.models\.ghost: no system file defines this recipe"):
        systems({"models": {"ghost": {"depth": 1}}})


def test_no_systems(tmp_path: Path) -> None:
    with pytest.raises(AsdError, match="contains no system files"):
        _ = Recipes(tmp_path).systems


@pytest.mark.parametrize(("system", "variant"), [("models", "v"), ("toy", "report")])
def test_a_name_that_a_folder_of_results_has(tmp_path: Path, system: str, variant: str) -> None:
    content = {"report": "r", "title": "t", "variants": {variant: {"branches": [{"model": "m", "backend": "b"}]}}}
    (tmp_path / f"{system}.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(AsdError, match=rf"{system}\.yaml: the name is taken by a folder of results: choose another"):
        _ = Recipes(tmp_path).systems


def test_a_model_may_start_from_several(systems: Systems) -> None:
    recipes = systems(toy=changed("models", "tuned", "init", value=["joint", "plain"]))
    both = [recipes.resolve("models", name, 1) for name in ("joint", "plain")]
    assert recipes.resolve("models", "tuned", 1).init == both
