"""Sweeps and seeds: a member is its values, a chunk is a run of neighbours, and little changes when little changes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from phaseflow import sweeps
from phaseflow.errors import PhaseflowError
from phaseflow.seeds import digest, hash_text, hash_values, mix, open_stream
from phaseflow.sweeps import Axis, Identity, Members, plan_members

FIXED = settings(deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
LORENZ = Identity("lorenz63", {"sigma": 10.0, "rho": 28.0, "beta": 8 / 3, "replicate": 0})


def axis(name: str, *values: float | str) -> Axis:
    return Axis(name, np.array(values))


def plan(*blocks: Sequence[Axis], identity: Identity = LORENZ, chunk: int = 100) -> Members:
    return plan_members(identity, blocks, chunk)


def list_members(members: Members) -> list[tuple[Any, ...]]:
    """Return each member's swept values, in the plan's order."""
    return list(zip(*(column.tolist() for column in members.columns.values()), strict=True))


def count_new_members(old: Members, new: Members) -> int:
    """Count the members that stand in chunks which the old plan has not computed."""
    known = old.name_chunks("settings")
    chunks = new.chunks()
    return sum(len(chunks[number]) for name, number in new.name_chunks("settings").items() if name not in known)


# --- A member is its values ---------------------------------------------------------------------------------------------


def test_an_id_does_not_depend_on_the_place_in_the_list() -> None:
    values = np.linspace(0, 250, 500)
    shuffled = np.random.default_rng(1).permutation(values)
    first, second = plan([Axis("rho", values)]), plan([Axis("rho", shuffled)])
    assert dict(zip(values, first.ids, strict=True)) == dict(zip(shuffled, second.ids, strict=True))
    assert dict(zip(values, first.streams, strict=True)) == dict(zip(shuffled, second.streams, strict=True))


def test_an_id_does_not_depend_on_which_value_is_swept_and_which_is_fixed() -> None:
    swept = plan([axis("rho", 20.0, 28.0), axis("sigma", 9.0, 10.0)])
    fixed = plan([], identity=Identity("lorenz63", {**LORENZ.values, "rho": 20.0, "sigma": 9.0}))
    rho = plan([axis("rho", 20.0, 21.0)], identity=Identity("lorenz63", {**LORENZ.values, "sigma": 9.0}))
    assert swept.ids[0] == fixed.ids[0] == rho.ids[0]
    assert swept.streams[0] == fixed.streams[0] == rho.streams[0]
    assert swept.ids[3] == plan([]).ids[0]


def test_an_id_does_not_depend_on_the_order_of_names() -> None:
    backwards = Identity("lorenz63", dict(reversed(LORENZ.values.items())))
    assert plan([axis("rho", 1.0)]).ids == plan([axis("rho", 1.0)], identity=backwards).ids
    wide, tall = plan([axis("rho", 1.0, 2.0), axis("sigma", 3.0, 4.0)]), plan([axis("sigma", 3.0, 4.0), axis("rho", 1.0, 2.0)])
    assert wide.ids.tolist() == tall.ids[[0, 2, 1, 3]].tolist()


def test_negative_zero_is_zero() -> None:
    assert plan([axis("rho", -0.0)]).ids == plan([axis("rho", 0.0)]).ids
    assert plan([axis("rho", -0.0)]).ids == plan([], identity=Identity("lorenz63", {**LORENZ.values, "rho": 0.0})).ids
    assert len(plan([axis("rho", 0.0, 1.0)], [axis("rho", -0.0, 2.0)])) == 3
    with pytest.raises(PhaseflowError, match="same id"):
        plan([axis("rho", 0.0, -0.0)])


def test_an_id_depends_on_every_value_and_on_the_definition() -> None:
    base = plan([]).ids[0]
    others = [Identity("lorenz64", LORENZ.values)]
    others += [Identity("lorenz63", {**LORENZ.values, name: np.nextafter(value, 99)}) for name, value in LORENZ.values.items()]
    others += [Identity("lorenz63", {**LORENZ.values, "sigma": 28.0, "rho": 10.0}), Identity("lorenz63", {**LORENZ.values, "z": 0.0})]
    ids = [plan([], identity=identity).ids[0] for identity in others]
    assert len({base, *ids}) == len(others) + 1


def test_ids_are_not_negative_and_fit_an_int64() -> None:
    ids = plan([Axis("rho", np.arange(100_000) / 7)]).ids
    assert ids.dtype == np.int64
    assert ids.min() >= 0
    assert ids.max() > 2**62  # the upper half is used: a chance of 2**-100_000 that it is not


def test_an_id_is_the_same_in_every_process() -> None:
    code = (
        "import numpy as np; from phaseflow.sweeps import *;"
        "print(plan_members(Identity('d', {'a': 1.5, 'b': 2, 'c': 'word'}), [[Axis('x', np.array(['u', 'v']))]], 1).ids.tolist())"
    )
    here = plan([axis("x", "u", "v")], identity=Identity("d", {"a": 1.5, "b": 2, "c": "word"})).ids.tolist()
    scripts = str(Path(sweeps.__file__).resolve().parents[1])
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": scripts}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.strip() == str(here)


def test_values_set_aside_change_the_id_and_not_the_stream() -> None:
    identity = Identity("lorenz63", {**LORENZ.values, "algorithm": "a", "tolerance": 1e-9}, frozenset({"algorithm", "tolerance"}))
    members = plan([axis("algorithm", "a", "b"), axis("rho", 20.0, 28.0), axis("tolerance", 1e-9, 1e-12)], identity=identity)
    assert len(set(members.ids.tolist())) == 8
    streams = members.streams.reshape(2, 2, 2)  # algorithm, rho, tolerance
    assert len(set(streams.ravel().tolist())) == 2
    assert (streams == streams[:1, :, :1]).all()
    fixed = plan([], identity=identity)
    assert fixed.ids[0] == members.ids[2]
    assert fixed.streams[0] == members.streams[2]


def test_a_stream_is_the_same_with_and_without_values_set_aside() -> None:
    identity = Identity("lorenz63", {**LORENZ.values, "tolerance": 1e-9}, frozenset({"tolerance"}))
    assert plan([axis("rho", 20.0)], identity=identity).streams == plan([axis("rho", 20.0)]).streams


def test_equal_ids_of_different_members_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PhaseflowError, match="two members of a sweep have the same id"):
        plan([axis("rho", 1.0, 2.0, 1.0)])
    monkeypatch.setattr(sweeps, "hash_values", lambda _name, values: np.zeros(len(values), dtype=np.uint64))
    with pytest.raises(PhaseflowError, match="two members of a sweep have the same id"):
        plan([axis("rho", 1.0, 2.0)])
    with pytest.raises(PhaseflowError, match="two members of a sweep have the same id"):
        plan([axis("rho", 1.0)], [axis("rho", 2.0)])


# --- The plan -----------------------------------------------------------------------------------------------------------


def test_the_plan_is_in_the_order_of_the_config_with_the_first_axis_slowest() -> None:
    members = plan([axis("rho", 3.0, 1.0, 2.0), axis("algorithm", "b", "a")], identity=Identity("d", {}))
    assert list_members(members) == [(3.0, "b"), (3.0, "a"), (1.0, "b"), (1.0, "a"), (2.0, "b"), (2.0, "a")]


def test_blocks_follow_each_other_and_a_value_that_a_block_does_not_sweep_is_its_fixed_one() -> None:
    members = plan([axis("rho", 1.0, 2.0)], [axis("sigma", 5.0, 10.0)])
    assert list_members(members) == [(1.0, 10.0), (2.0, 10.0), (28.0, 5.0), (28.0, 10.0)]


def test_members_of_an_earlier_block_are_not_repeated() -> None:
    members = plan([axis("rho", 1.0, 28.0)], [axis("rho", 28.0, 2.0, 1.0)], [axis("sigma", 10.0, 11.0)], [axis("rho", 2.0)])
    assert list_members(members) == [(1.0, 10.0), (28.0, 10.0), (2.0, 10.0), (28.0, 11.0)]
    assert [sorted(places.tolist()) for places in members.chunks()] == [[0, 1], [2], [3]]


def test_no_axis_is_one_member() -> None:
    members = plan([])
    assert len(members) == 1
    assert members.columns == {}
    assert [places.tolist() for places in members.chunks()] == [[0]]


small_axes = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.lists(st.integers(-3, 3).map(lambda n: n / 2), min_size=1, max_size=5, unique=True), max_size=3
)


@settings(FIXED, max_examples=300)
@given(blocks=st.lists(small_axes, min_size=1, max_size=3), chunk=st.integers(1, 12))
def test_a_plan_is_what_loops_would_make_of_it_and_chunks_partition_it(blocks: list[dict[str, list[float]]], chunk: int) -> None:
    fixed = {"a": 0.0, "b": 1.0, "c": 2.0}
    identity = Identity("d", fixed)
    members = plan(*[[axis(name, *values) for name, values in block.items()] for block in blocks], identity=identity, chunk=chunk)
    names = list(dict.fromkeys(name for block in blocks for name in block))
    wanted: list[tuple[float, ...]] = []
    blocks_of: list[int] = []
    for number, block in enumerate(blocks):
        for values in product(*block.values()):
            member = tuple({**fixed, **dict(zip(block, values, strict=True))}[name] for name in names)
            if member not in wanted:
                wanted.append(member)
                blocks_of.append(number)
    assert len(members) == len(wanted)
    if names:
        assert list_members(members) == wanted
    alone = [plan([], identity=Identity("d", {**fixed, **dict(zip(names, member, strict=True))})) for member in wanted]
    assert members.ids.tolist() == [single.ids[0] for single in alone]
    assert members.streams.tolist() == [single.streams[0] for single in alone]
    chunks = members.chunks()
    assert sorted(np.concatenate(chunks).tolist()) == list(range(len(wanted)))
    assert all(len(places) and len({blocks_of[place] for place in places}) == 1 for places in chunks)
    assert len(members.name_chunks("settings")) == len(chunks)


# --- Chunks -------------------------------------------------------------------------------------------------------------


@settings(FIXED, max_examples=300)
@given(words=arrays.arrays(np.uint64, st.integers(1, 60)), reach=st.integers(0, 70))
def test_the_sliding_minimum_is_the_least_of_each_window(words: np.ndarray, reach: int) -> None:
    wanted = [words[max(place - reach, 0) : place + reach + 1].min() for place in range(len(words))]
    assert sweeps._slide_minimum(words, reach).tolist() == [int(word) for word in wanted]


def test_chunks_are_runs_of_neighbours_in_value() -> None:
    values = np.random.default_rng(3).permutation(np.arange(5_000.0))
    members = plan([Axis("rho", values)])
    in_order = np.concatenate([values[places] for places in members.chunks()])
    assert in_order.tolist() == sorted(values.tolist())


def test_the_first_axis_is_the_slowest_within_chunks_too() -> None:
    members = plan([axis("rho", 3.0, 1.0), axis("sigma", 9.0, 8.0)], chunk=100)
    (places,) = members.chunks()
    assert [list_members(members)[place] for place in places] == [(1.0, 8.0), (1.0, 9.0), (3.0, 8.0), (3.0, 9.0)]


def test_a_chunk_of_one_holds_one_member() -> None:
    members = plan([Axis("rho", np.arange(100.0))], [Axis("sigma", np.arange(100.0))], chunk=1)
    assert [len(places) for places in members.chunks()] == [1] * len(members)


def test_a_block_that_fits_in_a_chunk_is_one_chunk() -> None:
    assert len(plan([Axis("rho", np.arange(100.0))], chunk=100).chunks()) == 1


@pytest.mark.parametrize("chunk", [2, 3, 10, 100, 1000])
def test_chunks_have_about_the_size_that_is_asked_for(chunk: int) -> None:
    count = len(plan([Axis("rho", np.linspace(0, 1, 100_000))], chunk=chunk).chunks())
    # Each place is the least of 2*(chunk//2) + 1 with the same chance. The gaps between such places spread less than
    # an exponential's, so the count of them has a relative standard error below 1/sqrt(count): 5 of them are allowed.
    width = 2 * (chunk // 2) + 1
    assert abs(count * width / 100_000 - 1) < 5 / np.sqrt(count)
    assert abs(width - chunk) <= 1


VALUES = np.linspace(0, 250, 10_000)


def test_inserting_a_value_recomputes_few_members() -> None:
    # Only cuts within chunk/2 of the new value can move, so the chunks that change lie between the nearest two cuts
    # that stay: about one chunk of 100 as a rule and at times two or three, of 10,000 members.
    generator = np.random.default_rng(5)
    old = plan([Axis("rho", VALUES)])
    counts = []
    for _ in range(200):
        new = plan([Axis("rho", np.insert(VALUES, generator.integers(len(VALUES)), generator.uniform(-1, 251)))])
        counts.append(count_new_members(old, new))
    assert min(counts) >= 1
    assert max(counts) <= 300
    assert np.mean(counts) < 150


def test_removing_a_value_recomputes_few_members() -> None:
    generator = np.random.default_rng(6)
    old = plan([Axis("rho", VALUES)])
    counts = [count_new_members(old, plan([Axis("rho", np.delete(VALUES, generator.integers(len(VALUES))))])) for _ in range(100)]
    assert min(counts) >= 1
    assert max(counts) <= 300


def test_putting_a_removed_value_back_computes_nothing() -> None:
    old = plan([Axis("rho", VALUES)])
    assert plan([Axis("rho", np.insert(np.delete(VALUES, 500), 0, VALUES[500]))]).name_chunks("s").keys() == old.name_chunks("s").keys()


def test_reordering_values_computes_nothing() -> None:
    generator = np.random.default_rng(7)
    old = plan([Axis("rho", VALUES[:1000]), Axis("sigma", np.arange(10.0))])
    new = plan([Axis("rho", generator.permutation(VALUES[:1000])), Axis("sigma", generator.permutation(np.arange(10.0)))])
    assert count_new_members(old, new) == 0
    assert new.name_chunks("settings").keys() == old.name_chunks("settings").keys()


def test_appending_a_block_leaves_the_earlier_chunks() -> None:
    old = plan([Axis("rho", VALUES)])
    refined = np.linspace(100, 110, 1_001)
    new = plan([Axis("rho", VALUES)], [Axis("rho", refined)])
    assert old.name_chunks("settings").keys() < new.name_chunks("settings").keys()
    assert list(new.name_chunks("settings"))[: len(old.chunks())] == list(old.name_chunks("settings"))
    assert count_new_members(old, new) == len(set(refined) - set(VALUES))


def test_a_value_on_the_slowest_axis_computes_its_members_and_few_beside() -> None:
    old = plan([Axis("rho", np.arange(100.0)), Axis("sigma", np.arange(100.0))])
    new = plan([Axis("rho", np.insert(np.arange(100.0), 0, 50.5)), Axis("sigma", np.arange(100.0))])
    # Its own 100 members, and on either side the rest of a chunk, which may be twice its usual size.
    assert 100 <= count_new_members(old, new) <= 100 + 2 * 200


def test_the_name_of_a_chunk_tells_its_settings_and_its_members() -> None:
    members = plan([Axis("rho", VALUES)])
    assert not members.name_chunks("one").keys() & members.name_chunks("two").keys()
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in members.name_chunks("one"))
    assert list(members.name_chunks("one").values()) == list(range(len(members.chunks())))
    other = plan([Axis("rho", VALUES)], identity=Identity("rossler", LORENZ.values))
    assert not members.name_chunks("one").keys() & other.name_chunks("one").keys()


def test_a_million_members_can_be_planned() -> None:
    members = plan([Axis("rho", np.linspace(0, 1, 1000)), Axis("sigma", np.linspace(0, 1, 1000))], chunk=5_000)
    assert len(members) == 1_000_000
    assert len(np.unique(members.ids)) == 1_000_000
    assert len(members.name_chunks("settings")) == len(members.chunks())
    assert sorted(np.concatenate(members.chunks()).tolist()) == list(range(1_000_000))


# --- Hashes and streams -------------------------------------------------------------------------------------------------


def test_mix_is_splitmix64() -> None:
    # The first outputs of the authors' splitmix64.c from state 1234567: state k + 1 is state k plus the golden gamma.
    wanted = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    states = [(1234567 + step * 0x9E3779B97F4A7C15) % 2**64 for step in range(5)]
    assert mix(np.array(states, dtype=np.uint64)).tolist() == wanted


def test_every_bit_of_a_value_moves_half_the_bits_of_its_hash() -> None:
    values = np.random.default_rng(8).uniform(2, 4, size=1_000)  # an exponent of which no bit alone makes a NaN
    words = hash_values("rho", values)
    for bit in range(64):
        flipped = (values.view(np.uint64) ^ np.uint64(1 << bit)).view(np.float64)
        moved = np.bitwise_count(hash_values("rho", flipped) ^ words)
        # 64,000 fair coins: their mean share of 32 has a standard error of 4/sqrt(1000) = 0.13; 6 of them are allowed.
        assert abs(moved.mean() - 32) < 6 * 4 / np.sqrt(1_000)


def test_a_hash_depends_on_the_name_and_on_the_kind_of_value() -> None:
    assert hash_values("a", np.array([1.0])) != hash_values("b", np.array([1.0]))
    assert hash_values("a", np.array([-1])) != hash_values("a", np.array([1]))
    assert hash_values("a", np.array(["u"])) != hash_values("a", np.array(["v"]))
    assert hash_values("a", np.array(["u", "long"]))[0] == hash_values("a", np.array(["u"]))[0]
    assert hash_values("a", np.array([1.5], dtype=np.float32)) == hash_values("a", np.array([1.5]))
    assert hash_values("a", np.array([5], dtype=np.int32)) == hash_values("a", np.array([5], dtype=np.int64))
    assert hash_text("a") != hash_text("b")


def test_a_digest_tells_where_its_parts_end() -> None:
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("abc", ""), digest("c", "ab")}) == 5
    assert digest("é") == digest("é".encode())
    assert len(digest()) == 32


def test_a_stream_can_be_opened_again_and_gives_the_same_numbers() -> None:
    first = open_stream(20240728, 2**63 + 1)
    numbers = first.normal(size=5)
    assert numbers.tolist() == open_stream(20240728, 2**63 + 1).normal(size=5).tolist()
    assert numbers.tolist() != open_stream(20240729, 2**63 + 1).normal(size=5).tolist()
    assert numbers.tolist() != open_stream(20240728, 2**63 + 2).normal(size=5).tolist()


@pytest.mark.parametrize("kind", ["members", "counted"])
def test_streams_are_standard_normal_across_members_and_not_correlated(kind: str) -> None:
    count = 10_000
    streams = plan([Axis("rho", np.linspace(0, 1, count))]).streams if kind == "members" else np.arange(count, dtype=np.uint64)
    draws = np.array([open_stream(0, int(stream)).normal(size=3) for stream in streams])
    # Standard errors over n independent normals: mean 1/sqrt(n), variance sqrt(2/n), correlation 1/sqrt(n).
    # 5 of them, two-sided, are exceeded by chance once in 1.7 million comparisons.
    assert np.abs(draws.mean(axis=0)).max() < 5 / np.sqrt(count)
    assert np.abs(draws.var(axis=0) - 1).max() < 5 * np.sqrt(2 / count)
    neighbours = (draws[1:] * draws[:-1]).mean(axis=0)
    within = (draws[:, :-1] * draws[:, 1:]).mean(axis=0)
    assert np.abs(np.concatenate([neighbours, within])).max() < 5 / np.sqrt(count - 1)
    assert len(np.unique(draws)) == draws.size


def lay_out_million(rho, more=()):
    """Return the members of a grid of a thousand by a thousand and the names of its chunks."""
    sigma = Axis("sigma", np.linspace(1, 20, 1000))
    members = plan_members(Identity("x", {"rho": 0.0, "sigma": 0.0}), [[Axis("rho", rho), sigma], *more], 6400)
    return members, members.name_chunks("settings")


def count_new(members, chunks, known):
    return sum(len(members.chunks()[number]) for name, number in chunks.items() if name not in known)


def test_of_a_million_members_only_what_is_new_is_computed():
    rho = np.linspace(1, 100, 1000)
    _, known = lay_out_million(rho)
    for value in (0.5, 17.3, 50.05, 120.0):
        members, chunks = lay_out_million(np.append(rho, value))
        # A thousand are new; the others are their neighbours in the chunks that they fall into.
        assert 1000 <= count_new(members, chunks, known) <= 20_000
    block = [Axis("rho", np.linspace(200, 210, 100)), Axis("sigma", np.linspace(1, 20, 100))]
    members, chunks = lay_out_million(rho, [block])
    assert count_new(members, chunks, known) == 10_000
    assert known.keys() <= chunks.keys()
