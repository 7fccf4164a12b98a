"""The texts of the page: versions, sizes and times."""

from importlib.metadata import PackageNotFoundError, version

import pytest

from asdlib.report import page


def test_a_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the environment of a job: without Snakemake, and with the library from its checkout."""

    def of_the_environment(name: str) -> str:
        if name in ("asdlib", "snakemake"):
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(page, "version", of_the_environment)
    found = page.versions()
    assert "snakemake" not in found
    assert found["numpy"] == version("numpy")
    assert found["asdlib"] == version("asdlib")


@pytest.mark.parametrize(("count", "said"), [
    (0, "0 B"), (999, "999 B"), (999.6, "1 kB"), (1234, "1.23 kB"), (999_400_000, "999 MB"), (999_600_000, "1 GB"),
    (300 * 2**20, "315 MB"), (5e12, "5 TB"),
])  # fmt: skip
def test_a_size_has_the_unit_of_what_it_is_rounded_to(count: float, said: str) -> None:
    assert page.size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (59.0, "59.0 s"),
        (60.0, "1 min"),
        (61, "1 min"),
        (3569, "59 min"),
        (3599.9, "1 h 00 min"),
        (3700, "1 h 02 min"),
    ],
)
def test_a_time_is_seconds_or_hours_and_minutes(seconds: float, said: str) -> None:
    assert page.duration(seconds) == said


def test_settings_are_shown_in_their_order_and_as_they_are_written() -> None:
    assert page.as_yaml({"seeds": [1], "data": "Lüfter"}) == "seeds:\n- 1\ndata: Lüfter\n"


def test_a_table_has_columns_of_reported_figures_where_there_are_any() -> None:
    macros = page.environment().from_string(
        '{% from "macros.html" import figure_columns, figure_cells %}{{ figure_columns(names, compared) }}'
        "{{ figure_cells(line, names, compared) }}"
    )
    figure = {"ours": "61.00", "interval": "", "reported": "60.00", "difference": {"text": "+1.00", "colour": None}}
    text = macros.render(names=["score", "pAUC"], compared=[True, False], line={"figures": [figure, figure]})
    assert (text.count("ported</th>"), text.count("60.00"), text.count("+1.00"), text.count("61.00")) == (1, 1, 1, 2)
