"""A node's clock by ours, and a belt's count by another's: one number each, kept within what is known for certain.

An answer was given between question and receipt, so each bounds how far two clocks are apart; a host that is stopped
in between makes the bounds wide, and never wrong. Counts of two nodes on one encoder differ by one number too: of a
belt that ran from one count to another, a count between is between.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from hubctl._wires cimport Lead

cdef enum:
    NS_PER_TICK = 1000
    N_AGREED_MIN = 10          # then two counts are known to be so far apart
    N_CONTRADICTIONS_MAX = 10  # in a row: a pulse was lost on one side, and all begins anew

cdef struct Apart:
    bint is_known
    int64_t by
    int64_t low            # of counts: no further apart than that, by all that was seen
    int64_t high
    int n_agreed           # samples in a row that go together
    int n_contradictions

cdef inline int64_t within(int64_t value, int64_t low, int64_t high) noexcept nogil:
    if value < low:
        return low
    return high if value > high else value


cdef inline void keep_within(Apart* apart, int64_t guess, int64_t low, int64_t high) noexcept nogil:
    """At first a guess; then what it was, moved no further than it must."""
    apart.by = within(apart.by if apart.is_known else guess, low, high)
    apart.is_known = True


cdef inline int64_t extend_ticks(int64_t known, uint32_t ticks) noexcept nogil:
    """Ticks of a clock of 32 bits, counted on from a time before."""
    return known + <uint32_t>(ticks - <uint32_t>known)


cdef inline int64_t told_at(Apart* apart, int64_t ticks, int64_t sent_ns, int64_t received_ns) noexcept nogil:
    """When, by our clock, a node took its clock's time."""
    cdef int64_t node_ns = ticks * NS_PER_TICK
    keep_within(apart, (sent_ns + received_ns) // 2 - node_ns, sent_ns - node_ns, received_ns - node_ns)
    return node_ns + apart.by


cdef inline int32_t ahead(uint32_t a, uint32_t b) noexcept nogil:
    """How far a count is ahead of another, on the circle of 32 bits."""
    return <int32_t>(a - b)


cdef inline int64_t between(int64_t t_ns, int64_t from_ns, int64_t until_ns, int64_t whole) noexcept nogil:
    """The share of a whole that has gone at an instant."""
    if until_ns <= from_ns:
        return whole
    return whole * (t_ns - from_ns) // (until_ns - from_ns)


cdef inline bint spans(const Lead* lead, int64_t t_ns) noexcept nogil:
    """Whether the belt was sampled before an instant and after it."""
    return lead.has_counts and 0 < lead.before_ns <= t_ns <= lead.t_ns


cdef inline void agree(Apart* apart, int64_t guess, int64_t low, int64_t high) noexcept nogil:
    """One more pair of bounds; one that contradicts all the others is a sample that was late on its way."""
    if apart.n_agreed == 0 or apart.n_contradictions >= N_CONTRADICTIONS_MAX:
        apart.is_known = False
        apart.n_agreed = apart.n_contradictions = 0
        apart.low, apart.high, apart.by = low, high, guess
    elif max(low, apart.low) > min(high, apart.high):
        apart.n_contradictions += 1
        if not apart.is_known:
            apart.n_agreed = 0
        return
    apart.low, apart.high = max(low, apart.low), min(high, apart.high)
    apart.by = within(apart.by, apart.low, apart.high)
    apart.n_contradictions = 0
    apart.n_agreed += 1
    apart.is_known = apart.n_agreed >= N_AGREED_MIN


cdef inline void take_lead(Apart* apart, const Lead* lead, uint32_t counts, int64_t t_ns) noexcept nogil:
    """A node's count at an instant between two samples of its belt."""
    cdef int64_t ran = ahead(lead.counts, lead.counts_before)
    cdef int64_t low = ahead(lead.counts_before, counts)
    cdef int64_t guess = low + between(t_ns, lead.before_ns, lead.t_ns, ran)
    agree(apart, guess, low if ran >= 0 else low + ran, low + ran if ran >= 0 else low)


cdef inline void sample_lead(Lead* lead, uint32_t counts, int64_t t_ns, uint32_t boot_id) noexcept nogil:
    """The node that has the belt's encoder has counted so far."""
    lead.before_ns = lead.t_ns if lead.has_counts and lead.boot_id == boot_id else 0
    lead.counts_before = lead.counts
    lead.counts = counts
    lead.t_ns = t_ns
    lead.boot_id = boot_id
    lead.has_counts = True
