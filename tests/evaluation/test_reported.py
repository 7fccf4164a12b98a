"""The tables of reported figures: strict parsing, and the known overall figures."""

from math import nan
from pathlib import Path

import numpy as np
import pytest

from asdlib.errors import AsdError
from asdlib.evaluation.figures import FIGURES
from asdlib.evaluation.reported import COLUMNS, load_reported, nothing_reported, recomputed_overall
from asdlib.workflow.words import ALL

FOLDER = Path(__file__).parents[2] / "resources" / "reported"
HEADER = ",".join(COLUMNS) + "\n"
ROW = "1,dcase2025_dev,fan,70.96,38.75,49.46,,\n"
DEV = {"ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve"}
EVAL = {
    "AutoTrash",
    "HomeCamera",
    "ToyPet",
    "ToyRCCar",
    "BandSealer",
    "CoffeeGrinder",
    "Polisher",
    "ScrewFeeder",
}
TOTALS = {
    ("baseline", "mse"): 56.26,
    ("baseline", "mahalanobis"): 55.34,
    ("system1", "1"): 51.57,
    ("system1", "2"): 49.12,
    ("system1", "3"): 49.94,
    ("system1", "4"): 48.42,
    ("system2", "1"): 64.41,
    ("system3", "1"): 61.87,
    ("system4", "1"): 64.83,
    ("system4", "2"): 65.74,
    ("system4", "3"): 66.33,
    ("system4", "4"): 65.75,
    ("system5", "cnn_ds"): 52.36,
    ("system5", "cnn_dtmm"): 53.34,
    ("system5", "acae"): 51.57,
}


@pytest.mark.parametrize(("system", "variant"), TOTALS)
def test_development_tables_give_the_known_totals(system: str, variant: str):
    table = load_reported(FOLDER / f"{system}.csv")
    rows = table.sort_index().loc[variant, "dcase2025_dev"]
    assert set(rows.index) - {ALL} == DEV
    total = recomputed_overall(table).loc[variant, "dcase2025_dev", ALL]
    assert f"{total.hmean:.2f}" == f"{TOTALS[system, variant]:.2f}"
    if ALL in rows.index:
        printed = rows.loc[ALL, list(FIGURES)].dropna()
        assert total[printed.index].tolist() == pytest.approx(printed.tolist(), abs=0.05)


def test_no_table_has_variants_beyond_the_known_ones():
    found = {(path.stem, key[0]) for path in FOLDER.glob("*.csv") for key in load_reported(path).index}
    assert found == set(TOTALS), (
        "TOTALS in this file: name every variant of resources/reported, with its overall figure"
    )


@pytest.mark.parametrize(("variant", "score"), [("mse", 0.5442827820713174), ("mahalanobis", 0.5650558189601554)])
def test_evaluation_set_gives_the_published_score(variant: str, score: float):
    table = load_reported(FOLDER / "baseline.csv")
    assert set(table.sort_index().loc[variant, "dcase2025_eval"].index) == EVAL | {ALL}
    for figures in (recomputed_overall(table), table):
        found = figures.loc[variant, "dcase2025_eval", ALL].hmean
        assert found / 100 == pytest.approx(score, rel=0, abs=1e-15)


def test_the_machine_means_of_system4_belong_to_their_rows():
    rows = [row for row in load_reported(FOLDER / "system4.csv").reset_index().itertuples() if row.machine != ALL]
    assert len(rows) == 4 * 7  # four variants on seven machines
    for row in rows:
        mean = 3 / (1 / row.auc_source + 1 / row.auc_target + 1 / row.pauc)
        assert row.hmean == pytest.approx(mean, abs=0.0051)
        assert "recomputed" in row.note


def test_baseline_keeps_its_own_fan_figure():
    assert load_reported(FOLDER / "baseline.csv").loc["mse", "dcase2025_dev", "fan"].auc_source == 70.96


def test_empty_cells_are_missing_figures(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(HEADER + ROW + '1,dcase2025_dev,all,,,,50.5,"a, b"\n')
    table = load_reported(path)
    assert table.index.tolist() == [("1", "dcase2025_dev", "fan"), ("1", "dcase2025_dev", "all")]
    assert table["note"].tolist() == ["", "a, b"]
    figures = np.array([[70.96, 38.75, 49.46, nan], [nan, nan, nan, 50.5]])
    np.testing.assert_array_equal(table[list(FIGURES)], figures)


def test_empty_lines_are_skipped_and_the_ends_of_the_scale_are_percentages(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(HEADER + "\n1,dcase2025_dev,fan,0,100,50,,\n\n" + ROW.replace("fan", "valve"))
    table = load_reported(path)
    assert table.index.get_level_values("machine").tolist() == ["fan", "valve"]
    assert table.iloc[0][["auc_source", "auc_target", "pauc"]].tolist() == [0, 100, 50]


def test_no_total_from_incomplete_rows(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(HEADER + ROW + "1,dcase2025_dev,valve,70.96,38.75,,,\n2,dcase2025_dev,fan,50,50,50,,\n")
    assert recomputed_overall(load_reported(path)).index.tolist() == [("2", "dcase2025_dev", "all")]


def test_a_system_may_have_no_reported_figures(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(HEADER)
    for table in (nothing_reported(), load_reported(path)):
        assert table.empty
        assert recomputed_overall(table).empty


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: columns missing"),
        (HEADER.replace("pauc", "pAUC"), "line 1: unknown column 'pAUC'"),
        (HEADER.replace("note", "note,f1"), "line 1: unknown column 'f1'"),
        (HEADER.replace(",note", ""), "line 1: columns missing"),
        (HEADER + ROW.replace("70.96", "70,96"), "line 2: 9 columns instead of 8"),
        (HEADER + ROW.replace("70.96", "70.96%"), "line 2: auc_source is '70.96%'"),
        (HEADER + ROW.replace("49.46", "nan"), "line 2: pauc is nan"),
        (HEADER + ROW.replace("49.46", "149"), "between 0 and 100"),
        (HEADER + ROW.replace("49.46", "4_9"), "line 2: pauc is '4_9'"),
        (HEADER + ROW.replace("fan", ""), "line 2: variant, dataset or machine is empty"),
        (HEADER + ROW + ROW, "line 3: 1 dcase2025_dev fan is repeated"),
    ],
)
def test_refusals(tmp_path, text: str, words: str):
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(AsdError, match=words) as caught:
        load_reported(path)
    assert str(caught.value).startswith(str(path))


def test_an_absent_table_is_named(tmp_path):
    with pytest.raises(AsdError, match=r"nothing\.csv: no such file"):
        load_reported(tmp_path / "nothing.csv")
