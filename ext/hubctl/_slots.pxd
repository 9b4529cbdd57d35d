"""A hash table of texts that is filled once: open addressing, half of the slots empty, two independent hashes of each text.

A text itself is not kept. Two texts of one key and one check among ten million come once in 10^24 tables: unknown never
becomes a guess.
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #include <stdlib.h>
    #include <sys/mman.h>
    static inline uint64_t hub_high(uint64_t a, uint64_t b) {
        return (uint64_t)(((unsigned __int128)a * b) >> 64);
    }
    static inline uint64_t hub_fold(uint64_t a, uint64_t b) {
        return a * b ^ hub_high(a, b);
    }
    /* Memory for a table: on large pages where there are some, since each probe would cost a page walk too. */
    static inline void* hub_table(size_t n_bytes) {
        const size_t page = (size_t)1 << 21;
        if (n_bytes < 2 * page) return aligned_alloc(64, (n_bytes + 63) / 64 * 64);
        void* memory = aligned_alloc(page, (n_bytes + page - 1) / page * page);
        if (memory) madvise(memory, n_bytes, MADV_HUGEPAGE);
        return memory;
    }
    /* Asks for a line of memory. The compiler takes a function that does no more for one that does nothing, and leaves
       its calls out; the empty statement keeps it from that. */
    static inline void hub_prefetch(const void* address) {
        __builtin_prefetch(address);
        __asm__ volatile("");
    }
    """
    uint64_t hub_high(uint64_t a, uint64_t b) noexcept nogil
    uint64_t hub_fold(uint64_t a, uint64_t b) noexcept nogil
    void* hub_table(size_t n_bytes) noexcept nogil
    void prefetch "hub_prefetch" (const void* address) noexcept nogil

cdef packed struct Entry:
    uint64_t key          # hash of (namespace, prefix length, text); 0 is an empty slot
    uint64_t check        # a second, independent hash: unknown never becomes a guess
    int32_t lane
    uint32_t reserved
    uint64_t reserved2

cdef struct Digest:
    uint64_t key
    uint64_t check

cdef struct Slots:
    Entry* entries
    uint64_t n_slots
    uint64_t n_entries


cdef inline bint make_slots(Slots* slots, uint64_t n_entries_max) noexcept nogil:
    """Room for so many texts; False: there is no memory."""
    slots.n_slots, slots.n_entries = 2 * n_entries_max + 1, 0
    slots.entries = <Entry*>hub_table(slots.n_slots * sizeof(Entry))
    if slots.entries != NULL:
        memset(slots.entries, 0, slots.n_slots * sizeof(Entry))
    return slots.entries != NULL


cdef inline void free_slots(Slots* slots) noexcept nogil:
    free(slots.entries)


cdef inline uint64_t word_at(const char* text, int n) noexcept nogil:
    """The first eight characters of `n`, zeros behind them. The text has a margin."""
    cdef uint64_t word
    memcpy(&word, text, 8)
    return word if n >= 8 else word & ((<uint64_t>1 << (8 * n)) - 1)


cdef inline uint64_t scrambled(uint64_t h) noexcept nogil:
    h = (h ^ (h >> 31)) * <uint64_t>0xD6E8FEB86659FD93
    h = (h ^ (h >> 29)) * <uint64_t>0xA0761D6478BD642F
    return h ^ (h >> 32)


cdef inline Digest digest(int space, const char* text, int n) noexcept nogil:
    """Two independent hashes of a namespace and a text, which has a margin; the key is neither 0 nor 1."""
    cdef Digest out
    cdef uint64_t word, a = <uint64_t>0x9E3779B97F4A7C15 ^ <uint64_t>(space << 8 | n)
    cdef uint64_t b = <uint64_t>0xC2B2AE3D27D4EB4F + <uint64_t>(space << 8 | n)
    cdef int at = 0
    while at < n:
        word = word_at(text + at, n - at)
        a = hub_fold(a ^ word, <uint64_t>0x8EBC6AF09C88C6E3 ^ (a >> 32))
        b = scrambled(b ^ word)
        at += 8
    a = hub_fold(a ^ <uint64_t>0x589965CC75374CC3, <uint64_t>0x1D8E4E27C47D124F)
    out.key = a if a > 1 else 2
    out.check = scrambled(b)
    return out


cdef inline Entry* first_slot(const Slots* slots, Digest digest) noexcept nogil:
    """Where a search for a text begins."""
    return &slots.entries[hub_high(digest.key, slots.n_slots)]


cdef inline Entry* slot_of(const Slots* slots, Digest digest) noexcept nogil:
    """The entry of a text, or the empty one where it would go."""
    cdef Entry* entry = first_slot(slots, digest)
    cdef Entry* end = slots.entries + slots.n_slots
    while entry.key != 0 and (entry.key != digest.key or entry.check != digest.check):
        entry += 1
        if entry == end:
            entry = slots.entries
    return entry


cdef inline const Entry* found(const Slots* slots, Digest digest) noexcept nogil:
    cdef const Entry* entry = slot_of(slots, digest)
    return entry if entry.key else NULL


cdef inline void enter(Slots* slots, Digest digest, int32_t lane) noexcept nogil:
    cdef Entry* entry = slot_of(slots, digest)
    slots.n_entries += entry.key == 0
    entry.key, entry.check, entry.lane = digest.key, digest.check, lane
