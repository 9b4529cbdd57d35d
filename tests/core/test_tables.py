"""Plain Python and compiled code agree on every layout and number they share."""

import re
from enum import IntEnum, IntFlag
from pathlib import Path

import numpy as np
import pytest

from hubctl.core import events, tables

EXT = Path(__file__).resolve().parents[2] / "ext" / "hubctl"
C_TYPES = {
    "uint16_t": "<u2",
    "uint32_t": "<u4",
    "int32_t": "<i4",
    "int64_t": "<i8",
    "char[4]": "S4",
    "char[16]": "S16",
    "char[32]": "S32",
    "char[40]": "S40",
    "char[48]": "S48",
    "char[56]": "S56",
}
STRUCTS = [
    ("_records", "Record", events.RECORD),
    ("_tables", "Belt", tables.BELT),
    ("_tables", "Eye", tables.EYE),
    ("_tables", "Scanner", tables.SCANNER),
    ("_tables", "Scale", tables.SCALE),
    ("_tables", "Diverter", tables.DIVERTER),
    ("_tables", "Chute", tables.CHUTE),
    ("_tables", "Step", tables.STEP),
    ("_tables", "Lane", tables.LANE),
    ("_tables", "Wave", tables.WAVE),
    ("_tables", "Machine", tables.MACHINE),
    ("_tables", "Ring", tables.RING),
    ("_tables", "Host", tables.HOST),
    ("_tables", "Link", tables.LINK),
    ("_tables", "NodeWire", tables.NODE_WIRE),
    ("_tables", "DeviceStep", tables.DEVICE_STEP),
    ("_tables", "Poll", tables.POLL),
    ("_tables", "Signal", tables.SIGNAL),
    ("_tables", "Counter", tables.COUNTER),
    ("_tables", "Level", tables.LEVEL),
    ("_tables", "Output", tables.OUTPUT),
    ("_tables", "Framing", tables.FRAMING),
    ("_assignment", "Assignment", tables.ASSIGNMENT),
    ("_assignment", "Batch", tables.BATCH),
    ("_tables", "Gauging", tables.GAUGING),
]
ENUMS = [
    ("_records", "Kind", events.Kind),
    ("_records", "Flag", events.Flag),
    ("_records", "Disposition", events.Disposition),
    ("_records", "ChuteState", events.ChuteState),
    ("_records", "Reason", events.Reason),
    ("_records", "Alarm", events.Alarm),
    ("_records", "MachineState", events.MachineState),
    ("_records", "MachineCommand", events.MachineCommand),
    ("_records", "TowerLight", events.TowerLight),
    ("_tables", "BeltKind", tables.BeltKind),
    ("_tables", "EyeRole", tables.EyeRole),
    ("_tables", "Stamp", tables.Stamp),
    ("_tables", "LinkKind", tables.LinkKind),
    ("_tables", "GaugeFormat", tables.GaugeFormat),
    ("_tables", "Policy", tables.Policy),
    ("_tables", "StepRule", tables.StepRule),
    ("_tables", "Protocol", tables.Protocol),
    ("_tables", "Answers", tables.Answers),
]
# Cython's enums share one name space, so some of their names say more.
PREFIXES = {
    "Alarm": "ALARM_",
    "MachineState": "STATE_",
    "MachineCommand": "DO_",
    "TowerLight": "LAMP_",
    "Stamp": "STAMP_",
    "GaugeFormat": "GAUGE_",
    "StepRule": "STEP_",
    "Protocol": "PROTOCOL_",
    "Answers": "ANSWERS_",
}
RENAMED = {
    "UNEXPECTED_TRACK": "UNEXPECTED",
    "LOST_PARCEL": "LOST",
    "REMOVED_PARCEL": "REMOVED",
    "CLOSED_BY_OPERATOR": "CLOSED",
    "CARRIER_EYE": "CARRIER",
}


def body_of(module: str, head: str) -> list[str]:
    """The indented lines below a heading of a `.pxd`, without comments."""
    text = (EXT / f"{module}.pxd").read_text(encoding="utf-8")
    match = re.search(rf"^{re.escape(head)}:\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    assert match, f"{head} is not in {module}.pxd"
    lines = (line.split("#")[0].strip() for line in match.group(1).splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize(("module", "name", "dtype"), STRUCTS)
def test_structs_are_the_dtypes(module: str, name: str, dtype: np.dtype[np.void]) -> None:
    fields = [line.split() for line in body_of(module, f"cdef packed struct {name}")]
    assert [(field, C_TYPES[c_type]) for c_type, field in fields] == [
        (field, kind if kind.startswith("<") else kind.lstrip("|")) for field, kind in dtype.descr
    ]


@pytest.mark.parametrize(("module", "name", "enum"), ENUMS)
def test_enums_are_the_same(module: str, name: str, enum: type[IntEnum] | type[IntFlag]) -> None:
    pairs = [line.split(" = ") for line in body_of(module, f"cdef enum {name}")]
    prefix = PREFIXES.get(name, "")
    assert {RENAMED.get(key, key.removeprefix(prefix)): int(value) for key, value in pairs} == {
        member.name: member.value for member in enum
    }


def test_constants_are_the_same() -> None:
    constants = dict(line.split(" = ") for line in body_of("_records", "cdef enum"))
    assert int(constants["TEXT_MAX"]) == events.TEXT_MAX == events.RECORD["text"].itemsize
    assert int(constants["NO_INDEX"], 16) == events.NO_INDEX


def test_every_reason_has_its_sentence() -> None:
    assert set(events.SENTENCES) == set(events.Reason) - {events.Reason.NONE}


def test_every_alarm_has_its_sentence() -> None:
    assert set(events.ALARM_SENTENCES) == set(events.Alarm)


def test_empty_records_say_none() -> None:
    record = events.empty(1)[0]
    assert (record["counts"], record["chute"], record["kind"]) == (events.NO_COUNTS, events.NO_INDEX, 0)
