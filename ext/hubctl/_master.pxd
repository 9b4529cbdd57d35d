"""The Modbus master of one link: which request goes next, and what its reply means to the hub."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

from hubctl._batch cimport Batch
from hubctl._histogram cimport Histogram
from hubctl._node cimport Session
from hubctl._records cimport Record
from hubctl._wire cimport Channel
from hubctl._wires cimport Field

cdef enum:
    N_FIRES_MAX = 256      # commands that may wait on one link; one more is a MISSED_WINDOW
    N_FAILURES_MAX = 3     # in a row, then the node's circuit is open
    OUT_MAX = 4160         # IN_FLIGHT_MAX frames of FRAME_MAX

cdef enum Action:
    ACT_POLL = 0
    ACT_ON = 1
    ACT_OFF = 2
    ACT_CHECK = 3
    ACT_CLEAR = 4
    ACT_VERIFY = 5
    ACT_LEVEL = 6
    ACT_STEP = 7
    ACT_KEEP = 8
    ACT_TOGETHER = 9

# Coils of one node that are written by one request.
cdef struct Group:
    int node
    int first
    int count              # 0: none are under way
    uint64_t on            # which of them go on, the first one lowest

cdef struct Master:
    Field* field
    int link
    Session* session       # with its one node, if that has our firmware; NULL: with Modbus devices
    bint connected
    bint stopping
    Channel channel
    int n_nodes
    int n_polls
    int n_active
    int n_fires
    uint16_t* nodes        # those on this link
    uint16_t* polls
    uint16_t* active       # chutes whose output is not IDLE
    Record[256] fires
    int n_out
    uint8_t[4160] out      # bytes to be sent; the owner sends them and sets n_out to 0
    Histogram round_trip
    Histogram poll_lateness  # of each poll, behind its schedule
    int64_t reply_ns       # smoothed time to an answer
    int64_t reply_spread_ns  # smoothed distance from it
    Group group

cdef Master* master_new(Field* field, int link) noexcept nogil
cdef void master_free(Master* m) noexcept nogil
cdef void master_connect(Master* m, int64_t now_ns) noexcept nogil
# Adds NODE down and the results of fires that were not written.
cdef void master_disconnect(Master* m, int64_t now_ns, Batch* batch) noexcept nogil
# A FIRE_OUTPUT of the kernel. Its FIRE_RESULT comes here or from a later pump.
cdef void master_fire(Master* m, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil
# An ARM_DIVERT or CANCEL_DIVERT of the kernel, whose time is `now_ns`.
cdef void master_arm(Master* m, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil
# Puts requests into `out`. Results OK have t_ns 0 until the owner has sent the bytes and knows when.
cdef void master_pump(Master* m, int64_t now_ns, Batch* batch) noexcept nogil
# Takes the replies among the bytes that channel_received was told of.
cdef void master_receive(Master* m, int64_t now_ns, Batch* batch) noexcept nogil
cdef void master_expire(Master* m, int64_t now_ns, Batch* batch) noexcept nogil
# The earliest time after `now_ns` at which something is due; what is due already waits for the channel.
cdef int64_t master_next_deadline(const Master* m, int64_t now_ns) noexcept nogil
# From now on only coils off; safe when all nodes are SAFE, UNSAFE or ABSENT.
cdef void master_make_safe(Master* m, int64_t now_ns, Batch* batch) noexcept nogil
cdef bint master_is_settled(const Master* m) noexcept nogil
