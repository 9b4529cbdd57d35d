"""How scales and gauges of size speak: the presets, and the row that the compiled reader goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hubctl.core.events import NO_INDEX
from hubctl.core.tables import GaugeFormat

if TYPE_CHECKING:
    from hubctl.core.hubfile import Scale

UNITS = ("", "g", "kg", "lb", "oz", "mm", "cm", "m", "in")  # as the compiled reader numbers them


class GaugePreset(NamedTuple):
    """How a make of scale speaks."""

    format: GaugeFormat
    hello: str  # makes it speak


PRESETS = {
    "mt-sics": GaugePreset(GaugeFormat.MT_SICS, "SIR\r\n"),
    "toledo": GaugePreset(GaugeFormat.TOLEDO, ""),
    "sick-master-data": GaugePreset(GaugeFormat.SICK, ""),
    "cubiscan": GaugePreset(GaugeFormat.CUBISCAN, ""),
    "csv": GaugePreset(GaugeFormat.CSV, ""),
}


def gauging_of(scale: Scale) -> dict[str, int | bytes]:
    """The row of `tables.GAUGING` of a scale."""
    preset = PRESETS[scale.preset]
    hello = preset.hello if scale.hello is None else scale.hello
    return {
        "format": preset.format,
        "has_check": scale.check,
        "delimiter": ord(scale.delimiter),
        "n_columns": len(scale.columns),
        **{f"{what}_column": _column(scale, what) for what in ("weight", "length", "width", "height")},
        "weight_unit": UNITS.index(scale.weight_unit),
        "size_unit": UNITS.index(scale.size_unit),
        "silence_ms": scale.silence_ms,
        "n_hello": len(hello),
        "hello": hello.encode("ascii"),
    }


def _column(scale: Scale, what: str) -> int:
    return [str(column) for column in scale.columns].index(what) if what in scale.columns else NO_INDEX
