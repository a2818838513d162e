"""Tables that are written while the next are made."""

import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phaseflow.tables import make_trajectory_schema, open_parquet, write_behind

SCHEMA = make_trajectory_schema(["x"])


def make(number):
    return pa.table([np.full(5, number), np.linspace(0, 1, 5), np.full(5, number / 3)], schema=SCHEMA)


def test_what_is_written_behind_has_the_same_bytes(tmp_path):
    with open_parquet(tmp_path / "behind", SCHEMA) as writer, write_behind(writer) as write:
        for number in range(4):
            write(lambda number=number: make(number))
    with open_parquet(tmp_path / "plain", SCHEMA) as writer:
        for number in range(4):
            writer.write_table(make(number))
    assert (tmp_path / "behind").read_bytes() == (tmp_path / "plain").read_bytes()
    assert pq.read_table(tmp_path / "behind")["member"].to_pylist() == np.repeat(range(4), 5).tolist()


def test_no_more_than_one_table_is_behind(tmp_path):
    may_go_on, begun = threading.Event(), []

    def make_slowly(number):
        begun.append(number)
        may_go_on.wait(60)
        return make(number)

    with open_parquet(tmp_path / "table", SCHEMA) as writer, write_behind(writer) as write:
        write(lambda: make_slowly(0))
        second = threading.Thread(target=write, args=(lambda: make_slowly(1),))
        second.start()
        second.join(0.05)
        assert second.is_alive()  # it waits for the first
        assert 1 not in begun
        may_go_on.set()
        second.join()
    assert begun == [0, 1]


@pytest.mark.parametrize("place", [0, 2], ids=["seen by the next", "seen at the end"])
def test_an_error_while_writing_reaches_the_caller_and_leaves_no_file(tmp_path, place):
    def fail():
        raise OSError("no space left")

    def write_all():
        with open_parquet(tmp_path / "table", SCHEMA) as writer, write_behind(writer) as write:
            for number in range(3):
                write(fail if number == place else lambda: make(1))

    with pytest.raises(OSError, match="no space left"):
        write_all()
    assert list(tmp_path.iterdir()) == []
