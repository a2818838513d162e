"""From swept values to members and chunks: a million in a tenth of a second, so any process may plan anew.

A member is its values. Its id and its random stream are hashes of them; its chunk is found from the
ids of its neighbours in value order. So nothing here depends on where a value stands in the config.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phaseflow.errors import PhaseflowError
from phaseflow.seeds import UInt64, digest, hash_text, hash_values, mix

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """One swept quantity: its values as listed, without repetitions; floats, integers or texts."""

    name: str
    values: NDArray[Any]


@dataclass(frozen=True)
class Identity:
    """What members are made of besides their swept values.

    Attributes
    ----------
    definition : canonical text of what is computed (a system, a problem).
    values : every value that a member has, as it is where it is not swept.
    aside : names of swept values that say how to compute, not what (a tolerance, an algorithm): members
        that differ in these alone have different ids and the same random stream, so that they can be compared.
    paired : names of counted values of which 2k and 2k + 1 share the random stream of k.
    chained : the name of the swept value along which each member continues from the one before, in the order listed. Such a
        member depends on all before it, so the whole list is part of what it is.
    """

    definition: str
    values: Mapping[str, float | int | str]
    aside: frozenset[str] = frozenset()
    paired: frozenset[str] = frozenset()
    chained: str | None = None


@dataclass(frozen=True)
class Members:
    """The members of a plan, in the order of the config.

    Attributes
    ----------
    columns : swept values by name, each of shape (n_members,).
    ids : shape (n_members,), from 0 to 2**63 - 1, all different.
    streams : shape (n_members,), what each member's random stream is keyed by.
    order : places of the members sorted by value; chunks are runs of it.
    starts : where in `order` each chunk begins.
    previous : shape (n_members,), the place of the member that each continues from, or -1.
    """

    columns: dict[str, NDArray[Any]]
    ids: Int64
    streams: UInt64
    order: Int64
    starts: Int64
    previous: Int64

    def __len__(self) -> int:
        return len(self.ids)

    def chunks(self) -> list[Int64]:
        """Return for each chunk the places of its members."""
        return np.split(self.order, self.starts[1:])

    def name_chunks(self, settings: str) -> dict[str, int]:
        """Return the name of each chunk, which tells what it computes, with its number."""
        return {digest(settings, self.ids[places].tobytes())[:16]: number for number, places in enumerate(self.chunks())}


def plan_members(identity: Identity, blocks: Sequence[Sequence[Axis]], chunk: int | Sequence[int]) -> Members:
    """Lay out the members of a sweep.

    Parameters
    ----------
    blocks : axes whose values multiply, the first named slowest; members of an earlier block are not repeated.
    chunk : about how many members a chunk may have, in all blocks or in each; a chunk never spans two blocks and never cuts a chain.

    Raises
    ------
    PhaseflowError : two different members have the same id.
    """
    names = list(dict.fromkeys(axis.name for axes in blocks for axis in axes))
    values: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    ids = np.empty(0, dtype=np.int64)
    streams, orders, starts, offset = [], [], [], 0
    previous = []
    for axes, size in zip(blocks, [chunk] * len(blocks) if isinstance(chunk, int) else chunk, strict=True):
        block_streams, block_ids = _hash_grid(identity, axes)
        columns = _spread_values(identity, axes, names)
        is_new = _find_new(ids, block_ids, {name: values[name] for name in names}, columns)
        order = _sort_grid(axes, identity.chained)
        order = order[is_new[order]]
        place = np.cumsum(is_new) - 1 + offset
        orders.append(place[order])
        length = next((len(axis.values) for axis in axes if axis.name == identity.chained), 1)
        starts.append(_cut_chunks(block_ids[order[::length]], max(1, size // length)) * length + offset)
        previous.append(_link_chains(place[order], length, offset))
        for name in names:
            values[name].append(columns[name][is_new])
        streams.append(block_streams[is_new])
        ids = np.concatenate([ids, block_ids[is_new]])
        offset = len(ids)
    return Members(
        {name: np.concatenate(parts) for name, parts in values.items()},
        ids,
        np.concatenate(streams),
        np.concatenate(orders),
        np.concatenate(starts),
        np.concatenate(previous),
    )


def _hash_grid(identity: Identity, axes: Sequence[Axis]) -> tuple[UInt64, Int64]:
    """Return streams and ids over the grid of the axes, the first axis slowest."""
    what: UInt64 = hash_text(identity.definition).reshape(1)
    how: UInt64 = np.zeros(1, dtype=np.uint64)
    swept = {axis.name for axis in axes}
    for name, value in sorted(identity.values.items()):
        if name not in swept:
            of_what, of_how = _hash_apart(identity, name, np.array([value]))
            what, how = what + of_what, how + of_how
    for axis in axes:
        of_what, of_how = _hash_apart(identity, axis.name, axis.values)
        what, how = np.add.outer(what, of_what).ravel(), np.add.outer(how, of_how).ravel()
    streams = mix(what)
    combined = mix(streams + how) if identity.aside or identity.paired else streams
    return streams, (combined >> np.uint64(1)).astype(np.int64)


def _hash_apart(identity: Identity, name: str, values: NDArray[Any]) -> tuple[UInt64, UInt64]:
    """Return what values add to the hash of the random stream, and what they add to that of the id alone."""
    if name in identity.paired:
        return hash_values(name, values // 2), hash_values(name, values % 2)
    hashes = hash_values(name, values)
    if name == identity.chained:
        hashes = mix(hashes + hash_text(f"continued along {name} {values.tobytes().hex()}"))
    zeros = np.zeros_like(hashes)
    return (zeros, hashes) if name in identity.aside else (hashes, zeros)


def _spread_values(identity: Identity, axes: Sequence[Axis], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return a column over the grid for each name; a name that is no axis here has its fixed value."""
    sizes = [len(axis.values) for axis in axes]
    total = int(np.prod(sizes, dtype=np.int64))
    columns: dict[str, NDArray[Any]] = {}
    inner = total
    for axis, size in zip(axes, sizes, strict=True):
        inner //= size
        columns[axis.name] = np.tile(np.repeat(axis.values, inner), total // (inner * size))
    for name in names:
        if name not in columns:
            columns[name] = np.full(total, identity.values[name])
    return columns


def _sort_grid(axes: Sequence[Axis], chained: str | None) -> Int64:
    """Return the places of a grid's members sorted by value, the first axis slowest; a chain stays together in its own order."""
    sizes = [len(axis.values) for axis in axes]
    strides = [math.prod(sizes[place + 1 :]) for place in range(len(sizes))]
    places: Int64 = np.zeros(1, dtype=np.int64)
    for axis, stride in sorted(zip(axes, strides, strict=True), key=lambda pair: pair[0].name == chained):
        ranks = np.arange(len(axis.values)) if axis.name == chained else np.argsort(axis.values, kind="stable")
        places = np.add.outer(places, ranks * stride).ravel()
    return places


def _link_chains(order: Int64, length: int, offset: int) -> Int64:
    """Return for each new member of a block the place of the one before it in its chain, or -1.

    Parameters
    ----------
    order : the places of the members, chain by chain; the least of them is the offset.
    """
    previous = np.full(len(order), -1, dtype=np.int64)
    is_later = np.arange(len(order)) % length > 0
    previous[order[is_later] - offset] = order[np.flatnonzero(is_later) - 1]
    return previous


def _find_new(
    known_ids: Int64, ids: Int64, known_columns: Mapping[str, list[NDArray[Any]]], columns: Mapping[str, NDArray[Any]]
) -> NDArray[np.bool_]:
    """Tell which members are not known yet; an id that stands for two different members is an error."""
    ordered = np.sort(ids)
    if (ordered[1:] == ordered[:-1]).any():
        raise PhaseflowError("two members of a sweep have the same id: change a value or the seed of the sweep")
    is_known = np.isin(ids, known_ids)
    if is_known.any():
        order = np.argsort(known_ids)
        matches = order[np.searchsorted(known_ids, ids[is_known], sorter=order)]
        for name, parts in known_columns.items():
            if not np.array_equal(np.concatenate(parts)[matches], columns[name][is_known]):
                raise PhaseflowError("two members of a sweep have the same id: change a value of the sweep")
    return ~is_known


def _cut_chunks(ids: Int64, chunk: int) -> Int64:
    """Return where chunks begin: before each member whose hash is the least within chunk/2 on either side.

    A member that comes or goes moves only the cuts within chunk/2 of it. A block that fits in one chunk is one.
    """
    if len(ids) == 0:
        return np.empty(0, dtype=np.int64)
    if len(ids) <= chunk:
        return np.zeros(1, dtype=np.int64)
    hashes = mix(ids.astype(np.uint64))
    is_cut = hashes == _slide_minimum(hashes, chunk // 2)
    is_cut[0] = True
    return np.flatnonzero(is_cut)


def _slide_minimum(words: UInt64, reach: int) -> UInt64:
    """Return the least word within `reach` places on either side.

    Source: van Herk (1992), running minimum from prefix and suffix minima of blocks.
    """
    width = 2 * reach + 1
    padded_size = -(-(len(words) + 2 * reach) // width) * width
    padded = np.full(padded_size, np.iinfo(np.uint64).max)
    padded[reach : reach + len(words)] = words
    rows = padded.reshape(-1, width)
    prefix = np.minimum.accumulate(rows, axis=1).ravel()
    suffix = np.minimum.accumulate(rows[:, ::-1], axis=1)[:, ::-1].ravel()
    return np.minimum(suffix[: len(words)], prefix[width - 1 : width - 1 + len(words)])
