"""Labels to lanes: a compiled classifier, then one hash table for exact labels and for longest prefixes."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t

from hubctl._advice cimport AdviceTable

cdef enum:
    LENGTH_MAX = 56
    N_NAMESPACES_MAX = 32
    N_ROWS_MAX = 16384      # accepted forms of a site
    ADVICE = N_NAMESPACES_MAX   # namespace of single labels, beside those of prefixes
    BLOCK = 32              # labels whose entries are fetched together

cdef struct Reading:
    uint16_t format       # index in hubctl.core.labels.FORMATS of the format that fits best
    uint16_t priority     # its rank at this site, 0 first
    uint16_t reason       # Reason: OK, BAD_LABEL, NO_DATA, NO_LANE
    uint16_t flags
    int32_t lane          # -1 unless reason is OK
    uint64_t identity     # hash of the number in the label: equal for two labels of one parcel; 0: BAD_LABEL

cdef class LaneTable:
    """Formats and rules of one plan, immutable once built, and the pre-advice, which changes."""
    cdef dict _spaces     # number of each namespace
    cdef int _advise(self, AdviceTable advice, object n_keys_max) except -1
    cdef object _advice   # the labels that the host tells of, kept
    cdef object _key_lanes
    cdef void* _tables    # what `resolve` takes; lives as long as the LaneTable

# Classifies `n` bytes of text and finds their lane. Any bytes will do; spaces, controls and an AIM identifier
# are left out, lower case is upper case. Allocates nothing; its cost does not depend on the number of rules.
cdef void resolve(const void* tables, const char* text, int n, Reading* out) noexcept nogil

# As `resolve` for BLOCK texts at most, each of `size` bytes at most, zeros behind it; they wait for memory together.
cdef void resolve_block(const void* tables, const char* texts, int64_t size, int n, Reading* out) noexcept nogil
