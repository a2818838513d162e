"""The page: safe with any names, the same bytes for the same results, whole without any other file."""

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from phaseflow.errors import ResultsError
from phaseflow.page import ROWS_SHOWN, embed_svg, make_cell, show_table, write_page
from phaseflow.settings.block import Block

EVIL = "<script>alert('a\"b')</script>&amp;"
SVG = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="460pt" height="345pt" viewBox="0 0 460 345" xmlns="http://www.w3.org/2000/svg">
 <metadata><a>http://matplotlib.org/</a></metadata>
 <defs><style type="text/css">*{stroke-linejoin: round}</style><path id="m1" d="M 0 0 L 1 1"/></defs>
 <g id="figure_1" clip-path="url(#c1)" onclick="alert(1)"><use xlink:href="#m1" style="fill: url( #m1)"/><text>&lt;b&gt;</text></g>
 <clipPath id="c1"><rect width="9" height="9" fill="url(http://example.org/x)"/></clipPath>
 <script>alert(2)</script><image xlink:href="http://example.org/x.png"/>
</svg>
"""


class Reader(HTMLParser):
    """Collects the ids, the addresses and the open elements of a page."""

    def __init__(self):
        super().__init__()
        self.ids, self.addresses, self.tags = [], [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.addresses += [value for key, value in attributes if key in ("href", "xlink:href", "src", "data", "action", "srcset")]


def read_page(text):
    reader = Reader()
    reader.feed(text)
    return reader


def make_table(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)


def make_study(folder, members=None, name="attractor", caption="A figure.", title="Study", dense=False, view=None):
    """Write what a page is made of; return the arguments of write_page."""
    results = folder / "results"
    members_path = results / "simulate" / "attractor" / "members.parquet"
    trials_path, terms_path = results / "optimize" / "q.csv", results / "fit" / "l.csv"
    if members is None:
        members = pd.DataFrame({"member": [4546665659230395936], "status": ["ok"], "steps": [1264], "reliable_until": [math.nan]})
    make_table(members_path, members)
    make_table(
        trials_path, pd.DataFrame({"trial": [1], "status": ["failed"], "value": [math.nan], "feasibility": [math.nan], "message": [EVIL]})
    )
    make_table(terms_path, pd.DataFrame({"term": ["NA"], "estimate": [0.1 + 0.2], "ci_low": [0.1], "ci_high": [0.5]}))
    statistics_path = terms_path.with_suffix(".json")
    statistics_path.write_text(json.dumps({"r_squared": None, "model": "linear"}))
    piece = results / "chunks" / "figures" / "0123"
    piece.mkdir(parents=True, exist_ok=True)
    files = ["one", "two"]
    for file in files:
        for suffix, content in (("svg", SVG), ("png", "png"), ("thumb.png", "png"), ("parquet", "data")):
            (piece / f"{file}.{suffix}").write_text(content)
    (piece / "figures.json").write_text(json.dumps({file: {"alt": caption, "dense": dense, "view": view} for file in files}))
    receipt = {
        "key": "chunk size enters here",
        "made_by": {"engines": {"heyoka": "7.13.2", "nlopt": "absent"}, "block": {}, "files": {}, "inputs": {}},
        "outputs": {
            str(path): {"size": 1, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in (members_path, trials_path)
        },
        "pieces": {},
    }
    receipt_path = results / "receipts" / "simulate.json"
    receipt_path.parent.mkdir(exist_ok=True)
    receipt_path.write_text(json.dumps(receipt))
    plain = {"settings": {}, "rules": ["simulate"], "config": f"name: {EVIL}\n"}
    tables = {"members": str(members_path), "trajectories": str(members_path.parent / "trajectories")}
    figures = [{"file": file, "caption": caption, "made_by": "figures/attractor.py"} for file in files]
    entries = [
        plain | {"section": "simulate", "name": name, "kind": "trajectories", "tables": tables, "figures": figures},
        plain | {"section": "optimize", "name": "q", "kind": "minimize", "tables": {"trials": str(trials_path)}, "figures": []},
        plain
        | {"section": "fit", "name": "l", "kind": "linear", "figures": []}
        | {"tables": {"terms": str(terms_path), "statistics": str(statistics_path)}},
    ]
    outline = {
        "title": title,
        "summary": caption,
        "formats": {"svg": "SVG", "png": "PNG", "parquet": "data"},
        "entries": entries,
        "config": f"title: {EVIL}\n",
    }
    report = results / "report"
    return Block("report", "index", outline), [piece], [receipt_path], report / "index.html", report / "figures"


def write(folder, **options):
    arguments = make_study(folder, **options)
    write_page(*arguments)
    return arguments[3].read_text(encoding="utf-8")


def test_titles_captions_names_and_cells_are_escaped(tmp_path):
    text = write(tmp_path, name=EVIL, caption=EVIL, title=EVIL)
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") >= 6
    assert read_page(text).tags.count("script") == 1


def test_only_our_own_script_may_run(tmp_path):
    text = write(tmp_path)
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL).group(1)
    allowed = re.search(r"script-src 'sha256-([^']+)'", text).group(1)
    assert hashlib.sha256(script.encode()).digest() == base64.b64decode(allowed)
    assert "default-src 'none'" in text


def test_page_is_the_same_for_the_same_results(tmp_path):
    arguments = make_study(tmp_path)
    write_page(*arguments)
    first = arguments[3].read_bytes()
    write_page(*arguments)
    assert arguments[3].read_bytes() == first


def test_page_does_not_depend_on_receipt_keys_or_trajectory_files(tmp_path):
    arguments = make_study(tmp_path)
    write_page(*arguments)
    first = arguments[3].read_bytes()
    receipt = json.loads(arguments[2][0].read_text())
    receipt["key"] = "another chunk size"
    receipt["outputs"][str(tmp_path / "results/simulate/attractor/trajectories/0.parquet")] = {"size": 2, "sha256": "beef"}
    arguments[2][0].write_text(json.dumps(receipt))
    write_page(*arguments)
    assert arguments[3].read_bytes() == first


def test_ids_are_unique_and_references_lead_to_them(tmp_path):
    text = write(tmp_path)
    reader = read_page(text)
    assert "one.m1" in reader.ids
    assert "two.m1" in reader.ids
    assert len(set(reader.ids)) == len(reader.ids)
    assert {address[1:] for address in reader.addresses if address.startswith("#")} <= set(reader.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(reader.ids)


def test_drawings_keep_shapes_and_lose_all_else():
    drawing = embed_svg(SVG, "one")
    for gone in ("http", "metadata", "<style", "script", "onclick", "xmlns", "<?xml", "DOCTYPE", 'width="460pt"'):
        assert gone not in drawing
    for kept in ('viewBox="0 0 460 345"', 'href="#one.m1"', "url(#one.c1)", "&lt;b&gt;", "<clipPath"):
        assert kept in drawing


def test_page_reads_nothing_from_elsewhere(tmp_path):
    text = write(tmp_path, dense=True)
    assert not re.search(r"https?://", text)
    assert all(not address.startswith("//") for address in read_page(text).addresses)
    assert 'src="data:image/png;base64,cG5n"' in text
    assert "@import" not in text


def test_links_are_relative_to_the_page_and_carry_the_checksums(tmp_path):
    text = write(tmp_path)
    assert 'href="../simulate/attractor/members.parquet"' in text
    assert 'href="figures/one.svg"' in text
    members = tmp_path / "results/simulate/attractor/members.parquet"
    assert hashlib.sha256(members.read_bytes()).hexdigest() in text
    assert "heyoka" in text
    assert "absent" not in text


def test_figures_folder_holds_exactly_the_figures(tmp_path):
    arguments = make_study(tmp_path)
    (arguments[1][0] / "unwanted.svg").write_text(SVG)
    arguments[4].mkdir(parents=True)
    (arguments[4] / "old.svg").write_text(SVG)
    write_page(*arguments)
    expected = {f"{file}.{suffix}" for file in ("one", "two") for suffix in ("svg", "png", "parquet")}
    assert {path.name for path in arguments[4].iterdir()} == expected


def test_a_figure_that_was_not_drawn_is_an_error_and_writes_nothing(tmp_path):
    arguments = make_study(tmp_path)
    (arguments[1][0] / "figures.json").write_text("{}")
    with pytest.raises(ResultsError, match="the figures one, two were not drawn"):
        write_page(*arguments)
    assert not arguments[3].exists()


@pytest.mark.parametrize("damage", ["receipt", "figures.json"])
def test_damaged_inputs_are_errors(tmp_path, damage):
    arguments = make_study(tmp_path)
    path: Path = arguments[2][0] if damage == "receipt" else arguments[1][0] / "figures.json"
    path.write_text("{")
    with pytest.raises(ResultsError, match="damaged"):
        write_page(*arguments)


def test_a_table_without_rows_says_so(tmp_path):
    text = write(tmp_path, members=pd.DataFrame({"member": pd.Series([], dtype="int64"), "status": pd.Series([], dtype=str)}))
    assert "The table has no rows." in text
    assert "There are no members, so nothing can be said." in text


def test_long_tables_show_their_first_rows_and_say_so(tmp_path):
    members = pd.DataFrame({"member": range(120), "rho": range(120), "status": "ok", "engine": "taylor", "reliable_until": math.nan})
    text = write(tmp_path, members=members)
    assert f"Showing {ROWS_SHOWN} of 120 rows" in text
    shown = show_table(members)
    assert [column.name for column in shown.columns] == ["member", "rho", "status"]
    assert shown.n_shown == ROWS_SHOWN
    assert shown.empty == ["reliable_until"]
    assert shown.constant == [("engine", make_cell("taylor"))]


@pytest.mark.parametrize("value", [None, math.nan, pd.NA, pd.NaT])
def test_no_value_is_a_dash(value):
    assert make_cell(value).text == "–"


def test_missing_values_among_others_are_dashes_on_the_page(tmp_path):
    members = pd.DataFrame({"member": [1, 2], "status": ["ok", None], "steps": [1.5, math.nan]})
    assert write(tmp_path, members=members).count('title="no value">–<') >= 2


def test_numbers_are_short_with_the_full_value_at_hand(tmp_path):
    assert (make_cell(0.1).text, make_cell(0.1).full) == ("0.1", None)
    assert (make_cell(1 / 3).text, make_cell(1 / 3).full) == ("0.333333", repr(1 / 3))
    assert make_cell(4546665659230395936).text == "4546665659230395936"
    assert make_cell(-3).text == "−3"
    assert make_cell(True).text == "yes"
    assert '<td class="id">4546665659230395936</td>' in write(tmp_path)


def test_a_word_that_pandas_takes_for_missing_stays_a_word(tmp_path):
    assert '<td class="text">NA</td>' in write(tmp_path)
