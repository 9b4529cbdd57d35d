"""Every key of a TOML text is found on its line, whichever way the text writes it."""

import tomllib

import pytest

from hubctl.core.where import line_of, places_of

TEXT = (
    """# a comment with [brackets] and "quotes
title = "x # no comment"
"quoted key" = 1
a.b.c = 2

[hub]
name = 'it"""
    + "'"
    + '''

[[chutes]]
name = "C1"
[[chutes]]
name = "C2"
[chutes.eye]
at = 3

[lists]
inline = [ { name = "A", v = [1, 2] },  # } ]
  { name = "B", deep = { x = 1, y = "}]" } },

  { name = "C" },
]
text = """
one
"two" \\"""
"""
after = 1979-05-27 07:32:00
'''
)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("quoted key",), 3),
        (("a", "b", "c"), 4),
        (("a",), 4),
        (("hub",), 6),
        (("hub", "name"), 7),
        (("chutes", 0), 9),
        (("chutes", 1, "name"), 12),
        (("chutes", 1, "eye", "at"), 14),
        (("lists", "inline", 0, "v", 1), 17),
        (("lists", "inline", 1, "deep", "y"), 18),
        (("lists", "inline", 2), 20),
        (("lists", "text"), 22),
        (("lists", "after"), 26),
    ],
)
def test_each_key_is_on_its_line(path: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(TEXT)
    assert places_of(TEXT)[path] == line


def test_a_missing_key_is_where_its_table_is() -> None:
    assert line_of(places_of(TEXT), ("chutes", 1, "missing")) == 11


def test_what_is_nowhere_is_at_the_top() -> None:
    assert line_of(places_of(TEXT), ("belts", 3, "name")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "a = []\nb = 1",
        "a = [ # none\n]\nb = 1",
        "a = {}\nb = 1",
        "a = [[], [[1]], {}, { x = [] }]\nb = 1",
        'a = """x \\\n  y"""\nb = 1',
        "a = '''it's'''\nb = 1",
        "a = 1 # [x]\r\nb = 1",
        "a = [1,\n 2,\n]\nb = 1",
        "a = inf\nb = 1\n[c]\n",
    ],
)
def test_whatever_comes_before_does_not_move_a_key(text: str) -> None:
    assert set(tomllib.loads(text)) >= {"a", "b"}
    assert places_of(text)[("b",)] == text[: text.index("b = 1")].count("\n") + 1
