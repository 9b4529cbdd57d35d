"""The steps of a node's profile: one request each, and what its answer must say.

They prove what the device is, bring it out of its safe state, arm its watchdog and read back that it is armed; a part of
them is done in turn while the node is up. A device that answers everything by one exception while it is safe is brought
out of that first, and then asked anew what it is.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.string cimport memcmp, memset

from hubctl._ask cimport COIL_ON, FC_WRITE_COIL, FC_WRITE_REGISTER, send
from hubctl._master cimport ACT_KEEP, ACT_STEP, Master
from hubctl._tables cimport (
    STEP_ANSWER, STEP_CONTAIN, STEP_EQUAL, STEP_ONE_OF, STEP_TELL, STEP_TURN, STEP_WRITE, DeviceStep, NodeWire,
)
from hubctl._wire cimport ACCEPTED, EXCEPTION, Reply, Request
from hubctl._wires cimport PREPARING, RESCUE_CLEARS, RESCUE_DONE, RESCUE_NONE, UP, Field, NodeStatus


cdef inline int word_at(const uint8_t* at) noexcept nogil:
    return (at[0] << 8) | at[1]


cdef inline bint has_steps(const NodeWire* wire) noexcept nogil:
    return wire.n_identity + wire.n_clear + wire.n_stop + wire.n_arm > 0


cdef inline void begin_steps(Field* field, int node) noexcept nogil:
    """All that has to be proved before the node's outputs are touched."""
    cdef const NodeWire* wire = &field.nodes[node]
    cdef NodeStatus* status = &field.node_status[node]
    status.step = wire.first_step
    status.last_step = wire.first_step + wire.n_identity + wire.n_clear + wire.n_stop + wire.n_arm
    status.rescue = RESCUE_NONE
    status.keep = 0
    status.told = 0


cdef inline void begin_stop_steps(Field* field, int node) noexcept nogil:
    """What the node drives has to stop; a node that was not proved to be the right one has to be proved first."""
    cdef const NodeWire* wire = &field.nodes[node]
    cdef NodeStatus* status = &field.node_status[node]
    cdef int first = wire.first_step + wire.n_identity + wire.n_clear
    if status.state != PREPARING or status.step > first:
        status.step = first
    status.last_step = first + wire.n_stop


cdef inline bint compare(const DeviceStep* step, const uint8_t* data, NodeStatus* status) noexcept nogil:
    cdef int i
    cdef uint8_t other
    for i in range(step.n_bytes):
        other = (data[step.skip_bytes + i] ^ <uint8_t>step.data[i]) & <uint8_t>step.mask[i]
        if other:
            status.fault_word = data[0] if step.function <= 2 else word_at(data + (step.skip_bytes + i) // 2 * 2)
            return False
    return True


cdef inline bint is_one_of(const DeviceStep* step, const uint8_t* data, NodeStatus* status) noexcept nogil:
    cdef int i
    for i in range(0, step.n_bytes - 1, 2):
        if memcmp(data + step.skip_bytes, step.data + i, 2) == 0:
            return True
    status.fault_word = word_at(data + step.skip_bytes)
    return False


cdef inline bint contains(const DeviceStep* step, const uint8_t* data, int n_data, NodeStatus* status) noexcept nogil:
    cdef int i
    for i in range(step.skip_bytes, n_data - step.n_bytes + 1):
        if memcmp(data + i, step.data, step.n_bytes) == 0:
            return True
    status.fault_word = word_at(data + step.skip_bytes)
    return False


cdef inline bint is_as_it_should(const DeviceStep* step, const Reply* reply, NodeStatus* status) noexcept nogil:
    if step.rule == STEP_EQUAL:
        return compare(step, reply.data, status)
    if step.rule == STEP_ONE_OF:
        return is_one_of(step, reply.data, status)
    if step.rule == STEP_CONTAIN:
        return contains(step, reply.data, reply.n_data, status)
    if step.rule == STEP_TELL:
        status.told = 1 + word_at(reply.data + step.skip_bytes)
    return True


cdef inline bint ask_step(Master* m, int action, int node, int step, int64_t now_ns) noexcept nogil:
    cdef const DeviceStep* row = &m.field.steps[step]
    cdef const uint8_t* data = <const uint8_t*>row.data
    cdef NodeStatus* status = &m.field.node_status[node]
    cdef Request request
    memset(&request, 0, sizeof(Request))
    request.function = <uint8_t>row.function
    request.address = row.address
    request.count = row.count
    if row.rule == STEP_TURN:
        status.turn = (status.turn + 2) % (row.n_bytes & ~1)
        data += status.turn
    if row.function == FC_WRITE_COIL:
        request.value = COIL_ON if data[0] & 1 else 0
    elif row.function == FC_WRITE_REGISTER:
        request.value = <uint16_t>word_at(data)
    status.waiting = True
    return send(m, action, node, node, &request, data, now_ns)


cdef inline bint send_any_step(Master* m, int64_t now_ns) noexcept nogil:
    """The next step of a node that is being prepared."""
    cdef const NodeStatus* status
    cdef int i
    for i in range(m.n_nodes):
        status = &m.field.node_status[m.nodes[i]]
        if status.state == PREPARING and not status.waiting and status.retry_ns <= now_ns:
            return ask_step(m, ACT_STEP, m.nodes[i], status.step, now_ns)
    return False


cdef inline bint is_keep_due(const Field* field, int node, int64_t now_ns) noexcept nogil:
    cdef const NodeStatus* status = &field.node_status[node]
    return status.state == UP and field.nodes[node].n_keep and not status.waiting and status.keep_due_ns <= now_ns


cdef inline bint send_any_keep(Master* m, int64_t now_ns) noexcept nogil:
    """What is done in turn on a node that is up."""
    cdef NodeStatus* status
    cdef const NodeWire* wire
    cdef int i, step
    for i in range(m.n_nodes):
        if is_keep_due(m.field, m.nodes[i], now_ns):
            status = &m.field.node_status[m.nodes[i]]
            wire = &m.field.nodes[m.nodes[i]]
            status.keep = (status.keep + 1) % wire.n_keep
            status.keep_due_ns = now_ns + wire.keep_ns
            step = wire.first_step + wire.n_identity + wire.n_clear + wire.n_stop + wire.n_arm + status.keep
            return ask_step(m, ACT_KEEP, m.nodes[i], step, now_ns)
    return False


cdef inline bint is_of_step(const DeviceStep* step, const Reply* reply) noexcept nogil:
    """Whether the answer is to this step, and not to one before the node was begun anew."""
    return reply.request.function == step.function and reply.request.address == step.address


cdef inline void note_fault(Field* field, int node, int step, const Reply* reply) noexcept nogil:
    cdef NodeStatus* status = &field.node_status[node]
    status.fault = 1 + step
    status.fault_exception = reply.exception if reply.refusal == EXCEPTION else 0


cdef inline bint can_rescue(const Field* field, int node, const Reply* reply) noexcept nogil:
    """Whether the device says that it is in its safe state, before it has said what it is."""
    cdef const NodeWire* wire = &field.nodes[node]
    cdef const NodeStatus* status = &field.node_status[node]
    if reply.refusal != EXCEPTION or reply.exception != wire.safe_exception or wire.n_clear == 0:
        return False
    return status.rescue == RESCUE_NONE and status.step < wire.first_step + wire.n_identity


cdef inline void go_on(Field* field, int node) noexcept nogil:
    cdef const NodeWire* wire = &field.nodes[node]
    cdef NodeStatus* status = &field.node_status[node]
    status.step += 1
    if status.rescue == RESCUE_CLEARS and status.step == wire.first_step + wire.n_identity + wire.n_clear:
        status.rescue = RESCUE_DONE
        status.step = wire.first_step


cdef inline bint step_answered(Field* field, int node, const Reply* reply) noexcept nogil:
    """Takes the answer to a step; false if it keeps the node down."""
    cdef NodeStatus* status = &field.node_status[node]
    cdef const DeviceStep* step = &field.steps[status.step]
    if can_rescue(field, node, reply):
        status.rescue = RESCUE_CLEARS
        status.step = field.nodes[node].first_step + field.nodes[node].n_identity
        return True
    if reply.refusal == ACCEPTED and is_as_it_should(step, reply, status):
        go_on(field, node)
        return True
    if reply.refusal == EXCEPTION and step.optional:
        go_on(field, node)
        return True
    if reply.refusal == ACCEPTED or reply.refusal == EXCEPTION:
        note_fault(field, node, status.step, reply)
    return False


cdef inline int kept_step(const Field* field, int node) noexcept nogil:
    cdef const NodeWire* wire = &field.nodes[node]
    cdef int behind = wire.first_step + wire.n_identity + wire.n_clear + wire.n_stop + wire.n_arm
    return behind + field.node_status[node].keep


cdef inline bint is_still_right(Field* field, int node, const Reply* reply) noexcept nogil:
    """Whether an accepted answer to what is done in turn is as it should be."""
    cdef int step = kept_step(field, node)
    if is_as_it_should(&field.steps[step], reply, &field.node_status[node]):
        return True
    note_fault(field, node, step, reply)
    return False
