"""The strict reader of YAML: what becomes data, what is a mistake and where, and that nothing brings it down."""

from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phaseflow.errors import ConfigError
from phaseflow.expressions.quantity import DecimalFloat, Quantity
from phaseflow.settings.document import MAX_LEVELS, MAX_NODES, Document, read_document

FIXED = settings(deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def read(text: str) -> dict[str, Any]:
    document = read_document(text, "config.yaml")
    assert document.mistakes == []
    return document.data


def list_mistakes(text: str) -> list[str]:
    return [str(mistake) for mistake in read_document(text, "config.yaml").mistakes]


def explain(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_document(text, "config.yaml")
    return str(caught.value)


# --- Plain values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"), ("no", "no"), ("yes", "yes"), ("on", "on"), ("Off", "Off"), ("y", "y"), ("True", "True"), ("NULL", "NULL"),
        ("Null", "Null"), ("true", True), ("false", False), ("null", None), ("~", None), ("", None),
        ("5", 5), ("-5", -5), ("+5", 5), ("010", 10), ("08", 8), ("0", 0),
        ("123456789012345678901234567890", 123456789012345678901234567890), ("0x10", "0x10"), ("0b1", "0b1"), ("0o7", "0o7"),
        ("1_000", "1_000"), ("1:30", "1:30"), ("2001-01-01", "2001-01-01"), ("1,5", "1,5"), (".inf", ".inf"), (".nan", ".nan"),
        ("nan", "nan"), ("inf", "inf"), ("=", "="), ("8/3", "8/3"), ("1e", "1e"), ("e5", "e5"), (".", "."), ("1.2.3", "1.2.3"),
        ("x*(rho - z) - y", "x*(rho - z) - y"), ("'5'", "5"), ('"1e-3"', "1e-3"), ("'true'", "true"), ("''", ""), ("|\n  5", "5"),
        (">\n  null", "null"), ("[]", []), ("{}", {}), ("[1, NO, 'NO']", [1, "NO", "NO"]), ("{b: 1}", {"b": 1}),
    ],
)  # fmt: skip
def test_a_value_is_what_it_looks_like(text: str, value: object) -> None:
    got = read(f"a: {text}")["a"]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("text", ["1e-12", "0.1", "1.", ".5", "-2.50", "+1E+3", "1e5", "0.30000000000000000001", "-0.0", "1e300"])
def test_a_number_remembers_its_digits(text: str) -> None:
    number = read(f"a: {text}")["a"]
    assert isinstance(number, DecimalFloat)
    assert number.text == text
    assert number == float(text)
    assert Quantity.parse(number).exact == Fraction(text)


def test_a_number_beyond_doubles_is_refused_where_a_quantity_is_wanted() -> None:
    number = read("a: 1e999")["a"]
    assert math.isinf(number)
    with pytest.raises(ValueError, match="outside the range of a double"):
        Quantity.parse(number)


@settings(FIXED, max_examples=300)
@given(number=st.one_of(st.floats(1e-300, 1e300), st.floats(-1e300, -1e-300), st.integers(-(10**40), 10**40)))
def test_every_number_that_python_writes_is_read_as_itself(number: float) -> None:
    got = read(f"a: {number!r}")["a"]
    assert got == number
    assert isinstance(got, type(number))


def test_keys_are_texts_in_the_order_of_the_file() -> None:
    assert list(read("b: 1\nNO: 2\n1: 3\ntrue: 4\n1e-3: 5\n'x y': 6\n")) == ["b", "NO", "1", "true", "1e-3", "x y"]


def test_an_alias_repeats_its_value() -> None:
    data = read("a: &grid {start: 0, stop: 1e-1}\nb: *grid\n")
    assert data["a"] == data["b"] == {"start": 0, "stop": 0.1}
    assert data["a"] is not data["b"]


# --- Lines --------------------------------------------------------------------------------------------------------------


def test_every_key_path_has_its_line() -> None:
    text = "# a comment\nsimulate:\n\n  one: {system: lorenz63,\n        time: {stop: 1}}\nlist:\n- 1\n- {x: 2}\n"
    lines = read_document(text, "config.yaml").lines
    assert lines["simulate",] == 2
    assert lines["simulate", "one"] == 4
    assert lines["simulate", "one", "system"] == 4
    assert lines["simulate", "one", "time", "stop"] == 5
    assert lines["list", 0] == 7
    assert lines["list", 1, "x"] == 8


def test_a_report_of_mistakes_names_the_lines() -> None:
    document = read_document("a: 1\nb: !!int 2\na: 3\n", "config.yaml")
    report = str(ConfigError("config.yaml", document.mistakes, document.lines))
    assert "config.yaml:2: b: the tag" in report
    assert "config.yaml:3: a: this key is given twice" in report
    assert "2 mistakes" in report


# --- Mistakes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a: 1\na: 2", "{a: 1, a: 2}", "a: 1\n'a': 2", "&k a: 1\n*k : 2"])
def test_a_key_given_twice_is_a_mistake(text: str) -> None:
    assert list_mistakes(text) == ["a: this key is given twice"]


def test_a_key_given_twice_is_named_where_it_stands() -> None:
    document = read_document("s:\n  x: {b: 1}\n  y:\n    b: 1\n    c: 2\n    b: 3\n", "config.yaml")
    assert [str(mistake) for mistake in document.mistakes] == ["s.y.b: this key is given twice"]
    assert document.lines["s", "y", "b"] == 6


@pytest.mark.parametrize(
    "tag",
    [
        "!!int 5",
        "!!float 5",
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system x",
        "!include x",
        "!!binary aGk=",
        "!!set {x}",
    ],
)
def test_a_tag_is_a_mistake_and_nothing_is_made_of_it(tag: str) -> None:
    document = read_document(f"a: {tag}\nb: 1", "config.yaml")
    assert len(document.mistakes) == 1
    assert "the tag" in str(document.mistakes[0])
    assert document.mistakes[0].path == ("a",)
    assert document.data == {"a": None, "b": 1}


def test_a_merge_key_is_a_mistake() -> None:
    document = read_document("a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\n", "config.yaml")
    assert [str(mistake) for mistake in document.mistakes] == ["b.<<: merge keys are not allowed: write the keys out"]
    assert document.data["b"] == {"y": 2}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: {x: where(x > 0, a, b)}", "a.x: 'where(x > 0' was cut at a comma: put the expression in quotes"),
        ("a: {y: 1, x: -atan2(y, x)}", "a.x: '-atan2(y' was cut at a comma: put the expression in quotes"),
        ("{x: min(x, y, z)}", "x: 'min(x' was cut at a comma: put the expression in quotes"),
        ("a: {x: (1 + max(x, y))*2, x: 1}", "a.x: '(1 + max(x' was cut at a comma: put the expression in quotes"),
    ],
)
def test_an_expression_that_yaml_cuts_is_recognised(text: str, mistake: str) -> None:
    assert list_mistakes(text) == [mistake]


@pytest.mark.parametrize(
    "text", ["a: {x: 'where(x > 0, a, b)'}", 'a: {x: "f(x"}', "a:\n  x: where(x > 0, a, b)", "a: {x: (y), z: (1 + x)}", "a: {x}"]
)
def test_an_expression_that_is_whole_is_not_called_cut(text: str) -> None:
    assert list_mistakes(text) == []


@pytest.mark.parametrize("text", ["? [a]\n: 1", "{[a]: 1}", "? {a: b}\n: 1", "{[a]: f(x, b: 1}", "{[a]: f(x}"])
def test_a_key_that_is_no_name_is_a_mistake(text: str) -> None:
    document = read_document(text, "config.yaml")
    assert "(the whole file): a key must be a name" in [str(mistake) for mistake in document.mistakes]
    assert str(ConfigError("config.yaml", document.mistakes, document.lines))


def test_all_mistakes_are_listed_and_the_rest_is_read() -> None:
    document = read_document("a: !x 1\nb: {c: f(1, 2)}\nd: 1\nd: 2\ne: 5\n", "config.yaml")
    assert len(document.mistakes) == 3
    assert document.data["e"] == 5


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "[1, 2]", "5", "'text'", "a: 1\n---\nb: 2\n", "---\n---\na: 1\n", "--- \n...\n---\n...\n", "~"]
)
def test_a_config_is_one_mapping(text: str) -> None:
    assert "a config is one YAML document with keys at its top level" in explain(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: {b: 1\nc: 2", "line 2"), ("a: b: c", "line 1, column 5"), ("a: 1\n\tb: 2", "line 2, column 1"),
        ("a: *nothing", "line 1, column 4"), ("a: 'x", "line 1"), ("a: @x", "line 1, column 4"), ("a: `x`", "line 1, column 4"),
        ("a: [1\n", "line 2"), ("%YAML 9.9\n---\na: 1", "line 1"), ("a: 1\nb", "line 3, column 1"), ("a: \x00", ""), ("a: \ud800", ""),
        ("a: \x07", ""),
    ],
)  # fmt: skip
def test_what_is_not_yaml_is_an_error_with_its_place(text: str, place: str) -> None:
    message = explain(text)
    assert "this is not YAML" in message
    assert place in message


# --- Bombs --------------------------------------------------------------------------------------------------------------


def test_nesting_is_limited_and_one_level_less_is_read() -> None:
    deep = MAX_LEVELS - 1  # the key itself is a level
    assert list_mistakes("a: " + "[" * deep + "5" + "]" * deep) == []
    assert list_mistakes("a: " + "[" * (deep + 1) + "5" + "]" * (deep + 1)) == [
        f"a[0][0]: a config may hold {MAX_NODES} values, at most {MAX_LEVELS} levels deep"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 200_000,
        "a: " + "[" * 200_000 + "]" * 200_000,
        "{a: " * 200_000,
        "\n".join(" " * level + "a:" for level in range(3_000)),
    ],
)
def test_nesting_without_end_is_an_error_and_does_not_end_the_process(text: str) -> None:
    # libyaml's composer recurses in C: without a check before it, these end the process by a segmentation fault.
    assert "this is not YAML: nested too deeply" in explain(text)


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30))
BOMBS = {
    "a billion laughs": LAUGHS,
    "a list within itself": "a: &a [*a, *a]\n",
    "a mapping within itself": "a: &a {x: *a, y: *a, z: *a}\n",
}
_READ_BOMB = """
import resource, sys
limit = 3 * 2**30  # reading a million values of plain Python takes well under 1 GiB; the imports map another
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from phaseflow.settings.document import read_document
print(*[str(mistake) for mistake in read_document(sys.stdin.read(), "config.yaml").mistakes], sep="\\n")
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_of_aliases_is_one_mistake_within_bounded_memory(name: str) -> None:
    scripts = str(Path(__file__).resolve().parents[2] / "scripts")
    done = subprocess.run(
        [sys.executable, "-c", _READ_BOMB],
        input=BOMBS[name],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={"PYTHONPATH": scripts},
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.count("\n") == 1
    assert f"a config may hold {MAX_NODES} values, at most {MAX_LEVELS} levels deep" in done.stdout


# --- Any text -----------------------------------------------------------------------------------------------------------

PIECES = (
    "a", "b: ", "a: ", ": ", ":", "- ", "-", "? ", "[", "]", "{", "}", ", ", ",", "&a ", "*a", "*a : ", "<<: ", "!!int ", "!x ",
    "!!python/object:os.x ", "'", '"', "|\n", ">-\n", "\n", "\n  ", "\n    ", "\t", "#", " # c\n", "---\n", "...\n", "%YAML 1.1\n",
    "%TAG ! x\n", "1e-3", "5", "NO", "null", "~", "f(x, ", ")", "\ufeff", "\x00", "\ud800", "\x85", "\u2028", "é", "\\", "@", "`", "=",
"!", "|2\n", "0" * 400, "9" * 5_000, "1e9999",
)  # fmt: skip


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and _is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return value is None or type(value) in (str, int, bool, DecimalFloat)


def test_any_text_is_a_document_or_a_configerror() -> None:
    outcomes = {"documents": 0, "mistakes": 0, "refused": 0}
    pieces = st.lists(st.sampled_from(PIECES), max_size=15).map("".join)
    frames = st.sampled_from(["{}", "a: {}", "x: [1]\ny:\n  {}", "{{b: {}}}", "a: 1\na: {}"])
    texts = st.one_of(st.text(max_size=60), st.builds(str.format, frames, pieces))

    @settings(FIXED, max_examples=600)
    @given(text=texts)
    def check(text: str) -> None:
        try:
            document = read_document(text, "config.yaml")
        except ConfigError as error:
            outcomes["refused"] += 1
            report = str(error)
        else:
            assert isinstance(document, Document)
            assert _is_plain(document.data)
            outcomes["mistakes" if document.mistakes else "documents"] += 1
            report = str(ConfigError("config.yaml", document.mistakes, document.lines))
        assert report.startswith("config.yaml has ")

    check()
    assert min(outcomes.values()) > 20, "the texts must be of all three kinds for this test to mean anything"


plain_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(1e-30, 1e30), st.text("abc xyzNO-_é", min_size=1)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text("abcNO", min_size=1, max_size=5), inner, max_size=4)),
    max_leaves=12,
)


@settings(FIXED, max_examples=300)
@given(data=st.dictionaries(st.text("abcxyz", min_size=1, max_size=5), plain_values, max_size=5))
def test_plain_data_written_in_flow_style_comes_back(data: dict[str, Any]) -> None:
    def write(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f'"{key}": {write(item)}' for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(write(item) for item in value) + "]"
        if isinstance(value, str):
            return f'"{value}"'
        return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else repr(value)

    assert read(write(data)) == data
