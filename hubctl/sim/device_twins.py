"""What each make of Modbus device does beside what its profile says: watchdogs, pulses, ramps, other protocols."""

from __future__ import annotations

import re

from hubctl.core.address import Space
from hubctl.core.profile import Profile
from hubctl.sim.modbus_twin import DEVICE_FAILURE, ILLEGAL_VALUE, NEVER_NS, Board, RefusedError, Twin

MS = 1_000_000
H, I, C, D = Space.HOLDING, Space.INPUT, Space.COIL, Space.DISCRETE  # noqa: E741 - as the tables are numbered


class WagoTwin(Twin):
    """WAGO 750: outputs shown elsewhere, a watchdog that is triggered by a changed word and answers exception 4."""

    OUTPUTS, N_BITS = 0x200, 0x200
    TIME, MASK, TRIGGER, LEAST, STOP, STATUS, RESTART, STOP_SIMPLE = (
        *range(0x1000, 0x1002),
        *range(0x1003, 0x1009),
    )
    IDLE, RUNNING, EXHAUSTED = range(3)

    def __init__(self, profile: Profile, board: Board | None = None) -> None:
        super().__init__(profile, board)
        own = {self.TIME: 0x0064, self.LEAST: 0xFFFF, 0x1030: 0, 0x2011: 750, 0x2012: 352}
        plain = (self.MASK, 0x1002, self.TRIGGER, self.STOP, self.STATUS, self.RESTART, self.STOP_SIMPLE)
        self.words = {(H, at): value for at, value in ({at: 0 for at in plain} | own).items()}
        self._due_ns = NEVER_NS

    @property
    def status(self) -> int:
        """Of the watchdog."""
        return self.words[H, self.STATUS]

    def advance(self, now_ns: int) -> None:
        """The watchdog runs out: every output goes off."""
        if now_ns >= self._due_ns:
            self.words[H, self.STATUS], self.words[H, self.LEAST] = self.EXHAUSTED, 0
            self._due_ns = NEVER_NS
            self.switch_off()

    def next_deadline(self) -> int:
        """When the watchdog runs out."""
        return self._due_ns

    def admit(self, function: int, address: int, count: int, now_ns: int) -> None:
        """Once the watchdog has run out, nothing but its registers can be written, and nothing is read."""
        if self.status == self.EXHAUSTED and (
            function not in (6, 16) or address not in (self.STOP, self.RESTART, self.STOP_SIMPLE)
        ):
            raise RefusedError(DEVICE_FAILURE)
        if self.status == self.RUNNING and self.words[H, self.MASK] >> (function - 1) & 1:
            self._trigger(now_ns)

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        """Bits below 0x200 are inputs for functions 1 and 2 alike, and outputs above."""
        if space in (C, D):
            if wire < self.OUTPUTS:
                return super().read(D, wire, now_ns)
            if wire < self.OUTPUTS + self.N_BITS:
                return int(self.outputs.get(wire - self.OUTPUTS, False))
            return None
        return super().read(space, wire, now_ns)

    def write(self, space: Space, wire: int, value: int, now_ns: int) -> None:
        """Outputs may be written at either place."""
        if space is C:
            if wire >= self.OUTPUTS + self.N_BITS:
                raise RefusedError(2)
            self.switch(wire % self.OUTPUTS, bool(value))
            return
        if wire in (self.TIME, self.MASK) and self.status == self.RUNNING:
            raise RefusedError(DEVICE_FAILURE)
        before = self.words.get((H, wire), 0)
        super().write(space, wire, value, now_ns)
        self._watch(wire, before, value, now_ns)

    def _watch(self, wire: int, before: int, value: int, now_ns: int) -> None:
        """What a written register does to the watchdog."""
        stops = wire == self.STOP and (before, value) == (0xAAAA, 0x5555)
        stops |= wire == self.STOP_SIMPLE and value in (0xAA55, 0x55AA)
        if wire == self.TRIGGER and value not in (0, before):
            self._trigger(now_ns)
        elif wire == self.RESTART and value == 1 and self.status == self.EXHAUSTED:
            self.words[H, self.STATUS] = self.IDLE
            self._trigger(now_ns)
        elif stops:
            self.words[H, self.STATUS] = self.IDLE
            self.words[H, self.TRIGGER] = 0
            self._due_ns = NEVER_NS

    def _trigger(self, now_ns: int) -> None:
        if self.words[H, self.TIME] and self.status != self.EXHAUSTED:
            self.words[H, self.STATUS] = self.RUNNING
            self._due_ns = now_ns + self.words[H, self.TIME] * 100 * MS


class MoxaTwin(Twin):
    """Moxa ioLogik E1212: a safe status that stays until a coil is written, counters cleared by writing 1."""

    SAFE_FLAG = 4144
    MODEL_AT, MODEL = 5000, b"E1212".ljust(20, b"\0")
    CLEAR_AT = 0x110

    def __init__(self, profile: Profile, board: Board | None = None, *, watchdog_ms: int = 0) -> None:
        super().__init__(profile, board)
        self._watchdog_ns = watchdog_ms * MS  # set by its web page; 0: off
        self._heard_ns = NEVER_NS
        self.words = {(I, self.MODEL_AT + i): _text_word(self.MODEL, i) for i in range(10)}
        self.words |= {(C, self.CLEAR_AT + i): 0 for i in range(8)}
        self.words |= {(C, 0x100 + i): 0 for i in range(8)}
        self.words[C, self.SAFE_FLAG] = 0

    def advance(self, now_ns: int) -> None:
        """The host has been silent: every output has its safe status, off."""
        if self._watchdog_ns and self._heard_ns + self._watchdog_ns <= now_ns:
            self.words[C, self.SAFE_FLAG] = 1
            self.switch_off()

    def next_deadline(self) -> int:
        """When its host has been silent for too long."""
        return (
            self._heard_ns + self._watchdog_ns
            if self._watchdog_ns and self._heard_ns < NEVER_NS
            else NEVER_NS
        )

    def admit(self, function: int, address: int, count: int, now_ns: int) -> None:
        """Each request is heard."""
        self._heard_ns = now_ns

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        """Words of all inputs and outputs beside the bits."""
        if (space, wire) == (I, 0x30):
            return (super().read(space, wire, now_ns) or 0) | self._inputs(8)
        if (space, wire) == (H, 0x20):
            return sum(int(self.outputs.get(i, False)) << i for i in range(8))
        return super().read(space, wire, now_ns)

    def write(self, space: Space, wire: int, value: int, now_ns: int) -> None:
        """In the safe status outputs do not obey."""
        if space is C and wire == self.SAFE_FLAG:
            self.words[C, wire] = 0
        elif space is C and self.CLEAR_AT <= wire < self.CLEAR_AT + 8:
            if not value:
                raise RefusedError(ILLEGAL_VALUE)
        elif (space, wire) == (H, 0x20):
            for i in range(8):
                self.write(C, i, value >> i & 1, now_ns)
        elif not (space is C and wire < 8 and self.words[C, self.SAFE_FLAG]):
            super().write(space, wire, value, now_ns)


class AdamTwin(Twin):
    """Advantech ADAM-6050: inputs among the coils, outputs from coil 16 on, words of both."""

    def __init__(self, profile: Profile, board: Board | None = None) -> None:
        super().__init__(profile, board)
        self.words = {(H, 210): 0x6050, (H, 211): 0, (H, 212): 0xA100, (H, 213): 0}

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        """Function 1 reads the inputs too."""
        if space is C and wire < 12:
            return super().read(D, wire, now_ns)
        if (space, wire) == (H, 300):
            return (super().read(space, wire, now_ns) or 0) | self._inputs(12)
        if (space, wire) == (H, 302):
            return sum(int(self.outputs.get(i, False)) << i for i in range(6))
        return super().read(space, wire, now_ns)

    def write(self, space: Space, wire: int, value: int, now_ns: int) -> None:
        """The word of all outputs switches them."""
        if (space, wire) == (H, 302):
            for i in range(6):
                self.switch(i, bool(value >> i & 1))
        else:
            super().write(space, wire, value, now_ns)


class WaveshareTwin(Twin):
    """Waveshare relay: pulses it times itself, toggle, all at once; one more pulse cancels the one before."""

    PULSE, PULSE_UNIT_NS, ALL, TOGGLE = 0x0200, 100 * MS, 0x00FF, 0x5500

    def __init__(self, profile: Profile, board: Board | None = None) -> None:
        super().__init__(profile, board)
        self._off_ns: dict[int, int] = {}
        self.words = {(H, 0x8000): 200, (H, 0x4000): 1}

    def advance(self, now_ns: int) -> None:
        """Pulses end, whether anybody asks or not."""
        for number in [number for number, off_ns in self._off_ns.items() if off_ns <= now_ns]:
            self.switch(number, False)

    def switch(self, number: int, on: bool) -> None:
        """Whatever switches a relay ends its pulse."""
        self._off_ns.pop(number, None)
        super().switch(number, on)

    def next_deadline(self) -> int:
        """When the next pulse ends."""
        return min(self._off_ns.values(), default=NEVER_NS)

    def coil_value(self, wire: int, value: int, now_ns: int) -> bool:
        """Function 5 with values that Modbus does not know."""
        if self.PULSE <= wire < self.PULSE + 32:
            if not 1 <= value <= 0x7FFF:
                raise RefusedError(ILLEGAL_VALUE)
            self.switch(wire - self.PULSE, True)
            self._off_ns[wire - self.PULSE] = now_ns + value * self.PULSE_UNIT_NS
            return True
        if value == self.TOGGLE and wire < 32:
            return not self.outputs.get(wire, False)
        return super().coil_value(wire, value, now_ns)

    def write(self, space: Space, wire: int, value: int, now_ns: int) -> None:
        """A pulse is on its way already; coil 0xFF is all of them."""
        if space is C and self.PULSE <= wire < self.PULSE + 32:
            return
        if space is C and wire == self.ALL:
            for number in range(32):
                self.switch(number, bool(value))
        else:
            super().write(space, wire, value, now_ns)


class ZqwlTwin(Twin):
    """ZQWL relay: three protocols on one socket, outputs as registers too, what it does not know goes to its RS-485."""

    SINGLE = re.compile(rb"\x48\x3a(.)\x70(.)([\x00\x01])(..)\x45\x44", re.DOTALL)
    SET = re.compile(rb"zq (\d+) set y(\d\d) ([0-3])(?: (\d+))? qz")
    GET = re.compile(rb"zq (\d+) get y qz")
    DI_AT, DO_AT = 0x1000, 0x1040

    def __init__(self, profile: Profile, board: Board | None = None) -> None:
        super().__init__(profile, board)
        self.forwarded = b""  # to its RS-485 port
        self._off_ns: dict[int, int] = {}

    def advance(self, now_ns: int) -> None:
        """Outputs with a delay go off again."""
        for number in [number for number, off_ns in self._off_ns.items() if off_ns <= now_ns]:
            del self._off_ns[number]
            self.switch(number, False)

    def next_deadline(self) -> int:
        """When the next output goes off by itself."""
        return min(self._off_ns.values(), default=NEVER_NS)

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        """Inputs and outputs as registers."""
        if space is H and self.DI_AT <= wire < self.DI_AT + 32:
            return (super().read(space, wire, now_ns) or 0) | (self.board.shown(D, wire - self.DI_AT) or 0)
        if space is H and self.DO_AT <= wire < self.DO_AT + 32:
            return int(self.outputs.get(wire - self.DO_AT, False))
        return super().read(space, wire, now_ns)

    def write(self, space: Space, wire: int, value: int, now_ns: int) -> None:
        """A register of an output switches it."""
        if space is H and self.DO_AT <= wire < self.DO_AT + 32:
            self.switch(wire - self.DO_AT, bool(value))
        else:
            super().write(space, wire, value, now_ns)

    def other_protocol(self, data: bytes, now_ns: int) -> tuple[int, bytes]:
        """How many bytes are not Modbus, and what it says to them."""
        if found := self.SINGLE.match(data):
            self._set(found.group(2)[0], found.group(3)[0], int.from_bytes(found.group(4), "big"), now_ns)
            return found.end(), found.group()
        if found := self.SET.match(data):
            self._set(int(found.group(2)), int(found.group(3)), int(found.group(4) or 0), now_ns)
            return found.end(), b"zq %s ret y%s %d qz" % (
                found.group(1),
                found.group(2),
                self._is_on(found.group(2)),
            )
        if found := self.GET.match(data):
            states = b" ".join(b"%d" % self.outputs.get(i, False) for i in range(32))
            return found.end(), b"zq %s ret y %s qz" % (found.group(1), states)
        return 0, b""

    def _is_on(self, painted: bytes) -> bool:
        return self.outputs.get(int(painted) - 1, False)

    def _set(self, no: int, act: int, delay_ms: int, now_ns: int) -> None:
        """0 off, 1 on, 2 the other way, 3 as it is; numbers are as painted."""
        self.advance(now_ns)
        if act != 3:
            self.switch(no - 1, act == 1 or (act == 2 and not self.outputs.get(no - 1, False)))
        if act == 1 and delay_ms:
            self._off_ns[no - 1] = now_ns + delay_ms * MS


class ConveylinxTwin(Twin):
    """ConveyLinx: assemblies read from their start, a release is a changed word, a heartbeat of two seconds."""

    INPUTS, OUTPUTS, BEAT_NS = 1499, 1599, 2_000 * MS

    def __init__(self, profile: Profile, board: Board | None = None) -> None:
        super().__init__(profile, board)
        self.words = {(H, self.OUTPUTS + i): 0 for i in range(24)}
        self.departed = [0, 0]  # upstream, downstream zone
        self.arrived = [0, 0]
        self.jams = [False, False]

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        """Counts of arrivals, departures and releases, jams, and the bit that lives."""
        offset = wire - self.INPUTS
        if space is not H or not 0 <= offset < 21:
            return super().read(space, wire, now_ns)
        shown = super().read(space, wire, now_ns) or 0
        own = {
            2: self.arrived[0],
            3: self.departed[0],
            4: self.arrived[1],
            5: self.departed[1],
            6: self.jams[0] << 5,
            7: self.jams[1] << 5,
            12: self.words[H, self.OUTPUTS + 8],
            13: self.words[H, self.OUTPUTS + 9],
            18: (now_ns // self.BEAT_NS & 1) << 15,
        }
        return (shown | own.get(offset, 0)) & 0xFFFF

    def write(self, space: Space, wire: int, value: int, now_ns: int) -> None:
        """A zone releases when its word changes, and a jam is cleared when its bit rises."""
        before = self.words.get((space, wire), 0)
        super().write(space, wire, value, now_ns)
        offset = wire - self.OUTPUTS
        if offset in (8, 9) and value != before:
            self.departed[offset - 8] = (self.departed[offset - 8] + 1) & 0xFFFF
        if offset in (20, 21) and value & 1 and not before & 1:
            self.jams[offset - 20] = False


class DriveTwin(Twin):
    """A drive: its speed follows the setpoint by a ramp."""

    RAMP_S = 2  # from standstill to full speed

    def __init__(self, profile: Profile, board: Board | None = None) -> None:
        super().__init__(profile, board)
        assert profile.drive is not None
        self.drive = profile.drive
        self.words = {(H, at): 0 for at in (self.drive.control, self.drive.setpoint)}
        self.actual = 0
        self.fault = 0
        self._since_ns = 0

    @property
    def is_running(self) -> bool:
        """Whether it was told to run."""
        return self.words[H, self.drive.control] == self.drive.run

    def advance(self, now_ns: int) -> None:
        """The speed comes nearer to what it should be."""
        step = (now_ns - self._since_ns) * self.drive.full // (self.RAMP_S * 1000 * MS)
        if step == 0:
            return
        self._since_ns = now_ns
        wanted = self.words[H, self.drive.setpoint] if self.is_running and not self.fault else 0
        self.actual += max(-step, min(step, wanted - self.actual))

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        """The speed it runs at."""
        return self.actual if (space, wire) == (H, self.drive.actual) else super().read(space, wire, now_ns)


class DeltaTwin(DriveTwin):
    """Delta VFD: fault and state, a reset of faults."""

    FAULT, STATE, SET_SPEED, RESET = 0x2100, 0x2101, 0x2102, 0x2002

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        """Fault code, run state, set frequency."""
        own = {self.FAULT: self.fault, self.STATE: 3 if self.is_running else 0}
        own[self.SET_SPEED] = self.words[H, self.drive.setpoint]
        return own[wire] if space is H and wire in own else super().read(space, wire, now_ns)

    def write(self, space: Space, wire: int, value: int, now_ns: int) -> None:
        """Bit 1 of 0x2002 resets a fault."""
        super().write(space, wire, value, now_ns)
        if wire == self.RESET and value & 2:
            self.fault = 0


class AbbTwin(DriveTwin):
    """ABB drive with the ABB drives profile: it runs only once it was ready, and says so in its status word."""

    STATUS, READY, RUNNING, TRIPPED, AT_SETPOINT, REMOTE = 3, 0x0003, 0x0004, 0x0008, 0x0100, 0x0200

    def __init__(self, profile: Profile, board: Board | None = None) -> None:
        super().__init__(profile, board)
        self._was_ready = False

    @property
    def is_running(self) -> bool:
        """Told to run after it was made ready."""
        return self._was_ready and super().is_running

    def write(self, space: Space, wire: int, value: int, now_ns: int) -> None:
        """The control word goes through ready to run."""
        super().write(space, wire, value, now_ns)
        if wire == self.drive.control:
            self._was_ready = value == self.drive.stop or (value == self.drive.run and self._was_ready)

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        """The status word."""
        if (space, wire) != (H, self.STATUS):
            return super().read(space, wire, now_ns)
        word = self.REMOTE | (self.READY if self._was_ready else 1)
        word |= self.RUNNING if self.is_running else 0
        word |= self.TRIPPED if self.fault else 0
        at_setpoint = self.is_running and self.actual == self.words[H, self.drive.setpoint]
        return word | (self.AT_SETPOINT if at_setpoint else 0)


class ConveylinxPlcTwin(DriveTwin):
    """ConveyLinx in PLC I/O mode: a motor that runs while bit 0 says so, its faults, a heartbeat of two seconds."""

    PORTS, MOTOR = 1700, 1706

    @property
    def is_running(self) -> bool:
        """Whether it was told to run."""
        return bool(self.words[H, self.drive.control] & 1)

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        """The bit that lives, and what is wrong with the motor."""
        shown = super().read(space, wire, now_ns)
        if space is not H or shown is None:
            return shown
        own = {self.PORTS: (now_ns // ConveylinxTwin.BEAT_NS & 1) << 15, self.MOTOR: self.fault}
        return shown | own.get(wire, 0)


class NodeTwin(Twin):
    """A node with our firmware, as far as it can be looked at by general tools: what it is."""

    def __init__(self, profile: Profile, board: Board | None = None) -> None:
        super().__init__(profile, board)
        identity = (0x4855, 0x424E, 1, 0x0100, 16, 16, 32, 64, 64, 0x000F, 0x4240, 0, 1)
        self.words = {(H, i): word for i, word in enumerate(identity)}

    def write(self, space: Space, wire: int, value: int, now_ns: int) -> None:
        """Its identity cannot be written."""
        if space is H:
            raise RefusedError(2)
        super().write(space, wire, value, now_ns)


TWINS: dict[str, type[Twin]] = {
    "wago-750": WagoTwin,
    "moxa-e1212": MoxaTwin,
    "adam-6050": AdamTwin,
    "waveshare-relay": WaveshareTwin,
    "zqwl-relay": ZqwlTwin,
    "conveylinx": ConveylinxTwin,
    "conveylinx-plc": ConveylinxPlcTwin,
    "delta-vfd": DeltaTwin,
    "abb-drives": AbbTwin,
    "hubctl-node": NodeTwin,
}


# A Modbus device about which nothing is known.
PLAIN = Profile.model_validate(
    {
        "profile": {"name": "plain", "device": "any Modbus device"},
        "limits": {"functions": [1, 2, 3, 4, 5, 6, 15, 16, 23]},
        "coils": {"n": 1968},
        "discrete": {"n": 0x10000},
        "holding": [{"n": 0x10000}],
        "input": [{"n": 0x10000}],
        "identity": [{"table": "holding", "at": 0}],
    }
)


def twin_of(profile: Profile, board: Board | None = None) -> Twin:
    """The twin of a device; one of a make without quirks, or of a site's own profile, does what its profile says."""
    if profile.name in TWINS:
        return TWINS[profile.name](profile, board)
    return DriveTwin(profile, board) if profile.drive else Twin(profile, board)


def _text_word(text: bytes, index: int) -> int:
    return int.from_bytes(text[2 * index : 2 * index + 2], "big")
