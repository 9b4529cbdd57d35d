"""The kernel: inputs and the time go in, commands and evidence come out.

It reads no clock, opens nothing, allocates nothing while it runs. Its rules stand in the `.pxd` files that
it is made of: `_motion` (where the belt is), `_order` (tracks and timers), `_choice` (which chute),
`_schedule` (commit, fire, confirm), `_tracking` (eyes) and `_reading` (whose read). This file dispatches
inputs and holds the memory. What is due runs after every input, so that it makes no difference which inputs
of an instant share a step.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

import hashlib

import numpy as np

from hubctl.core import tables
from hubctl.core.events import NO_INDEX, RECORD, Reason
from hubctl.core.tables import BeltKind, CompiledPlan, Layout, Policy

from hubctl._answers cimport take_host_answer
from hubctl._assigning cimport assign_all
from hubctl._assignment cimport Batch
from hubctl._carriers cimport is_loop
from hubctl._change cimport take_change, take_list
from hubctl._choice cimport close_track
from hubctl._chutes cimport PRIORITY_MAX, run_chutes, take_level, take_operate
from hubctl._coding cimport take_code
from hubctl._lookup cimport LaneTable
from hubctl._health cimport flush_belt, take_encoder, watch_encoder
from hubctl._host cimport next_question_ns, run_questions
from hubctl._induct cimport run_inducts
from hubctl._jam cimport clear_jam, look_at_chute_eye
from hubctl._machine cimport forget_told, go_on_by_itself, lose_outputs, take_machine, take_safety, tell_belts, tell_light
from hubctl._motion cimport is_timed, take_time, timed_reach
from hubctl._order cimport next_look
from hubctl._paddle cimport look_at_paddle, take_diverter, take_home
from hubctl._reading cimport take_read
from hubctl._records cimport (
    ALARM_CLEARED,
    ALARM_NODE_DOWN,
    ALARM_NODE_SAFE,
    ALARM_RAISED,
    CARRIER,
    CHANGE,
    CHUTE_LEVEL,
    CLEAR_NODE,
    CODE,
    CONFIRM,
    DIVERTER,
    ENCODER,
    EYE,
    EYE_IN_USE,
    FIRE_RESULT,
    FLUSH,
    FLUSHED,
    HOME,
    HOST_ANSWER,
    LEAVE_SAFE,
    LIST,
    MACHINE,
    NO_COUNTS,
    NODE,
    OPERATE,
    READ,
    REMOVED_PARCEL,
    SAFETY,
    SIZE,
    TAKE_OFF,
    STATE_EXECUTE,
    STATE_STOPPED,
    WEIGHT,
    Record,
)
from hubctl._removal cimport take_removal
from hubctl._refusal cimport is_acceptable
from hubctl._schedule cimport begin_life, next_fire_ns, run_confirms, run_fires, take_confirm, take_fire_result
from hubctl._state cimport (
    N_CANDIDATES_MAX,
    N_GROUPS_MAX,
    N_LISTED,
    N_QUESTIONS,
    NOBODY,
    ROOM_MIN,
    SLOT_SHIFT,
    BeltState,
    Carrier,
    ChuteStatus,
    Drive,
    EyeState,
    Head,
    HostStatus,
    Induct,
    MachineStatus,
    NodeStatus,
    Paddle,
    Place,
    Plan,
    Question,
    Ride,
    RingEye,
    RingState,
    ScaleState,
    ScannerState,
    State,
    Track,
    Turn,
    room,
    say,
)
from hubctl._tables cimport INDUCT, LINE, Belt, Chute, Diverter, Eye, Host, Lane, Ring, Scale, Scanner, Step, Wave
from hubctl._tables cimport Machine as MachineTable
from hubctl._tracking cimport take_eye, turn_wheel
from hubctl._turning cimport lose_ring, run_ring, take_carrier, take_ring_eye
from hubctl._unproved cimport take_eye_in_use
from hubctl._weighing cimport take_scale

cdef uint64_t MAGIC = 0x6875626374310009  # "hubct1", format 9
cdef int DIGEST_SIZE = 16
cdef uint16_t NO_NODE = 0xFFFF
cdef int64_t UP_AND_SAFE = 2  # what NODE says of a node that made itself safe
cdef Plan NO_PLAN_YET
memset(&NO_PLAN_YET, 0, sizeof(Plan))


cdef void say_node(State* s, int node, bint is_raised, int alarm) noexcept nogil:
    cdef Record* record = say(s, ALARM_RAISED if is_raised else ALARM_CLEARED, 0)
    record.device = node
    record.value = alarm


cdef void turn_node(State* s, int device, bint is_up) noexcept nogil:
    """A node is up, or down."""
    s.nodes[device].up = is_up
    s.nodes[device].since_ns = s.now_ns
    if is_up:
        forget_told(s)
    else:
        lose_outputs(s, device)
    say_node(s, device, not is_up, ALARM_NODE_DOWN)


cdef void take_node(State* s, const Record* input) noexcept nogil:
    """A node is up or down. Of one that made itself safe the eyes are believed still; of one that is down nothing is known."""
    cdef NodeStatus* node = &s.nodes[input.device]
    if node.up != (input.value != 0):
        turn_node(s, input.device, input.value != 0)
    if input.value and input.seq:
        begin_life(s, input.device, input.seq)
    if input.value and node.is_safe != (input.value == UP_AND_SAFE):
        node.is_safe = input.value == UP_AND_SAFE
        say_node(s, input.device, node.is_safe, ALARM_NODE_SAFE)


cdef void clear_node(State* s, int device) noexcept nogil:
    """A person has looked: the node may leave its safe state."""
    if s.nodes[device].is_safe:
        say(s, LEAVE_SAFE, 0).device = device


cdef void flush(State* s) noexcept nogil:
    cdef int b
    for b in range(s.head.n_belts):
        while s.belts[b].first != NOBODY and room(s) >= ROOM_MIN:
            close_track(s, s.belts[b].first, FLUSHED, REMOVED_PARCEL)
    s.head.flushing = s.head.n_open > 0


cdef void take(State* s, const Record* input) noexcept nogil:
    if not is_acceptable(s, input):
        s.head.n_inputs_refused += 1
    elif input.kind == EYE:
        if is_loop(s, s.eye_table[input.device].belt):
            take_ring_eye(s, input)
        else:
            take_eye(s, input)
    elif input.kind == ENCODER:
        take_encoder(s, input)
    elif input.kind == READ:
        take_read(s, input)
    elif input.kind == CONFIRM:
        take_confirm(s, input)
    elif input.kind == CHUTE_LEVEL:
        take_level(s, input)
    elif input.kind == FIRE_RESULT:
        take_fire_result(s, input)
    elif input.kind == CODE:
        take_code(s, input)
    elif input.kind == NODE:
        take_node(s, input)
    elif input.kind == CLEAR_NODE:
        clear_node(s, input.device)
    elif input.kind == OPERATE:
        take_operate(s, input)
        clear_jam(s, input.chute)
    elif input.kind == MACHINE:
        take_machine(s, input)
    elif input.kind == SAFETY:
        take_safety(s, input)
    elif input.kind == DIVERTER:
        take_diverter(s, input)
    elif input.kind == HOME:
        take_home(s, input)
    elif input.kind == EYE_IN_USE:
        take_eye_in_use(s, input)
    elif input.kind == CARRIER:
        take_carrier(s, input)
    elif input.kind == WEIGHT or input.kind == SIZE:
        take_scale(s, input)
    elif input.kind == HOST_ANSWER:
        take_host_answer(s, input)
    elif input.kind == TAKE_OFF:
        take_removal(s, input)
    elif input.kind == CHANGE:
        take_change(s, input)
    elif input.kind == LIST:
        take_list(s, input)
    elif input.kind == FLUSH:
        s.head.flushing = 1


cdef void run_watches(State* s) noexcept nogil:
    """Paddles and chute eyes, when the first of them may be overdue."""
    cdef int i
    if s.now_ns < s.head.watch_ns:
        return
    s.head.watch_ns = INT64_MAX
    for i in range(s.head.n_diverters):
        look_at_paddle(s, i)
    for i in range(s.head.n_chutes):
        look_at_chute_eye(s, i)


cdef void run_what_is_due(State* s) noexcept nogil:
    cdef int b
    s.head.backlog = 0
    for b in range(s.head.n_belts):
        watch_encoder(s, b)
        if s.belts[b].flushing and is_loop(s, b):
            lose_ring(s, b)
            s.belts[b].flushing = 0
        if s.belts[b].flushing:
            flush_belt(s, b)
        if not s.belts[b].flushing:
            turn_wheel(s, b)
            run_fires(s, b)
        if is_loop(s, b):
            run_ring(s, b)
    run_confirms(s)
    run_watches(s)
    run_chutes(s)
    run_questions(s)
    if s.head.flushing:
        flush(s)
    go_on_by_itself(s)
    tell_belts(s)
    tell_light(s)
    run_inducts(s)


cdef int kernel_step(State* s, int64_t now_ns, const Record* inputs, int n, Record* out, int n_out_max) noexcept nogil:
    cdef int i
    s.now_ns = now_ns
    s.head.now_ns = now_ns
    s.out = out
    s.n_out = 0
    s.n_out_max = n_out_max
    for i in range(s.head.n_belts):
        if is_timed(&s.belt_table[i]):
            take_time(s, i)
    for i in range(n):
        take(s, &inputs[i])
        run_what_is_due(s)
    if n == 0:
        run_what_is_due(s)
    return s.n_out


cdef int64_t kernel_next_deadline(const State* s) noexcept nogil:
    cdef int64_t due_ns = INT64_MAX
    cdef int64_t other_ns
    cdef int b
    if s.head.backlog or s.head.flushing:
        return s.head.now_ns
    for b in range(s.head.n_belts):
        if s.belts[b].n_fires > 0:
            other_ns = next_fire_ns(s, b)
            if other_ns < due_ns:
                due_ns = other_ns
        if is_timed(&s.belt_table[b]) and s.belt_table[b].kind == LINE and s.belts[b].first != NOBODY:
            other_ns = timed_reach(s, b, next_look(s, b))
            if other_ns < due_ns:
                due_ns = other_ns
    if s.head.watch_ns < due_ns:
        due_ns = s.head.watch_ns
    if s.head.n_confirms > 0:
        other_ns = s.tracks[s.confirms[0]].heap_key
        if other_ns < due_ns:
            due_ns = other_ns
    other_ns = next_question_ns(s)
    if other_ns < due_ns:
        due_ns = other_ns
    if s.head.n_chutes_due > 0:
        other_ns = s.chutes[s.chutes_due[0]].due_ns
        if other_ns < due_ns:
            due_ns = other_ns
    return due_ns


cdef void kernel_set_plan(State* s, const void* plan) noexcept nogil:
    s.plan = <const Plan*>plan


cdef void kernel_assign(State* s, const Batch* batch) noexcept nogil:
    assign_all(s, batch)


cdef char* carve(char** at, size_t size) noexcept nogil:
    """The next `size` bytes of the block, each part on its own cache line."""
    cdef char* part = at[0]
    at[0] += (size + 63) & ~<size_t>63
    return part


cdef size_t lay_out(State* s, char* block, const Head* head) noexcept nogil:
    """Points `s` into a block for a hub of the sizes in `head`; returns how large the block must be."""
    cdef char* at = block
    s.head = <Head*>carve(&at, sizeof(Head))
    s.belt_table = <Belt*>carve(&at, head.n_belts * sizeof(Belt))
    s.eye_table = <Eye*>carve(&at, head.n_eyes * sizeof(Eye))
    s.scanner_table = <Scanner*>carve(&at, head.n_scanners * sizeof(Scanner))
    s.scale_table = <Scale*>carve(&at, head.n_scales * sizeof(Scale))
    s.diverter_table = <Diverter*>carve(&at, head.n_diverters * sizeof(Diverter))
    s.chute_table = <Chute*>carve(&at, head.n_chutes * sizeof(Chute))
    s.hops = <uint16_t*>carve(&at, <size_t>head.n_belts * head.n_chutes * sizeof(uint16_t))
    s.machine_table = <MachineTable*>carve(&at, sizeof(MachineTable))
    s.ring_table = <Ring*>carve(&at, head.n_belts * sizeof(Ring))
    s.host_table = <Host*>carve(&at, sizeof(Host))
    s.belts = <BeltState*>carve(&at, head.n_belts * sizeof(BeltState))
    s.eyes = <EyeState*>carve(&at, head.n_eyes * sizeof(EyeState))
    s.scanners = <ScannerState*>carve(&at, head.n_scanners * sizeof(ScannerState))
    s.rings = <RingState*>carve(&at, head.n_belts * sizeof(RingState))
    s.ring_eyes = <RingEye*>carve(&at, head.n_eyes * sizeof(RingEye))
    s.carriers = <Carrier*>carve(&at, head.n_carriers * sizeof(Carrier))
    s.rides = <Ride*>carve(&at, (head.n_tracks_max if head.n_carriers else 0) * sizeof(Ride))
    s.scales = <ScaleState*>carve(&at, head.n_scales * sizeof(ScaleState))
    s.host = <HostStatus*>carve(&at, sizeof(HostStatus))
    s.questions = <Question*>carve(&at, N_QUESTIONS * sizeof(Question))
    s.chutes = <ChuteStatus*>carve(&at, head.n_chutes * sizeof(ChuteStatus))
    s.paddles = <Paddle*>carve(&at, head.n_diverters * sizeof(Paddle))
    s.drives = <Drive*>carve(&at, head.n_belts * sizeof(Drive))
    s.inducts = <Induct*>carve(&at, head.n_eyes * sizeof(Induct))
    s.machine = <MachineStatus*>carve(&at, sizeof(MachineStatus))
    s.nodes = <NodeStatus*>carve(&at, head.n_nodes * sizeof(NodeStatus))
    s.wheel = <int32_t*>carve(&at, <size_t>head.n_belts * head.n_slots * sizeof(int32_t))
    s.fires = <int32_t*>carve(&at, <size_t>head.n_belts * head.n_tracks_max * sizeof(int32_t))
    s.confirms = <int32_t*>carve(&at, head.n_tracks_max * sizeof(int32_t))
    s.tracks = <Track*>carve(&at, head.n_tracks_max * sizeof(Track))
    s.labels = <Place*>carve(&at, head.n_places * sizeof(Place))
    s.parcels = <Place*>carve(&at, head.n_places * sizeof(Place))
    s.listed = <Place*>carve(&at, N_LISTED * sizeof(Place))
    s.turns = <Turn*>carve(&at, N_GROUPS_MAX * sizeof(Turn))
    s.chutes_due = <int32_t*>carve(&at, head.n_chutes * sizeof(int32_t))
    return at - block


cdef void make_machine_ready(State* s) noexcept nogil:
    """Stopped, or running where there is no machine to start; nothing has been told yet."""
    cdef int i
    s.head.watch_ns = INT64_MAX
    s.machine.state = STATE_STOPPED if s.machine_table.is_there else STATE_EXECUTE
    for i in range(s.head.n_belts):
        if s.belt_table[i].run_node != NO_NODE or s.machine_table.is_there:
            s.head.n_driven = s.head.n_belts
    for i in range(s.head.n_eyes):
        if s.eye_table[i].has_hold and s.eye_table[i].role == INDUCT:
            s.inducts[s.head.n_inducts].eye = i
            s.head.n_inducts += 1
    forget_told(s)


cdef void make_ready(State* s) noexcept nogil:
    """Nobody on the belts, every track in the pool, nothing expected."""
    cdef int i
    make_machine_ready(s)
    s.host.next = 1
    s.host.first = 1
    for i in range(s.head.n_tracks_max):
        s.tracks[i].behind = i + 1 if i + 1 < s.head.n_tracks_max else NOBODY
    for i in range(s.head.n_belts):
        s.belts[i].first = NOBODY
        s.belts[i].last = NOBODY
        s.rings[i].length_counts = s.belt_table[i].length_counts
    for i in range(s.head.n_diverters):
        s.paddles[i].first_told = NOBODY
    for i in range(s.head.n_carriers):
        s.carriers[i].track = NOBODY
    for i in range(s.head.n_eyes):
        s.eyes[i].expected = NOBODY
        s.eyes[i].under = NOBODY
        s.eyes[i].last = NOBODY
        s.eyes[i].whole_counts = NO_COUNTS
        s.eyes[i].owed_counts = NO_COUNTS
        s.eyes[i].jam_counts = NO_COUNTS
    for i in range(s.head.n_scanners):
        s.scanners[i].near = NOBODY
    for i in range(s.head.n_scales):
        s.scales[i].near = NOBODY
    for i in range(s.head.n_chutes):
        s.chutes[i].first = NOBODY
        s.chutes[i].last = NOBODY
        s.chutes[i].due_at = NOBODY
        s.chutes[i].full_since_ns = -1
    for i in range(s.head.n_belts * s.head.n_slots):
        s.wheel[i] = NOBODY


cdef void copy_table(void* to, object table) except *:
    """Rows of a numpy table into the block."""
    cdef bytes data = np.ascontiguousarray(table).tobytes()
    memcpy(to, <const char*>data, len(data))


def _check_tables(layout: Layout) -> None:
    """Each table has the layout that compiled code gives it."""
    for row in ("BELT", "EYE", "SCANNER", "SCALE", "DIVERTER", "CHUTE", "MACHINE", "RING", "HOST"):
        name = row.lower() if row in ("MACHINE", "HOST") else f"{row.lower()}s"
        table = getattr(layout, name)
        if table.dtype != getattr(tables, row):
            raise ValueError(f"layout.{name}: a table of dtype {table.dtype}, must be {row}")


def _check_indices(what: str, indices, n_things: int, *, none: bool = False) -> None:
    bad = indices[(indices >= n_things) & ~(none & (indices == NO_INDEX))]
    if len(bad):
        raise ValueError(f"{what} = {bad[0]}: must be below {n_things}{' or none' if none else ''}")


def _check_layout(layout: Layout) -> None:
    """No index of a table leads out of another; eyes and diverters stand in order."""
    n_belts, n_chutes = len(layout.belts), len(layout.chutes)
    _check_tables(layout)
    _check_indices("belts.end_chute", layout.belts["end_chute"], n_chutes)
    _check_indices("belts.encoder_node", layout.belts["encoder_node"], layout.n_nodes, none=True)
    for name in ("eyes", "scanners", "scales", "diverters"):
        _check_indices(f"{name}.belt", getattr(layout, name)["belt"], n_belts)
    for name in ("eyes", "diverters"):
        table = getattr(layout, name)
        _check_indices(f"{name}.node", table["node"], layout.n_nodes)
        if (np.lexsort((table["at_counts"], table["belt"])) != np.arange(len(table))).any():
            raise ValueError(f"layout.{name}: must be sorted by belt and position")
    _check_indices("chutes.diverter", layout.chutes["diverter"], len(layout.diverters), none=True)
    _check_indices("chutes.node", layout.chutes["node"], layout.n_nodes, none=True)
    _check_indices("chutes.confirm_node", layout.chutes["confirm_node"], layout.n_nodes, none=True)
    _check_ranges(layout)
    _check_hops(layout)
    _check_rings(layout)


def _check_hops(layout: Layout) -> None:
    """Every exit is one of its own belt: its divert is timed by that belt's counter."""
    n_belts, n_chutes = len(layout.belts), len(layout.chutes)
    _check_indices("chutes.to_belt", layout.chutes["to_belt"], n_belts, none=True)
    if layout.hops.shape != (n_belts, n_chutes) or layout.hops.dtype != np.uint16:
        raise ValueError(f"layout.hops: shape {layout.hops.shape}, must be uint16 of shape {(n_belts, n_chutes)}")
    _check_indices("layout.hops", layout.hops.ravel(), n_chutes, none=True)
    for belt, exits in enumerate(layout.hops):
        led = exits[exits != NO_INDEX]
        diverters = layout.chutes["diverter"][led]
        diverts = diverters != NO_INDEX
        if (layout.diverters["belt"][diverters[diverts]] != belt).any():
            raise ValueError(f"layout.hops: an exit of belt {belt} is on another belt")
        if (led[~diverts] != layout.belts["end_chute"][belt]).any():
            raise ValueError(f"layout.hops: an exit of belt {belt} is at the end of another belt")
    led_on = layout.chutes[layout.chutes["to_belt"] != NO_INDEX]
    if (led_on["to_counts"] >= layout.belts["length_counts"][led_on["to_belt"]]).any():
        raise ValueError(f"chutes.to_counts = {led_on['to_counts'].tolist()}: must be on the belt they lead onto")


def _check_rings(layout: Layout) -> None:
    """Loops and rings are the same belts; a ring's carriers and eyes are its own."""
    loops = layout.belts["kind"] == BeltKind.LOOP
    rings = layout.rings
    if len(rings) != len(loops) or ((rings["n_carriers"] > 0) != loops).any():
        raise ValueError("layout.rings: must be one for each belt, with carriers for each loop and no other")
    if (rings["first_carrier"] != np.cumsum(rings["n_carriers"]) - rings["n_carriers"]).any():
        raise ValueError("layout.rings: the carriers of one ring must follow those of the one before")
    if (layout.belts["length_counts"][loops] < 4 * rings["n_carriers"][loops]).any():
        raise ValueError("belts.length_counts: a loop must be 4 counts or more for each of its carriers")
    for belt in np.flatnonzero(loops):
        first, n_eyes = int(rings["first_eye"][belt]), int(rings["n_eyes"][belt])
        own = np.flatnonzero(layout.eyes["belt"] == belt)
        if n_eyes > 32 or own.tolist() != list(range(first, first + n_eyes)):
            raise ValueError(f"layout.rings: belt {belt} has {len(own)} eyes, of which its ring knows others")


def _check_ranges(layout: Layout) -> None:
    bits, per_m = layout.belts["counter_bits"], layout.belts["counts_per_m"]
    if ((bits < 1) | (bits > 48)).any():
        raise ValueError(f"belts.counter_bits = {bits.tolist()}: must be 1 to 48")
    if (per_m < 1).any():
        raise ValueError(f"belts.counts_per_m = {per_m.tolist()}: must be 1 or more")
    if (layout.belts["speed_counts_s"] < 1).any():
        raise ValueError(f"belts.speed_counts_s = {layout.belts['speed_counts_s'].tolist()}: must be 1 or more")
    end_diverts = layout.chutes["diverter"][layout.belts["end_chute"]] != NO_INDEX
    if (end_diverts != (layout.belts["kind"] == BeltKind.LOOP)).any():
        raise ValueError("belts.end_chute: must be a chute without a diverter, and with one on a loop")
    diverts = layout.chutes["diverter"] != NO_INDEX
    _check_indices("chutes.node", layout.chutes["node"][diverts], layout.n_nodes)
    confirms = layout.chutes["has_confirm"] != 0
    _check_indices("chutes.confirm_node", layout.chutes["confirm_node"][confirms], layout.n_nodes)


def _check_plan(plan: CompiledPlan, n_chutes: int) -> None:
    counts = np.diff(plan.first)
    if plan.version == 0 or len(plan.first) < 2 or plan.first[0] != 0 or plan.first[len(plan.first) - 1] > len(plan.chutes):
        raise ValueError("plan: needs a version, and lanes whose chutes are among its chutes")
    if (counts < 1).any():
        raise ValueError(f"plan: lane {int(np.argmax(counts < 1))} has no chute")
    _check_indices("plan.chutes", plan.chutes, n_chutes)
    _check_indices("plan.exceptions", plan.exceptions, n_chutes, none=True)
    for name in ("exceptions", "exception_steps"):
        if len(getattr(plan, name)) != len(Reason):
            raise ValueError(f"plan.{name}: {len(getattr(plan, name))} entries, must be {len(Reason)}, one a reason")
    _check_chains(plan)
    if len(plan.listed) != len(plan.listed_reasons) or not np.array_equal(np.unique(plan.listed), plan.listed):
        raise ValueError("plan.listed: must rise, and have a reason each")
    _check_indices("plan.listed_reasons", plan.listed_reasons, len(Reason))


def _check_chains(plan: CompiledPlan) -> None:
    """No step, chain or wave leads out of the table it points into."""
    for name, dtype in (("steps", tables.STEP), ("lanes", tables.LANE), ("waves", tables.WAVE)):
        if getattr(plan, name).dtype != dtype:
            raise ValueError(f"plan.{name}: a table of dtype {getattr(plan, name).dtype}")
    if len(plan.weights) != len(plan.chutes) or (plan.weights < 1).any():
        raise ValueError("plan.weights: must be 1 or more, one a chute")
    if len(plan.lanes) != len(plan.first) - 1:
        raise ValueError(f"plan.lanes: {len(plan.lanes)} lanes, must be {len(plan.first) - 1}")
    _check_runs("plan.steps", plan.steps["first"], plan.steps["n_chutes"], len(plan.chutes), 1)
    _check_indices("plan.steps.policy", plan.steps["policy"], len(Policy))
    _check_indices("plan.steps.slot", plan.steps["slot"], N_GROUPS_MAX, none=True)
    _check_runs("plan.lanes.steps", plan.lanes["first_step"], plan.lanes["n_steps"], len(plan.steps), 1)
    _check_runs("plan.waves.steps", plan.waves["first_step"], plan.waves["n_steps"], len(plan.steps), 1)
    _check_runs("plan.lanes.waves", plan.lanes["first_wave"], plan.lanes["n_waves"], len(plan.waves), 0)
    _check_indices("plan.lanes.priority", plan.lanes["priority"], PRIORITY_MAX + 1)
    steps = plan.exception_steps
    if ((steps < -1) | (steps >= len(plan.steps))).any():
        raise ValueError(f"plan.exception_steps: must be -1 to {len(plan.steps) - 1}")
    ends = np.concatenate([[0], np.cumsum(plan.steps["n_chutes"].astype(np.int64))])
    for chains in (plan.lanes, plan.waves):
        tried = ends[chains["first_step"] + chains["n_steps"]] - ends[chains["first_step"]]
        if (tried > N_CANDIDATES_MAX).any():
            raise ValueError(f"plan: a chain of {int(tried.max())} chutes, must be {N_CANDIDATES_MAX} or fewer")


def _check_runs(what: str, first, n, n_things: int, n_min: int) -> None:
    """Rows `first` to `first + n` lie within a table of so many."""
    if ((first < 0) | (n < n_min) | (first.astype(np.int64) + n > n_things)).any():
        raise ValueError(f"{what}: must lie within {n_things}")


def _slots_for(layout: Layout, n_slots_min: int = 1024) -> int:
    """A power of two that holds the longest belt and what may come late behind it, in slots."""
    counts = max(int(b["length_counts"] + 2 * b["speed_counts_s_max"]) for b in layout.belts)
    return max(n_slots_min, 1 << (counts >> SLOT_SHIFT).bit_length())


def _digest(block: bytes) -> bytes:
    return hashlib.blake2b(block, digest_size=DIGEST_SIZE).digest()


cdef class _PlanOwner:
    """A compiled plan as the C struct, with the arrays it points into."""

    cdef Plan plan
    cdef list keep

    def __cinit__(self, compiled: CompiledPlan):
        cdef LaneTable labels = compiled.labels
        self.keep = [labels]
        self.plan.version = compiled.version
        self.plan.n_lanes = len(compiled.lanes)
        self.plan.n_listed = len(compiled.listed)
        self.plan.labels = labels._tables
        self.plan.chutes = <const uint16_t*>self._kept(compiled.chutes, np.uint16)
        self.plan.weights = <const uint16_t*>self._kept(compiled.weights, np.uint16)
        self.plan.steps = <const Step*>self._kept(compiled.steps, tables.STEP)
        self.plan.lanes = <const Lane*>self._kept(compiled.lanes, tables.LANE)
        self.plan.waves = <const Wave*>self._kept(compiled.waves, tables.WAVE)
        self.plan.exceptions = <const uint16_t*>self._kept(compiled.exceptions, np.uint16)
        self.plan.exception_steps = <const int32_t*>self._kept(compiled.exception_steps, np.int32)
        self.plan.listed = <const uint64_t*>self._kept(compiled.listed, np.uint64)
        self.plan.listed_reasons = <const uint16_t*>self._kept(compiled.listed_reasons, np.uint16)

    cdef const void* _kept(self, object table, object dtype) except? NULL:
        """Where a table of its own lies, which lives as long as this."""
        own = np.array(table, dtype)
        self.keep.append(own)
        return <const void*><uintptr_t>own.ctypes.data


cdef class Kernel:
    """Follows parcels, decides, and says what to fire. See `hubctl/core/events.py` for what goes in and out.

    Parameters
    ----------
    layout : Layout
        The hub, from `hubctl.core.layout.compile_layout`.
    plan : CompiledPlan or None
        The sort plan; without one every parcel goes to the belt's end with NO_PLAN.
    n_tracks_max : int
        Parcels followed at once, 1 to 1,000,000. One more is not opened, and an alarm is raised.
    snapshot : bytes or None
        What `snapshot()` gave for the same layout and limit.

    Raises
    ------
    ValueError
        A table, limit or snapshot that does not fit: a caller's bug.
    """

    def __cinit__(self, layout: Layout, plan: CompiledPlan | None = None, *, n_tracks_max: int = 4096,
                  snapshot: bytes | None = None):
        cdef Head head
        if not 1 <= n_tracks_max <= 1_000_000:
            raise ValueError(f"n_tracks_max = {n_tracks_max}: must be 1 to 1000000")
        for name in ("scanners", "scales"):
            if len(getattr(layout, name)) > 32:
                raise ValueError(f"{len(getattr(layout, name))} {name}: the kernel follows the answers of at most 32")
        _check_layout(layout)
        memset(&head, 0, sizeof(Head))
        head.n_belts = len(layout.belts)
        head.n_eyes = len(layout.eyes)
        head.n_scanners = len(layout.scanners)
        head.n_scales = len(layout.scales)
        head.n_diverters = len(layout.diverters)
        head.n_chutes = len(layout.chutes)
        head.n_nodes = layout.n_nodes
        head.n_carriers = int(layout.rings["n_carriers"].sum())
        head.n_tracks_max = n_tracks_max
        head.n_slots = _slots_for(layout)
        head.n_places = 1 << (2 * n_tracks_max - 1).bit_length()
        self._take_memory(&head)
        self._copy_layout(layout)
        make_ready(self.state)
        self._keep = []
        self.state.plan = &NO_PLAN_YET
        if snapshot is not None:
            self._restore(snapshot)
        if plan is not None:
            self.swap_plan(plan)

    cdef int _take_memory(self, Head* head) except -1:
        cdef State sizes
        self.state = <State*>calloc(1, sizeof(State))
        head.magic = MAGIC
        head.size = <int64_t>lay_out(&sizes, NULL, head)
        head.next_parcel = 1
        head.next_seq = 1
        cdef char* block = <char*>calloc(1, head.size)
        if self.state == NULL or block == NULL:
            raise MemoryError(f"no {head.size} bytes for the kernel")
        lay_out(self.state, block, head)
        memcpy(self.state.head, head, sizeof(Head))
        return 0

    cdef int _copy_layout(self, object layout) except -1:
        copy_table(self.state.belt_table, layout.belts)
        copy_table(self.state.eye_table, layout.eyes)
        copy_table(self.state.scanner_table, layout.scanners)
        copy_table(self.state.scale_table, layout.scales)
        copy_table(self.state.diverter_table, layout.diverters)
        copy_table(self.state.chute_table, layout.chutes)
        copy_table(self.state.hops, layout.hops)
        copy_table(self.state.machine_table, layout.machine)
        copy_table(self.state.ring_table, layout.rings)
        copy_table(self.state.host_table, layout.host)
        return 0

    cdef int _restore(self, bytes snapshot) except -1:
        cdef bytes block = snapshot[DIGEST_SIZE:]
        cdef const Head* head = <const Head*><const char*>block
        cdef Py_ssize_t n_tables = <char*>self.state.belts - <char*>self.state.belt_table
        cdef Py_ssize_t tables_at = <char*>self.state.belt_table - <char*>self.state.head
        if len(block) != self.state.head.size or head.magic != MAGIC:
            raise ValueError(f"a snapshot of {len(snapshot)} bytes; this layout and limit need "
                             f"{self.state.head.size + DIGEST_SIZE} of this version")
        if _digest(block) != snapshot[:DIGEST_SIZE]:
            raise ValueError("the snapshot is damaged: its content does not fit its digest")
        if memcmp(<const char*>block + tables_at, self.state.belt_table, n_tables) != 0:
            raise ValueError("the snapshot is of another layout")
        memcpy(self.state.head, <const char*>block, len(block))
        return 0

    def __dealloc__(self):
        if self.state != NULL:
            free(self.state.head)
            free(self.state)

    def step(self, int64_t now_ns, inputs):
        """Feeds inputs at a time and returns what the kernel says, in order.

        Parameters
        ----------
        now_ns : int
            Host monotonic time, ns; never less than before.
        inputs : structured array of RECORD, shape (n,)

        Returns
        -------
        structured array of RECORD, shape (m,)
        """
        if inputs.dtype != RECORD:
            raise ValueError(f"inputs of dtype {inputs.dtype}: must be RECORD")
        cdef object given = np.ascontiguousarray(inputs)
        cdef int n = len(given)
        cdef int n_out_max = max(4096, KERNEL_OUT_MIN * (n + 1))
        out = np.empty(n_out_max, RECORD)
        cdef const Record* first = <const Record*><uintptr_t>given.ctypes.data
        cdef Record* to = <Record*><uintptr_t>out.ctypes.data
        with nogil:
            n = kernel_step(self.state, now_ns, first, n, to, n_out_max)
        return out[:n].copy()

    def next_deadline(self):
        """When `step` must be called next even if nothing happens, ns; 2**63 - 1 for never."""
        return kernel_next_deadline(self.state)

    def swap_plan(self, plan: CompiledPlan):
        """Decides by `plan` from the next step on. Parcels already decided keep theirs.

        Not while a reactor runs this kernel: there, `Reactor.swap_plan`.
        """
        kernel_set_plan(self.state, <const void*><uintptr_t>self.own_plan(plan))

    def own_plan(self, plan: CompiledPlan):
        """Takes a plan in, to be kept as long as the kernel, and returns the address of its C form."""
        _check_plan(plan, self.state.head.n_chutes)
        cdef _PlanOwner owner = _PlanOwner(plan)
        self._keep.append(owner)
        return <uintptr_t>&owner.plan

    def snapshot(self):
        """The whole state as bytes, its digest first. A kernel made from it goes on exactly as this one would."""
        block = PyBytes_FromStringAndSize(<const char*>self.state.head, self.state.head.size)
        return _digest(block) + block

    def state_hash(self):
        """Hex digest of the state: equal for kernels that will behave alike."""
        return self.snapshot()[:DIGEST_SIZE].hex()

    @property
    def address(self):
        """Where the C state lies, for compiled callers of `kernel_step`."""
        return <uintptr_t>self.state

    @property
    def n_open(self):
        """Parcels followed now."""
        return self.state.head.n_open

    def chute_loads(self):
        """Parcels in each chute, on their way to it, and committed to it, shape (n_chutes, 3)."""
        cdef ChuteStatus* chutes = self.state.chutes
        loads = [(chutes[c].held.n_parcels, chutes[c].booked.n_parcels, chutes[c].n_going)
                 for c in range(self.state.head.n_chutes)]
        return np.array(loads, np.int64).reshape(-1, 3)

    @property
    def n_evidence_lost(self):
        """Records that did not fit into a caller's output."""
        return self.state.head.n_evidence_lost

    @property
    def n_inputs_refused(self):
        """Inputs that named a device, chute or kind that this hub does not have; they changed nothing."""
        return self.state.head.n_inputs_refused

    def belt_speed(self, int belt):
        """Measured speed of a belt, counts a second."""
        return self.state.belts[belt].speed_counts_s
