"""Durations counted in buckets a thirty-second of an octave wide: fixed memory, constant work, 3 % of resolution."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    static inline int hub_top_bit(unsigned long long value) { return 63 - __builtin_clzll(value); }
    """
    int hub_top_bit(uint64_t value) noexcept nogil

cdef enum:
    N_BUCKETS = 1888       # 32 + 58 octaves of 32
    N_STEPS = 32

cdef struct Histogram:
    uint64_t n
    int64_t max_ns
    uint64_t[1888] buckets

cdef inline int bucket_of(uint64_t ns) noexcept nogil:
    cdef int shift
    if ns < N_STEPS:
        return <int>ns
    shift = hub_top_bit(ns) - 5
    return min((shift + 1) * N_STEPS + <int>(ns >> shift) - N_STEPS, N_BUCKETS - 1)

cdef inline int64_t bucket_end_ns(int bucket) noexcept nogil:
    """Longest duration that falls into the bucket."""
    cdef int shift = bucket // N_STEPS - 1
    if bucket < N_STEPS:
        return bucket
    return ((<int64_t>(bucket % N_STEPS + N_STEPS + 1)) << shift) - 1

cdef inline void tally(Histogram* h, int64_t ns) noexcept nogil:
    ns = max(ns, 0)
    h.buckets[bucket_of(ns)] += 1
    h.max_ns = max(h.max_ns, ns)
    h.n += 1

cdef inline int64_t quantile_ns(const Histogram* h, uint64_t per_mille) noexcept nogil:
    """Duration that `per_mille` of those counted do not exceed; 0 when none was counted."""
    cdef uint64_t wanted = (h.n * per_mille + 999) // 1000
    cdef uint64_t seen = 0
    cdef int bucket
    if h.n == 0:
        return 0
    for bucket in range(N_BUCKETS):
        seen += h.buckets[bucket]
        if seen >= wanted:
            return min(bucket_end_ns(bucket), h.max_ns)
    return h.max_ns
