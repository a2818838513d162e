"""Files are compared with their checksums by whoever reads them, and what was altered is made anew."""

import os
from pathlib import Path

import pytest

from phaseflow import paths
from phaseflow.config import load_config
from phaseflow.errors import ResultsError
from phaseflow.plan import Plan
from phaseflow.receipts import (
    FOLDER_CHECKSUMS,
    check_pieces,
    check_tables,
    find_resized,
    find_staleness,
    read_receipt,
    write_checksums,
    write_receipt,
)


@pytest.fixture
def chunk(tmp_path):
    files = [tmp_path / f"ab.{kind}.parquet" for kind in ("members", "trajectories")]
    for file in files:
        file.write_bytes(os.urandom(1000))
    write_checksums(tmp_path / "ab.simulate.json", files)
    return tmp_path / "ab.simulate.json"


def alter(path):
    content = bytearray(path.read_bytes())
    content[500] ^= 4
    path.write_bytes(content)


def test_a_chunk_as_it_was_written_is_let_be(chunk):
    check_pieces([chunk])
    assert find_resized(chunk) is None
    assert len(list(chunk.parent.iterdir())) == 3


@pytest.mark.parametrize("damage", [alter, Path.unlink, lambda path: os.truncate(path, 10), lambda path: path.write_bytes(b"")])
def test_a_damaged_chunk_is_named_and_removed(chunk, damage):
    damage(chunk.with_name("ab.members.parquet"))
    with pytest.raises(ResultsError, match=r"1 files were altered .*ab\.members\.parquet"):
        check_pieces([chunk])
    assert not list(chunk.parent.iterdir())


def test_a_chunk_whose_checksums_are_damaged_is_made_anew(chunk):
    chunk.write_text("{")
    assert find_resized(chunk) == chunk
    with pytest.raises(ResultsError, match="were altered"):
        check_pieces([chunk])
    assert not chunk.exists()


def test_a_damaged_folder_of_figures_is_removed_whole(tmp_path):
    folder = tmp_path / "piece"
    folder.mkdir()
    (folder / "a.svg").write_bytes(bytes(1000))
    write_checksums(folder / FOLDER_CHECKSUMS, [folder / "a.svg"])
    alter(folder / "a.svg")
    with pytest.raises(ResultsError, match=r"a\.svg"):
        check_pieces([folder / FOLDER_CHECKSUMS])
    assert not folder.exists()


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A scenario's results, with the receipt's path and origin."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("simulate: {a: {system: lorenz63, time: {stop: 1, samples: 3}}}")
    plan = Plan(load_config(Path("config.yaml")))
    outputs, receipt = paths.list_outputs("simulate", "a"), paths.find_receipt("simulate", "a")
    outputs[-1].mkdir(parents=True)
    chunk = next(iter(plan.chunks("simulate", "a")))
    for path in (*outputs[:-1], outputs[-1] / f"{chunk}.parquet"):
        path.write_bytes(os.urandom(1000))
    pool = paths.list_piece("simulate", "a", chunk)
    pool[0].parent.mkdir(parents=True)
    os.link(outputs[-1] / f"{chunk}.parquet", pool[0])
    write_receipt(receipt, plan.origin("simulate", "a"), outputs)
    return outputs, receipt, plan.origin("simulate", "a"), pool[0]


def test_tables_as_they_were_made_are_read(made):
    outputs, receipt, origin, _ = made
    check_tables(outputs)
    assert find_staleness(receipt, origin.key, outputs) is None


def test_a_table_altered_between_two_steps_is_not_read(made):
    outputs, receipt, origin, _ = made
    alter(outputs[0])
    with pytest.raises(ResultsError, match=r"results/simulate/a/members.parquet was altered after it was made"):
        check_tables([outputs[0]])
    assert read_receipt(receipt) is None
    assert find_staleness(receipt, origin.key, outputs) == "it has no receipt"


def test_a_trajectory_altered_between_two_steps_loses_its_chunk_too(made):
    outputs, _, _, pool = made
    alter(next(outputs[-1].iterdir()))
    with pytest.raises(ResultsError, match="was altered after it was made"):
        check_tables([outputs[-1]])
    assert not pool.exists()


def test_a_table_of_ones_own_has_no_receipt_and_is_read(tmp_path):
    check_tables([tmp_path / "mine.csv"])
