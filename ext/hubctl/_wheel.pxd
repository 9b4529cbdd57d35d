"""Wheel diverters of one link: frames of seven bytes, commands kept apart, states watched; no sockets."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from hubctl._batch cimport Batch
from hubctl._records cimport Record
from hubctl._wires cimport Field

cdef enum:
    WHEEL_FRAME = 7
    SPEED_FRAME = 12       # what it says of its speed
    N_WHEELS_MAX = 16      # of one link
    WHEEL_OUT_MAX = 224    # two frames of each
    N_WHEEL_KINDS = 9

cdef enum WheelKind:
    WHEEL_STATUS = 0
    WHEEL_ACK = 1
    WHEEL_DONE = 2
    WHEEL_SPEED = 3
    WHEEL_NOISE = 4
    WHEEL_FOREIGN = 5
    WHEEL_UNASKED = 6
    WHEEL_UNANSWERED = 7
    WHEEL_SILENT = 8

cdef struct Wheel:
    int node
    uint8_t device         # as it is called in frames
    int said               # its last status; 0: none yet
    int told               # what the kernel knows: 0 down, 1 up, 2 up and in need of a person
    bint is_tripped        # it stopped by itself: nothing is commanded until a person has looked
    bint is_turned         # a turn was commanded; the way back is due at centre_ns
    int turned_to
    int waiting            # command that has no answer yet; 0: none
    int64_t heard_ns
    int64_t sent_ns
    int64_t centre_ns
    bint has_fire
    Record fire            # waits until the wheel may be told

cdef struct Wheels:
    Field* field
    int link
    bint connected
    bint stopping
    bint is_silent         # nothing was heard for too long: only a new connection helps
    int64_t heard_ns       # the last state of any
    int n_wheels
    Wheel[16] wheels
    int n_in
    uint8_t[12] frame      # what came of one so far
    bint noisy
    int n_out
    uint8_t[224] out       # bytes to be sent; the owner sends them and sets n_out to 0
    uint64_t[9] told       # by WheelKind

cdef Wheels* wheels_new(Field* field, int link) noexcept nogil
cdef void wheels_free(Wheels* w) noexcept nogil
cdef void wheels_connect(Wheels* w, int64_t now_ns) noexcept nogil
cdef void wheels_disconnect(Wheels* w, int64_t now_ns, Batch* batch) noexcept nogil
# A FIRE_OUTPUT of the kernel. Its FIRE_RESULT comes here or from a later pump.
cdef void wheels_fire(Wheels* w, const Record* command, int64_t now_ns, Batch* batch) noexcept nogil
cdef void wheels_receive(Wheels* w, const uint8_t* data, int n, int64_t now_ns, Batch* batch) noexcept nogil
# Puts commands into `out`. Results OK have t_ns 0 until the owner has sent the bytes and knows when.
cdef void wheels_pump(Wheels* w, int64_t now_ns, Batch* batch) noexcept nogil
cdef int64_t wheels_next_deadline(const Wheels* w, int64_t now_ns) noexcept nogil
# A person has looked at a wheel that stopped by itself.
cdef void wheels_clear(Wheels* w, int node) noexcept nogil
# From now on only the way back to the middle; safe when all nodes are SAFE, UNSAFE or ABSENT.
cdef void wheels_make_safe(Wheels* w, int64_t now_ns, Batch* batch) noexcept nogil
cdef bint wheels_are_settled(const Wheels* w) noexcept nogil
cdef bint wheels_have_fires(const Wheels* w) noexcept nogil
