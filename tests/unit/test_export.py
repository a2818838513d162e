"""What is packed for others: everything but trajectories, the same bytes each time, and the page on paper."""

import contextlib
import zipfile
from pathlib import Path

import pytest

from phaseflow.config import load_config
from phaseflow.errors import ResultsError
from phaseflow.export import print_page, zip_results
from phaseflow.plan import Plan
from tests.browser.chromium import find_chromium
from tests.contracts.small import make_page

CONFIG = "simulate: {one: {system: lorenz63, time: {stop: 1, samples: 5}}}\n"


@pytest.fixture
def made(tmp_path):
    make_page(CONFIG, tmp_path)
    with contextlib.chdir(tmp_path):
        yield Plan(load_config(Path("config.yaml")))


def test_the_archive_has_page_figures_tables_and_receipts(made):
    names = zipfile.ZipFile(zip_results(made, Path("export/report.zip"))).namelist()
    assert "results/report/index.html" in names
    assert "results/simulate/one/members.parquet" in names
    assert "results/receipts/simulate/one.json" in names
    assert any(name.startswith("results/report/figures/") and name.endswith(".svg") for name in names)
    assert not any("trajectories" in name or "chunks" in name for name in names)


def test_the_same_results_make_the_same_archive(made):
    first, second = (zip_results(made, Path(name)).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second


def test_a_missing_result_is_named(made):
    Path("results/simulate/one/members.parquet").unlink()
    with pytest.raises(ResultsError, match=r"members\.parquet is missing"):
        zip_results(made, Path("a.zip"))


@pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium here to print the page")
@pytest.mark.usefixtures("made")
def test_the_page_is_printed():
    assert print_page(Path("export/report.pdf")).read_bytes().startswith(b"%PDF")
