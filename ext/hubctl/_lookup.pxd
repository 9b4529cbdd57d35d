"""Labels to lanes: a compiled classifier, then one hash table for exact labels and for longest prefixes."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    LENGTH_MAX = 56
    N_PREFIX_LENGTHS = 64   # bit n of a namespace's set: some rule has a prefix of n characters
    N_NAMESPACES_MAX = 32

cdef packed struct Entry:
    uint64_t key          # hash of (namespace, prefix length, text); 0 is an empty slot
    uint64_t check        # a second, independent hash: unknown never becomes a guess
    int32_t lane
    uint16_t flags        # ENTRY_*
    uint16_t reserved
    uint64_t reserved2

cdef struct Reading:
    uint16_t format       # row of the format that fits best
    uint16_t priority     # its rank at this site, 0 first
    uint16_t reason       # Reason: OK, BAD_LABEL, NO_DATA, NO_LANE
    uint16_t flags
    int32_t lane          # -1 unless reason is OK
    uint64_t identity     # hash of the label as it identifies the parcel: equal for equal labels

cdef class LaneTable:
    """Formats, prefixes and pre-advice of one plan, immutable once built."""
    cdef object _owned
    cdef void* _tables

cdef void resolve(const void* tables, const char* text, int n, Reading* out) noexcept nogil
