"""Simulated scales and gauges of size: what each make says of a parcel, and what it says besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hubctl.core.gauging import PRESETS
from hubctl.core.tables import GaugeFormat

if TYPE_CHECKING:
    from hubctl.core.hubfile import Scale

NEVER_NS = 2**63 - 1
PERIOD_NS = 143_000_000  # Toledo continuous: seven a second
G_OF = {"g": 1_000_000, "kg": 1_000_000_000, "lb": 453_592_370, "oz": 28_349_523}  # millionths of a gram
UM_OF = {"mm": 1000, "cm": 10_000, "m": 1_000_000, "in": 25_400}
MOTION, IN_KG, FIXED_BIT = 0x08, 0x10, 0x20
TWO_DECIMALS, THREE_DECIMALS = 4, 5


class Load(NamedTuple):
    """A parcel as a scale finds it."""

    weight_g: int
    length_mm: int
    width_mm: int
    height_mm: int


EMPTY = Load(0, 0, 0, 0)


class ScaleTwin:
    """A scale without its line.

    Parameters
    ----------
    scale : Scale
        Of the hub file: how it is set up.

    Examples
    --------
    >>> from hubctl.core.hubfile import Scale
    >>> twin = ScaleTwin(Scale(name="s", belt="b", at_mm=0, preset="sick-master-data"))
    >>> twin.weigh(Load(1212, 321, 150, 87))
    b'\\x020001;NoRead;000001212;g;0;0321;0150;0087;mm;0000;4189050\\x03'
    """

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._format = PRESETS[scale.preset].format
        self._n_weighed = 0
        self._is_asked = self._format is not GaugeFormat.MT_SICS
        self._heard = b""
        self._due_ns = 0 if self._format is GaugeFormat.TOLEDO else NEVER_NS

    def weigh(self, load: Load) -> bytes:
        """What it says when a parcel lies on it: in motion, at rest, empty again, if it speaks all the time."""
        self._n_weighed += 1
        if not self._is_asked:
            return b""
        if self._format is GaugeFormat.MT_SICS:
            return b"".join(_sics(status, grams) for status, grams in _course(load))
        if self._format is GaugeFormat.TOLEDO:
            return b"".join(self._toledo(status, grams) for status, grams in _course(load))
        if self._format is GaugeFormat.SICK:
            return _sick(self._n_weighed, load)
        return _cubiscan(load) if self._format is GaugeFormat.CUBISCAN else self._csv(load)

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """MT-SICS and Cubiscan answer; the others do not listen."""
        if self._format not in (GaugeFormat.MT_SICS, GaugeFormat.CUBISCAN):
            return b""
        *commands, self._heard = (self._heard + data).split(b"\r\n")
        is_sics = self._format is GaugeFormat.MT_SICS
        return b"".join(self._obey(command) if is_sics else _tested(command) for command in commands)

    def _obey(self, command: bytes) -> bytes:
        if command == b"SIR":
            self._is_asked = True
            return _sics("S", 0)
        if command in (b"@", b"I4"):
            self._is_asked &= command == b"I4"
            return b'I4 A "SIM0001"\r\n'
        return _sics("S", 0) if command in (b"S", b"SI") else b"ES\r\n"

    def advance(self, now_ns: int) -> bytes:
        """A continuous one says that it is empty."""
        if now_ns < self._due_ns:
            return b""
        self._due_ns = now_ns + PERIOD_NS
        return self._toledo("S", 0)

    def next_deadline(self) -> int:
        """When it says something by itself next."""
        return self._due_ns

    def _toledo(self, status: str, grams: int) -> bytes:
        place = TWO_DECIMALS if grams >= 1_000_000 else THREE_DECIMALS
        weight = grams // 10 if place == TWO_DECIMALS else grams
        bits = FIXED_BIT | IN_KG | (MOTION if status == "D" else 0)
        body = bytes([2, 0x28 | place, bits, FIXED_BIT]) + b"%6d000000\r" % weight
        return body + (bytes([-sum(body) & 0x7F]) if self._scale.check else b"")

    def _csv(self, load: Load) -> bytes:
        values = {
            "weight": _decimal(load.weight_g * 1_000_000, G_OF[self._scale.weight_unit]),
            "length": _decimal(load.length_mm * 1000, UM_OF[self._scale.size_unit]),
            "width": _decimal(load.width_mm * 1000, UM_OF[self._scale.size_unit]),
            "height": _decimal(load.height_mm * 1000, UM_OF[self._scale.size_unit]),
            "-": f"P{self._n_weighed}",
        }
        return (self._scale.delimiter.join(values[name] for name in self._scale.columns) + "\r\n").encode()


def _course(load: Load) -> list[tuple[str, int]]:
    return [("D", load.weight_g * 2 // 3), ("S", load.weight_g), ("S", 0)]


def _decimal(value: int, unit: int) -> str:
    """A value in its unit, to three decimals."""
    thousandths = (value * 1000 + unit // 2) // unit
    return f"{thousandths // 1000}.{thousandths % 1000:03}"


def _sics(status: str, grams: int) -> bytes:
    return f"S {status} {grams:>10} g\r\n".encode()


def _sick(number: int, load: Load) -> bytes:
    volume = min(load.length_mm * load.width_mm * load.height_mm, 9_999_999)
    size = f"{load.length_mm:04};{load.width_mm:04};{load.height_mm:04}"
    return f"\x02{number % 10_000:04};NoRead;{load.weight_g:09};g;0;{size};mm;0000;{volume:07}\x03".encode()


def _tested(command: bytes) -> bytes:
    """A Cubiscan says that it is well; other commands it does not know here."""
    return b"\x02TA00\x03\r\n" if command == b"\x02T\x03" else b"\x02?N\x03\r\n"


def _cubiscan(load: Load) -> bytes:
    """Measured at a gate, without being asked: a small m."""
    size = ",".join(f"{name}{mm // 10:03}.{mm % 10}" for name, mm in zip("LWH", load[1:], strict=True))
    weight = f"{load.weight_g // 1000:03}.{load.weight_g % 1000 // 10:02}"
    return f"\x02mAC000000,{size},M,K{weight},D{weight},M,F0366,D\x03\r\n".encode()
