"""The hub file: what a site is made of, as a person writes it, in mm and ms.

`load_hub` reads and checks one; every fault of the file comes in one `ConfigError`. Names stand for things:
an eye names its belt, a chute its diverter. What the kernel and the reactor read is made from a hub by
`core/layout.py`, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field

from hubctl.core.address import PATTERN, bit_address, coil_address, divert_address, register_address
from hubctl.core.config import ConfigError, Fault, Source, nearest
from hubctl.core.devices import absolute
from hubctl.core.geometry import check_geometry
from hubctl.core.presets import (
    Greeting,
    LabelField,
    Marker,
    OneByte,
    Question,
    Span,
    Word,
    ascii_text,
    preset_name,
)
from hubctl.core.references import check_references
from hubctl.core.shape import Section, known, read_shape

N_THINGS_MAX = 4096  # of one sort in one hub
N_SCANNERS_MAX = 32  # a track keeps one bit for each
N_SCALES_MAX = 32  # likewise
LENGTH_MM_MAX = 2_000_000
PACKAGED = "hubctl.hubs"
PLAN_SUFFIX = ".plan.toml"


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[^\s/]{1,32}", name):
        raise ValueError("must be 1 to 32 characters without blanks and slashes")
    return name


Name: TypeAlias = Annotated[str, AfterValidator(_plain_name)]
_ADDRESS = Field(json_schema_extra={"pattern": PATTERN})
BitAddress: TypeAlias = Annotated[str, AfterValidator(bit_address), _ADDRESS]
CoilAddress: TypeAlias = Annotated[str, AfterValidator(coil_address), _ADDRESS]
DivertAddress: TypeAlias = Annotated[str, AfterValidator(divert_address), _ADDRESS]
RegisterAddress: TypeAlias = Annotated[str, AfterValidator(register_address), _ADDRESS]
FileName: TypeAlias = Annotated[str, Field(min_length=1, max_length=4096)]
PresetName: TypeAlias = Annotated[str, AfterValidator(preset_name)]
PositionMm: TypeAlias = Annotated[int, Field(ge=0, le=LENGTH_MM_MAX)]
Grams: TypeAlias = Annotated[int, Field(ge=1, le=10_000_000)]
Milliseconds: TypeAlias = Annotated[int, Field(ge=0, le=60_000)]


class HubSection(Section):
    """The hub as a whole."""

    name: Name = Field(description="what people call the hub")


class Encoder(Section):
    """The counter that follows a belt."""

    address: RegisterAddress = Field(description='first register of the counter, like "head/input/0"')
    bits: Literal[16, 24, 32] = Field(32, description="width after which the counter wraps")
    word_order: Literal["high_first", "low_first"] = Field(
        "high_first", description="which register of a wide counter comes first"
    )
    counts_per_m: int = Field(ge=10, le=100_000, description="counts for a metre of belt")
    stale_ms: int = Field(
        100, ge=1, le=10_000, description="with no count for so long the belt's speed is not known"
    )


class Carriers(Section):
    """The carriers of a loop: trays that tilt, or short belts across."""

    n: int = Field(ge=4, le=4096, description="how many")
    pitch_mm: int = Field(ge=100, le=5000, description="from one middle to the next; n of them make the loop")
    carrier_mm: int = Field(ge=50, le=5000, description="longest parcel for one; a longer one takes two")
    failures_max: int = Field(
        3, ge=1, le=100, description="out of use after so many discharges in a row that failed"
    )


class Drive(Section):
    """What turns a belt: a node whose profile is a drive's."""

    node: Name = Field(description="the node of the drive")
    full_mm_s: int = Field(
        ge=10, le=20_000, description="speed of the belt at the drive's full speed, as its profile has it"
    )


class Belt(Section):
    """A moving surface."""

    name: Name = Field(description="unique among belts")
    kind: Literal["line", "station", "loop"] = Field(
        "line",
        description="line: past every diverter once; station: one parcel at a time, diverted at its read; "
        "loop: a ring of carriers",
    )
    length_mm: int = Field(
        ge=100, le=LENGTH_MM_MAX, description="from 0, where positions start, to its end, or once round"
    )
    speed_mm_s: int = Field(ge=10, le=10_000, description="design speed")
    speed_mm_s_min: int | None = Field(
        None, ge=1, le=10_000, description="below it nothing is diverted; default half the design speed"
    )
    speed_mm_s_max: int | None = Field(
        None, ge=10, le=12_000, description="top speed; default a tenth above the design speed"
    )
    laps_max: int = Field(
        3, ge=0, le=1000, description="where its end leads back: laps after the first, then MAX_LAPS"
    )
    recirculating_max: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="of its parcels so many may be on their way to another lap, else GRIDLOCK",
    )
    parcel_mm_min: int = Field(100, ge=10, le=5000, description="shortest parcel the belt carries")
    parcel_mm_max: int = Field(1200, ge=10, le=5000, description="longest; a longer one is OVERSIZE")
    transfer_window_mm: int = Field(
        150, ge=0, le=2000, description="window of the first eye for a parcel that came from another belt"
    )
    weight_g_max: Grams | None = Field(None, description="heaviest parcel; a heavier one is OVERWEIGHT")
    width_mm_max: int | None = Field(None, ge=1, le=5000, description="widest; a wider one is OVERSIZE")
    height_mm_max: int | None = Field(None, ge=1, le=5000, description="highest; a higher one is OVERSIZE")
    weight_required: bool = Field(
        False, description="true: its diverters with limits of weight take no parcel that was not weighed"
    )
    encoder: Encoder | None = Field(None, description="absent: positions are guessed from the clock")
    end_chute: Name = Field(
        description="the chute at the belt's end; of a loop one that takes what nobody knows or wants"
    )
    carriers: Carriers | None = Field(None, description="of a loop; a belt of another kind has none")
    run: CoilAddress | None = Field(None, description="coil that lets the belt run")
    drive: Drive | None = Field(None, description="the drive that turns it, instead of a coil to run")
    stop_on_jam: bool = Field(False, description="true: a jam at one of its eyes stops the belt")

    @property
    def slowest_mm_s(self) -> int:
        """Speed below which nothing is diverted."""
        return self.speed_mm_s // 2 if self.speed_mm_s_min is None else self.speed_mm_s_min

    @property
    def fastest_mm_s(self) -> int:
        """Top speed."""
        return self.speed_mm_s * 11 // 10 if self.speed_mm_s_max is None else self.speed_mm_s_max


class _TcpLink(Section):
    host: str = Field(min_length=1, max_length=255, description="IP address or host name of the device")
    port: int = Field(
        ge=1, le=65535, description="TCP port of the device: 502 for most Modbus, 2112 for SICK"
    )


class _SerialLink(Section):
    device: str = Field(min_length=1, max_length=255, description='serial port, like "/dev/ttyUSB0"')
    baud: int = Field(115_200, ge=1200, le=4_000_000, description="bits per second")
    parity: Literal["none", "even", "odd"] = Field("none", description="parity bit")
    stop_bits: Literal[1, 2] = Field(1, description="stop bits")


_TOGETHER = Field(
    False,
    description="true: coils of a node that are due at once and lie side by side are written by one request; "
    "the device must have function 15",
)


class ModbusTcpLink(_TcpLink):
    """Modbus over TCP."""

    name: Name = Field(description="unique among links")
    kind: Literal["modbus-tcp"] = Field(description="what is spoken")
    in_flight_max: int = Field(
        1, ge=1, le=16, description="requests under way at once; more than 1 only if the device says so"
    )


class ModbusRtuLink(_SerialLink):
    """Modbus RTU on a serial line."""

    name: Name = Field(description="unique among links")
    kind: Literal["modbus-rtu"] = Field(description="what is spoken")
    coils_together: bool = _TOGETHER


class ModbusRtuTcpLink(_TcpLink):
    """Modbus RTU frames over TCP, as many gateways to serial lines pass them on."""

    name: Name = Field(description="unique among links")
    kind: Literal["modbus-rtu-tcp"] = Field(description="what is spoken")
    baud: int = Field(
        115_200, ge=1200, le=4_000_000, description="bits per second of the line behind the gateway"
    )
    coils_together: bool = _TOGETHER


class ModbusTlsLink(_TcpLink):
    """Modbus TCP within TLS, both sides showing a certificate; for what is not hot."""

    name: Name = Field(description="unique among links")
    kind: Literal["modbus-tls"] = Field(description="what is spoken")
    port: int = Field(802, ge=1, le=65535, description="TCP port of the device")
    ca: FileName = Field(description="PEM file of the authority that signed the device's certificate")
    certificate: FileName = Field(
        description="PEM file of our certificate, with our role if the device asks for one"
    )
    key: FileName = Field(description="PEM file of its private key, without a password")
    server_name: str = Field("", max_length=255, description="name in the device's certificate; default host")
    in_flight_max: int = Field(
        1, ge=1, le=16, description="requests under way at once; more than 1 only if the device says so"
    )

    def beside(self, directory: Path) -> ModbusTlsLink:
        """The same with its files found from a directory."""
        names = ("ca", "certificate", "key")
        return self.model_copy(update={name: str(directory / getattr(self, name)) for name in names})


class ScannerTcpLink(_TcpLink):
    """A scanner over TCP."""

    name: Name = Field(description="unique among links")
    kind: Literal["scanner-tcp"] = Field(description="what is spoken")


class ScannerListenLink(Section):
    """A scanner that connects to us over TCP."""

    name: Name = Field(description="unique among links")
    kind: Literal["scanner-listen"] = Field(description="what is spoken")
    host: str = Field(
        "0.0.0.0", min_length=1, max_length=255, description="our address for it; 0.0.0.0: every one we have"
    )
    port: int = Field(ge=1, le=65535, description="our TCP port, that the scanner is set to connect to")
    peer: str = Field(
        "", max_length=255, description="IP address it connects from; others are refused; empty: any"
    )


class ScannerSerialLink(_SerialLink):
    """A scanner on a serial line."""

    name: Name = Field(description="unique among links")
    kind: Literal["scanner-serial"] = Field(description="what is spoken")


class ScaleTcpLink(_TcpLink):
    """A scale or a gauge of size over TCP."""

    name: Name = Field(description="unique among links")
    kind: Literal["scale-tcp"] = Field(description="what is spoken")


class ScaleSerialLink(_SerialLink):
    """A scale or a gauge of size on a serial line."""

    name: Name = Field(description="unique among links")
    kind: Literal["scale-serial"] = Field(description="what is spoken")


class WheelTcpLink(_TcpLink):
    """Wheel diverters (ShuDiNiao) over TCP; its nodes are wheels, their unit is which one."""

    name: Name = Field(description="unique among links")
    kind: Literal["wheel-tcp"] = Field(description="what is spoken")


Link: TypeAlias = Annotated[
    ModbusTcpLink
    | ModbusRtuLink
    | ModbusRtuTcpLink
    | ModbusTlsLink
    | ScannerTcpLink
    | ScannerListenLink
    | ScannerSerialLink
    | ScaleTcpLink
    | ScaleSerialLink
    | WheelTcpLink,
    Field(discriminator="kind"),
]


class Node(Section):
    """A controller reached over a link."""

    name: Name = Field(description="unique among nodes")
    link: Name = Field(description="the Modbus or wheel link it is reached over")
    unit: int = Field(
        1, ge=0, le=255, description="Modbus unit (slave address); of a wheel link, which wheel, from 1"
    )
    period_ms: int = Field(5, ge=1, le=10_000, description="between two polls of its inputs")
    timeout_ms: int = Field(100, ge=1, le=10_000, description="after which a request counts as unanswered")
    firmware: Literal["modbus", "hubctl"] = Field(
        "modbus",
        description="hubctl: it has our firmware, counts the encoder and fires by its own count; all that is "
        "wired to it is of one belt, and its link is its own",
    )
    profile: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None,
        description='which make of device it is: a packaged profile like "wago-750", or a TOML file beside this one; '
        "absent: a plain Modbus device",
    )
    watchdog_ms: int = Field(
        2000,
        ge=10,
        le=60_000,
        description="of our firmware, and of profiles with a watchdog: silence after which it makes itself safe",
    )
    encoder_mode: Literal["quadrature", "pulse-direction", "pulse"] = Field(
        "quadrature", description="of our firmware: what the encoder gives"
    )


class Eye(Section):
    """A light barrier across a belt."""

    name: Name = Field(description="unique among eyes")
    belt: Name = Field(description="the belt it looks at")
    at_mm: PositionMm = Field(description="from the start of the belt")
    role: Literal["induct", "track", "end", "origin", "carrier", "load"] = Field(
        "track",
        description="induct: opens tracks; track: proves them; end: proves what leaves the belt; of a loop, "
        "origin: sees carrier 0; carrier: sees each one; load: sees what lies on them; and its induct eyes "
        "are blocked by a parcel that waits for a carrier",
    )
    launch_ms: Milliseconds = Field(
        300, description="induct eye of a loop: from the command to the parcel on its carrier"
    )
    input: BitAddress = Field(description='where it is wired, like "io1/discrete/16" or "head/input/2.0"')
    window_mm: int = Field(80, ge=1, le=1000, description="a parcel is the expected one if no further off")
    window_before_mm: int | None = Field(
        None, ge=1, le=1000, description="how much too early it may come; default window_mm"
    )
    window_after_mm: int | None = Field(
        None, ge=1, le=1000, description="how much too late it may come; default window_mm"
    )
    length_window_mm: int = Field(60, ge=1, le=1000, description="and its length differs by no more")
    realign_mm: int = Field(
        0,
        ge=0,
        le=5000,
        description="further off, up to here, it is so still if it was missed, has its length and can be nobody "
        "else; 0: never",
    )
    debounce_mm: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="a shorter gap is none, a shorter blip no parcel; default a fifth of the shortest parcel",
    )
    jam_mm: int | None = Field(
        None,
        ge=1,
        le=LENGTH_MM_MAX,
        description="blocked for longer it is jammed; default twice the longest parcel of its belt",
    )
    invert: bool = Field(False, description="true: the input is on while the eye is clear")
    hold: CoilAddress | None = Field(None, description="of an induct eye: coil that holds the induct back")
    merge_mm: int = Field(
        0, ge=0, le=LENGTH_MM_MAX, description="belt travel from a held induct's release to its eye blocked"
    )
    merge_gap_mm: int = Field(
        100, ge=0, le=5000, description="of an induct that is held: gap kept free around what comes in"
    )

    @property
    def earliest_mm(self) -> int:
        """How much too early the expected parcel may come."""
        return self.window_mm if self.window_before_mm is None else self.window_before_mm

    @property
    def latest_mm(self) -> int:
        """How much too late the expected parcel may come."""
        return self.window_mm if self.window_after_mm is None else self.window_after_mm


class Scanner(Section):
    """A label reader at a belt."""

    name: Name = Field(description="unique among scanners")
    belt: Name = Field(description="the belt it reads")
    at_mm: PositionMm = Field(description="of the scan line, from the start of the belt")
    link: Name = Field(description="the scanner link it speaks on")
    preset: PresetName = Field("stx-etx", description="its make: how it speaks, unless it is said otherwise")
    header: Marker | None = Field(None, description="start of a telegram, instead of the preset's")
    terminator: Annotated[Marker, Field(min_length=1)] | None = Field(
        None, description="end of a telegram, instead of the preset's"
    )
    no_read: Word | None = Field(
        None, description="text that says no label was read, instead of the preset's"
    )
    heartbeat: Word | None = Field(
        None, description="text that only says it is alive, instead of the preset's"
    )
    code_separator: Marker | None = Field(
        None, description="between the codes of one telegram, instead of the preset's; empty: it has one"
    )
    field_separator: Marker | None = Field(
        None, description="between the fields of a code, instead of the preset's; empty: it is the label"
    )
    label_field: LabelField | None = Field(
        None, description="which field of a code is the label, from 1, instead of the preset's"
    )
    group_separator: OneByte | None = Field(
        None, description="what it sends for the group separator of GS1, instead of the preset's"
    )
    greeting: Greeting | None = Field(
        None, description="sent to it once it is connected, instead of the preset's"
    )
    ask: Question | None = Field(
        None, description="sent to it every ask_ms, to show that both live, instead of the preset's"
    )
    ask_ms: Annotated[int, Field(ge=10, le=60_000)] | None = Field(
        None, description="how often it is asked, instead of the preset's"
    )
    alive_ms: Span | None = Field(
        None,
        description="silent for so long it is gone, and connected anew; 0: it may be silent; default the preset's",
    )
    frame_max: int = Field(256, ge=8, le=4096, description="a longer telegram is garbage, bytes")
    silence_ms: Annotated[int, Field(ge=10, le=60_000)] | None = Field(
        None, description="half a telegram and then so much silence is garbage, instead of the preset's"
    )
    latency_ms: Milliseconds = Field(50, description="from the scan line to the telegram's arrival")
    reach_mm: int = Field(
        100, ge=1, le=5000, description="a read belongs to a parcel within so much of the scan line"
    )
    repeat_mm: int = Field(
        0, ge=0, le=LENGTH_MM_MAX, description="the same label again within so much belt is no other parcel's"
    )
    silent_after: int = Field(
        20,
        ge=0,
        le=10_000,
        description="alarm once so many parcels in a row had no answer; 0: it need not answer",
    )
    tunnel: Name | None = Field(
        None, description="its tunnel: up to eight scanners; NO_READ is what none of them reads"
    )
    stamp: Literal["none", "trigger", "encoder"] = Field(
        "none",
        description="what its telegrams say beside the label: the number of the trigger, or the belt's counter",
    )
    stamp_digits: int = Field(
        6, ge=1, le=10, description="digits of the stamp; with a separator, at most so many"
    )
    stamp_separator: Marker = Field("", description="between the stamp and the rest of a telegram")
    stamp_place: Literal["first", "last"] = Field(
        "first", description="the stamp comes before or after the rest"
    )
    trigger: Name | None = Field(None, description='the eye whose edges trigger it; for stamp = "trigger"')
    numbered: bool = Field(
        False, description="true: it is told the number of each trigger, which is the stamp of its telegrams"
    )
    number_terminator: Marker | None = Field(
        None, description="behind such a number, instead of the preset's"
    )


class Scale(Section):
    """A scale or a gauge of size at a belt; what it says is told as WEIGHT and SIZE."""

    name: Name = Field(description="unique among scales")
    belt: Name = Field(description="the belt it weighs on")
    at_mm: PositionMm = Field(description="where a parcel that it weighs lies, from the start of the belt")
    latency_ms: Milliseconds = Field(50, description="from the weighing to the result's arrival")
    reach_mm: int = Field(
        100, ge=1, le=5000, description="a result belongs to a parcel within so much of its place"
    )
    weight: RegisterAddress | None = Field(
        None, description='register with the weight, like "io1/input/4"; absent: others tell it'
    )
    ready: BitAddress | None = Field(
        None, description="goes on once the weight in the register is a new one; in the same table"
    )
    g_per_count: int = Field(1, ge=1, le=1000, description="grams for one count of the register")
    link: Name | None = Field(None, description="the scale link it speaks on; absent: it does not")
    preset: Literal["mt-sics", "toledo", "sick-master-data", "cubiscan", "csv"] = Field(
        "mt-sics", description="how its telegrams are made"
    )
    check: bool = Field(True, description="toledo: a check character follows each telegram")
    hello: Word | None = Field(
        None, description="what it is told once it is connected, instead of the preset's"
    )
    columns: list[Literal["weight", "length", "width", "height", "-"]] = Field(
        default=["weight", "length", "width", "height"],
        min_length=1,
        max_length=32,
        description="csv: what each field of a line is; - is left out",
    )
    delimiter: Annotated[str, Field(min_length=1, max_length=1), AfterValidator(ascii_text)] = Field(
        ",", description="csv: between two fields"
    )
    weight_unit: Literal["g", "kg", "lb", "oz"] = Field("kg", description="csv: unit of the weight")
    size_unit: Literal["mm", "cm", "m", "in"] = Field("cm", description="csv: unit of the size")
    silence_ms: int = Field(
        200, ge=10, le=60_000, description="half a telegram and then so much silence is garbage"
    )


class Diverter(Section):
    """A device that moves a parcel off a belt."""

    name: Name = Field(description="unique among diverters")
    belt: Name = Field(description="the belt it takes from")
    at_mm: PositionMm = Field(description="of its centre, from the start of the belt")
    latency_ms: Milliseconds = Field(60, description="from the write to the paddle in the way")
    hold_ms: int = Field(100, ge=1, le=10_000, description="how long its output stays on")
    commit_ms: Milliseconds = Field(60, description="how long before its fire a divert is committed")
    cycle_ms: Milliseconds = Field(0, description="from its output off until it can act again")
    fails_max: int = Field(
        3, ge=0, le=1000, description="so many failures in a row take it out of use; 0: it stays in use"
    )
    weight_g_min: Grams | None = Field(None, description="lightest parcel that it moves")
    weight_g_max: Grams | None = Field(None, description="heaviest parcel that it moves")
    home: BitAddress | None = Field(None, description="input that is on while its paddle is home")
    home_ms: Milliseconds = Field(500, description="from its output off until its paddle must be home")
    void_ms: int = Field(15, ge=1, le=1000, description="how late a fire may still be written")
    clear_mm: int = Field(
        160, ge=1, le=5000, description="belt each side of the parcel's centre that must be free"
    )


class Chute(Section):
    """Where parcels leave: beside a diverter, or at the end of a belt."""

    name: Name = Field(description="unique among chutes")
    no: int = Field(ge=1, le=65535, description="number painted on the wall")
    diverter: Name | None = Field(None, description="absent for the chute at a belt's end")
    side: Literal["left", "right"] = Field("left", description="of the belt, seen downstream")
    output: DivertAddress | None = Field(
        None, description='what diverts into it, like "io1/coil/0", "n1/divert/5" or "w1/turn/left"'
    )
    to_belt: Name | None = Field(None, description="the belt it leads onto; absent: parcels end here")
    to_mm: PositionMm = Field(0, description="where on that belt a parcel's leading edge comes down")
    confirm: BitAddress | None = Field(None, description="eye that sees a parcel arrive")
    full: BitAddress | None = Field(None, description="eye that is blocked while the chute is full")
    confirm_ms: list[Annotated[int, Field(ge=0, le=60_000)]] = Field(
        default=[220, 620],
        min_length=2,
        max_length=2,
        description="the parcel's centre is at the chute eye so long after the fire; expected in the middle",
    )
    jam_ms: Milliseconds = Field(0, description="its confirm eye blocked for so long is a jam; 0: never")
    full_on_ms: Milliseconds = Field(1000, description="full once its eye was blocked for so long")
    full_off_ms: Milliseconds = Field(2000, description="no longer full once its eye was clear for so long")
    nearly_full: BitAddress | None = Field(
        None, description="eye that is blocked while the chute is nearly full; delayed as the full eye is"
    )
    count_max: int | None = Field(None, ge=1, le=100_000, description="parcels it holds until it is emptied")
    weight_g_max: int | None = Field(None, ge=1, le=100_000_000, description="weight it holds")
    volume_l_max: int | None = Field(None, ge=1, le=1_000_000, description="volume it holds, litres")
    nearly_full_at: int = Field(
        80, ge=1, le=100, description="nearly full from this share of count_max on, percent"
    )
    open_again_at: int = Field(
        100, ge=1, le=100, description="once it has no place left: below this share there is one, percent"
    )
    reserve_for_priority: int = Field(
        0,
        ge=0,
        le=10_000,
        description="of the last places of count_max; a lane of priority 9 has all of them, one of 0 none",
    )
    rate_parcels: int | None = Field(
        None, ge=1, le=100_000, description="no more parcels are sent to it in a period"
    )
    rate_mm: int | None = Field(
        None, ge=1, le=10_000_000, description="no more length of parcels is sent to it in a period"
    )
    rate_period_ms: int = Field(60_000, ge=100, le=3_600_000, description="the period of its rate")
    full_alarm_ms: int | None = Field(
        None, ge=1, le=86_400_000, description="full or closed for so long is an alarm"
    )
    door_s: int = Field(0, ge=0, le=86_400, description="from the chute to the door, for the lane's waves")


class Machine(Section):
    """Start, stop and safety of the whole machine, in PackML words. Absent: it runs from the start."""

    start_warning_ms: Milliseconds = Field(3000, description="buzzer before the belts start")
    drain_ms: Milliseconds = Field(0, description="on a stop, how long belts may run on until they are empty")
    start: BitAddress | None = Field(None, description="button that starts")
    stop: BitAddress | None = Field(None, description="button that stops")
    reset: BitAddress | None = Field(None, description="button that resets; it never starts")
    clear: BitAddress | None = Field(None, description="button that clears what was aborted")
    safety: BitAddress | None = Field(
        None, description="input that is on while the hard-wired safety chain is closed"
    )
    red: CoilAddress | None = Field(None, description="lamp of the tower light")
    yellow: CoilAddress | None = Field(None, description="lamp of the tower light")
    green: CoilAddress | None = Field(None, description="lamp of the tower light")
    buzzer: CoilAddress | None = Field(None, description="buzzer of the tower light")


class Host(Section):
    """The system that is asked where a label without a lane goes. Absent: nobody is."""

    ask: bool = Field(True, description="false: it is not asked, though it may tell all else")
    timeout_ms: int = Field(1000, ge=1, le=60_000, description="a later answer is of no use")
    silent_after: int = Field(
        5, ge=0, le=10_000, description="alarm once so many questions in a row had no answer; 0: never"
    )


class Hub(Section):
    """A whole hub file."""

    model_config = ConfigDict(title="hubctl hub file")

    hub: HubSection = Field(description="the hub as a whole")
    machine: Machine | None = Field(None, description="start, stop and safety; absent: it just runs")
    host: Host | None = Field(None, description="who is asked about labels; absent: nobody")
    belts: list[Belt] = Field(min_length=1, max_length=64, description="moving surfaces")
    links: list[Link] = Field(max_length=N_THINGS_MAX, description="connections to devices")
    nodes: list[Node] = Field(default=[], max_length=N_THINGS_MAX, description="controllers")
    eyes: list[Eye] = Field(default=[], max_length=N_THINGS_MAX, description="light barriers across belts")
    scanners: list[Scanner] = Field(default=[], max_length=N_SCANNERS_MAX, description="label readers")
    scales: list[Scale] = Field(default=[], max_length=N_SCALES_MAX, description="scales and gauges of size")
    diverters: list[Diverter] = Field(default=[], max_length=N_THINGS_MAX, description="devices that divert")
    chutes: list[Chute] = Field(min_length=1, max_length=N_THINGS_MAX, description="where parcels leave")

    @property
    def name(self) -> str:
        """What people call the hub."""
        return self.hub.name


def load_hub(file: Path) -> Hub:
    """Read and check a hub file.

    Raises
    ------
    ConfigError
        With every fault of the file.
    """
    hub = hub_of(Source.read(file))
    links = [link.beside(file.parent) if isinstance(link, ModbusTlsLink) else link for link in hub.links]
    return hub.model_copy(update={"links": links})


def hub_of(source: Source) -> Hub:
    """The hub that a file's content describes; ConfigError with every fault of it."""
    hub = _with_profiles(read_shape(Hub, source), source)
    check_references(hub, source)
    check_geometry(hub, source)
    source.raise_if_faulty()
    return hub


def _with_profiles(hub: Hub, source: Source) -> Hub:
    """The same hub, in which a profile's file is found from anywhere."""
    if not known(hub, "nodes"):
        return hub
    nodes = [
        node.model_copy(update={"profile": absolute(node.profile, source.file)})
        if known(node, "profile") and node.profile is not None
        else node
        for node in hub.nodes
    ]
    return hub.model_copy(update={"nodes": nodes})


def resolve_hub(name_or_path: str) -> Hub:
    """The hub of a file, or the packaged one of that name."""
    return load_hub(hub_path(name_or_path))


def hub_path(name_or_path: str) -> Path:
    """The file that is meant: a path, or the name of a packaged hub such as `demo`."""
    return packaged_path(name_or_path, ".toml")


def packaged_path(name_or_path: str, suffix: str) -> Path:
    """A path as it is; a bare word is a packaged file's name unless there is such a file here."""
    path = Path(name_or_path)
    if path.suffix or path.exists() or len(path.parts) != 1:
        return path
    packaged = Path(str(resources.files(PACKAGED))) / f"{name_or_path}{suffix}"
    if not packaged.exists():
        hint = nearest(name_or_path, packaged_names(suffix))
        raise ConfigError(
            [Fault(name_or_path, 1, "", "", "", "no such file, and no example of that name", hint)]
        )
    return packaged


def packaged_names(suffix: str = ".toml") -> list[str]:
    """Names of the packaged hubs (or, with `.plan.toml`, plans)."""
    names = [entry.name for entry in resources.files(PACKAGED).iterdir()]
    fitting = (name for name in names if name.endswith(suffix))
    return sorted(
        name.removesuffix(suffix) for name in fitting if suffix == PLAN_SUFFIX or PLAN_SUFFIX not in name
    )


def plan_beside(hub_file: Path) -> Path:
    """The sort plan that goes with a hub file by default: `demo.toml` has `demo.plan.toml`."""
    return hub_file.with_name(hub_file.stem + PLAN_SUFFIX)


def readdress(hub: Hub, addresses: Mapping[str, tuple[str, int] | str]) -> Hub:
    """The same hub with other link addresses: (host, port) or serial device by the link's name.

    A Modbus link over TCP that is given a device becomes a serial one, and one with TLS becomes one without.
    """
    links = [
        _readdressed(link, addresses[link.name]) if link.name in addresses else link for link in hub.links
    ]
    return hub.model_copy(update={"links": links})


def _readdressed(link: Link, address: tuple[str, int] | str) -> Link:
    if link.kind == "modbus-tls" and not isinstance(address, str):
        place = {"host": address[0], "port": address[1], "in_flight_max": link.in_flight_max}
        return ModbusTcpLink.model_validate({"name": link.name, "kind": "modbus-tcp", **place})
    if not isinstance(address, str):
        return link.model_copy(update={"host": address[0], "port": address[1]})
    if link.kind in ("modbus-tcp", "modbus-tls"):
        return ModbusRtuLink.model_validate({"name": link.name, "kind": "modbus-rtu", "device": address})
    return link.model_copy(update={"device": address})


def hub_schema() -> dict[str, Any]:
    """JSON Schema of the hub file, for editors."""
    return Hub.model_json_schema()
