"""The machine: PackML states by a table, the tower light by another, and which belts run.

A command without a row in the table is refused. States that end by themselves go on as soon as they may. A reset
never starts; after the safety chain has tripped a person clears, resets and starts. Tracks are kept meanwhile: their
encoder follows them, and the next eye proves them.
"""

from libc.stdint cimport int64_t

from hubctl._records cimport (
    ALARM_CLEARED,
    ALARM_RAISED,
    ALARM_SAFETY_TRIPPED,
    DO_ABORT,
    DO_CLEAR,
    DO_HOLD,
    LAMP_BUZZER,
    LAMP_RED,
    LAMP_YELLOW,
    NO_INDEX,
    RUN_BELT,
    SHOW_LIGHT,
    STATE_CHANGED,
    STATE_EXECUTE,
    STATE_STARTING,
    STATE_STOPPING,
    STATE_UNHOLDING,
    Record,
)
from hubctl._state cimport State, say, watch

cdef extern from *:
    """
    #include <stdint.h>

    /* State, command, the state it leads to: ISA-TR88.00.02. */
    static const uint8_t HUB_MACHINE_ROWS[][3] = {
        {2, 1, 15}, {4, 2, 3},   {6, 4, 10},  {11, 5, 12}, {6, 6, 13},  {5, 7, 14},  {9, 9, 1},
        {3, 3, 7},  {4, 3, 7},   {5, 3, 7},   {6, 3, 7},   {10, 3, 7},  {11, 3, 7},  {12, 3, 7},
        {13, 3, 7}, {14, 3, 7},  {15, 3, 7},  {1, 8, 8},   {2, 8, 8},   {3, 8, 8},   {4, 8, 8},
        {5, 8, 8},  {6, 8, 8},   {7, 8, 8},   {10, 8, 8},  {11, 8, 8},  {12, 8, 8},  {13, 8, 8},
        {14, 8, 8}, {15, 8, 8},
    };

    static inline int hub_machine_next(int state, int64_t command) {
        for (unsigned i = 0; i < sizeof HUB_MACHINE_ROWS / sizeof HUB_MACHINE_ROWS[0]; i++)
            if (HUB_MACHINE_ROWS[i][0] == state && HUB_MACHINE_ROWS[i][1] == command)
                return HUB_MACHINE_ROWS[i][2];
        return 0;
    }

    /* By state: where it goes by itself (0: it stays), whether belts run, the light. */
    static const uint8_t HUB_MACHINE_STATES[16][3] = {
        {0, 0, 0},
        {2, 0, 1},   /* CLEARING: red */
        {0, 0, 1},   /* STOPPED: red */
        {6, 0, 34},  /* STARTING: yellow, buzzer */
        {0, 0, 2},   /* IDLE: yellow */
        {0, 1, 16},  /* SUSPENDED: yellow blinks */
        {0, 1, 4},   /* EXECUTE: green */
        {2, 1, 1},   /* STOPPING: red */
        {9, 0, 40},  /* ABORTING: red blinks, buzzer */
        {0, 0, 40},  /* ABORTED: red blinks, buzzer */
        {11, 0, 16}, /* HOLDING: yellow blinks */
        {0, 0, 16},  /* HELD: yellow blinks */
        {6, 0, 34},  /* UNHOLDING: yellow, buzzer */
        {5, 1, 16},  /* SUSPENDING: yellow blinks */
        {6, 1, 4},   /* UNSUSPENDING: green */
        {4, 0, 1},   /* RESETTING: red */
    };
    static inline int hub_machine_after(int state) { return HUB_MACHINE_STATES[state][0]; }
    static inline int hub_machine_runs(int state) { return HUB_MACHINE_STATES[state][1]; }
    static inline int hub_machine_light(int state) { return HUB_MACHINE_STATES[state][2]; }
    """
    int hub_machine_next(int state, int64_t command) nogil
    int hub_machine_after(int state) nogil
    int hub_machine_runs(int state) nogil
    int hub_machine_light(int state) nogil


cdef inline bint is_executing(const State* s) noexcept nogil:
    """Whether parcels may come in: always, where there is no machine to start and stop."""
    return s.machine.state == STATE_EXECUTE


cdef inline bint are_running(const State* s) noexcept nogil:
    """Whether belts run in the present state; a stop starts no belt that stood."""
    return s.machine.is_draining if s.machine.state == STATE_STOPPING else hub_machine_runs(s.machine.state)


cdef inline bint may_run(const State* s, int b) noexcept nogil:
    """Whether belt `b` is not halted, by the machine's state or by what is wrong with it."""
    return are_running(s) and s.drives[b].n_halts == 0


cdef inline void tell_belt(State* s, int b) noexcept nogil:
    cdef int64_t speed_mm_s = s.belt_table[b].speed_counts_s * 1000 // s.belt_table[b].counts_per_m
    cdef Record* record
    if not may_run(s, b):
        speed_mm_s = 0
    if s.drives[b].told_mm_s == speed_mm_s or not (s.belt_table[b].run_node != NO_INDEX or s.machine_table.is_there):
        return
    s.drives[b].told_mm_s = speed_mm_s
    s.belts[b].pace_ns = s.belts[b].moved_ns
    s.belts[b].pace_speed = 0
    record = say(s, RUN_BELT, 0)
    record.device = b
    record.value = speed_mm_s


cdef inline void tell_belts(State* s) noexcept nogil:
    cdef int b
    for b in range(s.head.n_driven):
        tell_belt(s, b)


cdef inline void forget_told(State* s) noexcept nogil:
    """A node that comes up has all outputs off: everything that is on is told again."""
    cdef int i
    s.machine.light = -1
    for i in range(s.head.n_belts):
        s.drives[i].told_mm_s = -1
    for i in range(s.head.n_inducts):
        s.inducts[i].told = -1


cdef inline void tell_light(State* s) noexcept nogil:
    cdef int light = hub_machine_light(s.machine.state)
    if s.machine.is_tripped:
        light = LAMP_RED | LAMP_YELLOW | LAMP_BUZZER
    if s.machine.light == light or not s.machine_table.is_there:
        return
    s.machine.light = light
    say(s, SHOW_LIGHT, 0).value = light


cdef inline void halt(State* s, int b) noexcept nogil:
    """One more thing stops belt `b`."""
    s.drives[b].n_halts += 1
    tell_belt(s, b)


cdef inline void release(State* s, int b) noexcept nogil:
    """One thing less stops belt `b`."""
    s.drives[b].n_halts -= 1
    tell_belt(s, b)


cdef inline void enter_state(State* s, int state) noexcept nogil:
    cdef Record* record = say(s, STATE_CHANGED, 0)
    record.value = state
    record.limit = s.machine.state
    s.machine.is_draining = are_running(s)
    s.machine.state = state
    s.machine.since_ns = s.now_ns
    tell_belts(s)
    tell_light(s)


cdef inline int64_t stays_until_ns(const State* s) noexcept nogil:
    """When the present state may go on by itself."""
    if s.machine.state == STATE_STARTING or s.machine.state == STATE_UNHOLDING:
        return s.machine.since_ns + s.machine_table.warning_ns
    if s.machine.state == STATE_STOPPING and s.machine.is_draining and s.head.n_open > 0:
        return s.machine.since_ns + s.machine_table.drain_ns
    return s.machine.since_ns


cdef inline void go_on_by_itself(State* s) noexcept nogil:
    """States that end by themselves, one after the other."""
    while hub_machine_after(s.machine.state):
        if s.now_ns < stays_until_ns(s):
            watch(s, stays_until_ns(s))
            return
        enter_state(s, hub_machine_after(s.machine.state))


cdef inline bint machine_do(State* s, int64_t command) noexcept nogil:
    """Obeys a command if the table has a row for it in this state; whether it has."""
    cdef int state = hub_machine_next(s.machine.state, command)
    if not s.machine_table.is_there or state == 0 or (command == DO_CLEAR and s.machine.is_tripped):
        return False
    enter_state(s, state)
    go_on_by_itself(s)
    return True


cdef inline void do_if_there(State* s, int64_t command) noexcept nogil:
    """A command of the kernel's own: where there is no such machine, or it is stopped already, nothing is to do."""
    machine_do(s, command)


cdef inline void take_machine(State* s, const Record* input) noexcept nogil:
    if not machine_do(s, input.value):
        s.head.n_inputs_refused += 1


cdef inline void lose_outputs(State* s, int node) noexcept nogil:
    """A node is down: a belt that it let run stands, and starts again by a person only."""
    cdef int b
    for b in range(s.head.n_belts):
        if s.belt_table[b].run_node == node:
            do_if_there(s, DO_HOLD)


cdef inline void take_safety(State* s, const Record* input) noexcept nogil:
    """The hard-wired chain stopped everything already; we behave."""
    if s.machine.is_tripped == (input.value != 0):
        return
    s.machine.is_tripped = input.value != 0
    say(s, ALARM_RAISED if s.machine.is_tripped else ALARM_CLEARED, 0).value = ALARM_SAFETY_TRIPPED
    if s.machine.is_tripped:
        do_if_there(s, DO_ABORT)
    tell_light(s)
