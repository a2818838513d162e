"""Tables from outside: what is read, and what is said of what cannot be."""

import gzip

import numpy as np
import pandas as pd
import pytest

from phaseflow.data import Table, check_numbers, find_table
from phaseflow.errors import DataError


def test_shipped_data_sets_are_found_where_their_package_is(tmp_path):
    table = find_table(None, "arch.sp500", tmp_path)
    assert table.columns == ["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"]
    assert len(table.read()) == 5031


@pytest.mark.parametrize("name", ["statsmodels.nothing", "arch.none", "json.decoder", "longley", "../../etc.passwd"])
def test_an_unknown_data_set_is_an_error(name, tmp_path):
    with pytest.raises(ValueError, match=r"ships no data set|is not a data set"):
        find_table(None, name, tmp_path)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_a_table_is_read_the_same_from_every_kind_of_file(name, tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(b"\xef\xbb\xbfa, b\n1.5, x\n2.5, y\n"))
    elif name.endswith(".csv"):
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    assert Table(path).columns == ["a", "b"]
    pd.testing.assert_frame_equal(Table(path).read(), frame)


@pytest.mark.parametrize(("content", "message"), [(b"", "not a table"), (b"a,b\n", "has no rows"), (b"a\n\xff\xfe\n", "not a table")])
def test_a_file_that_is_no_table_is_named(content, message, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        Table(path).read()
    assert "t.csv" in str(caught.value)


def test_every_column_that_cannot_be_used_is_named_at_once():
    table = pd.DataFrame({"a": [1.0, np.inf], "b": [True, False], "c": pd.array([1, None], dtype="Int64"), "ok": [1, 2]})
    with pytest.raises(DataError) as caught:
        check_numbers(table, ["a", "b", "c", "ok", "d"], "t.csv")
    lines = str(caught.value).splitlines()
    assert [line.split(",")[0] for line in lines] == ["t.csv", "t.csv", "t.csv", "t.csv has no column 'd' (it has 'a'"]
    assert "first in row 2" in lines[0]
    assert "does not hold numbers" in lines[1]
    assert "first in row 2" in lines[2]
