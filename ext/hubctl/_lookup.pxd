"""Labels to lanes: a compiled classifier, then one hash table for exact labels and for longest prefixes."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t

cdef enum:
    LENGTH_MAX = 56
    N_NAMESPACES_MAX = 32
    N_ROWS_MAX = 16384      # accepted forms of a site
    BLOCK = 16              # labels whose entries are fetched together

cdef packed struct Entry:
    uint64_t key          # hash of (namespace, prefix length, text); 0 is an empty slot
    uint64_t check        # a second, independent hash: unknown never becomes a guess
    int32_t lane
    uint16_t flags        # reserved for what the host says of a label
    uint16_t reserved
    uint64_t reserved2

cdef struct Reading:
    uint16_t format       # index in hubctl.core.labels.FORMATS of the format that fits best
    uint16_t priority     # its rank at this site, 0 first
    uint16_t reason       # Reason: OK, BAD_LABEL, NO_DATA, NO_LANE
    uint16_t flags
    int32_t lane          # -1 unless reason is OK
    uint64_t identity     # hash of the number in the label: equal for two labels of one parcel; 0: BAD_LABEL

cdef class LaneTable:
    """Formats, prefixes and pre-advice of one plan, immutable once built."""
    cdef dict _spaces     # number of each namespace
    cdef void* _tables    # what `resolve` takes; lives as long as the LaneTable

# Classifies `n` bytes of text and finds their lane. Any bytes will do; spaces, controls and an AIM identifier
# are left out, lower case is upper case. Allocates nothing; its cost does not depend on the number of rules.
cdef void resolve(const void* tables, const char* text, int n, Reading* out) noexcept nogil

# As `resolve` for BLOCK texts at most, each of `size` bytes at most, zeros behind it; they wait for memory together.
cdef void resolve_block(const void* tables, const char* texts, int64_t size, int n, Reading* out) noexcept nogil
