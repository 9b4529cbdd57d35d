"""Draws a belt to scale in text: eyes, scanners and diverters on it, chutes left above and right below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hubctl.core.hubfile import Belt, Chute, Hub

WIDTH = 100  # columns
HEAD = 4  # columns kept for labels that reach out to the left
TAIL = 10  # and for what the belt runs into
SCALES_MM = (5000, 2000, 1000, 500, 250, 200, 100, 50, 25, 20, 10)  # a column, the coarsest first
TICKS_MM = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
N_TICK_COLUMNS = 8  # a tick's label and room beside it

EYE, SCANNER = "│", "▓"
DIVERTERS = {frozenset({"left"}): "╱", frozenset({"right"}): "╲", frozenset({"left", "right"}): "╳"}
LEGEND = f"{EYE} eye   {SCANNER} scanner   ╳ diverter, left chutes above, right chutes below"


class Mark(NamedTuple):
    """A text at a place."""

    at_mm: int
    text: str


class _Picture(NamedTuple):
    """What is to be drawn of one belt."""

    left: list[Mark]
    right: list[Mark]
    diverters: list[Mark]
    looks: list[Mark]  # eyes and scanners by name
    glyphs: list[Mark]  # the later covers the earlier


def draw_belt(hub: Hub, belt: Belt, width: int = WIDTH) -> list[str]:
    """Lines of text, at most `width` columns, as many rows of belt as it takes.

    Parameters
    ----------
    hub : Hub
        A checked hub.
    belt : Belt
        One of its belts.
    """
    picture = _picture(hub, belt)
    columns = width - HEAD - TAIL
    scale_mm = _scale_mm(picture, belt, columns)
    span_mm = columns * scale_mm
    rows = [
        line
        for start_mm in range(0, belt.length_mm, span_mm)
        for line in _row(picture, belt, start_mm, min(start_mm + span_mm, belt.length_mm), scale_mm)
    ]
    return [*rows, f"{LEGEND}   1 column = {scale_mm} mm"]


def _picture(hub: Hub, belt: Belt) -> _Picture:
    eyes = [Mark(eye.at_mm, eye.name) for eye in hub.eyes if eye.belt == belt.name]
    scanners = [Mark(scanner.at_mm, scanner.name) for scanner in hub.scanners if scanner.belt == belt.name]
    diverters = [Mark(d.at_mm, d.name) for d in hub.diverters if d.belt == belt.name]
    chutes = {mark.text: [c for c in hub.chutes if c.diverter == mark.text] for mark in diverters}
    return _Picture(
        left=_chute_marks(diverters, chutes, "left"),
        right=_chute_marks(diverters, chutes, "right"),
        diverters=diverters,
        looks=eyes + scanners,
        glyphs=[
            *(mark._replace(text=EYE) for mark in eyes),
            *(mark._replace(text=SCANNER) for mark in scanners),
            *(Mark(mark.at_mm, _glyph(chutes[mark.text])) for mark in diverters),
        ],
    )


def _chute_marks(diverters: list[Mark], chutes: dict[str, list[Chute]], side: str) -> list[Mark]:
    return [Mark(mark.at_mm, c.name) for mark in diverters for c in chutes[mark.text] if c.side == side]


def _glyph(chutes: list[Chute]) -> str:
    return DIVERTERS[frozenset(chute.side for chute in chutes)]


def _scale_mm(picture: _Picture, belt: Belt, columns: int) -> int:
    """The coarsest scale at which no chutes crowd each other; where none is, the whole belt in one row."""
    one_row_mm = next((mm for mm in reversed(SCALES_MM) if mm * columns >= belt.length_mm), SCALES_MM[0])
    roomy_mm = (mm for mm in SCALES_MM if mm <= one_row_mm and _has_room(picture, mm))
    return next(roomy_mm, one_row_mm)


def _has_room(picture: _Picture, scale_mm: int) -> bool:
    layers = (picture.left, picture.right, picture.diverters)
    return all(len(_label_lines(marks, 0, scale_mm)) <= 1 for marks in layers)


def _row(picture: _Picture, belt: Belt, start_mm: int, end_mm: int, scale_mm: int) -> list[str]:
    """One row of belt with what stands beside it."""
    layers = [_between(marks, start_mm, end_mm, belt) for marks in picture]
    left, right, diverters, looks, glyphs = layers
    return [
        *reversed(_label_lines(left, start_mm, scale_mm)),
        _belt_line(glyphs, belt, start_mm, end_mm, scale_mm),
        *_label_lines(right, start_mm, scale_mm),
        *_label_lines(diverters, start_mm, scale_mm),
        *_label_lines(looks, start_mm, scale_mm),
        *_label_lines(_ticks(start_mm, end_mm, scale_mm), start_mm, scale_mm),
        "",
    ]


def _between(marks: list[Mark], start_mm: int, end_mm: int, belt: Belt) -> list[Mark]:
    """Those on a row; what stands at the very end of the belt is on its last."""
    last_mm = end_mm + (end_mm == belt.length_mm)
    return [mark for mark in marks if start_mm <= mark.at_mm < last_mm]


def _belt_line(glyphs: list[Mark], belt: Belt, start_mm: int, end_mm: int, scale_mm: int) -> str:
    line = ["═"] * (-(-(end_mm - start_mm) // scale_mm) + 1)
    for mark in glyphs:
        line[(mark.at_mm - start_mm) // scale_mm] = mark.text
    end = f" {belt.end_chute}" if end_mm == belt.length_mm else ""
    return " " * HEAD + "".join(line) + "▶" + end


def _ticks(start_mm: int, end_mm: int, scale_mm: int) -> list[Mark]:
    step_mm = next((mm for mm in TICKS_MM if mm >= N_TICK_COLUMNS * scale_mm), TICKS_MM[-1])
    first_mm = -(-start_mm // step_mm) * step_mm
    return [Mark(mm, f"{mm / 1000:g} m") for mm in range(first_mm, end_mm + 1, step_mm)]


def _label_lines(marks: Iterable[Mark], start_mm: int, scale_mm: int) -> list[str]:
    """Texts centred at their places, on as few lines as they need to stay apart."""
    lines: list[str] = []
    for mark in sorted(marks):
        column = max(HEAD + (mark.at_mm - start_mm) // scale_mm - (len(mark.text) - 1) // 2, 0)
        _put(lines, column, mark.text)
    return lines


def _put(lines: list[str], column: int, text: str) -> None:
    """On the first line that is still free there."""
    for i, line in enumerate(lines):
        if not line or len(line) < column:
            lines[i] = line.ljust(column) + text
            return
    lines.append(" " * column + text)
