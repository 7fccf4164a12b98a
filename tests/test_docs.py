"""The documentation: links, commands, config keys and figures agree with the repository."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from helpers.markdown_tables import tables
from snakemake.cli import get_argument_parser

from asdlib.evaluation.figures import AREAS
from asdlib.evaluation.reported import load_reported, recomputed_overall
from asdlib.workflow.words import ALL
from asdlib.workflow.yaml_files import read_yaml
from snakemake_logger_plugin_asdlib.options import read_options
from snakemake_logger_plugin_asdlib.order import in_order

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("config/*.md"))]
PAGES += sorted(ROOT.glob("resources/*/README.md"))
WITH_COMMANDS = [*PAGES, ROOT / "Snakefile", *sorted(ROOT.glob("config/*.yaml")), *sorted(ROOT.glob("profiles/*/*"))]
OPTIONS = read_options()
CONTENTS = {path.stem: read_yaml(path) for path in sorted(ROOT.glob("config/systems/*.yaml"))}
REPORTED = [system for system, content in CONTENTS.items() if "report" in content]  # only these need a page and figures


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def spans(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    text = re.sub(
        r"^ *(```|~~~).*?^ *\1", "", page.read_text(), flags=re.MULTILINE | re.DOTALL
    )  # comments are no headings
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


# --- links ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name_of(page)}: {target}"
        assert ROOT in there.parents, f"{name_of(page)}: {target} leaves the repository"
        assert not anchor or anchor in anchors(there), f"{name_of(page)}: {target}: no such heading"


@pytest.mark.parametrize("page", ["reliability.md", "second_reading.md"])
def test_every_promise_names_tests_that_exist(page: str) -> None:
    named = re.findall(r"`(\S+?\.py)(?:::(\w+))?`", (ROOT / "docs" / page).read_text())
    assert len(named) > 40
    for path, function in named:
        tree = ast.parse((ROOT / "tests" / path).read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not function or function in functions, f"{path}: no {function}"


# --- tables --------------------------------------------------------------------------------------------------------

TABLE = "| a | b |\n|---|---|\n| `x \\| y` | 2 |\n"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_table_renders(page):
    tables(page.read_text())


def test_the_documents_have_tables():
    assert sum(len(tables(page.read_text())) for page in PAGES) > 80


def test_a_table_is_read_as_rows_of_cells():
    assert tables(f"Text\n\n{TABLE}\n```\n| no table\n```\n") == [[["a", "b"], ["`x | y`", "2"]]]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (f"{TABLE}\n| 3 | 4 |\n", "line 5: a row outside of a table"),
        (f"{TABLE}| 3 | 4 |\n\n| 5 | 6 |\n| 7 | 8 |\n", "line 6: a row outside of a table"),
        (f"{TABLE}Text\n", "line 4: a blank line must end a table"),
        (f"{TABLE}| 3 |\n", "line 4: 1 cells in a table of 2 columns"),
        (f"{TABLE}| `x | y` | 4 |\n", "line 4: 3 cells in a table of 2 columns"),
        (f"{TABLE}| 3 | 4\n", "line 4: a row must begin and end with a pipe"),
        ("| a | b |\n| 1 | 2 |\n", "line 1: a row outside of a table"),
        ("| a | b |\n|---|\n| 1 | 2 |\n", "line 2: 1 cells"),
    ],
    ids=["blank", "rows_apart", "text_below", "too_few", "pipe_in_code", "open_end", "no_separator", "short_separator"],
)
def test_a_broken_table_is_noticed(broken, message):
    with pytest.raises(ValueError, match=message):
        tables(broken)


# --- commands ------------------------------------------------------------------------------------------------------


def commands() -> list[tuple[str, str]]:
    found = []
    for page in WITH_COMMANDS:
        for line in page.read_text().splitlines():
            match = re.search(r"(?:^|[`\s])(snakemake (?:results/|submission |report |-)[^`]*)", line)
            if match and not line.lstrip("# ").startswith("snakemake --lint"):
                found.append((name_of(page), match[1].strip()))
    return found


def test_the_documents_show_commands():
    assert len(commands()) > 15


def is_goal(word: str) -> bool:
    return word.startswith("results/") or word in ("submission", "report")


@pytest.mark.parametrize(("page", "command"), commands())
def test_snakemake_reads_the_target_of_a_command(page, command, monkeypatch, tmp_path):
    """The target comes last, as in the README; the plugin and Snakemake's own parser find it there."""
    words = shlex.split(command)[1:]
    targets = [word for word in words if is_goal(word)]
    assert words[len(words) - len(targets) :] == targets, f"{page}: {command}"
    monkeypatch.chdir(tmp_path)  # the config files of the examples do not exist
    for index, word in enumerate(words):
        if word == "--configfile":
            for path in (Path(name) for name in words[index + 1 :] if name.endswith(".yaml")):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("seeds: [1]\n")
    read = in_order(["-s", str(ROOT / "Snakefile"), *words], OPTIONS)
    assert set(get_argument_parser().parse_args(read).targets) == set(targets), f"{page}: {command}"
    for option, value in pairwise(words):
        if option == "--workflow-profile":
            copied = re.search(rf"^ *cp -r (\S+) {re.escape(value)}$", (ROOT / page).read_text(), re.MULTILINE)
            assert (ROOT / (copied[1] if copied else value) / "config.yaml").is_file(), f"{page}: {command}"


# --- config keys ---------------------------------------------------------------------------------------------------


def schema(name: str) -> dict:
    return read_yaml(ROOT / f"workflow/schemas/{name}.schema.yaml")


def schema_keys() -> set[str]:
    content = schema("config")
    keys = set()
    for name, block in content["properties"].items():
        if name in ("datasets", "checkpoints"):
            block = content["$defs"][name.removesuffix("s")]
            keys |= {f"{name}.<name>"} | {f"{name}.<name>.{key}" for key in block["properties"]}
        else:
            keys |= {f"{name}.{key}" for key in block.get("properties", {})} or {name}
    return keys


def key_tables() -> tuple[list[list[str]], list[list[str]]]:
    config, system = tables((ROOT / "config/README.md").read_text())
    return config[1:], system[1:]


def test_every_config_key_is_explained_and_every_explained_key_exists():
    named = [key for row in key_tables()[0] for key in spans(row[0])]
    assert len(named) == len(set(named))
    assert set(named) == schema_keys()


def test_the_defaults_are_those_of_the_config():
    config = read_yaml(ROOT / "config/config.yaml")
    for key, default, *_ in key_tables()[0]:
        if key.startswith(("`datasets", "`checkpoints", "`override")):
            continue
        value = config
        for part in spans(key)[0].split("."):
            value = value[part]
        assert yaml.safe_load(spans(default)[0]) == value, key


def test_every_key_of_a_systems_file_is_explained():
    named = {key.rpartition(".")[2] for row in key_tables()[1] for key in spans(row[0])}
    content = schema("system")
    variant = content["properties"]["variants"]["additionalProperties"]["properties"]
    keys = {*content["properties"], *content["$defs"]["recipes"]["additionalProperties"]["properties"], *variant}
    assert keys - named == {"variants", "kind", "decision"}  # explained in the text, or by their parts
    assert named - keys == {"quantile"}


def test_every_training_setting_is_named():
    tree = ast.parse((ROOT / "src/asdlib/training/settings.py").read_text())
    fields = {node.target.id for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)}
    row = next(row for row in key_tables()[1] if "models.<name>.training" in row[0])
    assert set(spans(row[1])) == fields


# --- figures -------------------------------------------------------------------------------------------------------


def reported(system="baseline"):
    return load_reported(ROOT / f"resources/reported/{system}.csv")


def test_the_readmes_figures_are_the_reported_ones():
    table = next(rows for rows in tables((ROOT / "README.md").read_text()) if rows[0][0] == "system")[1:]
    datasets = [(system, variant, dataset) for system in REPORTED for variant, dataset, _ in reported(system).index]
    assert [tuple(row[:3]) for row in table] == list(dict.fromkeys(datasets))
    for system, variant, dataset, *cells in table:
        figures = recomputed_overall(reported(system)).loc[variant, dataset, ALL]
        assert [cell.partition(" / ")[0] for cell in cells] == [f"{figure:.2f}" for figure in figures]


@pytest.mark.parametrize("system", REPORTED)
def test_every_system_of_a_report_has_its_page(system):
    page = (ROOT / f"docs/{system}.md").read_text()
    assert f"results/{system}/scores.csv" in page
    assert "TODO" not in page


def reported_tables(page: str, dataset: str) -> Iterator[list[list[str]]]:
    """Yield the tables below the marker of a dataset's reported figures, up to the next marker or heading."""
    behind = page.partition(f"<!-- reported: {dataset} -->")[2]
    yield from tables(re.split(r"^## |<!-- reported", behind, flags=re.MULTILINE)[0])


@pytest.mark.parametrize(("system", "dataset"), [
    (system, dataset) for system in REPORTED for dataset in reported(system).index.unique("dataset")
])  # fmt: skip
def test_the_pages_figures_are_the_reported_ones(system, dataset):
    page, known = (ROOT / f"docs/{system}.md").read_text(), reported(system)
    told = {}
    for head, *rows in reported_tables(page, dataset):
        if not head[1].endswith("AUC source"):
            continue
        # A head is "<variant>: AUC source", or only "AUC source" if there is one variant.
        variants = [cell.rpartition(": ")[0] or "1" for cell in head[1::3]]
        for machine, *cells in rows:
            figures = [float(cell) for cell in cells]
            for index, variant in enumerate(variants):
                told[variant, dataset, machine] = figures[3 * index : 3 * index + 3]
    machines = known.drop(index=ALL, level="machine", errors="ignore").xs(dataset, level="dataset", drop_level=False)
    assert told == dict(zip(machines.index, machines[list(AREAS)].round(2).to_numpy().tolist(), strict=True))
    for variant in {variant for variant, _, _ in told}:
        assert f"{recomputed_overall(known).loc[variant, dataset, ALL].hmean:.2f}" in page


def test_system4s_harmonic_means_are_the_reported_ones():
    page, known = (ROOT / "docs/system4.md").read_text(), reported("system4")
    (means,) = (rows for rows in reported_tables(page, "dcase2025_dev") if "printed" in rows[0])
    told = {
        (variant, row[0]): float(figure)
        for row in means[1:]
        for variant, figure in zip(means[0][1::2], row[1::2], strict=True)
    }
    machines = known.drop(index=ALL, level="machine").droplevel("dataset")
    assert told == machines["hmean"].to_dict()


# --- other files ---------------------------------------------------------------------------------------------------


GPUS = r"graph\.gpus|gpus_to_embed"  # by which a rule asks for one


def rules() -> dict[str, str]:
    text = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    return dict(re.findall(r"^rule (\w+):\n((?:.*\n)+?)(?=^\S|\Z)", text, re.MULTILINE))


def test_the_picture_shows_every_rule():
    picture = (ROOT / "README.md").read_text().partition("```mermaid")[2].partition("```")[0]
    drawn = set(re.findall(r"\b[a-z_]+\b", re.sub(r'\[.*?\]|".*?"', "", picture))) - {"flowchart", "table"}
    assert drawn == set(rules())


def test_the_slurm_profile_sends_every_gpu_rule_to_the_gpus():
    text = (ROOT / "profiles/slurm/config.yaml").read_text()
    profile = yaml.safe_load(
        re.sub(r"^( *)# ?(?=set-resources:$|  \w+: \{|slurm_\w+: )", r"\1", text, flags=re.MULTILINE)
    )
    assert set(profile["set-resources"]) == {name for name, body in rules().items() if re.search(GPUS, body)}
    assert {"slurm_partition", "slurm_account"} <= set(profile["default-resources"])


def test_the_baseline_page_has_every_section_that_its_config_cites():
    cited = set(re.findall(r"§ ([A-Z][a-z]*(?: [a-z]+)?)", (ROOT / "config/systems/baseline.yaml").read_text()))
    assert len(cited) >= 5
    assert {section.lower().replace(" ", "-") for section in cited} <= anchors(ROOT / "docs/baseline.md")


def test_the_files_for_a_public_host_can_be_read():
    files = [*ROOT.glob(".github/*/*.yml"), ROOT / ".snakemake-workflow-catalog.yml"]
    content = {path.name: read_yaml(path) for path in files}
    assert {"tests.yml", "bug.yml", "report.yml", "config.yml", ".snakemake-workflow-catalog.yml"} == set(content)
    (job,) = content["tests.yml"]["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test"]
    assert "index" not in (ROOT / ".github/workflows/tests.yml").read_text()
    for form in (content["bug.yml"], content["report.yml"]):
        assert {"name", "description", "body"} <= set(form)
        assert all("label" in block["attributes"] for block in form["body"] if block["type"] != "markdown")
    assert "asdlib info" in (ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text()
    assert content[".snakemake-workflow-catalog.yml"]["usage"]["software-stack-deployment"]["conda"] is True


def test_reported_figures_are_of_systems_that_name_a_report():
    assert {path.stem for path in ROOT.glob("resources/reported/*.csv")} == set(REPORTED)


def test_the_citation_names_the_reports():
    citation = read_yaml(ROOT / "CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["license"] == project["license"]  # tests/commands/test_info.py has the version
    cited = {entry["title"].lower() for entry in citation["references"] if entry["type"] == "report"}
    assert cited == {CONTENTS[system]["report"].lower() for system in REPORTED if system != "baseline"}
    for entry in citation["references"]:
        assert {"title", "authors", "year"} <= set(entry)
        assert not {"doi", "identifiers"} & set(entry)  # none is known for certain


def test_the_conda_environment_holds_the_pinned_dependencies():
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().split():
        pins[re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()] = line
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [re.sub(r"[-_.]+", "-", name).lower() for name in project["dependencies"] if "snakemake" not in name]
    environment = read_yaml(ROOT / "envs/asdlib.yaml")
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == [pins[name] for name in wanted]


def test_the_messages_of_the_faq_are_those_of_the_library():
    source = "\n".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.py")))
    joined = re.sub(r'"\s*f?"', "", source)
    said = [
        row[0] for table in tables((ROOT / "docs/faq.md").read_text()) if table[0][0] == "Message" for row in table[1:]
    ]
    assert len(said) > 40
    for message in [span for cell in said for span in spans(cell)]:
        for piece in re.split(r"\d+|…|<\w+>| nan | inf ", message):
            assert piece.strip() in joined, f"docs/faq.md: {message}"
