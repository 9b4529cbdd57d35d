"""The Modbus master of one link: commands before polls, coils off before anything, and a circuit breaker a node.

Rules. A fire is written at once or, when the channel is busy, as soon as it is free; too late, it is voided.
An output that was switched on is switched off after its hold, whatever the answers say. No write is repeated
blindly: a coil whose OFF was not confirmed is read back first. A node that fails three times in a row is down
until all its coils were written off and read back, and its inputs read anew.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

import numpy as np

from hubctl._ask cimport COIL_ON, FC_READ_COILS, FC_WRITE_COIL, FC_WRITE_COILS, ask, write_one
from hubctl._batch cimport Batch, batch_add, tell_fire
from hubctl._image cimport image_take
from hubctl._levels cimport forget_levels, is_to_be_set, level_answered, set_level
from hubctl._node cimport (
    session_ask, session_clear, session_connect, session_disconnect, session_free, session_make_safe, session_new, session_next_deadline,
    session_order, session_take,
)
from hubctl._outputs cimport activate, forget_idle
from hubctl._polls cimport (
    earliest_poll, forget_images, has_all_images, is_in_the_way, later, most_overdue, note_reply_time, schedule_next,
)
from hubctl._records cimport MISSED_WINDOW, NODE, NODE_DOWN, OK, Record
from hubctl._steps cimport (
    begin_steps, begin_stop_steps, has_steps, is_of_step, is_still_right, send_any_keep, send_any_step, step_answered,
)
from hubctl._together cimport gather, is_off_due, is_to_go_off, mark_off, pack, take_fires
from hubctl._tables cimport MODBUS_RTU, MODBUS_RTU_TCP, Level, Output, Poll
from hubctl._wire cimport (
    ACCEPTED, FRAME_MAX, NO_TAG, Reply, channel_expire, channel_init, channel_next, channel_next_deadline,
    channel_ready, channel_received, channel_reset, channel_room, quiet_of,
)
from hubctl._wires cimport (
    ABSENT, BASELINE, CHECK_DUE, CHECK_SENT, CHECKING, CLEARING, HOLDING, IDLE, OFF_DUE, OFF_SENT, PREPARING, SAFE, UNSAFE, UP,
    Field, LevelStatus, NodeStatus, OutputStatus, Wires,
)

cdef int64_t PROBE_NS = 500_000_000  # between attempts to bring a node up again
cdef int64_t PULSE_SLACK_NS = 100_000_000  # a node that times its pulses may be so much behind
cdef uint8_t[256] ALL_OFF


cdef bint write_coil(Master* m, int action, int chute, int coil, int value, int64_t now_ns) noexcept nogil:
    return write_one(m, action, chute, m.field.outputs[chute].node, FC_WRITE_COIL, coil, value, now_ns)


cdef inline int shown_at(const Master* m, int node, int coil) noexcept nogil:
    """Where a node's output is read back."""
    return (coil + m.field.nodes[node].shown_by) & 0xFFFF


# Outputs


cdef bint send_off(Master* m, int64_t now_ns) noexcept nogil:
    cdef int i
    cdef OutputStatus* output
    for i in range(m.n_active):
        output = &m.field.output_status[m.active[i]]
        if output.phase == HOLDING and output.due_ns <= now_ns:
            # An output that its node switches off is looked at.
            output.phase = CHECK_DUE if m.field.outputs[m.active[i]].pulse_value else OFF_DUE
        if output.phase == OFF_DUE:
            output.phase = OFF_SENT
            return write_coil(m, ACT_OFF, m.active[i], m.field.outputs[m.active[i]].coil, 0, now_ns)
    return False


cdef bint send_check(Master* m, int64_t now_ns) noexcept nogil:
    cdef int i, chute
    cdef const Output* wired
    for i in range(m.n_active):
        chute = m.active[i]
        if m.field.output_status[chute].phase == CHECK_DUE:
            wired = &m.field.outputs[chute]
            m.field.output_status[chute].phase = CHECK_SENT
            return ask(m, ACT_CHECK, chute, wired.node, FC_READ_COILS, shown_at(m, wired.node, wired.coil), 1, NULL,
                       now_ns)
    return False


cdef void off_answered(Master* m, int chute, bint confirmed) noexcept nogil:
    cdef OutputStatus* output = &m.field.output_status[chute]
    if output.phase != OFF_SENT:
        return
    # A node that is not up is cleared as a whole before it comes up.
    output.phase = CHECK_DUE if not confirmed and is_up(m, m.field.outputs[chute].node) else IDLE


cdef void check_answered(Master* m, int chute, const Reply* reply) noexcept nogil:
    cdef OutputStatus* output = &m.field.output_status[chute]
    if output.phase != CHECK_SENT:
        return
    if reply.refusal != ACCEPTED:
        output.phase = CHECK_DUE if is_up(m, m.field.outputs[chute].node) else IDLE
    else:
        output.phase = OFF_DUE if reply.data[0] & 1 else IDLE


# Levels


cdef bint send_level(Master* m, int64_t now_ns) noexcept nogil:
    cdef LevelStatus* status
    cdef const Level* level
    cdef int i
    for i in range(m.field.n_levels):
        if is_to_be_set(m.field, m.link, i):
            level = &m.field.levels[i]
            status = &m.field.level_status[i]
            status.waiting = True
            status.sent = status.wanted
            return write_one(m, ACT_LEVEL, i, level.node, level.function, level.coil,
                             level.on_value if status.wanted else level.off_value, now_ns)
    return False


# Fires


cdef inline bint is_up(const Master* m, int node) noexcept nogil:
    return m.field.node_status[node].state == UP


cdef void master_fire(Master* m, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil:
    if not is_up(m, m.field.outputs[command.chute].node):
        tell_fire(command, NODE_DOWN, now_ns, batch)
    elif now_ns > command.value or m.n_fires == N_FIRES_MAX:
        tell_fire(command, MISSED_WINDOW, now_ns, batch)
    else:
        m.fires[m.n_fires] = command[0]
        m.n_fires += 1


cdef void master_arm(Master* m, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil:
    session_order(m.session, command, now_ns, batch)


cdef void drop_void(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i
    cdef int n = 0
    for i in range(m.n_fires):
        if now_ns > m.fires[i].value:
            tell_fire(&m.fires[i], MISSED_WINDOW, now_ns, batch)
        else:
            m.fires[n] = m.fires[i]
            n += 1
    m.n_fires = n


cdef void drop_fires(Master* m, int node, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i
    cdef int n = 0
    for i in range(m.n_fires):
        if m.field.outputs[m.fires[i].chute].node == node:
            tell_fire(&m.fires[i], NODE_DOWN, now_ns, batch)
        else:
            m.fires[n] = m.fires[i]
            n += 1
    m.n_fires = n


cdef bint send_fire(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i
    cdef int chute
    cdef const Output* wired
    if m.n_fires == 0:
        return False
    chute = m.fires[0].chute
    wired = &m.field.outputs[chute]
    tell_fire(&m.fires[0], OK, 0, batch)
    m.n_fires -= 1
    for i in range(m.n_fires):
        m.fires[i] = m.fires[i + 1]
    if wired.pulse_value:
        activate(m, chute, HOLDING, now_ns + wired.hold_ns + PULSE_SLACK_NS)
        return write_coil(m, ACT_ON, chute, wired.pulse_coil, wired.pulse_value, now_ns)
    activate(m, chute, HOLDING, now_ns + wired.hold_ns)
    return write_coil(m, ACT_ON, chute, wired.coil, COIL_ON, now_ns)


# Several coils at once


cdef bint send_together(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    """One request for the first coil that is due and those beside it that are due too; with none beside it, nothing."""
    cdef uint8_t[8] data
    cdef int i
    if not m.field.links[m.link].together or m.group.count or m.n_active + m.n_fires < 2:
        return False
    for i in range(m.n_active):
        if is_off_due(m, m.active[i], now_ns):
            gather(m, m.active[i], now_ns, &m.group)
            break
    if m.group.count < 2 and m.n_fires:
        gather(m, m.fires[0].chute, now_ns, &m.group)
    if m.group.count < 2:
        m.group.count = 0
        return False
    mark_off(m)
    take_fires(m, now_ns, batch)
    pack(&m.group, data)
    return ask(m, ACT_TOGETHER, 0, m.group.node, FC_WRITE_COILS, m.group.first, m.group.count, data, now_ns)


cdef void together_answered(Master* m, bint confirmed) noexcept nogil:
    cdef int i
    for i in range(m.n_active):
        if is_to_go_off(m, &m.group, m.active[i]):
            off_answered(m, m.active[i], confirmed)
    m.group.count = 0


# Nodes


cdef void start_node(Master* m, int node, int64_t now_ns) noexcept nogil:
    cdef NodeStatus* status = &m.field.node_status[node]
    status.waiting = False
    status.retry_ns = now_ns
    status.state = PREPARING if has_steps(&m.field.nodes[node]) else after_steps(m, node)
    begin_steps(m.field, node)
    forget_images(m, node, now_ns)
    forget_levels(m.field, node)


cdef int after_steps(const Master* m, int node) noexcept nogil:
    """The state of a node that is known to be the right one, and ready."""
    if m.field.nodes[node].n_outputs:
        return CLEARING
    return SAFE if m.stopping else BASELINE


cdef void prepare_answered(Master* m, int node, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef NodeStatus* status = &m.field.node_status[node]
    status.waiting = False
    if status.state != PREPARING or not is_of_step(&m.field.steps[status.step], reply):
        return
    if not step_answered(m.field, node, reply):
        node_failed(m, node, now_ns, batch)
    elif status.step >= status.last_step:
        status.state = after_steps(m, node)
        raise_if_complete(m, node, now_ns, batch)


cdef void keep_answered(Master* m, int node, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef NodeStatus* status = &m.field.node_status[node]
    status.waiting = False
    if status.state != UP:
        return
    if reply.refusal != ACCEPTED:
        node_failed(m, node, now_ns, batch)
    elif is_still_right(m.field, node, reply):
        status.n_failures = 0
    else:
        lower_node(m, node, now_ns, batch)


cdef void tell_node(int node, int value, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef Record* row = batch_add(batch, NODE, now_ns)
    row.device = <uint16_t>node
    row.value = value


cdef void raise_if_complete(Master* m, int node, int64_t now_ns, Batch* batch) noexcept nogil:
    if m.field.node_status[node].state != BASELINE or not has_all_images(m, node):
        return
    m.field.node_status[node].state = UP
    m.field.node_status[node].n_failures = 0
    m.field.node_status[node].fault = 0
    m.field.node_status[node].keep_due_ns = now_ns
    tell_node(node, 1, now_ns, batch)


cdef void lower_node(Master* m, int node, int64_t now_ns, Batch* batch) noexcept nogil:
    """The node is not to be trusted: nothing but its clearing is tried, and that after a while."""
    cdef NodeStatus* status = &m.field.node_status[node]
    if status.state == UP:
        tell_node(node, 0, now_ns, batch)
    drop_fires(m, node, now_ns, batch)
    start_node(m, node, now_ns + PROBE_NS)


cdef void node_failed(Master* m, int node, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef NodeStatus* status = &m.field.node_status[node]
    status.n_failures += 1
    if status.state >= SAFE:
        return
    if m.stopping:
        status.state = UNSAFE
    elif status.state != UP or status.n_failures >= N_FAILURES_MAX:
        lower_node(m, node, now_ns, batch)


cdef bint send_clearing(Master* m, int node, int64_t now_ns) noexcept nogil:
    cdef NodeStatus* status = &m.field.node_status[node]
    cdef int n = m.field.nodes[node].n_outputs
    cdef int first = m.field.nodes[node].first_coil
    if status.waiting or status.retry_ns > now_ns:
        return False
    if status.state == CLEARING:
        status.waiting = ask(m, ACT_CLEAR, node, node, FC_WRITE_COILS if n > 1 else FC_WRITE_COIL, first, n, ALL_OFF,
                             now_ns)
    elif status.state == CHECKING:
        status.waiting = ask(m, ACT_VERIFY, node, node, FC_READ_COILS, shown_at(m, node, first), n, NULL, now_ns)
    return status.waiting


cdef bint send_any_clearing(Master* m, int64_t now_ns) noexcept nogil:
    cdef int i
    for i in range(m.n_nodes):
        if send_clearing(m, m.nodes[i], now_ns):
            return True
    return False


cdef bint is_all_zero(const uint8_t* data, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        if data[i]:
            return False
    return True


cdef void clear_answered(Master* m, int node, int64_t now_ns) noexcept nogil:
    cdef NodeStatus* status = &m.field.node_status[node]
    if status.state == CLEARING:
        status.state = CHECKING


cdef void verify_answered(Master* m, int node, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef NodeStatus* status = &m.field.node_status[node]
    if status.state != CHECKING:
        return
    if not is_all_zero(reply.data, reply.n_data):
        node_failed(m, node, now_ns, batch)
    elif m.stopping:
        status.state = SAFE
    else:
        status.state = BASELINE
        raise_if_complete(m, node, now_ns, batch)


# Polls


cdef bint send_poll(Master* m, int64_t now_ns) noexcept nogil:
    cdef int found = -1
    cdef const Poll* poll
    # One place is kept free, so that a command need not wait for the answer to a poll.
    if m.channel.n_waiting < max(1, m.channel.n_slots - 1):
        found = most_overdue(m, now_ns)
    if found < 0 or is_in_the_way(m, found, now_ns):
        return False
    poll = &m.field.polls[found]
    schedule_next(m, poll, &m.field.poll_status[found], now_ns)
    return ask(m, ACT_POLL, found, poll.node, poll.function, poll.address, poll.count, NULL, now_ns)


cdef void poll_answered(Master* m, int poll, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int node = m.field.polls[poll].node
    # The device sampled at some time between the question and the answer.
    cdef int64_t sampled_ns = (reply.sent_ns + now_ns) // 2
    if m.field.node_status[node].state != UP and m.field.node_status[node].state != BASELINE:
        return
    image_take(m.field, poll, reply.data, reply.n_data, sampled_ns, batch)
    raise_if_complete(m, node, now_ns, batch)


# Replies


cdef int node_of(const Master* m, int action, int index) noexcept nogil:
    if action == ACT_POLL:
        return m.field.polls[index].node
    if action == ACT_LEVEL:
        return m.field.levels[index].node
    if action == ACT_TOGETHER:
        return m.group.node
    return index if action >= ACT_CLEAR else m.field.outputs[index].node


cdef void settle_request(Master* m, int action, int index) noexcept nogil:
    if action == ACT_POLL:
        m.field.poll_status[index].waiting = False
    elif action == ACT_LEVEL:
        m.field.level_status[index].waiting = False
    elif action == ACT_CLEAR or action == ACT_VERIFY:
        m.field.node_status[index].waiting = False


cdef void answered(Master* m, int action, int index, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil:
    if action == ACT_POLL:
        poll_answered(m, index, reply, now_ns, batch)
    elif action == ACT_OFF:
        off_answered(m, index, True)
    elif action == ACT_CHECK:
        check_answered(m, index, reply)
    elif action == ACT_LEVEL:
        level_answered(m.field, index, True)
    elif action == ACT_CLEAR:
        clear_answered(m, index, now_ns)
    elif action == ACT_VERIFY:
        verify_answered(m, index, reply, now_ns, batch)
    elif action == ACT_TOGETHER:
        together_answered(m, True)


cdef void take_step(Master* m, int action, int node, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil:
    if action == ACT_STEP:
        prepare_answered(m, node, reply, now_ns, batch)
    else:
        keep_answered(m, node, reply, now_ns, batch)


cdef void digest(Master* m, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int action = reply.tag >> 16
    cdef int index = reply.tag & 0xFFFF
    if reply.tag == NO_TAG:
        return
    if m.session is not NULL:
        if reply.refusal == ACCEPTED:
            note_reply_time(m, now_ns - reply.sent_ns)
        session_take(m.session, reply, now_ns, batch)
        return
    if action == ACT_STEP or action == ACT_KEEP:
        if reply.refusal == ACCEPTED:
            note_reply_time(m, now_ns - reply.sent_ns)
        take_step(m, action, index, reply, now_ns, batch)
        return
    settle_request(m, action, index)
    if reply.refusal == ACCEPTED:
        note_reply_time(m, now_ns - reply.sent_ns)
        m.field.node_status[node_of(m, action, index)].n_failures = 0
        answered(m, action, index, reply, now_ns, batch)
        return
    node_failed(m, node_of(m, action, index), now_ns, batch)
    if action == ACT_OFF:
        off_answered(m, index, False)
    elif action == ACT_CHECK:
        check_answered(m, index, reply)
    elif action == ACT_TOGETHER:
        together_answered(m, False)
    elif action == ACT_LEVEL and m.field.node_status[m.field.levels[index].node].state == UP:
        level_answered(m.field, index, False)


cdef void master_receive(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef Reply reply
    while channel_next(&m.channel, now_ns, &reply):
        digest(m, &reply, now_ns, batch)


cdef void master_expire(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef Reply reply
    while channel_expire(&m.channel, now_ns, &reply):
        digest(m, &reply, now_ns, batch)


# The whole


cdef bint send_next(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    if send_together(m, now_ns, batch) or send_off(m, now_ns) or send_fire(m, now_ns, batch):
        return True
    if send_level(m, now_ns) or send_check(m, now_ns) or send_any_clearing(m, now_ns):
        return True
    return send_any_step(m, now_ns) or send_any_keep(m, now_ns) or send_poll(m, now_ns)


cdef void raise_bare_nodes(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    """A node with neither outputs nor polls has nothing to prove."""
    cdef int i
    for i in range(m.n_nodes):
        if m.field.node_status[m.nodes[i]].n_polls == 0:
            raise_if_complete(m, m.nodes[i], now_ns, batch)


cdef void master_pump(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    if not m.connected:
        return
    if m.session is not NULL:
        if m.n_out + FRAME_MAX <= OUT_MAX and channel_ready(&m.channel, now_ns):
            m.n_out += session_ask(m.session, now_ns, m.out + m.n_out)
        return
    if m.n_fires:
        drop_void(m, now_ns, batch)
    raise_bare_nodes(m, now_ns, batch)
    while m.n_out + FRAME_MAX <= OUT_MAX and channel_ready(&m.channel, now_ns):
        if not send_next(m, now_ns, batch):
            break
    if m.n_active:
        forget_idle(m)


cdef int64_t master_next_deadline(const Master* m, int64_t now_ns) noexcept nogil:
    cdef int64_t earliest_ns = INT64_MAX
    cdef int i
    if not m.connected:
        return INT64_MAX
    earliest_ns = channel_next_deadline(&m.channel, now_ns)
    if m.session is not NULL:
        return later(session_next_deadline(m.session), now_ns, earliest_ns)
    for i in range(m.n_active):
        if m.field.output_status[m.active[i]].phase == HOLDING:
            earliest_ns = later(m.field.output_status[m.active[i]].due_ns, now_ns, earliest_ns)
    for i in range(m.n_fires):
        earliest_ns = later(m.fires[i].value + 1, now_ns, earliest_ns)
    for i in range(m.n_nodes):
        if m.field.node_status[m.nodes[i]].state < UP:
            earliest_ns = later(m.field.node_status[m.nodes[i]].retry_ns, now_ns, earliest_ns)
        elif m.field.nodes[m.nodes[i]].n_keep and not m.field.node_status[m.nodes[i]].waiting:
            earliest_ns = later(m.field.node_status[m.nodes[i]].keep_due_ns, now_ns, earliest_ns)
    return earliest_poll(m, now_ns, earliest_ns)


cdef void master_connect(Master* m, int64_t now_ns) noexcept nogil:
    cdef int i
    channel_reset(&m.channel)
    m.channel.clear_ns = now_ns + m.field.links[m.link].settle_ns
    m.connected = True
    m.n_out = m.group.count = 0
    for i in range(m.n_polls):
        m.field.poll_status[m.polls[i]].waiting = False
    if m.session is not NULL:
        session_connect(m.session, now_ns)
        return
    for i in range(m.n_nodes):
        start_node(m, m.nodes[i], now_ns)


cdef void master_disconnect(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i
    if m.session is not NULL:
        session_disconnect(m.session, now_ns, batch)
        m.connected = False
        m.n_out = 0
        return
    for i in range(m.n_nodes):
        if m.field.node_status[m.nodes[i]].state == UP:
            tell_node(m.nodes[i], 0, now_ns, batch)
        m.field.node_status[m.nodes[i]].state = ABSENT
        drop_fires(m, m.nodes[i], now_ns, batch)
    for i in range(m.n_active):
        m.field.output_status[m.active[i]].phase = IDLE
    forget_idle(m)
    m.connected = False
    m.n_out = 0


cdef void master_make_safe(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    cdef int i
    cdef NodeStatus* status
    m.stopping = True
    if m.session is not NULL:
        session_make_safe(m.session, now_ns)
        return
    for i in range(m.n_nodes):
        status = &m.field.node_status[m.nodes[i]]
        drop_fires(m, m.nodes[i], now_ns, batch)
        if status.state != ABSENT:
            status.retry_ns = now_ns
            begin_stop_steps(m.field, m.nodes[i])
            status.state = PREPARING if status.step < status.last_step else after_steps(m, m.nodes[i])


cdef bint master_is_settled(const Master* m) noexcept nogil:
    cdef int i
    for i in range(m.n_nodes):
        if PREPARING <= m.field.node_status[m.nodes[i]].state <= UP:
            return False
    return True


# Building


cdef Master* master_new(Field* field, int link) noexcept nogil:
    """A master for one link; NULL if there is no memory."""
    cdef Master* m = <Master*>calloc(1, sizeof(Master))
    if m is NULL:
        return NULL
    m.field = field
    m.link = link
    m.nodes = <uint16_t*>calloc(field.n_nodes + 1, sizeof(uint16_t))
    m.polls = <uint16_t*>calloc(field.n_polls + 1, sizeof(uint16_t))
    m.active = <uint16_t*>calloc(field.n_outputs + 1, sizeof(uint16_t))
    if m.nodes is NULL or m.polls is NULL or m.active is NULL:
        master_free(m)
        return NULL
    channel_init(&m.channel, is_rtu(field.links[link].kind), field.links[link].in_flight_max,
                 quiet_of(field.links[link].baud))
    m.channel.quiet_ns = max(m.channel.quiet_ns, field.links[link].gap_ns)
    list_own(m)
    if m.n_nodes and field.nodes[m.nodes[0]].is_native:
        m.session = session_new(field, m.nodes[0], &m.channel)
    return m


cdef bint is_rtu(int kind) noexcept nogil:
    return kind == MODBUS_RTU or kind == MODBUS_RTU_TCP


cdef void list_own(Master* m) noexcept nogil:
    cdef int i
    for i in range(m.field.n_nodes):
        if m.field.nodes[i].link == m.link:
            m.nodes[m.n_nodes] = <uint16_t>i
            m.n_nodes += 1
    for i in range(m.field.n_polls):
        if m.field.nodes[m.field.polls[i].node].link == m.link:
            m.polls[m.n_polls] = <uint16_t>i
            m.n_polls += 1


cdef void master_free(Master* m) noexcept nogil:
    if m is not NULL:
        free(m.nodes)
        free(m.polls)
        free(m.active)
        session_free(m.session)
        free(m)


# The Python face


cdef enum:
    N_FACE_ROWS = 4096


cdef class ModbusMaster:
    """One link's master without its socket: commands and bytes in, bytes and records out.

    Parameters
    ----------
    wiring : hubctl.core.tables.Wiring
    link : int
        Row of the link in the wiring.
    epoch : int
        Of this host, for a node with our firmware: 1 to 2**32 - 1, above that of every host before.
    """

    cdef Wires wires
    cdef Master* master
    cdef object _rows
    cdef Batch batch

    def __init__(self, wiring, link: int, record: np.dtype, *, epoch: int = 1):
        cdef uint8_t[::1] memory
        self.wires = Wires(wiring)
        self.wires.field.epoch = <uint32_t>epoch
        self._rows = np.zeros(N_FACE_ROWS, record)
        memory = self._rows.view(np.uint8)
        self.batch.rows = <Record*>&memory[0]
        self.batch.n_max = N_FACE_ROWS
        self.master = master_new(&self.wires.field, link)
        if self.master is NULL:
            raise MemoryError("no memory for a Modbus master")

    def __dealloc__(self):
        master_free(self.master)

    def connect(self, now_ns: int) -> None:
        """The link is connected: its nodes are brought up, coils off first."""
        master_connect(self.master, now_ns)

    def disconnect(self, now_ns: int) -> None:
        """The link is gone."""
        master_disconnect(self.master, now_ns, &self.batch)

    def fire(self, command: np.ndarray, now_ns: int) -> None:
        """A FIRE_OUTPUT of the kernel, one record."""
        cdef const uint8_t[::1] memory = np.frombuffer(command.tobytes(), np.uint8)
        master_fire(self.master, <const Record*>&memory[0], now_ns, &self.batch)

    def arm(self, command: np.ndarray, now_ns: int) -> None:
        """An ARM_DIVERT or CANCEL_DIVERT of the kernel, one record, for the link's node with our firmware."""
        cdef const uint8_t[::1] memory = np.frombuffer(command.tobytes(), np.uint8)
        if self.master.session is NULL:
            raise ValueError("no node with our firmware is on this link")
        master_arm(self.master, <const Record*>&memory[0], now_ns, &self.batch)

    def clear(self) -> None:
        """A person has looked at the link's node with our firmware: it may leave its safe state."""
        if self.master.session is NULL:
            raise ValueError("no node with our firmware is on this link")
        session_clear(self.master.session)

    def pump(self, now_ns: int) -> bytes:
        """Bytes to send at `now_ns`, after what has run out by then."""
        master_expire(self.master, now_ns, &self.batch)
        master_pump(self.master, now_ns, &self.batch)
        data = PyBytes_FromStringAndSize(<char*>self.master.out, self.master.n_out)
        self.master.n_out = 0
        return data

    def receive(self, data: bytes, now_ns: int) -> None:
        """Bytes that came at `now_ns`; at most what the channel has room for."""
        cdef int n
        cdef uint8_t* room = channel_room(&self.master.channel, &n)
        if len(data) > n:
            raise ValueError(f"{len(data)} bytes at once: must be at most {n}")
        memcpy(room, <const uint8_t*>data, len(data))
        channel_received(&self.master.channel, <int>len(data), now_ns)
        master_receive(self.master, now_ns, &self.batch)

    def make_safe(self, now_ns: int) -> None:
        """From now on only coils off."""
        master_make_safe(self.master, now_ns, &self.batch)

    def records(self) -> np.ndarray:
        """Records for the kernel since the last call; results OK have t_ns 0."""
        told = self._rows[: self.batch.n].copy()
        self.batch.n = 0
        return told

    def next_deadline(self, now_ns: int) -> int:
        """The earliest time after `now_ns` at which something is due, ns; 2**63 - 1: never."""
        return master_next_deadline(self.master, now_ns)

    def set_level(self, kind: int, index: int, is_on: bool) -> None:
        """An output that stays: a HOLD_INDUCT of an eye or a RUN_BELT of a belt."""
        set_level(&self.wires.field, kind, index, is_on)

    def expect_fire(self, due_ns: int) -> None:
        """A coil may have to be written at `due_ns`; polls keep out of its way."""
        self.wires.field.fire_due_ns = due_ns

    @property
    def told_ns(self) -> int:
        """Till then the link's node with our firmware has told all it has seen and done, ns."""
        return self.master.session.told_ns if self.master.session is not NULL else 0

    @property
    def broken(self) -> bool:
        """Out of step with the peer: only a new connection helps."""
        return bool(self.master.channel.broken)

    @property
    def settled(self) -> bool:
        """After `make_safe`: nothing more is to be done."""
        return bool(master_is_settled(self.master))

    @property
    def node_faults(self) -> list[tuple[int, int, int] | None]:
        """For each node of the hub: the step that keeps it down, the exception by which it was answered, or the word."""
        return self.wires.faults()

    @property
    def node_words(self) -> list[int | None]:
        """For each node: the word that its profile wants shown to people."""
        return self.wires.told()

    @property
    def node_states(self) -> list[int]:
        """State of each node of the hub."""
        return [self.wires.field.node_status[i].state for i in range(self.wires.field.n_nodes)]
