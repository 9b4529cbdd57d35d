"""A single-producer single-consumer ring of records: neither end ever waits for the other or takes a lock."""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free

from hubctl._records cimport Record

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint64_t hub_acquire(const uint64_t* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
    static inline void hub_release(uint64_t* at, uint64_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }
    """
    uint64_t hub_acquire(const uint64_t* at) noexcept nogil
    void hub_release(uint64_t* at, uint64_t value) noexcept nogil

cdef struct Ring:
    Record* rows
    uint64_t mask
    uint64_t n_lost          # the producer's count of what found no room
    char[64] apart           # the two ends in different cache lines
    uint64_t head            # written by the producer
    char[64] apart2
    uint64_t tail            # written by the consumer

cdef inline bint ring_init(Ring* ring, uint64_t n_records) noexcept nogil:
    """`n_records` must be a power of two; false if there is no memory."""
    ring.rows = <Record*>calloc(n_records, sizeof(Record))
    ring.mask = n_records - 1
    ring.head = ring.tail = ring.n_lost = 0
    return ring.rows is not NULL

cdef inline void ring_free(Ring* ring) noexcept nogil:
    free(ring.rows)
    ring.rows = NULL

cdef inline bint ring_push(Ring* ring, const Record* record) noexcept nogil:
    """False, and counted, when the ring is full."""
    cdef uint64_t head = ring.head
    if head - hub_acquire(&ring.tail) > ring.mask:
        ring.n_lost += 1
        return False
    ring.rows[head & ring.mask] = record[0]
    hub_release(&ring.head, head + 1)
    return True

cdef inline bint ring_pop(Ring* ring, Record* record) noexcept nogil:
    cdef uint64_t tail = ring.tail
    if hub_acquire(&ring.head) == tail:
        return False
    record[0] = ring.rows[tail & ring.mask]
    hub_release(&ring.tail, tail + 1)
    return True

cdef inline uint64_t ring_used(const Ring* ring) noexcept nogil:
    return hub_acquire(&ring.head) - hub_acquire(&ring.tail)
