"""Hashes of values, and the random streams that derive from them.

A member's identity and its random numbers follow from what the member *is*, never from where it
stands, so that it can be computed alone, in any order, on any number of cores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

UInt64 = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def mix(words: UInt64) -> UInt64:
    """Scramble 64-bit words so that every input bit moves every output bit.

    Source: Steele, Lea and Flood (2014), SplitMix64.
    """
    with np.errstate(over="ignore"):
        words = words + _GOLDEN
        words = (words ^ (words >> np.uint64(30))) * _MIX_1
        words = (words ^ (words >> np.uint64(27))) * _MIX_2
        return words ^ (words >> np.uint64(31))


def hash_text(text: str) -> np.uint64:
    """Return the 64-bit hash of a text."""
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big"))


def digest(*parts: str | bytes) -> str:
    """Return 32 hex digits that stand for the parts, in their order."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def hash_values(name: str, values: NDArray[Any]) -> UInt64:
    """Return a 64-bit hash for each value of the quantity `name`.

    Floats count by their 64 bits with -0 as 0, integers by their value, texts by their characters.
    """
    if values.dtype.kind == "f":
        words = (np.asarray(values, dtype=np.float64) + 0.0).view(np.uint64)
    elif values.dtype.kind in "iu":
        words = values.astype(np.uint64)
    else:
        words = np.array([hash_text(str(value)) for value in values], dtype=np.uint64)
    return mix(mix(words) ^ hash_text(name))


def open_stream(seed: int, stream: int, branch: int = 0) -> np.random.Generator:
    """Return a random generator of one member: a Philox counter keyed by the run's seed and the member.

    Parameters
    ----------
    branch : which of the member's generators; they are independent, for they count in the highest of the counter's four words.
    """
    counter = np.array([0, 0, 0, branch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=np.array([seed, stream], dtype=np.uint64)))


def open_streams(seed: int, streams: UInt64) -> Iterator[np.random.Generator]:
    """Yield the generator of each member in turn, good until the next is asked for.

    It is one generator that is set anew, since to make one takes longer than to draw a few numbers.
    """
    philox = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64))
    generator, fresh = np.random.Generator(philox), philox.state
    for stream in streams:
        fresh["state"]["key"][1] = stream
        philox.state = fresh
        yield generator
