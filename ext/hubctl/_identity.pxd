"""Who is on the belts: tracks found by the number in their label, or by their own number, in constant work.

Two hash tables with linear probing, at most half full. A key may stand in one more than once: two parcels may
carry the same label. Key 0 is an empty place: no parcel has number 0, and no label that counts identity 0.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from hubctl._state cimport NOBODY, Place, State

cdef enum:
    ANYBODY = -2
    NO_PLAN_IDENTITY = 1  # of every label while there is no plan: it names nobody


cdef inline int64_t home_of(uint64_t key, int64_t mask) noexcept nogil:
    """Where a key belongs: numbers in a row are spread, else they would make one run that each removal walks along."""
    return <int64_t>((key * <uint64_t>0x9E3779B97F4A7C15) >> 32) & mask


cdef inline int64_t find_place(const Place* places, int64_t mask, uint64_t key, int32_t t) noexcept nogil:
    """Where track `t` (or ANYBODY) stands under a key; -1 if nowhere."""
    cdef int64_t at = home_of(key, mask)
    while places[at].key != 0:
        if places[at].key == key and (t == ANYBODY or places[at].track == t):
            return at
        at = (at + 1) & mask
    return -1


cdef inline void put_place(Place* places, int64_t mask, uint64_t key, int32_t t) noexcept nogil:
    cdef int64_t at = home_of(key, mask)
    while places[at].key != 0:
        at = (at + 1) & mask
    places[at].key = key
    places[at].track = t


cdef inline void empty_place(Place* places, int64_t mask, int64_t hole) noexcept nogil:
    """Empties a place; those behind it that would not be found any more move up."""
    cdef int64_t at = (hole + 1) & mask
    cdef int64_t home
    while places[at].key != 0:
        home = home_of(places[at].key, mask)
        if ((at - home) & mask) >= ((at - hole) & mask):
            places[hole] = places[at]
            hole = at
        at = (at + 1) & mask
    places[hole].key = 0
    places[hole].track = NOBODY


cdef inline int32_t found(const Place* places, int64_t mask, uint64_t key, int32_t t) noexcept nogil:
    cdef int64_t at = find_place(places, mask, key, t)
    return NOBODY if at < 0 else places[at].track


cdef inline int32_t track_of(const State* s, uint64_t identity) noexcept nogil:
    """A track that holds the label of this identity; NOBODY if none does."""
    if identity <= NO_PLAN_IDENTITY:
        return NOBODY
    return found(s.labels, s.head.n_places - 1, identity, ANYBODY)


cdef inline int32_t track_of_parcel(const State* s, int64_t parcel) noexcept nogil:
    """The track of a parcel by its number; NOBODY once it is closed, or if there never was one."""
    if parcel <= 0:
        return NOBODY
    return found(s.parcels, s.head.n_places - 1, <uint64_t>parcel, ANYBODY)


cdef inline void hold_identity(State* s, int32_t t) noexcept nogil:
    """Track `t` is found by the identity it holds from now on."""
    if s.tracks[t].identity > NO_PLAN_IDENTITY:
        put_place(s.labels, s.head.n_places - 1, s.tracks[t].identity, t)


cdef inline void drop_identity(State* s, int32_t t) noexcept nogil:
    """Track `t` is not found by the identity it holds any more; nothing if it was not."""
    cdef int64_t at
    if s.tracks[t].identity <= NO_PLAN_IDENTITY:
        return
    at = find_place(s.labels, s.head.n_places - 1, s.tracks[t].identity, t)
    if at >= 0:
        empty_place(s.labels, s.head.n_places - 1, at)


cdef inline void hold_number(State* s, int32_t t) noexcept nogil:
    put_place(s.parcels, s.head.n_places - 1, <uint64_t>s.tracks[t].parcel, t)


cdef inline void drop_number(State* s, int32_t t) noexcept nogil:
    cdef int64_t at = find_place(s.parcels, s.head.n_places - 1, <uint64_t>s.tracks[t].parcel, t)
    if at >= 0:
        empty_place(s.parcels, s.head.n_places - 1, at)
