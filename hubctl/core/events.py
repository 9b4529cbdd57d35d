"""The one record that everything says: inputs, commands and evidence are the same 128 bytes.

The kernel reads and writes arrays of `RECORD`; so do the reactor's rings, the simulated hub and the
recording on disk. `ext/hubctl/_records.pxd` holds the same layout for compiled code; a test compares them.

What the fields mean for each kind is written beside the kind. Fields that a kind does not use are zero
(`NO_COUNTS`, `NO_INDEX` where zero would mean something).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RECORD = np.dtype(
    [
        ("t_ns", "<i8"),  # host monotonic time of what is told
        ("counts", "<i8"),  # encoder count: raw in inputs, extended in everything the kernel says
        ("parcel", "<i8"),  # track number, from 1; 0 where there is none
        ("value", "<i8"),
        ("limit", "<i8"),
        ("due_ns", "<i8"),
        ("seq", "<u4"),  # number of the command, or of the command answered
        ("plan", "<u4"),  # version of the sort plan that decided
        ("kind", "<u2"),
        ("device", "<u2"),  # index of the belt, eye, scanner, diverter, node or link, by kind
        ("chute", "<u2"),  # chute index
        ("reason", "<u2"),
        ("error_um", "<i4"),  # where it was seen minus where it was expected
        ("flags", "<u2"),
        ("n_text", "<u2"),  # bytes of text in use
        ("text", "S56"),  # a label
    ],
    align=False,
)
assert RECORD.itemsize == 128

Records = npt.NDArray[np.void]

NO_COUNTS = -(2**63)
NO_INDEX = 0xFFFF
TEXT_MAX = 56


class Kind(IntEnum):
    """What a record says. Numbers are stable: recordings carry them."""

    # Inputs: what devices, people and time tell the kernel.
    TICK = 1  # time has passed
    ENCODER = 2  # device=belt, counts=raw counter
    EYE = 3  # device=eye, value 1 blocked, 0 cleared; counts=raw latched counter or NO_COUNTS
    # device=scanner, text=label (empty: the scanner says no-read); t_ns=when it was received; with LATCHED counts=raw
    # counter when it was made, with TRIGGERED value=number of the trigger that it answers
    READ = 4
    CONFIRM = 5  # chute=chute, value 1 its eye blocked, 0 cleared
    CHUTE_LEVEL = 6  # chute=chute, device 0 its full eye, 1 its nearly-full eye; value 1 blocked, 0 cleared
    # device=node, value 1 up, 2 up and in its safe state, 0 down; of a node with our firmware that is up seq=boot id
    NODE = 7
    OPERATE = 8  # chute=chute, value=ChuteState a person or host asks for: any but NEARLY_FULL and FULL
    # seq, parcel, chute, reason OK (written at t_ns; with LATCHED counts=raw counter then), or MISSED_WINDOW or
    # NODE_DOWN (not written), or NONE (taken back in time)
    FIRE_RESULT = 9
    FLUSH = 10  # close every open track as FLUSHED: the daemon is going down
    # device=scale, value=weight in g; t_ns=when it was received; with LATCHED counts=raw counter when it was weighed
    WEIGHT = 11
    SIZE = 12  # device=scale, value=length_mm, limit=width_mm, seq=height_mm; placed as a read is
    # seq=question, reason OK with a chute, or with value=lane of the plan whose version is plan; else NOT_FOUND,
    # NO_DATA, INTERCEPT or HELD
    HOST_ANSWER = 13
    CODE = 14  # parcel, text: a person or the host says which label it carries
    # seq=number of the wish, parcel: go to this chute instead; or chute=NO_INDEX, value=lane, plan=version of its plan
    CHANGE = 15
    LIST = 16  # text=label, reason INTERCEPT or HELD, value 1 put on that list, 0 taken off
    MACHINE = 17  # value=MachineCommand, from a person or the line
    SAFETY = 18  # value 1: the hard-wired safety chain has tripped; 0: it is closed again
    DIVERTER = 19  # device=diverter, value 1 put into use by a person, 0 taken out of use
    HOME = 20  # device=diverter, value 1 its paddle is home, 0 it is out
    CARRIER = 21  # device=belt, counts=carrier number, value 1 put into use by a person, 0 taken out of use
    EYE_IN_USE = (
        22  # device=eye, value 1 a person says that it is well (or a jam is cleared), 0 that it is not
    )
    TAKE_OFF = 23  # parcel: a person says that it is off the belt
    CLEAR_NODE = 24  # device=node: a person has looked at a node that made itself safe
    # Commands: what the kernel wants done.
    # seq, parcel, device=diverter, chute, reason for which it is sent there, counts=fire at, limit=void after, due_ns,
    # value=void after in ns
    FIRE_OUTPUT = 64
    HOLD_INDUCT = 65  # device=induct eye, value 1 hold, 0 release
    RUN_BELT = 66  # device=belt, value=speed in mm/s, 0 stop
    SHOW_LIGHT = 67  # value=TowerLight
    LAUNCH = 68  # device=induct eye of a loop, parcel, counts=carrier number, due_ns=when its middle is there
    ASK_HOST = 69  # seq=question, parcel, text=label, plan, due_ns=when an answer is of no more use
    # seq (the same again: instead of what it said before), parcel, device=diverter, chute; counts=fire at and
    # limit=void after, both as the belt's counter shows them
    ARM_DIVERT = 70
    CANCEL_DIVERT = 71  # seq, parcel, device=diverter, chute: what was armed is off
    LEAVE_SAFE = 72  # device=node: out of its safe state
    # Evidence: what the kernel saw, thought and did.
    OPENED = 96  # parcel, device=eye or scanner, counts=leading edge here
    MEASURED = 97  # parcel, value=length in counts
    READ_PLACED = 98  # parcel, device=scanner, text, reason=verdict on the label, error_um from the scan line
    READ_UNPLACED = 99  # device=scanner, text, reason AMBIGUOUS_READ or LATE_READ or UNEXPECTED
    DECIDED = 100  # parcel, chute, reason, plan, value=lane (or -1), limit=wave of that lane (or -1)
    SKIPPED = 101  # parcel, chute not taken, reason why not, plan: one for each candidate passed over
    COMMITTED = 102  # parcel, chute, seq, counts=commit point, limit=fire counts
    FIRED = 103  # parcel, chute, device=diverter, seq, t_ns=written, due_ns
    SEEN = 104  # parcel, device=eye, counts, error_um, limit=window in counts
    CONFIRMED = 105  # parcel, chute
    CLOSED = 106  # parcel, chute (or NO_INDEX), reason, value=Disposition, text=label
    ALARM_RAISED = 107  # value=Alarm, device: what it is about, by alarm
    ALARM_CLEARED = 108  # value=Alarm, device
    STATE_CHANGED = 109  # value=MachineState, limit=the one before, reason
    CHUTE_CHANGED = 110  # chute, value=ChuteState, limit=parcels in it since it was last emptied
    ANSWERED = 111  # seq=the wish's, parcel, reason OK or why not, value=mm left to the commit point, or past it (< 0)
    TRANSFERRED = 112  # parcel, device=belt it is on now, chute=exit it came by, counts=leading edge there
    LAPPED = 113  # parcel, value=laps begun
    # parcel or 0, device=scale, value=weight in g; reason OK, UNEXPECTED (nobody was there),
    # AMBIGUOUS_READ (it fits two, or the same scale said otherwise)
    WEIGHED = 114
    SIZED = (
        115  # parcel or 0, device=scale, value=length_mm, limit=width_mm, seq=height_mm, reason as WEIGHED's
    )
    CODED = 116  # parcel, text, reason=verdict on the label
    DRIFTED = (
        117  # device=belt, value=counts for a metre as measured between eyes, limit=as configured: a proposal
    )
    RING_CHECKED = 118  # device=belt, value=carriers counted, limit=pitch in counts, reason OK or UNEXPECTED
    LOADED = 119  # device=belt, parcel or 0, counts=carrier number, value 1 loaded, 0 empty
    LISTED = 120  # text, reason, parcel that carries it or 0; value 1 on the list, 0 off, -1 refused: full, or no label
    UNSEEN = 121  # parcel, device=eye that did not see it, counts=the last at which it could, limit=window in counts
    # From the reactor to the daemon.
    LINK = 128  # device=link, value 1 up, 0 down, reason=LinkFault


class Flag(IntFlag):
    """Bits of `flags`."""

    LATCHED = 1  # counts of an EYE or READ were taken by the device (or in the same reply) and hold
    UNEXPECTED = 2  # the track was opened by an eye that expected nobody
    TIMED = 4  # counts are derived from time: the belt has no encoder
    TRIGGERED = 8  # value of a READ is the number of its trigger, as the scanner counts them
    QUESTION = 16  # an ANSWERED is about the host's answer: its seq is the question's


class Disposition(IntEnum):
    """How a parcel's time on the sorter ended."""

    SORTED = 1
    RECIRCULATED = 2
    REJECTED = 3
    LOST = 4
    REMOVED = 5


class ChuteState(IntEnum):
    """State of a chute, from the freest to the least."""

    OPEN = 0
    NEARLY_FULL = 1
    FULL = 2
    CLOSING = 3
    CLOSED = 4
    DISABLED = 5
    FAULT = 6


class Alarm(IntEnum):
    """What a person should look at; `device` says which. Each is raised once and cleared once."""

    NODE_DOWN = 1  # node
    TRACKS_USED_UP = 2  # belt: more parcels than the kernel follows
    JAM = 3  # eye: blocked for longer than any parcel takes
    EYE_BLIND = 4  # eye: parcels that its neighbours see pass it unseen
    EYE_CHATTERS = 5  # eye: edges too short for any parcel
    ENCODER_SILENT = 6  # belt: told to run, and no counts
    ENCODER_JUMPED = 7  # belt: counts that no belt can have run
    BELT_DRIFTS = 8  # belt: parcels slip more than the windows bear
    DIVERTER_FAILS = 9  # diverter: it missed so often in a row that it is out of use
    DIVERTER_STUCK_OUT = 10  # diverter: its paddle does not come home
    SCANNER_SILENT = 11  # scanner: parcels pass, and it says nothing
    SAME_LABEL = 12  # scanner: one label on two parcels
    GRIDLOCK = 13  # belt: so many parcels on another lap that no more are let onto it
    RING_LOST = 14  # belt: the carriers counted are not the ring's
    CARRIER_FAILS = 15  # carrier, by its number
    CHUTE_NOT_EMPTIED = 16  # chute: full for too long
    SAFETY_TRIPPED = 17  # 0
    HOST_SILENT = 18  # 0
    NODE_SAFE = 19  # node: it has heard no host for too long, and does nothing until a person clears it


class MachineState(IntEnum):
    """States of the machine, in the words and numbers of PackML (ISA-TR88.00.02)."""

    CLEARING = 1
    STOPPED = 2
    STARTING = 3
    IDLE = 4
    SUSPENDED = 5
    EXECUTE = 6
    STOPPING = 7
    ABORTING = 8
    ABORTED = 9
    HOLDING = 10
    HELD = 11
    UNHOLDING = 12
    SUSPENDING = 13
    UNSUSPENDING = 14
    RESETTING = 15


class MachineCommand(IntEnum):
    """What a person or the line asks of the machine, in the words and numbers of PackML."""

    RESET = 1
    START = 2
    STOP = 3
    HOLD = 4
    UNHOLD = 5
    SUSPEND = 6
    UNSUSPEND = 7
    ABORT = 8
    CLEAR = 9


class TowerLight(IntFlag):
    """Lamps of the tower light, and its buzzer."""

    RED = 1
    YELLOW = 2
    GREEN = 4
    RED_BLINKS = 8
    YELLOW_BLINKS = 16
    BUZZER = 32


class LinkFault(IntEnum):
    """Why a link was lost."""

    NONE = 0
    CLOSED = 1  # the peer closed it
    BROKEN = 2  # an error of the line
    FOREIGN = 3  # an answer to nothing we asked
    GARBAGE = 4  # bytes that are no frames
    STALLED = 5  # the peer takes no bytes
    REPLACED = 6  # another connection took its place
    SILENT = 7  # no answer, nor any other byte, for too long


class Sentence(NamedTuple):
    """One reason for a person, in English and Chinese."""

    en: str
    zh: str


class Reason(IntEnum):
    """Why. Numbers are stable: recordings and hosts carry them."""

    NONE = 0
    OK = 1
    OK_UNCONFIRMED = 2
    NO_READ = 3
    MULTI_LABEL = 4
    BAD_LABEL = 5
    AMBIGUOUS_READ = 6
    LATE_READ = 7
    NO_DATA = 8
    NOT_FOUND = 9
    HOST_TIMEOUT = 10
    NO_PLAN = 11
    NO_LANE = 12
    WAVE_MISSED = 13
    INTERCEPT = 14
    HELD = 15
    OVERSIZE = 16
    OVERWEIGHT = 17
    MULTI_PARCEL = 18
    GAP_TOO_SMALL = 19
    CHUTE_FULL = 20
    CHUTE_CLOSED = 21
    CHUTE_FAULT = 22
    RATE_LIMIT = 23
    MISSED_WINDOW = 24
    DIVERT_FAILED = 25
    NODE_DOWN = 26
    NOT_AT_SPEED = 27
    MAX_LAPS = 28
    UNEXPECTED = 29
    LOST = 30
    REMOVED = 31
    FLUSHED = 32
    UNDERWEIGHT = 33
    NO_WEIGHT = 34


SENTENCES: dict[Reason, Sentence] = {
    Reason.OK: Sentence("sorted into its chute, and seen to arrive", "已分拣到目标格口并确认"),
    Reason.OK_UNCONFIRMED: Sentence("diverted; the chute has no eye to prove it", "已分拣，格口无确认光电"),
    Reason.NO_READ: Sentence("no scanner read a label", "无读码"),
    Reason.MULTI_LABEL: Sentence(
        "two different valid labels on one parcel", "同一包裹上有两个不同的有效面单"
    ),
    Reason.BAD_LABEL: Sentence(
        "a code was read, but it is no label this site accepts", "条码格式或校验位无效"
    ),
    Reason.AMBIGUOUS_READ: Sentence("a read fits two parcels; neither gets it", "读码无法归属到唯一包裹"),
    Reason.LATE_READ: Sentence("the read came after the last chute could be told", "读码到达过晚"),
    Reason.NO_DATA: Sentence("the label names no destination, and nobody advised one", "无目的地数据"),
    Reason.NOT_FOUND: Sentence("the host does not know the label", "上位系统查无此单"),
    Reason.HOST_TIMEOUT: Sentence("the host did not answer in time", "上位系统应答超时"),
    Reason.NO_PLAN: Sentence("no sort plan is active", "无生效的分拣方案"),
    Reason.NO_LANE: Sentence("the plan has no lane for this destination", "方案中无此目的地的线路"),
    Reason.WAVE_MISSED: Sentence("the last departure has gone", "已错过发车波次"),
    Reason.INTERCEPT: Sentence("called back by the host", "拦截件"),
    Reason.HELD: Sentence("held, by customs or by order", "暂扣件"),
    Reason.OVERSIZE: Sentence("too long, wide or high", "超尺寸"),
    Reason.OVERWEIGHT: Sentence("too heavy", "超重"),
    Reason.MULTI_PARCEL: Sentence("several parcels touch, or lie side by side", "多件粘连或并排"),
    Reason.GAP_TOO_SMALL: Sentence("too close to its neighbour to divert", "与相邻包裹间距过小"),
    Reason.CHUTE_FULL: Sentence("its chutes are full", "格口已满"),
    Reason.CHUTE_CLOSED: Sentence("its chutes are closed", "格口已关闭"),
    Reason.CHUTE_FAULT: Sentence("its chutes are faulty", "格口故障"),
    Reason.RATE_LIMIT: Sentence("its chute has had as many as it takes in this period", "格口达到流量上限"),
    Reason.MISSED_WINDOW: Sentence(
        "the divert could not be told in time, so it was not done", "错过分拣窗口，未动作"
    ),
    Reason.DIVERT_FAILED: Sentence("fired, but seen on the belt downstream", "分拣动作失败，包裹仍在线上"),
    Reason.NODE_DOWN: Sentence("the node that drives the diverter is down", "控制节点离线"),
    Reason.NOT_AT_SPEED: Sentence("the belt was not at speed", "皮带未达到额定速度"),
    Reason.MAX_LAPS: Sentence("too many laps", "超过最大循环圈数"),
    Reason.UNEXPECTED: Sentence("an eye saw a parcel nobody inducted", "出现未登记包裹"),
    Reason.LOST: Sentence("expected at an eye, and not seen", "包裹丢失"),
    Reason.REMOVED: Sentence("taken off by a person", "人工取走"),
    Reason.FLUSHED: Sentence("still on the belt when the sorter stopped", "停机时仍在线上"),
    Reason.UNDERWEIGHT: Sentence("too light for its diverter", "重量过轻，无法分拣"),
    Reason.NO_WEIGHT: Sentence("its weight is not known, and its diverter needs it", "重量未知"),
}


ALARM_SENTENCES: dict[Alarm, Sentence] = {
    Alarm.NODE_DOWN: Sentence("the node does not answer", "控制节点无应答"),
    Alarm.TRACKS_USED_UP: Sentence("more parcels than can be followed", "在线包裹数超过跟踪上限"),
    Alarm.JAM: Sentence("blocked for longer than any parcel takes", "堵包"),
    Alarm.EYE_BLIND: Sentence("parcels pass it unseen", "光电不触发"),
    Alarm.EYE_CHATTERS: Sentence("edges too short for any parcel", "光电抖动"),
    Alarm.ENCODER_SILENT: Sentence("the belt should run, and its encoder counts nothing", "编码器无脉冲"),
    Alarm.ENCODER_JUMPED: Sentence("its encoder shows what no belt can have run", "编码器计数跳变"),
    Alarm.BELT_DRIFTS: Sentence("parcels slip more than the windows bear", "包裹打滑超出跟踪窗口"),
    Alarm.DIVERTER_FAILS: Sentence(
        "failed so often in a row that it is out of use", "分拣机构连续失败，已停用"
    ),
    Alarm.DIVERTER_STUCK_OUT: Sentence("its paddle does not come home", "分拣机构未复位"),
    Alarm.SCANNER_SILENT: Sentence("parcels pass, and it says nothing", "读码器无应答"),
    Alarm.SAME_LABEL: Sentence("it read one label on two parcels", "两个包裹面单相同"),
    Alarm.GRIDLOCK: Sentence("so many parcels go round that no more are let on", "循环包裹过多，暂停上件"),
    Alarm.RING_LOST: Sentence("the carriers counted are not the ring's", "小车环校验失败"),
    Alarm.CARRIER_FAILS: Sentence("the carrier does not let go of its parcels", "小车卸载失败"),
    Alarm.CHUTE_NOT_EMPTIED: Sentence("full for too long", "格口满后长时间未清空"),
    Alarm.SAFETY_TRIPPED: Sentence("the safety chain has tripped", "安全回路断开"),
    Alarm.HOST_SILENT: Sentence("the host does not answer", "上位系统无应答"),
    Alarm.NODE_SAFE: Sentence(
        "made itself safe for want of a host: look at it, then clear it",
        "节点失去主机后已进入安全状态,请检查后清除",
    ),
}


def empty(n: int) -> Records:
    """`n` zeroed records, shape (n,), with the "none" values where zero would mean something."""
    records = np.zeros(n, RECORD)
    records["counts"] = NO_COUNTS
    records["chute"] = NO_INDEX
    return records
