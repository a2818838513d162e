"""Each rule script's function, called with plain paths and values, as its rule would."""

import json
from pathlib import Path

import pandas as pd
import pytest

import collect
import draw
import fit
import gather
import optimize
import report
import simulate
from phaseflow.config import load_config
from phaseflow.plan import Plan
from phaseflow.receipts import find_staleness, read_receipt
from tests.contracts.small import CONFIG


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIG)
    return Plan(load_config(Path("config.yaml")))


def run_chunks(plan, section, name, cache):
    block, pieces = plan.block(section, name).text, plan.pieces(section, name)
    pieces |= {"checksums": plan.checksums(section, name)}
    for number, files in enumerate(zip(*pieces.values(), strict=True)):
        outputs = dict(zip(pieces, map(str, files), strict=True))
        if section == "simulate":
            simulate.simulate(block, number, cache, **outputs)
        else:
            tables = {table: str(path) for table, path in plan.reads(section, name).items()}
            optimize.optimize(block, number, tables, cache, **outputs)
    return {kind: [str(file) for file in files] for kind, files in pieces.items()}


def test_the_chain_of_scripts_makes_a_page_that_is_current(plan):
    for name in plan.config.scenarios:
        chunks = run_chunks(plan, "simulate", name, "cache")
        outputs = [str(path) for path in plan.outputs("simulate", name)]
        gather.gather(plan.origin("simulate", name).text, chunks, *outputs, f"results/receipts/simulate/{name}.json")
        assert len(pd.read_parquet(outputs[0])) == len(plan.members("simulate", name))
    for name in plan.config.studies:
        chunks = run_chunks(plan, "optimize", name, "cache")
        outputs = [str(path) for path in plan.outputs("optimize", name)]
        collect.collect(plan.origin("optimize", name).text, chunks, *outputs, f"results/receipts/optimize/{name}.json")
    for name in plan.config.fits:
        table, outputs = str(next(iter(plan.reads("fit", name).values()))), [str(path) for path in plan.outputs("fit", name)]
        fit.fit(plan.origin("fit", name).text, table, *outputs, f"results/receipts/fit/{name}.json")
        assert "key" in json.loads(Path(f"results/receipts/fit/{name}.json").read_text())
    for piece, origin in plan.figure_pieces().items():
        tables = {kind: str(path) for kind, path in plan.figure_tables(piece).items()}
        draw.draw(origin.text, tables, f"results/chunks/figures/{piece}")
    inputs = {kind: [str(path) for path in files] for kind, files in plan.page_inputs().items()}
    page, figures = (str(path) for path in plan.outputs("report", "index"))
    origin = plan.origin("report", "index").text
    report.report(origin, inputs["tables"], inputs["pieces"], inputs["receipts"], page, figures, "results/receipts/report/index.json")
    for section, name in plan.finals():
        receipt = Path(f"results/receipts/{section}/{name}.json")
        assert find_staleness(receipt, plan.origin(section, name).key, plan.outputs(section, name)) is None
    engines = read_receipt(Path("results/receipts/simulate/pair.json"))["made_by"]["engines"]
    assert "heyoka" in engines


def test_a_script_that_fails_writes_nothing(plan):
    Path("empty.csv").write_text("TOTEMP,GNP,YEAR\n")
    with pytest.raises(Exception, match=r"empty.csv: the table has no rows"):
        fit.fit(plan.origin("fit", "longley").text, "empty.csv", "t.csv", "s.json", "r.parquet", "receipt.json")
    assert not [path for path in Path().iterdir() if path.name not in ("config.yaml", "empty.csv")]
