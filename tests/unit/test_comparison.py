"""Two results folders side by side: what differs, and what differs by more than its errors."""

import shutil

import pandas as pd
import pytest

from phaseflow.comparison import compare, compare_tables
from phaseflow.errors import ResultsError
from tests.contracts.small import make_page

CONFIG = """
simulate:
  scan: {system: lorenz63, time: {stop: 20}, sweep: {rho: [10, 20, 28]}, measure: {lyapunov: largest}}
fit: {law: {linear: "steps ~ rho", to: simulate.scan}}
report: {title: First}
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    first, second = (tmp_path_factory.mktemp(name) for name in ("first", "second"))
    make_page(CONFIG, first)
    make_page(CONFIG.replace("stop: 20", "stop: 30").replace("[10, 20, 28]", "[10, 28, 29]").replace("First", "<b>Second"), second)
    return first / "results", second / "results"


def test_the_page_says_what_was_asked_and_what_came_out(folders, tmp_path):
    entries = compare(*folders, tmp_path / "comparison.html")
    page = (tmp_path / "comparison.html").read_text()
    assert [entry.name for entry in entries] == ["simulate.scan", "fit.law"]
    assert entries[0].note == "2 rows in both, 1 only in the first, 1 only in the second."
    assert {item.column for item in entries[0].moved} >= {"lyapunov_1", "steps", "status_time"}
    assert "<del>-    time: {start: 0, stop: 20, transient: 0}</del>" in page
    assert "<ins>+    time: {start: 0, stop: 30, transient: 0}</ins>" in page
    assert "&lt;b&gt;Second" in page
    assert "<b>Second" not in page
    assert page.count("<img") == 2 * sum(len(entry.figures) for entry in entries)


def test_a_folder_does_not_differ_from_its_copy(folders, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folders[0], copy)
    entries = compare(folders[0], copy, tmp_path / "comparison.html")
    assert all(not entry.moved and "without any difference" in entry.note for entry in entries)
    assert "The same: both configs" in (tmp_path / "comparison.html").read_text()


def test_a_number_has_moved_where_it_differs_by_more_than_two_errors():
    table = pd.DataFrame({"term": ["a", "b", "c"], "estimate": [1.0, 2.0, 3.0], "std_error": [0.3, 0.3, 0.3]})
    other = table.assign(estimate=[1.8, 2.9, 3.0])  # of sqrt(2) 0.3 = 0.424 they are 1.9 and 2.1 errors apart
    note, moved = compare_tables(table, other, [])
    assert note == "3 rows in both."
    assert [(item.column, item.n_different, item.n_beyond, item.where) for item in moved] == [("estimate", 2, 1, "term b")]


def test_rows_are_matched_by_what_is_swept_and_not_by_their_order():
    table = pd.DataFrame({"member": [1, 2, 3], "rho": [1.0, 2.0, 3.0], "z_max": [5.0, 6.0, 7.0]})
    note, moved = compare_tables(table, table.iloc[::-1].assign(member=[7, 8, 9]), ["rho"])
    assert (note, moved) == ("3 rows in both, without any difference.", [])


def test_without_errors_nothing_is_said_about_them():
    _, moved = compare_tables(pd.DataFrame({"x": [1.0, 1.0]}), pd.DataFrame({"x": [1.0, 1.5]}), [])
    assert [(item.n_beyond, item.where, item.first, item.second) for item in moved] == [(None, "row 1", "1", "1.5")]


def test_a_folder_without_a_page_is_a_mistake(tmp_path):
    with pytest.raises(ResultsError, match="is no folder of results with a page"):
        compare(tmp_path, tmp_path, tmp_path / "comparison.html")
    assert not (tmp_path / "comparison.html").exists()
