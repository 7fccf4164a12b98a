"""The notebook of docs/ runs on the results of another system, and what it computes by hand is in the table."""

import json
from itertools import product
from typing import Any

import pytest
from helpers.checkout import ROOT, Checkout

pytestmark = pytest.mark.workflow

NOTEBOOK = json.loads((ROOT / "docs" / "results.ipynb").read_text())


def test_the_notebook_reads_tables_and_embeddings(built: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built.folder)
    names: dict[str, Any] = {}
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]).replace('SYSTEM = "baseline"', 'SYSTEM = "toy"'), names)
    scores = names["scores"][names["scores"]["variant"] == names["variant"]]
    in_the_table = scores.set_index("machine")
    assert names["by_hand"].keys() == set(product(("fan", "pump"), ("source", "target")))
    for (machine, domain), auc in names["by_hand"].items():
        assert auc == pytest.approx(in_the_table.loc[machine, f"auc_{domain}"], abs=1e-3)
    assert set(names["table"]["split"]) == {"train", "test"}
    assert names["embeddings"].shape == (len(names["table"]), 8)  # the toy model has one number per band
    assert names["plane"].shape == (len(names["table"]), 2)


def test_the_notebook_is_stored_without_results() -> None:
    for cell in NOTEBOOK["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
