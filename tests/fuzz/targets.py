"""What is fuzzed: each decoder, with the module that throws bytes at it and the rows that it decodes by."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "wire"))


class Target(NamedTuple):
    """One decoder."""

    module: str  # its .pyx beside this file
    needs: tuple[str, ...]  # compiled modules of hubctl that it calls, in the order in which they load
    keys: dict[str, Any]  # how it is set up


def _scanner(preset: str, **keys: Any) -> Target:
    return Target("scanner", ("_framer", "_dialogue"), {"preset": preset, **keys})


def _scale(preset: str) -> Target:
    return Target("gauge", ("_gauge",), {"preset": preset})


def _modbus(*, rtu: bool, in_flight_max: int) -> Target:
    return Target("modbus", ("_wire",), {"rtu": rtu, "in_flight_max": in_flight_max})


TARGETS = {
    "modbus-tcp": _modbus(rtu=False, in_flight_max=4),
    "modbus-rtu": _modbus(rtu=True, in_flight_max=1),
    **{
        f"scale-{preset}": _scale(preset)
        for preset in ("mt-sics", "toledo", "sick-master-data", "cubiscan", "csv")
    },
    **{
        f"scanner-{preset}": _scanner(preset)
        for preset in (
            *("stx-etx", "line", "sick", "cognex", "cognex-extended", "datalogic", "keyence"),
            *("zebra-ssi", "honeywell", "honeywell-header", "leuze", "hikrobot"),
        )
    },
    "scanner-codes": _scanner(
        "datalogic", code_separator=";", field_separator="!", label_field=2, group_separator="~"
    ),
    "scanner-stamps": _scanner(
        *("sick",),
        **{
            "stamp": "trigger",
            "trigger": "e",
            "numbered": True,
            "stamp_separator": ";",
            "stamp_place": "last",
        },
        **{"code_separator": ";", "heartbeat": "HB", "ask": "\x02sRI0\x03", "ask_ms": 20, "alive_ms": 1500},
    ),
}


def setting(name: str) -> bytes:
    """What the module of a target is set up with."""
    keys = dict(TARGETS[name].keys)
    if TARGETS[name].module == "gauge":
        return _gauging(**keys)
    if TARGETS[name].module == "modbus":
        return bytes([keys["rtu"], keys["in_flight_max"]])
    from spoken import framing

    return framing(keys.pop("preset"), **keys).tobytes()


def _gauging(**keys: Any) -> bytes:
    """A row of GAUGING."""
    import numpy as np

    from hubctl.core.gauging import gauging_of
    from hubctl.core.hubfile import Scale
    from hubctl.core.tables import GAUGING

    row = np.zeros((), GAUGING)
    for key, value in gauging_of(Scale(name="s", belt="b", at_mm=0, **keys)).items():
        row[key] = value
    return row.tobytes()
