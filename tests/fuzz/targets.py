"""What is fuzzed: each decoder, with the module that throws bytes at it and the rows that it decodes by."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "wire"))


class Target(NamedTuple):
    """One decoder."""

    module: str  # its .pyx beside this file
    needs: tuple[str, ...]  # compiled modules of hubctl that it calls, in the order in which they load
    keys: dict[str, Any]  # how it is set up
    n_bytes_max: int = 128  # of an input


def _scanner(preset: str, **keys: Any) -> Target:
    return Target("scanner", ("_framer", "_dialogue"), {"preset": preset, **keys})


def _scale(preset: str) -> Target:
    return Target("gauge", ("_gauge",), {"preset": preset})


def _modbus(*, rtu: bool, in_flight_max: int) -> Target:
    return Target("modbus", ("_wire",), {"rtu": rtu, "in_flight_max": in_flight_max})


def _master(hub: str, link: str) -> Target:
    """The master of one link of a packaged hub."""
    return Target(
        "master", ("_wire", "_wires", "_image", "_node", "_master"), {"hub": hub, "link": link}, 400
    )


TARGETS = {
    "modbus-tcp": _modbus(rtu=False, in_flight_max=4),
    "modbus-rtu": _modbus(rtu=True, in_flight_max=1),
    "master-watchdog": _master("shoes", "w1"),
    "master-counter": _master("shoes", "head"),
    "master-rtu": _master("lab", "board"),
    "master-in-flight": _master("station", "io"),
    "master-firmware": _master("nodes", "n1"),
    "wheel": Target("wheel", ("_wires", "_wheel"), {}),
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
    if TARGETS[name].module == "master":
        return _wiring(**keys)
    if TARGETS[name].module == "wheel":
        return _wheels()
    from spoken import framing

    return framing(keys.pop("preset"), **keys).tobytes()


def _saved(wiring: Any) -> bytes:
    """A wiring as numpy saves it."""
    import numpy as np

    file = BytesIO()
    np.savez_compressed(file, **wiring._asdict())
    return file.getvalue()


def _wiring(hub: str, link: str) -> bytes:
    """The number of a link, and the wiring of its hub."""
    from hubctl.core.site import load_site
    from hubctl.core.wiring import compile_wiring

    loaded = load_site(hub).hub
    return bytes([[each.name for each in loaded.links].index(link)]) + _saved(compile_wiring(loaded))


def _wheels() -> bytes:
    """Two wheels on one link: the first turns to both sides, the second to one."""
    from test_wheel import wiring

    return _saved(wiring())


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
