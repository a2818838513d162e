"""Configs are untrusted: whatever they hold, there is a valid plan or an error that says where, and nothing is written.

PHASEFLOW_FUZZ=10000 sets how many are tried; a few hundred, always the same, by default.
"""

import copy
import os
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phaseflow.config import load_config
from phaseflow.errors import PhaseflowError
from phaseflow.plan import Plan
from tests.contracts.small import CONFIG

ROOT = Path(__file__).resolve().parents[2]
TRIED = int(os.environ.get("PHASEFLOW_FUZZ", "0"))
SEEDS = [yaml.safe_load(text) for text in (CONFIG, *(path.read_text() for path in sorted(ROOT.glob("examples/*.yaml"))))]

WORDS = """
__import__('os').system('touch escaped')|x.__class__|lambda: 0|{{7*7}}|<script>alert(1)</script>|../../escaped|/etc/passwd|..|.|-x|a/b|
a\x00b|\ufeff|é|nan|inf|-0.0|1e400|1e-400|1/0|0**-1|((((|!!python/name:os|results|phaseflow.plan|simulate.pair|data.longley|system|
chunk|*|&a|$HOME|%s|{scenario}|NO|~
"""
HOSTILE = [*WORDS.replace("\n", "").split("|"), "", "9" * 400, "x" * 5000]
SCALARS = st.one_of(
    st.sampled_from(HOSTILE),
    st.none(),
    st.booleans(),
    st.integers(-10, 1000),
    # What cannot be planned is refused; a million and more that can is another test's.
    st.sampled_from([10**9, 10**12, 10**30, -(10**12), 2**63, 2**64]),
    st.floats(),
    st.text(max_size=12),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(HOSTILE) | st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
OWN_KEYS = sorted(
    {
        str(key)
        for seed in SEEDS
        for section in seed.values()
        if isinstance(section, dict)
        for entry in section.values()
        if isinstance(entry, dict)
        for key in entry
    }
)


def list_places(value, path=()):
    """Return the paths of everything in a config."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in list_places(inner, (*path, key)))]


def follow(value, path):
    for key in path:
        value = value[key]
    return value


@st.composite
def spoiled_configs(draw):
    """Draw a config that was valid before a few of its parts were replaced, removed, renamed or moved."""
    config = copy.deepcopy(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 3))):
        places = [path for path in list_places(config) if path]
        if not places:
            break
        path = draw(st.sampled_from(places))
        parent, key = follow(config, path[:-1]), path[-1]
        change = draw(st.sampled_from(["replace", "replace", "remove", "rename", "add", "move"]))
        if change == "replace":
            parent[key] = draw(VALUES)
        elif change == "move":
            parent[key] = copy.deepcopy(follow(config, draw(st.sampled_from(places))))
        elif change == "remove":
            del parent[key]
        elif isinstance(parent, dict):
            name = draw(st.sampled_from(OWN_KEYS) | st.sampled_from(HOSTILE) | st.text(max_size=8))
            parent[name] = parent.pop(key) if change == "rename" else draw(VALUES)
    return config


@st.composite
def spoiled_texts(draw):
    """Draw the text of a config with some of its characters changed."""
    text = yaml.dump(draw(spoiled_configs()), allow_unicode=True, sort_keys=False, default_flow_style=draw(st.sampled_from([None, False])))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        gone = draw(st.integers(0, 5))
        extra = draw(
            st.sampled_from(
                [
                    "\t",
                    "\n",
                    "  ",
                    ":",
                    "- ",
                    "{",
                    "]",
                    "'",
                    '"',
                    "!!set ",
                    "!!python/object/apply:os.system ",
                    "&a ",
                    "*a",
                    "<<: ",
                    "---\n",
                    "#",
                    "\x00",
                ]
            )
        )
        text = text[:place] + extra + text[place + gone :]
    return text


@settings(
    max_examples=TRIED or 300,
    derandomize=not TRIED,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(text=spoiled_texts())
def test_a_spoiled_config_is_a_plan_or_an_error_that_says_where(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        plan = Plan(load_config(path))
        files = [*plan.targets(), *(file for piece in plan.list_pieces() for file in piece)]
        assert plan.page_inputs()
    except PhaseflowError as error:
        message = str(error)
    else:
        assert files
        assert all(file.parts[0] == "results" and ".." not in file.parts for file in files)
        message = str(path)
    assert str(path) in message
    assert [file.name for file in folder.iterdir()] == ["config.yaml"]
    assert not Path("escaped").exists()
