"""The reactor's side of a node with our firmware, as `hubctl/protocol/node.py` is a tool's: what it says, in order.

Rules. It is told what to divert before it is asked how it goes, and everything it has seen and done up to a count is
taken before it is believed to have got so far (`told_ns`). An arm that comes when the belt is there already is
missed without a word to the node; one without an answer is told again, since the node does none twice. A node that
was out of reach fires what it was told all the same: once it is back, the same in its present life, it is asked what
became of it, and told anew what is wanted still.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from hubctl._batch cimport Batch, batch_add, tell_fire
from hubctl._clock cimport ahead, between, extend_ticks, sample_lead, spans, take_lead, told_at
from hubctl._records cimport (
    CANCEL_DIVERT, CHUTE_LEVEL, CONFIRM, ENCODER, EYE, HOME, LATCHED, MISSED_WINDOW, NODE, NODE_DOWN, NONE, OK, Record,
)
from hubctl._tables cimport NodeWire, Signal
from hubctl._wire cimport ACCEPTED, Reply, Request, channel_send
from hubctl._wires cimport ABSENT, BASELINE, CLEARING, SAFE, UNSAFE, UP, Field, Lead

# The register map of `hubctl/protocol/registers.py`; a test compares them.
cdef enum:
    MAGIC = 0x4855424E
    MAP_VERSION = 1
    IDENTITY_AT = 0
    IDENTITY_WORDS = 13
    RESULT_AT = 92
    RESULT_WORDS = 8
    STATUS_AT = 100
    STATUS_WORDS = 23
    EDGES_HEAD = 4
    EDGE_WORDS = 3
    N_EDGES_SHOWN = 16
    OUTCOMES_HEAD = 4
    OUTCOME_WORDS = 5
    N_OUTCOMES_SHOWN = 8
    POLL_AT = 300
    POLL_WORDS = 5
    COMMAND_AT = 320
    COMMAND_WORDS = 14
    CONFIG_AT = 340
    CONFIG_WORDS = 54
    N_EYES = 16
    NO_EYE = 0xFFFF
    EDGE_BLOCKED = 0x0100
    DO_TAKE = 1
    DO_ARM = 2
    DO_CANCEL = 3
    DO_CLEAR = 4
    DO_MAKE_SAFE = 5
    PULSE = 1
    HOLD_IN_MS = 1
    IS_READY = 2
    IS_SAFE = 3
    HOST_SILENT = 1
    RESULT_OK = 1
    RESULT_OLD_EPOCH = 2
    RESULT_NOT_TAKEN = 3
    RESULT_LATE = 11
    RESULT_OLD_SEQ = 13
    OUTCOME_FIRED = 1
    OUTCOME_VOID = 2
    OUTCOME_REFUSED = 3
    OUTCOME_CANCELLED = 4

cdef enum:
    EDGES_WORD = STATUS_WORDS
    OUTCOMES_WORD = STATUS_WORDS + EDGES_HEAD + N_EDGES_SHOWN * EDGE_WORDS
    SHOWN_WORDS = OUTCOMES_WORD + OUTCOMES_HEAD + N_OUTCOMES_SHOWN * OUTCOME_WORDS
    N_EDGES_ASKED_MIN = 4  # with each poll, so that an edge seldom waits for the next one
    N_FAILURES_MAX = 3     # in a row, then the node is down

cdef enum Asked:
    ASKED_COMMAND = 1
    ASKED_POLL = 2
    ASKED_CONFIG = 3
    ASKED_REST = 4

cdef int64_t RETRY_NS = 500_000_000  # between attempts to bring a node up again
cdef int64_t SAMPLE_NS = 10_000_000  # a late poll stands for a sample each


# Words


cdef inline int word(const Reply* reply, int at) noexcept nogil:
    return (reply.data[2 * at] << 8) | reply.data[2 * at + 1]


cdef inline uint32_t long_word(const Reply* reply, int at) noexcept nogil:
    return (<uint32_t>word(reply, at) << 16) | <uint32_t>word(reply, at + 1)


cdef inline void put(uint8_t* data, int at, int value) noexcept nogil:
    data[2 * at] = <uint8_t>(value >> 8)
    data[2 * at + 1] = <uint8_t>value


cdef inline void put_long(uint8_t* data, int at, uint32_t value) noexcept nogil:
    put(data, at, <int>(value >> 16))
    put(data, at + 1, <int>(value & 0xFFFF))


# Questions


cdef int send_read(Session* n, int address, int n_words, int64_t now_ns, uint8_t* out) noexcept nogil:
    cdef Request request
    cdef const NodeWire* wire = &n.field.nodes[n.node]
    memset(&request, 0, sizeof(Request))
    request.unit = <uint8_t>wire.unit
    request.function = 3
    request.address = <uint16_t>address
    request.count = <uint16_t>n_words
    n.waiting = True
    return channel_send(n.channel, &request, NULL, 0, now_ns, wire.timeout_ns, ASKED_REST, out)


cdef int send_block(Session* n, int asked, int address, uint8_t* data, int n_words, int read_at, int n_read,
                    int64_t now_ns, uint8_t* out) noexcept nogil:
    """Writes a block, under a number of its own and this host's epoch, and reads."""
    cdef Request request
    cdef const NodeWire* wire = &n.field.nodes[n.node]
    n.host_seq += 1
    put(data, 0, n.host_seq)
    put_long(data, 1, n.field.epoch)
    memset(&request, 0, sizeof(Request))
    request.unit = <uint8_t>wire.unit
    request.function = 23
    request.address = <uint16_t>address
    request.count = <uint16_t>n_words
    request.read_address = <uint16_t>read_at
    request.read_count = <uint16_t>n_read
    n.waiting = True
    return channel_send(n.channel, &request, data, 2 * n_words, now_ns, wire.timeout_ns, asked, out)


cdef int send_command(Session* n, int command, uint32_t seq, int64_t now_ns, uint8_t* out) noexcept nogil:
    cdef uint8_t[28] data
    memset(data, 0, sizeof(data))
    put(data, 3, command)
    put_long(data, 6, seq)
    return send_block(n, ASKED_COMMAND, COMMAND_AT, data, COMMAND_WORDS, RESULT_AT, RESULT_WORDS, now_ns, out)


cdef int send_order(Session* n, int64_t now_ns, uint8_t* out) noexcept nogil:
    cdef uint8_t[28] data
    cdef Order* order = &n.orders[0]
    order.is_sent = True
    if place_of(n, order.seq) >= 0:
        n.is_told[place_of(n, order.seq)] = True
    if order.is_cancel:
        return send_command(n, DO_CANCEL, order.seq, now_ns, out)
    memset(data, 0, sizeof(data))
    put(data, 3, DO_ARM)
    put(data, 4, order.diverter)
    put(data, 5, PULSE)
    put_long(data, 6, order.seq)
    put_long(data, 8, order.fire_counts)
    put_long(data, 10, order.void_counts)
    put(data, 12, order.hold_ms)
    put(data, 13, HOLD_IN_MS)
    return send_block(n, ASKED_COMMAND, COMMAND_AT, data, COMMAND_WORDS, RESULT_AT, RESULT_WORDS, now_ns, out)


cdef void write_config(const Session* n, uint8_t* data) noexcept nogil:
    """The kernel itself sees to chatter and to chute eyes, so the node keeps nothing back."""
    cdef const NodeWire* wire = &n.field.nodes[n.node]
    cdef int i
    memset(data, 0, 2 * CONFIG_WORDS)
    put_long(data, 1, n.field.epoch)
    put(data, 3, wire.watchdog_ms)
    put(data, 5, wire.encoder_mode)
    for i in range(N_EYES):
        put(data, 6 + N_EYES + i, NO_EYE)


cdef int send_config(Session* n, int64_t now_ns, uint8_t* out) noexcept nogil:
    cdef uint8_t[108] data
    write_config(n, data)
    return send_block(n, ASKED_CONFIG, CONFIG_AT, data, CONFIG_WORDS, STATUS_AT, SHOWN_WORDS, now_ns, out)


cdef int n_poll_words(const Session* n) noexcept nogil:
    """As few registers as show what is kept, since a serial line takes its time."""
    cdef int n_edges = max(min(n.n_edges, N_EDGES_SHOWN), N_EDGES_ASKED_MIN)
    return SHOWN_WORDS if n.n_outcomes else EDGES_WORD + EDGES_HEAD + n_edges * EDGE_WORDS


cdef int send_poll(Session* n, int64_t now_ns, uint8_t* out) noexcept nogil:
    cdef uint8_t[10] data
    memset(data, 0, sizeof(data))
    put(data, 3, n.edges_next)
    put(data, 4, n.outcomes_next)
    n.next_ns = now_ns + n.field.nodes[n.node].period_ns
    return send_block(n, ASKED_POLL, POLL_AT, data, POLL_WORDS, STATUS_AT, n_poll_words(n), now_ns, out)


cdef int session_ask(Session* n, int64_t now_ns, uint8_t* out) noexcept nogil:
    if n.waiting or n.stage == ENDED:
        return 0
    if n.stage == RUN and n.n_orders:
        return send_order(n, now_ns, out)
    if now_ns < n.next_ns:
        return 0
    if n.stage == IDENTIFY:
        return send_read(n, IDENTITY_AT, IDENTITY_WORDS, now_ns, out)
    if n.stage == TAKE:
        return send_command(n, DO_TAKE, n.boot_id, now_ns, out)
    if n.stage == CONFIGURE:
        return send_config(n, now_ns, out)
    if n.stage == VERIFY:
        return send_read(n, CONFIG_AT, CONFIG_WORDS, now_ns, out)
    if n.stage == CLEAR:
        return send_command(n, DO_CLEAR, 0, now_ns, out)
    if n.stage == QUIT:
        return send_command(n, DO_MAKE_SAFE, 0, now_ns, out)
    if n.wants_clear:
        n.is_clearing = True
        return send_command(n, DO_CLEAR, 0, now_ns, out)
    return send_poll(n, now_ns, out)


cdef int64_t session_next_deadline(const Session* n) noexcept nogil:
    if n.waiting or n.stage == ENDED:
        return INT64_MAX
    return 0 if n.stage == RUN and n.n_orders else n.next_ns


# Up and down


cdef void tell_node(Session* n, int value, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef Record* row = batch_add(batch, NODE, now_ns)
    row.device = <uint16_t>n.node
    row.value = value
    row.seq = n.boot_id if value else 0


cdef int is_there(const Session* n) noexcept nogil:
    """What NODE says of a node that is up."""
    return 2 if n.is_safe else 1


cdef void note_state(Session* n, int state, int64_t now_ns, Batch* batch) noexcept nogil:
    """A node that made itself safe is watched on, and does nothing until a person clears it."""
    if n.is_safe == (state == IS_SAFE):
        return
    n.is_safe = state == IS_SAFE
    if n.field.node_status[n.node].state == UP:
        tell_node(n, is_there(n), now_ns, batch)


cdef Record* tell_result(const Record* command, int reason, int64_t t_ns, Batch* batch) noexcept nogil:
    """A node fires by its own counter: a fire is due when it happens."""
    cdef Record* row = tell_fire(command, reason, t_ns, batch)
    row.due_ns = t_ns
    return row


cdef void begin_anew(Session* n, int state, int64_t from_ns) noexcept nogil:
    n.stage = IDENTIFY
    n.next_ns = from_ns
    n.waiting = False
    n.has_counts = n.is_clearing = n.wants_clear = False
    n.n_orders = n.n_edges = n.n_outcomes = 0
    n.field.node_status[n.node].state = state
    n.field.node_status[n.node].n_failures = 0


cdef void refuse_orders(Session* n, int64_t now_ns, Batch* batch) noexcept nogil:
    """Arms that the node was never told; of one that it may have heard of nobody knows."""
    cdef int k = 0
    while k < n.n_armed:
        if n.is_told[k]:
            k += 1
        else:
            tell_result(&n.armed[k], NODE_DOWN, now_ns, batch)
            forget(n, k)


cdef void order_anew(Session* n) noexcept nogil:
    """What the node was told before it was out of reach: as it is wanted now."""
    cdef int k
    for k in range(n.n_armed):
        put_order(n, &n.armed[k])


cdef void lower(Session* n, int state, int64_t from_ns, int64_t now_ns, Batch* batch) noexcept nogil:
    """The node is not to be trusted, and begun with anew after a while."""
    refuse_orders(n, now_ns, batch)
    if n.field.node_status[n.node].state == UP:
        tell_node(n, 0, now_ns, batch)
    begin_anew(n, state, from_ns)


cdef void session_connect(Session* n, int64_t now_ns) noexcept nogil:
    begin_anew(n, CLEARING, now_ns)


cdef void session_disconnect(Session* n, int64_t now_ns, Batch* batch) noexcept nogil:
    lower(n, ABSENT, now_ns, now_ns, batch)


cdef void session_make_safe(Session* n, int64_t now_ns) noexcept nogil:
    if n.field.node_status[n.node].state == ABSENT or n.stage == ENDED:
        return
    # One that was not taken has been told nothing, and switches nothing on.
    n.field.node_status[n.node].state = CLEARING if n.stage == RUN else SAFE
    n.stage = QUIT if n.stage == RUN else ENDED
    n.next_ns = now_ns
    n.n_orders = 0


cdef void failed(Session* n, int64_t now_ns, Batch* batch) noexcept nogil:
    n.field.node_status[n.node].n_failures += 1
    if n.field.node_status[n.node].n_failures < N_FAILURES_MAX:
        return
    if n.stage == QUIT:
        n.stage = ENDED
        n.field.node_status[n.node].state = UNSAFE
    else:
        lower(n, CLEARING, now_ns + RETRY_NS, now_ns, batch)


# Diverts


cdef int place_of(const Session* n, uint32_t seq) noexcept nogil:
    """Where an armed divert stands; -1 if nothing is awaited of it."""
    cdef int i
    for i in range(n.n_armed):
        if n.armed[i].seq == seq:
            return i
    return -1


cdef void forget(Session* n, int k) noexcept nogil:
    n.n_armed -= 1
    n.armed[k] = n.armed[n.n_armed]
    n.is_told[k] = n.is_told[n.n_armed]


cdef int order_of(const Session* n, uint32_t seq) noexcept nogil:
    """An order for this divert that was not sent yet; -1 if there is none."""
    cdef int i
    for i in range(n.n_orders):
        if n.orders[i].seq == seq and not n.orders[i].is_cancel and not n.orders[i].is_sent:
            return i
    return -1


cdef void drop_order(Session* n, int at) noexcept nogil:
    cdef int i
    n.n_orders -= 1
    for i in range(at, n.n_orders):
        n.orders[i] = n.orders[i + 1]


cdef void put_order(Session* n, const Record* command) noexcept nogil:
    cdef int at = order_of(n, command.seq)
    cdef Order* order
    if at < 0 or command.kind == CANCEL_DIVERT:
        at = n.n_orders
        n.n_orders += 1
    order = &n.orders[at]
    order.is_sent = False
    order.is_cancel = command.kind == CANCEL_DIVERT
    order.seq = command.seq
    order.fire_counts = <uint32_t>(command.counts - n.count.by)
    order.void_counts = <uint32_t>(command.limit - n.count.by)
    order.diverter = n.field.outputs[command.chute].coil
    order.hold_ms = <uint16_t>(n.field.outputs[command.chute].hold_ns // 1000000)


cdef void cancel(Session* n, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil:
    """What becomes of it all the same is told still; nothing becomes of one that the node was never told."""
    cdef int k = place_of(n, command.seq)
    cdef int at = order_of(n, command.seq)
    if k < 0:
        return
    if at >= 0:
        drop_order(n, at)
    if not n.is_told[k]:
        tell_result(&n.armed[k], NONE, now_ns, batch)
        forget(n, k)
        return
    n.armed[k].kind = CANCEL_DIVERT
    if n.field.node_status[n.node].state == UP and n.n_orders < N_ORDERS_MAX:
        put_order(n, &n.armed[k])


cdef bint is_too_late(const Session* n, const Record* command) noexcept nogil:
    """Whether the belt is there already: whatever the node would make of it."""
    return ahead(<uint32_t>(command.counts - n.count.by), n.counts) <= 0


cdef bint has_ended(const Session* n, const Record* command) noexcept nogil:
    """Whether it was armed before: then what became of it is told already, though the kernel may be behind."""
    return n.last_seq != 0 and ahead(command.seq, n.last_seq) <= 0


cdef void arm_new(Session* n, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil:
    if has_ended(n, command):
        return
    n.last_seq = command.seq
    if n.field.node_status[n.node].state != UP or n.is_safe or n.n_armed == N_ARMED_MAX or n.n_orders == N_ORDERS_MAX:
        tell_result(command, NODE_DOWN, now_ns, batch)
    elif is_too_late(n, command):
        tell_result(command, MISSED_WINDOW, now_ns, batch)
    else:
        n.armed[n.n_armed] = command[0]
        n.is_told[n.n_armed] = False
        n.n_armed += 1
        put_order(n, command)


cdef void arm_anew(Session* n, int k, const Record* command) noexcept nogil:
    """Where it is to be fired now. A node that cannot be told fires it where it was told last."""
    n.armed[k] = command[0]
    if n.field.node_status[n.node].state == UP and n.n_orders < N_ORDERS_MAX:
        put_order(n, command)


cdef void session_order(Session* n, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int k = place_of(n, command.seq)
    if command.kind == CANCEL_DIVERT:
        cancel(n, command, now_ns, batch)
    elif k >= 0:
        arm_anew(n, k, command)
    else:
        arm_new(n, command, now_ns, batch)


cdef void take_outcome(Session* n, uint32_t seq, int kind, int why, uint32_t counts, int64_t t_ns, Batch* batch) noexcept nogil:
    cdef int k = place_of(n, seq)
    cdef Record* row
    if k < 0 or not OUTCOME_FIRED <= kind <= OUTCOME_CANCELLED:
        return
    if kind == OUTCOME_FIRED:
        row = tell_result(&n.armed[k], OK, t_ns, batch)
        row.counts = <uint32_t>(counts + n.count.by)
        row.flags = LATCHED
    elif kind == OUTCOME_VOID or (kind == OUTCOME_REFUSED and why == RESULT_LATE):
        tell_result(&n.armed[k], MISSED_WINDOW, n.told_ns, batch)
    elif why != RESULT_OLD_SEQ:  # of which the outcome was lost
        tell_result(&n.armed[k], NONE if n.armed[k].kind == CANCEL_DIVERT else NODE_DOWN, n.told_ns, batch)
    forget(n, k)


# What a poll shows


cdef int64_t time_of_counts(const Session* n, uint32_t counts, uint32_t now_counts, int64_t now_ns) noexcept nogil:
    """When the node's belt was at a count since its last poll, as if it had run evenly; its share of the time is
    taken in two parts, so that nothing overflows."""
    cdef int64_t ran = ahead(now_counts, n.counts)
    cdef int64_t came = ahead(counts, n.counts)
    cdef int64_t passed_ns = now_ns - n.counted_ns
    if not n.has_counts or ran <= 0:
        return now_ns
    came = max(min(came, ran), 0)
    return n.counted_ns + passed_ns // ran * came + passed_ns % ran * came // ran


cdef void tell_edge(Session* n, int eye, bint is_blocked, uint32_t counts, int64_t t_ns, Batch* batch) noexcept nogil:
    """What each thing that is wired to this eye means to the kernel."""
    cdef int i
    cdef int first = n.field.poll_status[n.poll].first_signal
    cdef const Signal* signal
    cdef Record* row
    for i in range(first, first + n.field.poll_status[n.poll].n_signals):
        signal = &n.field.signals[i]
        if signal.offset != eye:
            continue
        row = batch_add(batch, signal.kind, t_ns)
        row.value = is_blocked ^ (signal.invert & 1)
        if signal.kind == EYE:
            row.counts = <uint32_t>(counts + n.count.by)
            row.flags = LATCHED
        if signal.kind == EYE or signal.kind == HOME:
            row.device = signal.index
        else:
            row.chute = signal.index


cdef void tell_levels(Session* n, int eyes, int64_t t_ns, Batch* batch) noexcept nogil:
    """At first, what is level means something by itself."""
    cdef int i
    cdef int first = n.field.poll_status[n.poll].first_signal
    cdef const Signal* signal
    for i in range(first, first + n.field.poll_status[n.poll].n_signals):
        signal = &n.field.signals[i]
        if signal.kind == CHUTE_LEVEL or signal.kind == HOME:
            tell_edge(n, signal.offset, (eyes >> signal.offset) & 1, 0, t_ns, batch)


cdef void note_lost_edges(Session* n, int n_lost, Batch* batch) noexcept nogil:
    """Edges were lost, because nobody asked in time: its eyes prove nothing of what passed till now."""
    if n_lost != n.n_edges_lost and n.field.node_status[n.node].state == UP:
        tell_node(n, 0, n.told_ns, batch)
        tell_node(n, is_there(n), n.told_ns, batch)
    n.n_edges_lost = n_lost


cdef void take_edges(Session* n, const Reply* reply, uint32_t counts, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i, at
    cdef int n_shown = min(word(reply, EDGES_WORD + 2), (reply.n_data // 2 - EDGES_WORD - EDGES_HEAD) // EDGE_WORDS)
    cdef uint32_t edge_counts
    n_shown = min(n_shown, N_EDGES_SHOWN)
    note_lost_edges(n, word(reply, EDGES_WORD + 3), batch)
    for i in range(n_shown):
        at = EDGES_WORD + EDGES_HEAD + i * EDGE_WORDS
        edge_counts = long_word(reply, at + 1)
        if n.poll >= 0 and n.field.node_status[n.node].state == UP:
            tell_edge(n, word(reply, at) & 0xFF, (word(reply, at) & EDGE_BLOCKED) != 0, edge_counts,
                      time_of_counts(n, edge_counts, counts, now_ns), batch)
    n.edges_next = <uint16_t>(word(reply, EDGES_WORD + 1) + n_shown)
    n.n_edges = word(reply, EDGES_WORD + 2) - n_shown


cdef void take_outcomes(Session* n, const Reply* reply, uint32_t counts, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i, at, n_shown
    cdef uint32_t fired_counts
    n.n_outcomes = word(reply, 20)
    if reply.n_data < 2 * SHOWN_WORDS:
        return
    n_shown = min(word(reply, OUTCOMES_WORD + 2), N_OUTCOMES_SHOWN)
    for i in range(n_shown):
        at = OUTCOMES_WORD + OUTCOMES_HEAD + i * OUTCOME_WORDS
        fired_counts = long_word(reply, at + 3)
        take_outcome(n, long_word(reply, at), word(reply, at + 2) >> 8, word(reply, at + 2) & 0xFF, fired_counts,
                     time_of_counts(n, fired_counts, counts, now_ns), batch)
    n.outcomes_next = <uint16_t>(word(reply, OUTCOMES_WORD + 1) + n_shown)
    n.n_outcomes = word(reply, OUTCOMES_WORD + 2) - n_shown


cdef void tell_sample(const Session* n, uint32_t counts, int64_t t_ns, Batch* batch) noexcept nogil:
    cdef Record* row = batch_add(batch, ENCODER, t_ns)
    row.device = n.field.nodes[n.node].belt
    row.counts = counts


cdef void tell_samples(const Session* n, uint32_t counts, int64_t now_ns, Batch* batch) noexcept nogil:
    """The belt's count, and after a late poll what it was meanwhile, as if it had run evenly."""
    cdef int64_t gone_ns = now_ns - n.counted_ns
    cdef int64_t ran = ahead(counts, n.counts)
    cdef int n_samples = <int>min(gone_ns // SAMPLE_NS, N_SAMPLES_MAX) if n.has_counts else 0
    cdef int i
    for i in range(1, n_samples):
        tell_sample(n, <uint32_t>(n.counts + ran * i // n_samples), n.counted_ns + gone_ns * i // n_samples, batch)
    tell_sample(n, counts, now_ns, batch)


cdef void follow_belt(Session* n, uint32_t counts, int64_t now_ns) noexcept nogil:
    """How its count goes together with its belt's."""
    cdef const NodeWire* wire = &n.field.nodes[n.node]
    cdef Lead* lead = &n.field.leads[wire.belt]
    if wire.leads:
        n.count.by = 0
        n.count.is_known = True
        sample_lead(lead, counts, now_ns, n.boot_id)
    elif lead.has_counts and lead.boot_id != n.lead_boot:
        n.lead_boot = lead.boot_id
        n.count.is_known = False
        n.count.n_agreed = 0
    elif n.has_counts and spans(lead, n.counted_ns):
        take_lead(&n.count, lead, n.counts, n.counted_ns)


cdef void raise_if_followed(Session* n, int eyes, int64_t now_ns, Batch* batch) noexcept nogil:
    if n.field.node_status[n.node].state != BASELINE or not n.count.is_known or n.n_edges or n.n_outcomes:
        return
    n.field.node_status[n.node].state = UP
    tell_node(n, is_there(n), now_ns, batch)
    order_anew(n)
    if n.poll >= 0:
        tell_levels(n, eyes, now_ns, batch)


cdef void forget_passed(Session* n, uint32_t counts) noexcept nogil:
    """Of a divert that is void by now, and whose outcome is not there, the outcome was lost: nobody knows it."""
    cdef int k = 0
    while k < n.n_armed:
        if n.is_told[k] and n.count.is_known and ahead(counts, <uint32_t>(n.armed[k].limit - n.count.by)) > 0:
            forget(n, k)
        else:
            k += 1


cdef void take_poll(Session* n, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil:
    """Everything up to this instant, or as much of it as fits: then the rest is asked for at once."""
    cdef uint32_t counts = long_word(reply, 8)
    cdef int64_t taken_ns
    n.ticks = extend_ticks(n.ticks, long_word(reply, 10))
    taken_ns = max(told_at(&n.clock, n.ticks, reply.sent_ns, now_ns), n.told_ns)
    take_edges(n, reply, counts, taken_ns, batch)
    take_outcomes(n, reply, counts, taken_ns, batch)
    if n.n_edges > 0 or n.n_outcomes > 0:
        n.next_ns = now_ns
        return
    if n.field.nodes[n.node].leads:
        tell_samples(n, counts, taken_ns, batch)
    follow_belt(n, counts, taken_ns)
    raise_if_followed(n, word(reply, 14), taken_ns, batch)
    forget_passed(n, counts)
    n.counts = counts
    n.counted_ns = n.told_ns = taken_ns
    n.has_counts = True


# Answers


cdef void meet(Session* n, const Reply* reply) noexcept nogil:
    if long_word(reply, 0) != MAGIC or word(reply, 2) != MAP_VERSION:
        n.stage = ENDED
        return
    if n.boot_id != long_word(reply, 11):
        n.clock.is_known = n.count.is_known = False
        n.count.n_agreed = 0
        n.ticks = n.told_ns = 0
        n.n_armed = 0
    n.boot_id = long_word(reply, 11)
    n.stage = TAKE


cdef void configured(Session* n, const Reply* reply, int64_t now_ns) noexcept nogil:
    """What was seen before is history; what was armed before may have been fired since."""
    n.edges_next = <uint16_t>(word(reply, EDGES_WORD + 1) + word(reply, EDGES_WORD + 2))
    n.n_edges_lost = word(reply, EDGES_WORD + 3)
    n.outcomes_next = <uint16_t>word(reply, OUTCOMES_WORD + 1)
    n.n_outcomes = word(reply, OUTCOMES_WORD + 2)
    # The host before may have ended in order; if not, a person has to look.
    n.is_safe = word(reply, 2) == IS_SAFE and word(reply, 3) == HOST_SILENT
    n.stage = VERIFY


cdef void verified(Session* n, const Reply* reply, int64_t now_ns) noexcept nogil:
    cdef uint8_t[108] data
    cdef int i
    write_config(n, data)
    n.stage = RUN if n.is_safe else CLEAR
    for i in range(2, 2 * CONFIG_WORDS):
        if reply.data[i] != data[i]:
            n.stage = CONFIGURE
            n.next_ns = now_ns + RETRY_NS
    if n.stage == RUN:
        n.field.node_status[n.node].state = BASELINE


cdef void take_result(Session* n, int result, int state) noexcept nogil:
    """The answer to a command: what has become of a divert the ring of outcomes says."""
    if n.is_clearing:
        n.is_clearing = n.wants_clear = False
    elif n.stage == RUN:
        drop_order(n, 0)
    elif n.stage == TAKE:
        n.stage = CONFIGURE
    elif n.stage == CLEAR and state == IS_READY:
        n.stage = RUN
        n.field.node_status[n.node].state = BASELINE
    elif n.stage == QUIT and state == IS_SAFE:
        n.stage = ENDED
        n.field.node_status[n.node].state = SAFE


cdef bint is_out_of_step(Session* n, int result, uint32_t boot_id, int state, int64_t now_ns, Batch* batch) noexcept nogil:
    """Whether the node has booted, or is another host's."""
    if result == RESULT_OLD_EPOCH:
        lower(n, CLEARING, now_ns, now_ns, batch)
        n.stage = ENDED
        return True
    if boot_id != n.boot_id or (result == RESULT_NOT_TAKEN and n.stage != TAKE):
        lower(n, CLEARING, now_ns, now_ns, batch)
        return True
    if n.stage == RUN and state != IS_READY and state != IS_SAFE:
        lower(n, CLEARING, now_ns + RETRY_NS, now_ns, batch)
        return True
    return False


cdef void answered(Session* n, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int asked = reply.tag
    cdef int boot_at = 6 if asked == ASKED_COMMAND else 4
    if asked == ASKED_REST:
        if n.stage == IDENTIFY:
            meet(n, reply)
        else:
            verified(n, reply, now_ns)
    elif word(reply, 0) != n.host_seq:
        failed(n, now_ns, batch)
    elif is_out_of_step(n, word(reply, 1), long_word(reply, boot_at), word(reply, 2), now_ns, batch):
        return
    elif asked == ASKED_COMMAND:
        take_result(n, word(reply, 1), word(reply, 2))
    elif asked == ASKED_CONFIG:
        configured(n, reply, now_ns)
    else:
        note_state(n, word(reply, 2), n.told_ns, batch)
        take_poll(n, reply, now_ns, batch)


cdef void session_take(Session* n, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil:
    n.waiting = False
    if reply.refusal != ACCEPTED:
        n.is_clearing = False
        failed(n, now_ns, batch)
        return
    n.field.node_status[n.node].n_failures = 0
    answered(n, reply, now_ns, batch)


cdef void session_clear(Session* n) noexcept nogil:
    n.wants_clear = n.stage == RUN and n.is_safe


# Building


cdef Session* session_new(Field* field, int node, Channel* channel) noexcept nogil:
    """A session with one node; NULL if there is no memory."""
    cdef Session* n = <Session*>calloc(1, sizeof(Session))
    cdef int i
    if n is NULL:
        return NULL
    n.field = field
    n.node = node
    n.channel = channel
    n.poll = -1
    for i in range(field.n_polls):
        if field.polls[i].node == node:
            n.poll = i
    begin_anew(n, ABSENT, 0)
    return n


cdef void session_free(Session* n) noexcept nogil:
    free(n)


def register_map() -> dict[str, int]:
    """Numbers of the register map as compiled here."""
    return {
        "MAGIC": MAGIC, "MAP_VERSION": MAP_VERSION, "IDENTITY_AT": IDENTITY_AT, "IDENTITY_WORDS": IDENTITY_WORDS,
        "RESULT_AT": RESULT_AT, "RESULT_WORDS": RESULT_WORDS, "STATUS_AT": STATUS_AT, "STATUS_WORDS": STATUS_WORDS,
        "EDGES_AT": STATUS_AT + EDGES_WORD, "OUTCOMES_AT": STATUS_AT + OUTCOMES_WORD, "POLL_AT": POLL_AT,
        "POLL_WORDS": POLL_WORDS, "COMMAND_AT": COMMAND_AT, "COMMAND_WORDS": COMMAND_WORDS, "CONFIG_AT": CONFIG_AT,
        "CONFIG_WORDS": CONFIG_WORDS, "SHOWN_WORDS": SHOWN_WORDS,
    }
