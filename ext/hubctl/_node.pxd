"""One node with our firmware on its link: taken, watched, polled, and told ahead what to divert."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from hubctl._batch cimport Batch
from hubctl._clock cimport Apart
from hubctl._records cimport Record
from hubctl._wire cimport Channel, Reply
from hubctl._wires cimport Field

cdef enum:
    N_ARMED_MAX = 32       # of the node; one more is refused here
    N_ORDERS_MAX = 128     # arms and cancels that may wait on one link
    N_SAMPLES_MAX = 64     # of the count that a late poll stands for
    N_TOLD_MAX = 128       # records that one answer can bring: edges, outcomes, samples

cdef enum Stage:
    IDENTIFY = 0
    TAKE = 1
    CONFIGURE = 2
    VERIFY = 3
    CLEAR = 4
    RUN = 5
    QUIT = 6               # stopping: its safe state is asked for
    ENDED = 7              # no node of ours, or another host has taken it

cdef struct Order:
    bint is_cancel
    bint is_sent
    uint32_t seq
    uint32_t fire_counts   # the node's
    uint32_t void_counts
    uint16_t diverter
    uint16_t hold_ms

cdef struct Session:
    Field* field
    Channel* channel
    int node
    int poll               # row of its eyes; -1: it has none
    int stage
    uint16_t host_seq
    uint32_t boot_id

    uint16_t edges_next
    uint16_t outcomes_next
    int n_edges            # kept there, as it said last
    int n_edges_lost
    int n_outcomes
    int n_orders
    int n_armed
    bint waiting
    bint is_safe           # it made itself safe for want of a host
    bint wants_clear       # a person has looked at it
    bint is_clearing
    int64_t next_ns        # nothing is asked before
    Order[128] orders
    Record[32] armed       # commands that nothing has become of yet, each as it is wanted now
    bint[32] is_told       # the node may know of it
    uint32_t last_seq      # of the last command to arm one
    Apart clock            # its time by ours
    Apart count            # its belt's count by its own
    uint32_t lead_boot     # of the node that has its belt's encoder
    int64_t ticks          # of its clock, at the last answer
    uint32_t counts        # at the last poll
    int64_t counted_ns
    bint has_counts
    int64_t told_ns        # till then all it has seen and done is told

cdef Session* session_new(Field* field, int node, Channel* channel) noexcept nogil
cdef void session_free(Session* n) noexcept nogil
cdef void session_connect(Session* n, int64_t now_ns) noexcept nogil
cdef void session_disconnect(Session* n, int64_t now_ns, Batch* batch) noexcept nogil
# An ARM_DIVERT or CANCEL_DIVERT of the kernel, whose time is `now_ns`.
cdef void session_order(Session* n, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil
# Bytes of the next request in `out` (FRAME_MAX of room), how many is returned. Only when the channel is ready.
cdef int session_ask(Session* n, int64_t now_ns, uint8_t* out) noexcept nogil
cdef void session_take(Session* n, const Reply* reply, int64_t now_ns, Batch* batch) noexcept nogil
cdef int64_t session_next_deadline(const Session* n) noexcept nogil
# A person has looked at a node that made itself safe.
cdef void session_clear(Session* n) noexcept nogil
cdef void session_make_safe(Session* n, int64_t now_ns) noexcept nogil
