"""The architecture: import order, rules, scripts, steps, dependencies, and the sources of all settings."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, distributions, packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from snakemake.cli import get_argument_parser

from asdlib.workflow import project
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.recipes import REGISTRIES, VIEWS, Recipes

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "asdlib"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in SOURCES if path != PACKAGE / "__init__.py"]
PLUGIN = sorted((ROOT / "src" / "snakemake_logger_plugin_asdlib").glob("*.py"))
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
SMK = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
STEPS = sorted(path for path in (PACKAGE / "steps").glob("*.py") if path.stem not in ("__init__", "command"))
SYSTEMS = sorted((ROOT / "config" / "systems").glob("*.yaml"))
# From top to bottom. A module imports only from floors below its own, or from its own package.
FLOORS = (
    {"cli"},
    {"commands"},
    {"steps", "planning"},
    {"report", "submission"},
    {"evaluation"},
    {"scoring"},
    {"training"},
    {"separators", "augmentations", "labellers", "models", "backends", "frontends"},
    {"separation", "examples", "losses"},
    {"layers"},
    {"weights"},
    {"runtime"},
    {"workflow"},
    {"data"},
    {"errors"},
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
RULES = dict(
    re.findall(
        r"^rule (\w+):\n(.*?)(?=^\S|\Z)",
        "\n".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk")),
        re.MULTILINE | re.DOTALL,
    )
)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def part_of(path: Path, package: Path = PACKAGE) -> str:
    """Return the package or module directly below asdlib to which a file belongs."""
    return path.relative_to(package).with_suffix("").parts[0]


def imported_parts(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield (package or module directly below asdlib, line) of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((name.split(".")[1], node.lineno) for name in names if name.startswith("asdlib."))


@cache
def imported_packages() -> set[str]:
    """Return the top-level names that src and workflow import, and the executor plugins of the profiles."""
    names: set[str] = set()
    for path in (path for folder in ("src", "workflow") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    for path in (ROOT / "profiles").glob("*/config.yaml"):
        names.add(f"snakemake_executor_plugin_{yaml.safe_load(path.read_text()).get('executor')}")
    return names


installed_packages = cache(packages_distributions)  # reads the files of each distribution


def distribution(name: str) -> str:
    """Return a distribution's name as package indices normalise it."""
    return re.sub(r"[-_.]+", "-", name).lower()


# --- floors ---------------------------------------------------------------------------------------------------------


def test_every_part_has_a_floor_and_exists() -> None:
    assert set(FLOOR) == {part_of(path) for path in MODULES}


def test_imports_point_down() -> None:
    assert list(imports_that_do_not_point_down(MODULES)) == []


def test_an_import_that_points_up_or_sideways_is_found(tmp_path: Path) -> None:
    """A file of the losses that imports a layer, as it may, and a model and an example, as it may not."""
    path = tmp_path / "losses" / "new.py"
    path.parent.mkdir()
    path.write_text("import asdlib.layers.lora\nfrom asdlib.models import eat\nfrom asdlib import examples\n")
    found = list(imports_that_do_not_point_down([path], tmp_path))
    assert found == [f"{path}:2: losses imports models", f"{path}:3: losses imports examples"]


def imports_that_do_not_point_down(paths: list[Path], package: Path = PACKAGE) -> Iterator[str]:
    """Yield the place of each import of a module that is neither of the importing package nor below it."""
    for path in paths:
        own = part_of(path, package)
        for part, line in imported_parts(tree_of(path)):
            if part != own and FLOOR[part] <= FLOOR[own]:
                yield f"{path}:{line}: {own} imports {part}"


def test_the_top_of_the_package_has_only_folders_the_command_line_and_errors() -> None:
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert files == {"__init__.py", "cli.py", "errors.py"}


def test_the_package_itself_is_empty() -> None:
    """Code in it would belong to the code of every stage."""
    assert not (PACKAGE / "__init__.py").read_text()


def test_building_the_graph_imports_nothing_heavy() -> None:
    """Every start of Snakemake and every SLURM job builds the graph."""
    program = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import yaml\n"
        "from pathlib import Path\n"
        "import asdlib.planning.limits, asdlib.report.inputs, asdlib.submission.inputs\n"
        "from asdlib.runtime import guard, job_environment, lock\n"
        "from asdlib.workflow import inputs, paths, settings, stage_code\n"
        "from asdlib.workflow.graph import Graph\n"
        "load = lambda name: yaml.safe_load(Path('config', name).read_text())\n"
        "files = [load(name + '.yaml') for name in ('datasets', 'checkpoints', 'config')]\n"
        "graph = Graph({key: value for file in files for key, value in file.items()}, Path.cwd())\n"
        "limits = asdlib.planning.limits.Limits(graph)\n"
        "of = {'model': graph.keys('models')[0], 'dataset': 'dcase2025_dev', 'machine': 'fan', 'view': 'raw'}\n"
        "limits.minutes('embed', of, ['results/features/f-1/raw/dcase2025_dev/fan.parquet'], 60)\n"
        "graph.variants, graph.recipes_by_key, stage_code.of_step('train_model'), stage_code.of_step('score')\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names\n"
        "print(*sorted(name for name in names if not name.startswith('_')))\n"
    )
    command = [sys.executable, "-c", program]
    path = {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(command, cwd=ROOT, env=path, capture_output=True, text=True, check=True)
    checking = {"jsonschema", "jsonschema_specifications", "referencing", "attr", "attrs", "rpds", "idna",
                "typing_extensions", "cython_runtime"}  # jsonschema and what it imports  # fmt: skip
    assert set(done.stdout.split()) - checking == {"asdlib", "yaml"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "workflow").glob("*.py")), ids=name_of)
def test_the_workflow_s_part_needs_the_standard_library_and_yaml_alone(path: Path) -> None:
    """What functions import is left to the test above: jsonschema for a config, Snakemake for the commands."""
    known = {*sys.stdlib_module_names, "yaml", "asdlib"}
    tree = tree_of(path)
    modules = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert {module.partition(".")[0] for module in modules} <= known


SPELLED = re.compile(r"(^|/)(results|resources)(/|$)")


def test_one_module_spells_paths() -> None:
    """Only `workflow/paths.py` spells paths of files; docstrings and messages may contain them."""
    spelled = {path: paths_in(path) for path in (*SOURCES, *SCRIPTS, ROOT / "Snakefile", *SMK)}
    assert spelled.pop(PACKAGE / "workflow" / "paths.py")
    assert {path: texts for path, texts in spelled.items() if texts} == {}


def paths_in(path: Path) -> list[str]:
    """Return the texts of a file's code that are paths of files which the workflow reads or makes."""
    if path.suffix == ".py":
        texts = [node.value for node in ast.walk(tree_of(path)) if isinstance(node, ast.Constant)]
    else:
        code = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
        texts = re.findall(r"[\"']([^\"'\n]*)[\"']", code)
    return [text for text in texts if isinstance(text, str) and " " not in text and SPELLED.search(text)]


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "benchmarks").glob("*.py")), ROOT / "docs/pictures/take.py"], ids=name_of
)
def test_scripts_beside_the_library_import_what_exists(path: Path) -> None:
    """Nothing runs them here, so a moved name would go unnoticed."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "asdlib":
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}"), (
                    alias.name
                )


LONGEST = 250  # maximum number of lines of a file
LONGEST_OF = {"asdlib/workflow/graph.py": 150}


def test_files_are_short() -> None:
    lines = {str(path.relative_to(ROOT / "src")): len(path.read_text().splitlines()) for path in (*SOURCES, *PLUGIN)}
    assert lines.keys() >= LONGEST_OF.keys()
    assert {name: count for name, count in lines.items() if count > LONGEST_OF.get(name, LONGEST)} == {}


def test_tables_and_metrics_work_without_torch() -> None:
    modules = [path for path in SOURCES if part_of(path) in ("data", "evaluation", "submission", "workflow")]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in modules]
    program = f"import sys, {', '.join(names)}\nprint('torch' in sys.modules)"
    command = [sys.executable, "-c", program]
    path = {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(command, env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_registries_import_nothing_slow_that_only_some_jobs_need() -> None:
    imports_nothing_slow(["models", "separators", "frontends", "augmentations", "labellers", "backends"])


def test_the_tables_need_neither_scikit_learn_nor_scipy_stats() -> None:
    imports_nothing_slow(["steps.tabulate"], "scipy.stats")


# Of each step: what its jobs of the demo do without, in addition to what no registry imports.
WITHOUT = {
    ("download",): ("pandas", "torch"),
    ("prepare", "score"): ("pandas", "scipy", "torch"),
    ("embed", "extract_features", "separate"): ("pandas", "scipy", "torchaudio", "torch._dynamo"),
}


@pytest.mark.parametrize("steps", WITHOUT, ids=" ".join)
def test_a_step_imports_only_what_all_of_its_jobs_need(steps: tuple[str, ...]) -> None:
    imports_nothing_slow([f"steps.{step}" for step in steps], *WITHOUT[steps])


def imports_nothing_slow(modules: list[str], *more: str) -> None:
    slow = [*more, "sklearn", "librosa", "asteroid", "peft", "lightning_fabric", "huggingface_hub", "matplotlib"]
    assert loaded_after(modules, slow) == {module: [] for module in modules}


def loaded_after(modules: list[str], names: list[str]) -> dict[str, list[str]]:
    """Return which of some other modules are loaded after each import of our modules.

    They are imported one after the other in a process of their own, because most of the time is that of PyTorch.
    """
    code = (
        "import importlib, json, sys\n"
        "found = {}\n"
        f"for module in {modules}:\n"
        "    importlib.import_module(f'asdlib.{module}')\n"
        f"    found[module] = [name for name in {names} if name in sys.modules]\n"
        "print(json.dumps(found))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    return json.loads(run.stdout)


# --- rules, scripts, steps ------------------------------------------------------------------------------------------


def test_rule_script_and_step_share_a_name() -> None:
    assert set(RULES) == {path.stem for path in SCRIPTS} == {path.stem for path in STEPS}
    assert len(RULES) == 17


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_complete(rule: str) -> None:
    body = RULES[rule]
    for directive in ("output", "log", "conda", "resources", "params", "shell"):
        assert re.search(rf"^    {directive}:", body, re.MULTILINE), f"{rule} has no {directive}"
    for resource in ("mem_mb", "runtime"):
        assert re.search(rf"^        {resource}=", body, re.MULTILINE), f"{rule} has no {resource}"
    assert re.search(r"^        code=", body, re.MULTILINE), f"{rule} does not see the library's code"
    assert re.search(rf'^    shell:\n        command\("{rule}"\)\n', body, re.MULTILINE)  # nothing else is in a shell
    assert re.search(r"^        settings=lambda .*: as_json\(", body, re.MULTILINE)
    assert re.search(r"^        arguments=lambda .*\boutput\b.*: as_json\(", body, re.MULTILINE)  # re-runs nothing
    environment = re.search(r'conda:\s+"(.*)"', body)[1]
    assert (ROOT / "workflow" / "rules" / environment).is_file()
    assert "benchmark:" not in body  # slows its job down; see asdlib.runtime.job_record
    assert "script:" not in body  # compared by modification time, so that git checkout would re-run it
    assert "run:" not in body  # starts another Snakemake, and changes of its globals re-run nothing


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_scripts_are_thin(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 12
    tree = ast.parse(text)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.IfExp | ast.For | ast.FunctionDef)]
    assert {part for part, _ in imported_parts(tree)} == {"runtime", "steps"}
    first = next(node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == "import asdlib.runtime.job_start"  # before anything that takes time
    assert f"run({path.stem})" in text


@pytest.mark.parametrize("path", STEPS, ids=name_of)
def test_a_step_is_one_typed_public_function(path: Path) -> None:
    tree = tree_of(path)
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    assert [function.name for function in public] == [path.stem]
    arguments = public[0].args
    assert all(argument.annotation for argument in [*arguments.args, *arguments.kwonlyargs])
    assert ast.get_docstring(public[0])
    assert "snakemake" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_no_result_depends_on_the_environment() -> None:
    """A changed environment variable re-runs nothing, so results must not depend on one.

    The exceptions do not affect results: `job_environment` sets variables for jobs, `guard` decides whether a job may
    run, `gpu_leases` selects one of several GPUs, and `job_client` and `job_server` pass it on as a whole.
    """
    exceptions = ("job_environment", "guard", "gpu_leases", "job_client", "job_server")
    allowed = {PACKAGE / "runtime" / f"{name}.py" for name in exceptions}
    read = {path: reads_of_the_environment(path) for path in SOURCES}
    assert {path for path, lines in read.items() if lines} == allowed


def reads_of_the_environment(path: Path) -> list[int]:
    """Return the lines that use the environment."""
    attributes = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute))
    return [node.lineno for node in attributes if node.attr in ("environ", "getenv")]


def test_a_system_s_name_is_in_its_own_files_alone() -> None:
    """Rules, steps and the graph name no system."""
    names = "|".join([path.stem for path in SYSTEMS] + [r"system\d"])
    for path in [ROOT / "Snakefile", *SMK, *SCRIPTS, *STEPS, *(PACKAGE / "workflow").glob("*.py")]:
        text = re.sub(r'^""".*?"""', "", path.read_text(), flags=re.DOTALL)
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        strings = re.findall(rf"['\"/]({names})['\"/.]", code)
        assert not strings, path


@pytest.mark.parametrize("dependency", tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
def test_every_dependency_is_used(dependency: str) -> None:
    offered = {
        package
        for package, sources in installed_packages().items()
        if distribution(dependency) in map(distribution, sources)
    }
    assert offered, f"{dependency} is not installed"
    used = offered & imported_packages()
    assert used, f"nothing imports {dependency}: use it, or remove it from pyproject.toml and envs/asdlib.yaml"


# --- settings -------------------------------------------------------------------------------------------------------

STRUCTURE = {"kind", "frontend", "separator", "init", "labeller", "model"}  # keys that name a class or another recipe
MARK = re.compile(r"#.*(§|ours: )")


@pytest.mark.parametrize("path", [*SYSTEMS, ROOT / "config" / "shared.yaml"], ids=name_of)
def test_every_value_says_where_it_comes_from(path: Path) -> None:
    lines = path.read_text().splitlines()
    tree = yaml.compose(path.read_text())
    top = {key.value: value for key, value in tree.value}
    blocks = [(registry, *recipe) for registry in REGISTRIES if registry in top for recipe in top[registry].value]
    blocks += [("variants", *variant) for variant in top["variants"].value] if "variants" in top else []
    for registry, name, block in blocks:
        for key, value in block.value:
            if key.value in STRUCTURE or (registry == "variants" and key.value in ("note", "branches")):
                continue
            for number in _value_lines(value):
                where = f"{path.name}:{number + 1}: {registry}.{name.value}.{key.value}"
                assert MARK.search(lines[number]), f"{where}: say where the value comes from: # §2.4, or # ours: why"


def _value_lines(node: yaml.Node) -> Iterator[int]:
    """Yield the lines of a node's scalars."""
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _value_lines(value)
    elif isinstance(node, yaml.SequenceNode) and not node.flow_style:
        for value in node.value:
            yield from _value_lines(value)
    else:
        yield node.start_mark.line


def test_every_recipe_serves_a_variant() -> None:
    public = yaml.safe_load((ROOT / "config" / "checkpoints.yaml").read_text())["checkpoints"]
    recipes = Recipes(ROOT / "config" / "systems", checkpoints=public)
    used: set[str] = set()
    for system in recipes.systems:
        for variant in recipes.variants(system, seed=0):
            for branch in variant.branches:
                used |= {branch.backend.key, *_keys_in(branch.model)}
                used |= {view.rpartition("/")[2] for view in branch.views}
    own = [(registry, name) for registry, name in recipes.blocks if name not in recipes.shared.get(registry, {})]
    unused = [name for name in own if recipes.resolve(*name, 0).key not in used]
    assert not unused


def _keys_in(recipe: Recipe) -> Iterator[str]:
    """Yield the keys of a recipe and of all recipes that it builds on."""
    yield recipe.key
    views = [
        Recipe(VIEWS[view.split("/")[0]], made) for view, made in (recipe.settings.get("views") or {}).items() if made
    ]
    for part in filter(None, [recipe.frontend, recipe.separator, recipe.labeller, recipe.model, *recipe.init, *views]):
        yield from _keys_in(part)


@pytest.mark.parametrize("path", sorted((ROOT / "profiles").glob("*/config.yaml")), ids=name_of)
def test_profiles_hold_options_of_snakemake(path: Path) -> None:
    options = {
        option.removeprefix("--") for action in get_argument_parser()._actions for option in action.option_strings
    }
    content = yaml.safe_load(path.read_text())
    assert content
    assert set(content) <= options


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=name_of)
def test_environments_install_what_the_library_needs_under_its_pins(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    pins = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    assert set(pins) <= set((ROOT / "constraints.txt").read_text().splitlines())
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    installed = {pin.partition("==")[0].lower() for pin in pins}
    assert installed == {name.lower() for name in needed if not name.startswith("snakemake")}  # not used by jobs


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_every_package_that_an_installation_needs_is_pinned(python: str) -> None:
    installed = {canonicalize_name(one.metadata["Name"]): one for one in distributions()}
    pinned = {canonicalize_name(name) for name in project.pins()}
    seen, found = set(), {("asdlib", ""), ("asdlib", "dev"), ("asdlib", "docs"), ("asdlib", "onnx")}
    while found:
        seen |= found
        found = {need for name, extra in found for need in _needs(installed.get(name), extra, python)} - seen
    names = {name for name, _ in seen} - {"asdlib"}
    assert len(names) > 100
    assert names <= pinned


def _needs(package: Distribution | None, extra: str, python: str) -> Iterator[tuple[str, str]]:
    """Yield the names and extras that a package needs; one that is not installed, as of other Pythons, has none."""
    for line in package.requires or [] if package else []:
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"python_version": python, "extra": extra}):
            yield from ((canonicalize_name(need.name), chosen) for chosen in {"", *need.extras})
