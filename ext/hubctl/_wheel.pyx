"""The wheel diverters of one link (ShuDiNiao): turn, back to the middle, and the states they tell of themselves.

Rules. Two commands to a wheel are never closer than SPACING_NS, for the second would be lost; a turn that cannot be
told in time is voided, never late. A wheel is up once it runs and has said that it stands in the middle; it is down
when it is silent or leaves commands without an answer. One that stopped by itself (emergency stop, fault) is commanded
nothing until a person has looked. A turn is never repeated; the way back to the middle is, until it is answered.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t
from libc.stdlib cimport calloc, free
from libc.string cimport memmove

from enum import IntEnum

import numpy as np

from hubctl._batch cimport Batch, batch_add, tell_fire
from hubctl._records cimport MISSED_WINDOW, NODE, NODE_DOWN, OK, Record
from hubctl._wires cimport ABSENT, BASELINE, CHECKING, CLEARING, SAFE, UNSAFE, UP, Field, NodeStatus, Wires

cdef enum:
    HEAD_1 = 0x51
    HEAD_2 = 0x52
    SIZE_SHORT = 0x57
    SIZE_LONG = 0x5C
    TAIL = 0xFE
    DEVICE_0 = 0x50        # unit 1 is device 0x51
    SAYS_STATUS = 0x51
    COMMANDS = 0x52
    ANSWERS = 0x53
    SAYS_SPEED = 0x54
    IS_STANDBY = 0x50
    IS_RUNNING = 0x51
    IS_STOPPED = 0x52      # emergency stop
    IS_FAULTY = 0x53
    DO_RUN = 0x51
    DO_LEFT = 0x53
    DO_CENTRE = 0x54
    DO_RIGHT = 0x55
    ACKS_LAST = 0x55       # an answer up to here takes a command, one above says that a move is done
    DONE_CENTRE = 0x57
    DONE_LAST = 0x58
    RIGHT = 1              # in an output's row
    IN_NEED = 2            # what NODE says of a node that a person must look at
    N_UNANSWERED_MAX = 3   # in a row, then the wheel is down

cdef int64_t SPACING_NS = 100_000_000    # 90 ms between commands, and the network's jitter
cdef int64_t SILENT_NS = 5_000_000_000   # it tells its state each second
cdef int64_t MOVE_NS = 1_000_000_000     # the longest way back to the middle
cdef int64_t PROBE_NS = 500_000_000      # between attempts to bring a wheel up again


class WheelSaid(IntEnum):
    """What a link of wheel diverters brought, or what was wrong with it."""

    STATUS = 0
    ACK = 1
    DONE = 2
    SPEED = 3
    NOISE = 4  # bytes between frames, told once a run
    FOREIGN = 5  # of a device that is not in the hub file, or of no known meaning
    UNASKED = 6  # an answer to nothing we commanded
    UNANSWERED = 7  # a command without an answer
    SILENT = 8  # no state for too long


# Nodes


cdef inline NodeStatus* status_of(const Wheels* w, const Wheel* wheel) noexcept nogil:
    return &w.field.node_status[wheel.node]


cdef inline void count(Wheels* w, int kind) noexcept nogil:
    w.told[kind] += 1


cdef inline int state_of(const Wheels* w, const Wheel* wheel) noexcept nogil:
    return w.field.node_status[wheel.node].state


cdef void tell_node(Wheel* wheel, int value, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef Record* row
    if wheel.told == value:
        return
    wheel.told = value
    row = batch_add(batch, NODE, now_ns)
    row.device = <uint16_t>wheel.node
    row.value = value


cdef void drop_fire(Wheel* wheel, int reason, int64_t now_ns, Batch* batch) noexcept nogil:
    if wheel.has_fire:
        wheel.has_fire = False
        tell_fire(&wheel.fire, reason, now_ns, batch)


cdef void lower_wheel(Wheels* w, Wheel* wheel, int value, int64_t now_ns, Batch* batch) noexcept nogil:
    """The wheel is not to be trusted: it has to run and to come to the middle first."""
    cdef NodeStatus* status = status_of(w, wheel)
    drop_fire(wheel, NODE_DOWN, now_ns, batch)
    tell_node(wheel, value, now_ns, batch)
    wheel.waiting = 0
    status.n_failures = 0
    status.retry_ns = now_ns + PROBE_NS
    if status.state != SAFE and status.state != UNSAFE:
        status.state = BASELINE


cdef void raise_wheel(Wheels* w, Wheel* wheel, int64_t now_ns, Batch* batch) noexcept nogil:
    wheel.is_turned = False
    status_of(w, wheel).n_failures = 0
    status_of(w, wheel).state = SAFE if w.stopping else UP
    if not w.stopping:
        tell_node(wheel, 1, now_ns, batch)


# Commands


cdef inline bint may_be_told(const Wheel* wheel, int64_t now_ns) noexcept nogil:
    return now_ns >= wheel.sent_ns + SPACING_NS


cdef void send_command(Wheels* w, Wheel* wheel, int code, int64_t now_ns) noexcept nogil:
    cdef uint8_t* out = w.out + w.n_out
    out[0], out[1], out[2] = HEAD_1, HEAD_2, SIZE_SHORT
    out[3], out[4], out[5], out[6] = wheel.device, COMMANDS, <uint8_t>code, TAIL
    w.n_out += WHEEL_FRAME
    wheel.waiting = code
    wheel.sent_ns = now_ns


cdef inline int64_t timeout_of(const Wheels* w, const Wheel* wheel) noexcept nogil:
    return w.field.nodes[wheel.node].timeout_ns


cdef inline int turn_of(const Wheels* w, int chute) noexcept nogil:
    return DO_RIGHT if w.field.outputs[chute].coil == RIGHT else DO_LEFT


cdef Wheel* wheel_of(Wheels* w, int node) noexcept nogil:
    cdef int i
    for i in range(w.n_wheels):
        if w.wheels[i].node == node:
            return &w.wheels[i]
    return NULL


cdef void wheels_fire(Wheels* w, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef Wheel* wheel = wheel_of(w, w.field.outputs[command.chute].node)
    if wheel is NULL or state_of(w, wheel) != UP:
        tell_fire(command, NODE_DOWN, now_ns, batch)
    elif now_ns > command.value or wheel.has_fire:
        tell_fire(command, MISSED_WINDOW, now_ns, batch)
    elif wheel.is_turned and wheel.turned_to == turn_of(w, command.chute):
        keep_turned(w, wheel, command, now_ns, batch)
    else:
        wheel.fire = command[0]
        wheel.has_fire = True


cdef void keep_turned(Wheels* w, Wheel* wheel, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil:
    """It stands that way still: the next parcel of the same chute needs no command, only time."""
    wheel.centre_ns = now_ns + w.field.outputs[command.chute].hold_ns
    tell_fire(command, OK, now_ns, batch)


cdef void send_fire(Wheels* w, Wheel* wheel, int64_t now_ns, Batch* batch) noexcept nogil:
    wheel.has_fire = False
    tell_fire(&wheel.fire, OK, 0, batch)
    wheel.is_turned = True
    wheel.turned_to = turn_of(w, wheel.fire.chute)
    wheel.centre_ns = now_ns + w.field.outputs[wheel.fire.chute].hold_ns
    send_command(w, wheel, wheel.turned_to, now_ns)


cdef inline bint is_centre_due(const Wheel* wheel, int64_t now_ns) noexcept nogil:
    return wheel.is_turned and now_ns >= wheel.centre_ns and not wheel.has_fire


cdef void serve_up(Wheels* w, Wheel* wheel, int64_t now_ns, Batch* batch) noexcept nogil:
    if wheel.has_fire and now_ns > wheel.fire.value:
        drop_fire(wheel, MISSED_WINDOW, now_ns, batch)
    if not may_be_told(wheel, now_ns):
        return
    if wheel.has_fire:
        send_fire(w, wheel, now_ns, batch)
    elif is_centre_due(wheel, now_ns):
        wheel.is_turned = False
        send_command(w, wheel, DO_CENTRE, now_ns)


cdef void serve_down(Wheels* w, Wheel* wheel, int64_t now_ns) noexcept nogil:
    """Starts it, then brings it to the middle."""
    cdef NodeStatus* status = status_of(w, wheel)
    if wheel.is_tripped or not may_be_told(wheel, now_ns) or now_ns < status.retry_ns:
        return
    if status.state == BASELINE and wheel.said == IS_STANDBY and not w.stopping:
        status.retry_ns = now_ns + PROBE_NS
        send_command(w, wheel, DO_RUN, now_ns)
    elif status.state == CLEARING or status.state == CHECKING:
        status.retry_ns = now_ns + MOVE_NS
        status.state = CLEARING
        send_command(w, wheel, DO_CENTRE, now_ns)


cdef void note_unanswered(Wheels* w, Wheel* wheel, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int lost = wheel.waiting
    cdef NodeStatus* status = status_of(w, wheel)
    wheel.waiting = 0
    count(w, WHEEL_UNANSWERED)
    status.n_failures += 1
    if lost == DO_CENTRE and status.state == UP:
        wheel.is_turned = True  # whether it stands in the middle is not known: told again
        wheel.centre_ns = now_ns
    if status.n_failures < N_UNANSWERED_MAX:
        return
    if w.stopping and status.state < UP:
        status.state = UNSAFE
    elif status.state == UP or status.state == CLEARING:
        lower_wheel(w, wheel, 0, now_ns, batch)


cdef void watch_wheel(Wheels* w, Wheel* wheel, int64_t now_ns, Batch* batch) noexcept nogil:
    if wheel.waiting and now_ns >= wheel.sent_ns + timeout_of(w, wheel):
        note_unanswered(w, wheel, now_ns, batch)
    if now_ns >= wheel.heard_ns + SILENT_NS:
        count(w, WHEEL_SILENT)
        wheel.heard_ns = now_ns
        wheel.said = 0
        lower_wheel(w, wheel, 0, now_ns, batch)


cdef void wheels_pump(Wheels* w, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i
    cdef Wheel* wheel
    if w.connected and now_ns >= w.heard_ns + SILENT_NS:
        w.is_silent = True
    for i in range(w.n_wheels if w.connected else 0):
        wheel = &w.wheels[i]
        watch_wheel(w, wheel, now_ns, batch)
        if w.n_out + WHEEL_FRAME > WHEEL_OUT_MAX:
            return
        if state_of(w, wheel) == UP:
            serve_up(w, wheel, now_ns, batch)
        elif state_of(w, wheel) < UP:
            serve_down(w, wheel, now_ns)


# What they say


cdef void take_status(Wheels* w, Wheel* wheel, int code, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef NodeStatus* status = status_of(w, wheel)
    wheel.said = code
    wheel.heard_ns = w.heard_ns = now_ns
    if (code == IS_STOPPED or code == IS_FAULTY) and status.state <= UP:
        wheel.is_tripped = True
        lower_wheel(w, wheel, IN_NEED, now_ns, batch)
    elif code == IS_STANDBY and (status.state == UP or status.state == CLEARING or status.state == CHECKING):
        lower_wheel(w, wheel, 0, now_ns, batch)
    elif code == IS_RUNNING and status.state == BASELINE and not wheel.is_tripped:
        status.state = CLEARING
        status.retry_ns = now_ns


cdef void take_ack(Wheels* w, Wheel* wheel, int code) noexcept nogil:
    if code != wheel.waiting:
        count(w, WHEEL_UNASKED)
        return
    wheel.waiting = 0
    status_of(w, wheel).n_failures = 0
    if code == DO_CENTRE and state_of(w, wheel) == CLEARING:
        status_of(w, wheel).state = CHECKING


cdef void take_frame(Wheels* w, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef Wheel* wheel = wheel_called(w, w.frame[3])
    cdef int kind = w.frame[4]
    cdef int code = w.frame[5]
    if wheel is NULL or not is_known(kind, code):
        count(w, WHEEL_FOREIGN)
    elif kind == SAYS_STATUS:
        count(w, WHEEL_STATUS)
        take_status(w, wheel, code, now_ns, batch)
    elif kind == SAYS_SPEED:
        count(w, WHEEL_SPEED)
    elif code <= ACKS_LAST:
        count(w, WHEEL_ACK)
        take_ack(w, wheel, code)
    else:
        count(w, WHEEL_DONE)
        if code == DONE_CENTRE and state_of(w, wheel) == CHECKING:
            raise_wheel(w, wheel, now_ns, batch)


cdef inline bint is_known(int kind, int code) noexcept nogil:
    if kind == SAYS_STATUS:
        return IS_STANDBY <= code <= IS_FAULTY
    return kind == SAYS_SPEED or (kind == ANSWERS and DO_RUN <= code <= DONE_LAST)


cdef Wheel* wheel_called(Wheels* w, uint8_t device) noexcept nogil:
    cdef int i
    for i in range(w.n_wheels):
        if w.wheels[i].device == device:
            return &w.wheels[i]
    return NULL


cdef inline bint may_begin(const Wheels* w) noexcept nogil:
    """Whether what came so far can be the beginning of a frame, or all of one."""
    if w.frame[0] != HEAD_1 or (w.n_in > 1 and w.frame[1] != HEAD_2):
        return False
    if w.n_in > 2 and w.frame[2] != SIZE_SHORT and w.frame[2] != SIZE_LONG:
        return False
    return w.n_in < frame_size(w) or w.frame[w.n_in - 1] == TAIL


cdef inline int frame_size(const Wheels* w) noexcept nogil:
    return SPEED_FRAME if w.n_in > 2 and w.frame[2] == SIZE_LONG else WHEEL_FRAME


cdef void drop_noise(Wheels* w) noexcept nogil:
    """There is no check character: in step again where the next head can be."""
    if not w.noisy:
        count(w, WHEEL_NOISE)
    w.noisy = True
    while w.n_in and not may_begin(w):
        w.n_in -= 1
        memmove(w.frame, w.frame + 1, w.n_in)


cdef void wheels_receive(Wheels* w, const uint8_t* data, int n, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i
    for i in range(n):
        w.frame[w.n_in] = data[i]
        w.n_in += 1
        if not may_begin(w):
            drop_noise(w)
        elif w.n_in == frame_size(w):
            take_frame(w, now_ns, batch)
            w.n_in = 0
            w.noisy = False


# The whole


cdef void wheels_connect(Wheels* w, int64_t now_ns) noexcept nogil:
    cdef int i
    w.connected = True
    w.heard_ns = now_ns
    w.is_silent = w.noisy = False
    w.n_in = w.n_out = 0
    for i in range(w.n_wheels):
        w.wheels[i].said = w.wheels[i].waiting = 0
        w.wheels[i].heard_ns = now_ns
        status_of(w, &w.wheels[i]).state = BASELINE
        status_of(w, &w.wheels[i]).n_failures = 0
        status_of(w, &w.wheels[i]).retry_ns = now_ns


cdef void wheels_disconnect(Wheels* w, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i
    for i in range(w.n_wheels):
        lower_wheel(w, &w.wheels[i], 0, now_ns, batch)
        status_of(w, &w.wheels[i]).state = ABSENT
    w.connected = False
    w.n_out = 0


cdef void wheels_clear(Wheels* w, int node) noexcept nogil:
    cdef Wheel* wheel = wheel_of(w, node)
    if wheel is not NULL:
        wheel.is_tripped = False


cdef void wheels_make_safe(Wheels* w, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i
    cdef NodeStatus* status
    w.stopping = True
    for i in range(w.n_wheels):
        status = status_of(w, &w.wheels[i])
        drop_fire(&w.wheels[i], NODE_DOWN, now_ns, batch)
        if status.state == UP or status.state == CLEARING or status.state == CHECKING:
            status.state = CLEARING
            status.retry_ns = now_ns
        elif status.state == BASELINE:
            status.state = UNSAFE if w.wheels[i].is_turned else SAFE


cdef bint wheels_are_settled(const Wheels* w) noexcept nogil:
    cdef int i
    for i in range(w.n_wheels):
        if CLEARING <= state_of(w, &w.wheels[i]) <= UP:
            return False
    return True


cdef bint wheels_have_fires(const Wheels* w) noexcept nogil:
    cdef int i
    for i in range(w.n_wheels):
        if w.wheels[i].has_fire:
            return True
    return False


cdef int64_t command_due(const Wheels* w, const Wheel* wheel) noexcept nogil:
    """When the next command goes out, as things stand."""
    cdef const NodeStatus* status = status_of(w, wheel)
    cdef int64_t free_ns = wheel.sent_ns + SPACING_NS
    if status.state == UP:
        if wheel.has_fire:
            return min(free_ns, wheel.fire.value + 1)
        return max(free_ns, wheel.centre_ns) if wheel.is_turned else INT64_MAX
    if wheel.is_tripped or status.state > UP:
        return INT64_MAX
    if status.state == BASELINE and (wheel.said != IS_STANDBY or w.stopping):
        return INT64_MAX
    return max(free_ns, status.retry_ns)


cdef int64_t wheels_next_deadline(const Wheels* w, int64_t now_ns) noexcept nogil:
    cdef int64_t due_ns = w.heard_ns + SILENT_NS
    cdef const Wheel* wheel
    cdef int i
    if not w.connected or w.is_silent:
        return INT64_MAX
    for i in range(w.n_wheels):
        wheel = &w.wheels[i]
        due_ns = min(due_ns, min(wheel.heard_ns + SILENT_NS, command_due(w, wheel)))
        if wheel.waiting:
            due_ns = min(due_ns, wheel.sent_ns + timeout_of(w, wheel))
    return due_ns


cdef Wheels* wheels_new(Field* field, int link) noexcept nogil:
    """The wheels of one link; NULL if there is no memory."""
    cdef Wheels* w = <Wheels*>calloc(1, sizeof(Wheels))
    cdef int i
    if w is NULL:
        return NULL
    w.field = field
    w.link = link
    for i in range(field.n_nodes):
        if field.nodes[i].link == link and w.n_wheels < N_WHEELS_MAX:
            w.wheels[w.n_wheels].node = i
            w.wheels[w.n_wheels].device = <uint8_t>(DEVICE_0 + field.nodes[i].unit)
            w.wheels[w.n_wheels].sent_ns = -SPACING_NS
            w.n_wheels += 1
    return w


cdef void wheels_free(Wheels* w) noexcept nogil:
    free(w)


# The Python face


cdef enum:
    N_FACE_ROWS = 4096


cdef class WheelLink:
    """The wheel diverters of one link without its socket: commands and bytes in, bytes and records out.

    Parameters
    ----------
    wiring : hubctl.core.tables.Wiring
    link : int
        Row of the link in the wiring.
    record : numpy dtype
        `hubctl.core.events.RECORD`.
    """

    cdef Wires wires
    cdef Wheels* wheels
    cdef object _rows
    cdef Batch batch

    def __init__(self, wiring, link: int, record: np.dtype):
        cdef uint8_t[::1] memory
        self.wires = Wires(wiring)
        self._rows = np.zeros(N_FACE_ROWS, record)
        memory = self._rows.view(np.uint8)
        self.batch.rows = <Record*>&memory[0]
        self.batch.n_max = N_FACE_ROWS
        self.wheels = wheels_new(&self.wires.field, link)
        if self.wheels is NULL:
            raise MemoryError("no memory for a link of wheel diverters")

    def __dealloc__(self):
        wheels_free(self.wheels)

    def connect(self, now_ns: int) -> None:
        """The link is connected: its wheels are heard, started and brought to the middle."""
        wheels_connect(self.wheels, now_ns)

    def disconnect(self, now_ns: int) -> None:
        """The link is gone."""
        wheels_disconnect(self.wheels, now_ns, &self.batch)

    def fire(self, command: np.ndarray, now_ns: int) -> None:
        """A FIRE_OUTPUT of the kernel, one record."""
        cdef const uint8_t[::1] memory = np.frombuffer(command.tobytes(), np.uint8)
        wheels_fire(self.wheels, <const Record*>&memory[0], now_ns, &self.batch)

    def receive(self, data: bytes, now_ns: int) -> None:
        """Bytes that came at `now_ns`."""
        wheels_receive(self.wheels, data, <int>len(data), now_ns, &self.batch)

    def pump(self, now_ns: int) -> bytes:
        """Bytes to send at `now_ns`, after what has run out by then."""
        wheels_pump(self.wheels, now_ns, &self.batch)
        data = PyBytes_FromStringAndSize(<char*>self.wheels.out, self.wheels.n_out)
        self.wheels.n_out = 0
        return data

    def clear(self, node: int) -> None:
        """A person has looked at a wheel that stopped by itself."""
        wheels_clear(self.wheels, node)

    def make_safe(self, now_ns: int) -> None:
        """From now on only the way back to the middle."""
        wheels_make_safe(self.wheels, now_ns, &self.batch)

    def records(self) -> np.ndarray:
        """Records for the kernel since the last call; results of commands just sent have t_ns 0."""
        told = self._rows[: self.batch.n].copy()
        self.batch.n = 0
        return told

    def next_deadline(self, now_ns: int) -> int:
        """The earliest time at which something is due, ns; 2**63 - 1: never."""
        return wheels_next_deadline(self.wheels, now_ns)

    @property
    def is_silent(self) -> bool:
        """Nothing was heard for too long: only a new connection helps."""
        return bool(self.wheels.is_silent)

    @property
    def settled(self) -> bool:
        """After `make_safe`: nothing more is to be done."""
        return bool(wheels_are_settled(self.wheels))

    @property
    def node_states(self) -> list[int]:
        """State of each node of the hub."""
        return [self.wires.field.node_status[i].state for i in range(self.wires.field.n_nodes)]

    @property
    def told(self) -> dict[WheelSaid, int]:
        """How many events there were, by kind; kinds that never came are left out."""
        return {kind: self.wheels.told[kind] for kind in WheelSaid if self.wheels.told[kind]}
