"""Which poll of a master goes next, when, and whether it had better wait; what the polls have brought so far."""

from libc.stdint cimport int64_t

from hubctl._histogram cimport tally
from hubctl._master cimport Master
from hubctl._tables cimport Poll
from hubctl._wires cimport BASELINE, UP, NodeStatus, PollStatus

cdef enum:
    EARLY_PART = 8         # a poll may be early by this part of its period
    EARLY_NS_MAX = 250_000  # and by no more


cdef inline int64_t later(int64_t due_ns, int64_t now_ns, int64_t earliest_ns) noexcept nogil:
    return min(due_ns, earliest_ns) if due_ns > now_ns else earliest_ns


cdef inline bint is_due(const Master* m, int poll, int64_t now_ns) noexcept nogil:
    """Whether a poll may be sent. Nobody wakes for it before its time; who is awake sends what is almost due too."""
    cdef const NodeStatus* node = &m.field.node_status[m.field.polls[poll].node]
    cdef int64_t early_ns = min(m.field.polls[poll].period_ns // EARLY_PART, EARLY_NS_MAX)
    if m.field.poll_status[poll].waiting or m.field.poll_status[poll].due_ns - early_ns > now_ns:
        return False
    return node.state == UP or (node.state == BASELINE and node.retry_ns <= now_ns)


cdef inline int most_overdue(const Master* m, int64_t now_ns) noexcept nogil:
    cdef int i
    cdef int found = -1
    for i in range(m.n_polls):
        if is_due(m, m.polls[i], now_ns):
            if found < 0 or m.field.poll_status[m.polls[i]].due_ns < m.field.poll_status[found].due_ns:
                found = m.polls[i]
    return found


cdef inline bint is_in_the_way(const Master* m, int poll, int64_t now_ns) noexcept nogil:
    """Whether a poll had better wait, for at most half its period, for a fire that is due before its answer."""
    cdef int64_t free_ns = now_ns + m.reply_ns + 4 * m.reply_spread_ns + m.channel.quiet_ns
    if m.channel.n_slots > 1 or not now_ns < m.field.fire_due_ns < free_ns:
        return False
    return now_ns - m.field.poll_status[poll].due_ns < m.field.polls[poll].period_ns // 2


cdef inline void note_reply_time(Master* m, int64_t took_ns) noexcept nogil:
    # Weights of 1/8 and 1/4: RFC 6298, 2.3.
    cdef int64_t off_ns = took_ns - m.reply_ns
    tally(&m.round_trip, took_ns)
    m.reply_ns += off_ns // 8
    m.reply_spread_ns += ((off_ns if off_ns > 0 else -off_ns) - m.reply_spread_ns) // 4


cdef inline void schedule_next(Master* m, const Poll* poll, PollStatus* status, int64_t now_ns) noexcept nogil:
    cdef int64_t period_ns = max(poll.period_ns, 1)
    tally(&m.poll_lateness, now_ns - status.due_ns)
    status.waiting = True
    # Slots that have passed are skipped, and the schedule keeps its phase.
    status.due_ns += ((now_ns - status.due_ns) // period_ns + 1) * period_ns


cdef inline int64_t earliest_poll(const Master* m, int64_t now_ns, int64_t earliest_ns) noexcept nogil:
    cdef int i
    cdef int64_t due_ns
    for i in range(m.n_polls):
        if not m.field.poll_status[m.polls[i]].waiting:
            due_ns = m.field.poll_status[m.polls[i]].due_ns
            earliest_ns = later(due_ns, now_ns, earliest_ns)
            earliest_ns = later(due_ns + m.field.polls[m.polls[i]].period_ns // 2, now_ns, earliest_ns)
    return earliest_ns


cdef inline void forget_images(Master* m, int node, int64_t now_ns) noexcept nogil:
    cdef int i
    for i in range(m.n_polls):
        if m.field.polls[m.polls[i]].node == node:
            m.field.poll_status[m.polls[i]].has_image = False
            m.field.poll_status[m.polls[i]].due_ns = now_ns


cdef inline bint has_all_images(const Master* m, int node) noexcept nogil:
    cdef int i
    for i in range(m.n_polls):
        if m.field.polls[m.polls[i]].node == node and not m.field.poll_status[m.polls[i]].has_image:
            return False
    return True
