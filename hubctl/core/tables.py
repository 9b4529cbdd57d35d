"""The compiled form of a hub file: flat tables that the kernel and the reactor read, in counts and nanoseconds.

`core/layout.py` makes them from a checked hub file and converts every unit, once. `ext/hubctl/_tables.pxd`
holds the same layouts for compiled code; a test compares them. An index is a row number; `NO_INDEX` means none.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl._lookup import LaneTable

Table = npt.NDArray[np.void]


class BeltKind(IntEnum):
    """How parcels move past the diverters."""

    LINE = 0  # past every diverter once, off at the end
    STATION = 1  # one parcel at a time: the read opens the track and its divert is due at once
    LOOP = 2  # a ring of carriers: round and round until it is discharged


class EyeRole(IntEnum):
    """What an eye on a belt is for."""

    INDUCT = 0  # opens tracks
    TRACK = 1  # corrects positions, finds lost and unexpected parcels
    END = 2  # the same, and closes what leaves the belt there
    ORIGIN = 3  # of a loop: blocked while the middle of carrier 0 is there
    CARRIER = 4  # of a loop: blocked while the middle of any carrier is there
    LOAD = 5  # of a loop: looks across the carriers, and is blocked by what lies on them


class Stamp(IntEnum):
    """What a scanner's telegrams say beside the label."""

    NONE = 0
    TRIGGER = 1  # the number of the trigger that is answered
    ENCODER = 2  # the belt's counter when the read was made


BELT = np.dtype(
    [
        ("kind", "<u2"),
        ("end_chute", "<u2"),  # chute at the end of the belt
        ("encoder_node", "<u2"),  # node whose counter follows the belt; NO_INDEX: counts come from the clock
        ("counter_bits", "<u2"),
        ("counts_per_m", "<i4"),
        ("run_node", "<u2"),  # node of the output that lets it run; NO_INDEX: none does
        ("stop_on_jam", "<u2"),
        ("length_counts", "<i8"),
        ("speed_counts_s", "<i8"),  # design speed
        ("speed_counts_s_min", "<i8"),  # below it nothing is diverted: NOT_AT_SPEED
        ("speed_counts_s_max", "<i8"),
        ("recirculating_max", "<i8"),  # parcels on their way to another lap; 0: no limit
        ("laps_max", "<i8"),  # after the first time round
        ("parcel_counts_min", "<i8"),
        ("parcel_counts_max", "<i8"),  # a longer one is OVERSIZE
        ("stale_ns", "<i8"),  # with no count for so long the speed is not known
        ("told_late_ns", "<i8"),  # an edge is told no later than this, or its node is known to be down
        ("jitter_ns", "<i8"),  # a count may be so much older than its time says
        ("transfer_window_counts", "<i8"),  # window at the first eye after a transfer; below the eye's: that
        ("weight_g_max", "<i8"),  # a heavier parcel is OVERWEIGHT; 0, here and below: no limit
        ("width_mm_max", "<i4"),  # a wider one is OVERSIZE
        ("height_mm_max", "<i4"),
        ("weight_required", "<i8"),  # 1: no diverter with limits takes what was not weighed
    ]
)

EYE = np.dtype(
    [
        ("belt", "<u2"),
        ("node", "<u2"),
        ("role", "<u2"),
        ("has_hold", "<u2"),  # 1: an output holds this induct
        ("at_counts", "<i8"),
        ("window_counts", "<i8"),  # a parcel is its track's if the edge comes no later than expected
        ("window_before_counts", "<i8"),  # nor earlier
        ("length_window_counts", "<i8"),  # and its length differs by no more
        ("realign_counts", "<i8"),  # further off it is so still, if it can be nobody else; 0: never
        ("debounce_counts", "<i8"),  # a shorter gap is none, and a shorter blip no parcel
        ("jam_counts", "<i8"),  # blocked for longer than this it is jammed
        ("merge_counts", "<i8"),  # belt travel from the release of a held induct to its eye blocked
        ("merge_gap_counts", "<i8"),  # kept free around what comes in
        ("launch_ns", "<i8"),  # induct of a loop: from the command to the parcel on its carrier
    ]
)

SCANNER = np.dtype(
    [
        ("belt", "<u2"),
        ("stamp", "<u2"),  # Stamp
        ("trigger", "<u2"),  # for Stamp.TRIGGER: the eye that triggers it
        ("reserved", "<u2"),
        ("stamp_span", "<i8"),  # for Stamp.TRIGGER: its numbers wrap here
        ("repeat_counts", "<i8"),  # the same label again, so soon, is no other parcel's
        ("silent_after", "<i8"),  # parcels in a row of which it says nothing; 0: it need not answer
        ("at_counts", "<i8"),  # the scan line
        ("latency_ns", "<i8"),  # from the scan line to the telegram's arrival
        ("reach_counts", "<i8"),  # a read belongs to a parcel that lies within so much of the scan line
    ]
)

SCALE = np.dtype(
    [
        ("belt", "<u2"),
        ("reserved", "<u2"),
        ("reserved2", "<u4"),
        ("at_counts", "<i8"),  # a parcel that it weighs lies here
        ("latency_ns", "<i8"),  # from the weighing to the result's arrival
        ("reach_counts", "<i8"),  # a result belongs to a parcel that lies within so much of it
    ]
)

DIVERTER = np.dtype(
    [
        ("belt", "<u2"),
        ("node", "<u2"),
        ("has_home", "<u2"),  # 1: an input tells whether its paddle is home
        ("fails_max", "<u2"),  # failures in a row that take it out of use; 0: never
        ("is_armed", "<u2"),  # 1: its node is told ahead, and fires by its own count
        ("reserved", "<u2"),
        ("reserved2", "<u4"),
        ("at_counts", "<i8"),
        ("latency_ns", "<i8"),  # from the write to the paddle in the way
        ("hold_ns", "<i8"),  # how long the output stays on
        ("commit_ns", "<i8"),  # how long before its fire a divert is committed
        ("void_ns", "<i8"),  # how late a fire may still be written
        ("cycle_ns", "<i8"),  # from its output off until it can act again
        ("home_ns", "<i8"),  # from its output off until its paddle must be home
        ("weight_g_min", "<i8"),  # what it moves; 0: no limit
        ("weight_g_max", "<i8"),
        (
            "clear_counts",
            "<i8",
        ),  # belt beside the parcel's centre, each side, that must be free of neighbours
    ]
)

CHUTE = np.dtype(
    [
        ("diverter", "<u2"),  # NO_INDEX: the chute at the belt's end
        ("node", "<u2"),  # node of its output
        ("has_confirm", "<u2"),
        ("confirm_node", "<u2"),
        ("to_belt", "<u2"),  # the belt that it leads onto; NO_INDEX: parcels end here
        ("reserved", "<u2"),
        ("reserved2", "<u4"),
        ("to_counts", "<i8"),  # where on that belt a leading edge comes down, in that belt's counts
        ("confirm_from_ns", "<i8"),  # after the fire, the chute eye may see the parcel from here
        ("confirm_until_ns", "<i8"),  # to here
        ("jam_ns", "<i8"),  # the chute eye blocked for so long is a jam; 0: never
        ("full_on_ns", "<i8"),  # the full eye counts after it was blocked for so long
        ("full_off_ns", "<i8"),  # and ceases to count after it was clear for so long
        ("count_max", "<i8"),  # parcels it holds; 0, here and below: no limit
        ("weight_g_max", "<i8"),
        ("volume_ml_max", "<i8"),
        ("nearly_full_count", "<i8"),  # nearly full from so many parcels on
        ("open_again_percent", "<i4"),  # once there is no place left, there is one again below this share
        ("n_kept", "<i4"),  # places kept back for lanes of priority
        ("rate_parcels", "<i8"),  # sent to it in a period
        ("rate_mm", "<i8"),  # the same in length of parcels
        ("rate_period_ns", "<i8"),
        ("full_alarm_ns", "<i8"),  # not emptied for so long is an alarm
        ("door_ns", "<i8"),  # from the chute to the door
    ]
)


class Policy(IntEnum):
    """Which chute of a step is tried first."""

    FIRST_OPEN = 0  # in the order of the plan
    NEAREST = 1  # the next one down the belt
    ROUND_ROBIN = 2  # each in turn
    LEAST_FILLED = 3  # the one with the fewest parcels in it and on their way
    BALANCE = 4  # the same, by weights


STEP = np.dtype(
    [
        ("first", "<i4"),  # of its chutes, in CompiledPlan.chutes
        ("n_chutes", "<u2"),
        ("policy", "<u2"),
        ("slot", "<u2"),  # where the kernel keeps whose turn it is; NO_INDEX: nowhere
        ("reserved", "<u2"),
        ("key", "<u4"),  # of the group: a turn is kept as long as it is the same
    ]
)

LANE = np.dtype(
    [
        ("first_step", "<i4"),
        ("n_steps", "<u2"),
        ("priority", "<u2"),
        ("first_wave", "<i4"),
        ("n_waves", "<u2"),
        ("reserved", "<u2"),
        ("lead_ns", "<i8"),  # from a parcel's chute to the door
    ]
)

WAVE = np.dtype(
    [
        ("departs_ns", "<i8"),
        ("first_step", "<i4"),
        ("n_steps", "<u2"),
        ("reserved", "<u2"),
    ]
)

MACHINE = np.dtype(
    [
        ("is_there", "<u2"),  # 0: it runs from the start, and nothing is said of it
        ("reserved", "<u2"),
        ("reserved2", "<u4"),
        ("warning_ns", "<i8"),  # buzzer before the belts start
        ("drain_ns", "<i8"),  # how long belts may run on until they are empty, on a stop
    ]
)

RING = np.dtype(
    [
        ("n_carriers", "<i4"),  # 0: the belt is no loop
        ("first_carrier", "<i4"),  # where its carriers begin among those of all loops
        ("first_eye", "<u2"),  # its eyes stand together
        ("n_eyes", "<u2"),
        ("carrier_eye", "<u2"),  # NO_INDEX: it has only an origin eye
        ("failures_max", "<u2"),  # so many discharges in a row that fail take a carrier out of use
        ("carrier_counts", "<i8"),  # the longest parcel that one carrier takes
        ("pair_counts", "<i8"),  # and the longest that two take
    ]
)


HOST = np.dtype(
    [
        ("is_asked", "<u2"),  # 1: where a label without a lane goes
        ("silent_after", "<u2"),  # questions in a row that it leaves without an answer; 0: any number
        ("reserved", "<u4"),
        ("timeout_ns", "<i8"),  # a later answer is of no use
    ]
)


class Layout(NamedTuple):
    """What the kernel knows of a hub. Each field is a numpy array of the dtype of the same name."""

    belts: Table  # BELT
    eyes: Table  # EYE, those on a belt, sorted by (belt, at_counts)
    scanners: Table  # SCANNER
    diverters: Table  # DIVERTER, sorted by (belt, at_counts)
    chutes: Table  # CHUTE
    n_nodes: int
    hops: npt.NDArray[
        np.uint16
    ]  # shape (n_belts, n_chutes): exit of a belt on the way to a chute; NO_INDEX: none
    machine: Table = np.zeros(1, MACHINE)  # one row
    rings: Table = np.zeros(1, RING)  # one row a belt
    scales: Table = np.zeros(0, SCALE)
    host: Table = np.zeros(1, HOST)  # one row


class LinkKind(IntEnum):
    """What is spoken on a link."""

    MODBUS_TCP = 0
    MODBUS_RTU = 1
    SCANNER = 2
    MODBUS_RTU_TCP = 3  # RTU frames in a TCP stream: a gateway that only passes bytes on
    SCALE = 8
    WHEEL = 9


class GaugeFormat(IntEnum):
    """How a scale or gauge of size speaks."""

    MT_SICS = 0
    TOLEDO = 1
    SICK = 2
    CUBISCAN = 3
    CSV = 4


LINK = np.dtype(
    [
        ("kind", "<u2"),
        ("scanner", "<u2"),  # for SCANNER and SCALE: which one speaks here
        ("in_flight_max", "<u2"),  # for Modbus: requests under way at once
        ("together", "<u2"),  # 1: coils that are due at once and lie side by side are written by one request
        ("baud", "<i8"),  # for serial lines: sets the quiet time between frames
        ("gap_ns", "<i8"),  # for Modbus: at least so much quiet between an answer and the next request
        ("settle_ns", "<i8"),  # and after a connection
    ]
)

NODE_WIRE = np.dtype(
    [
        ("link", "<u2"),
        ("unit", "<u2"),
        ("n_outputs", "<u2"),  # coils from address 0 that are made safe on (re)connection
        ("is_native", "<u2"),  # 1: it has our firmware
        ("timeout_ns", "<i8"),  # deadline of one request
        ("period_ns", "<i8"),  # our firmware: between two polls
        ("belt", "<u2"),  # our firmware: which it counts
        ("leads", "<u2"),  # our firmware: 1: the belt's count is this node's
        ("watchdog_ms", "<u2"),
        ("encoder_mode", "<u2"),  # as in the register map
        ("first_coil", "<u2"),  # address of its first output
        ("shown_by", "<u2"),  # outputs are read back so much further up, modulo 2**16
        ("safe_exception", "<u2"),  # by which it answers everything in its safe state; 0: by none
        ("first_step", "<u2"),  # its steps stand together: what it is,
        ("n_identity", "<u2"),
        ("n_clear", "<u2"),  # how it leaves its safe state,
        ("n_stop", "<u2"),  # how what it drives stops,
        ("n_arm", "<u2"),  # how it is made ready, and proved to be,
        ("n_keep", "<u2"),  # and what is done in turn while it is up
        ("keep_ns", "<i8"),  # between two of these
    ]
)


class StepRule(IntEnum):
    """What a step of a device does, or what the answer to it must be."""

    WRITE = 0  # the bytes
    TURN = 1  # one register's bytes, another one each time
    ANSWER = 2  # it reads, and anything will do
    EQUAL = 3  # the bytes, where the mask has bits
    ONE_OF = 4  # one register of several
    CONTAIN = 5  # the bytes, anywhere
    TELL = 6  # it reads one register, which is shown to people


DEVICE_STEP = np.dtype(
    [
        ("rule", "<u2"),  # StepRule
        ("function", "<u2"),
        ("address", "<u2"),
        ("count", "<u2"),  # of bits or registers
        ("skip_bytes", "<u2"),  # of the answer, before those that are compared
        ("n_bytes", "<u2"),  # written, or compared
        ("optional", "<u2"),  # 1: an exception to it does not matter
        ("data", "S40"),  # bytes as they travel
        ("mask", "S40"),
    ]
)

POLL = np.dtype(
    [
        ("node", "<u2"),
        # 1 coils, 2 discrete inputs, 3 holding registers, 4 input registers; 23: the eyes of a node with our firmware
        ("function", "<u2"),
        ("address", "<u2"),  # first, as on the wire (from 0)
        ("count", "<u2"),  # of bits or registers
        ("period_ns", "<i8"),
    ]
)

SIGNAL = np.dtype(
    [
        ("poll", "<u2"),
        (
            "offset",
            "<u2",
        ),  # bit offset in the reply's data: LSB first for bits; register*16+bit for registers
        ("kind", "<u2"),  # Kind.EYE, CONFIRM, CHUTE_LEVEL, HOME, SAFETY, MACHINE, or WEIGHT: it is ready
        ("index", "<u2"),  # eye, chute, diverter, scale, or the MachineCommand of a button
        ("invert", "<u2"),  # 1: the input is on while the eye is clear
        (
            "belt",
            "<u2",
        ),  # belt whose counter comes in the same reply, so that edges are LATCHED; else NO_INDEX
        ("register", "<u2"),  # of a WEIGHT: where in the reply the weight is, in registers
        ("g_per_count", "<u2"),
        ("which", "<u2"),  # of a chute's levels: 0 its full eye, 1 its nearly-full eye
    ]
)

COUNTER = np.dtype(
    [
        ("poll", "<u2"),
        ("register", "<u2"),  # offset in the reply, registers
        ("bits", "<u2"),  # 16, 24 or 32
        ("low_word_first", "<u2"),
        ("belt", "<u2"),
    ]
)

LEVEL = np.dtype(
    [
        ("kind", "<u2"),  # the command that sets it: Kind.HOLD_INDUCT, RUN_BELT or SHOW_LIGHT
        ("index", "<u2"),  # induct eye or belt; the lamp's bits of TowerLight, steady and blinking
        ("node", "<u2"),
        ("coil", "<u2"),  # or the register
        ("function", "<u2"),  # that writes it: 5 a coil, 6 a register
        ("on_value", "<u2"),  # as written
        ("off_value", "<u2"),
    ]
)

OUTPUT = np.dtype(
    [
        ("node", "<u2"),  # NO_INDEX: the chute has no output
        ("coil", "<u2"),
        ("pulse_coil", "<u2"),  # of a node that times the pulse itself: where its time is written
        ("pulse_value", "<u2"),  # the time, in the device's unit; 0: the coil is switched off by us
        ("hold_ns", "<i8"),  # how long the coil stays on
    ]
)


class Protocol(IntEnum):
    """How the bytes of a scanner are packed."""

    PLAIN = 0  # text between header and terminator
    DMCC = 1  # the same, with reads in base64 (Cognex, extended mode)
    SSI = 2  # packets with length and checksum that want an answer (Zebra)
    MSGGET = 3  # packets with their length (Honeywell, decode header)


class Answers(IntEnum):
    """What comes between the labels in answer to commands, or without being asked, and is none."""

    NONE = 0
    SOPAS = 1  # sAN, sRA, sFA ... (SICK)
    KEYENCE = 2  # OK,LON and ER,LOFF,31


FRAMING = np.dtype(
    [
        ("header", "S4"),
        ("terminator", "S4"),
        ("no_read", "S16"),
        ("heartbeat", "S16"),
        ("n_header", "<u2"),
        ("n_terminator", "<u2"),
        ("frame_max", "<u2"),  # a longer frame is garbage
        ("silence_ms", "<u2"),  # half a frame followed by so much silence is garbage
        ("protocol", "<u2"),  # Protocol
        ("answers", "<u2"),  # Answers
        ("code_separator", "S4"),  # between the codes of one telegram
        ("n_code_separator", "<u2"),  # 0: a telegram is one code
        ("field_separator", "S4"),  # between the fields of a code
        ("n_field_separator", "<u2"),  # 0: a code is the label
        ("label_field", "<u2"),  # which of them is the label, from 1
        ("group", "<u2"),  # byte that stands for the group separator of GS1; 0: none does
        ("greeting", "S48"),  # sent to it once it is connected
        ("n_greeting", "<u2"),
        ("ask", "S32"),  # sent to it every so often
        ("n_ask", "<u2"),
        ("ask_ms", "<u2"),
        ("alive_ms", "<u2"),  # silent for so long it is gone; 0: it may be silent
        ("is_numbered", "<u2"),  # 1: it is told the number of each trigger, and says it with the read
        ("number_terminator", "S4"),
        ("n_number_terminator", "<u2"),
        ("separator", "S4"),  # between the stamp and the rest
        ("n_separator", "<u2"),  # 0: there is none, and the stamp has so many digits always
        ("stamp", "<u2"),  # Stamp
        ("stamp_digits", "<u2"),
        ("stamp_last", "<u2"),  # 1: the stamp comes after the rest
    ]
)


GAUGING = np.dtype(
    [
        ("format", "<u2"),  # GaugeFormat
        ("has_check", "<u2"),  # for TOLEDO: a check character follows
        ("delimiter", "<u2"),  # for CSV, as are all below but the hello
        ("n_columns", "<u2"),
        ("weight_column", "<u2"),  # NO_INDEX: it does not say
        ("length_column", "<u2"),
        ("width_column", "<u2"),
        ("height_column", "<u2"),
        ("weight_unit", "<u2"),  # 1 g, 2 kg, 3 lb, 4 oz
        ("size_unit", "<u2"),  # 5 mm, 6 cm, 7 m, 8 in
        ("silence_ms", "<u2"),  # half a telegram followed by so much silence is garbage
        ("n_hello", "<u2"),
        ("hello", "S16"),  # told to it once it is connected
    ]
)


class Wiring(NamedTuple):
    """What the reactor knows of a hub. Each field is a numpy array of the dtype named beside it."""

    links: Table  # LINK
    nodes: Table  # NODE_WIRE
    polls: Table  # POLL
    signals: Table  # SIGNAL, sorted by (poll, offset)
    counters: Table  # COUNTER
    outputs: Table  # OUTPUT, one for each chute
    framings: Table  # FRAMING, one for each scanner
    levels: Table = np.zeros(0, LEVEL)  # outputs that stay on or off until they are told otherwise
    gaugings: Table = np.zeros(0, GAUGING)  # one for each scale
    steps: Table = np.zeros(0, DEVICE_STEP)  # of nodes with a profile


ASSIGNMENT = np.dtype(
    [
        ("lane", "<i4"),  # -1: none
        ("wave", "<i4"),  # of that lane; -1: none
        ("chute", "<u2"),
        ("reason", "<u2"),  # OK, or why it goes to an exception
    ]
)

BATCH = np.dtype(  # what is to be assigned, one a row; arrays by their address
    [
        ("labels", "<i8"),  # bytes; 0: lanes are given
        ("label_size", "<i8"),  # bytes from one label to the next, zeros behind each
        ("lanes", "<i8"),  # int32
        ("times_ns", "<i8"),  # int64, rising
        ("n", "<i8"),
        ("assignments", "<i8"),  # ASSIGNMENT
        ("said", "<i8"),  # RECORD: room for what the kernel says of one
        ("n_said_max", "<i8"),
    ]
)


class CompiledPlan(NamedTuple):
    """A sort plan as the kernel reads it; immutable, swapped whole."""

    version: int  # first 32 bits of the content hash, never 0
    labels: LaneTable  # label to lane
    first: npt.NDArray[np.int32]  # shape (n_lanes + 1,): lane i tries chutes[first[i]:first[i + 1]] in order
    chutes: npt.NDArray[np.uint16]  # chute indices, overflow chain included
    exceptions: npt.NDArray[
        np.uint16
    ]  # shape (n_reasons,): where a parcel goes by reason; NO_INDEX: the belt's end, or a step
    weights: npt.NDArray[np.uint16]  # shape of chutes: share of each in its step
    steps: Table  # STEP, each within its lane's chutes; those of exceptions behind the last lane's
    lanes: Table  # LANE, shape (n_lanes,)
    waves: Table  # WAVE, those of a lane together, by departure
    exception_steps: npt.NDArray[np.int32]  # shape (n_reasons,): step of a group of chutes; -1: none
    listed: npt.NDArray[np.uint64]  # identities of labels that are intercepted or held, rising
    listed_reasons: npt.NDArray[np.uint16]  # shape of listed: INTERCEPT or HELD
