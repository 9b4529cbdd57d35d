"""Arming: diverts told ahead to nodes that fire by their own count, told anew when they move, taken back when they are off.

A node is told as soon as a route is firm, and not only at the commit: its computer may then stand still for as long as
the parcel takes. Till the commit its route may change; then what was told is taken back, and told anew. What has
become of a divert only its node knows. One taken back may have been fired all the same: then that is what happened
to the parcel. Without a word till the divert would be void, the parcel is possibly diverted.

Counts of these commands are as the belt's counter shows them. A node can be told of few, so that looking at all of
them is constant work.
"""

from libc.stdint cimport int32_t, int64_t

from hubctl._motion cimport planning_speed, travel
from hubctl._records cimport ARM_DIVERT, CANCEL_DIVERT, OK, Record
from hubctl._state cimport ARMED, COMMITTED_TRACK, NOBODY, NOT_TOLD, ROUTED, State, Track, say
from hubctl._tables cimport Diverter

cdef enum:
    N_AHEAD_MAX = 24  # of the 32 that a node is told of: the others are for those that are committed untold


cdef inline const Diverter* diverter_of(const State* s, const Track* track) noexcept nogil:
    return &s.diverter_table[s.chute_table[track.exit].diverter]


cdef inline bint fires_by_count(const State* s, const Track* track) noexcept nogil:
    """Whether the node of a track's diverter is told ahead, and fires by itself."""
    return diverter_of(s, track).is_armed != 0


cdef inline bint is_to_be_told(const State* s, const Track* track, int64_t fire_counts) noexcept nogil:
    """Whether a planned divert is firm, and its node was not told of it, or of another place.

    Nobody is told while it is not known what became of the divert before.
    """
    if track.marks & NOT_TOLD or track.back_seq or track.reason != OK or track.length_counts < 0:
        return False
    return not track.marks & ARMED or track.told_counts != fire_counts


cdef inline bint is_beyond_recall(const State* s, const Track* track) noexcept nogil:
    """Whether a node that cannot be reached was told: it will fire."""
    return track.marks & ARMED and not s.nodes[s.chute_table[track.exit].node].up


cdef inline bint is_being_taken_back(const State* s, const Track* track) noexcept nogil:
    """Whether a track's diverter may be just doing another divert for it, which was taken back."""
    if track.back_seq == 0:
        return False
    return s.chute_table[track.back_exit].diverter == s.chute_table[track.exit].diverter


cdef inline bint has_room_for_more(const State* s, const Track* track) noexcept nogil:
    return track.marks & ARMED or s.nodes[s.chute_table[track.exit].node].n_told < N_AHEAD_MAX


# Who was told


cdef inline void join_told(State* s, Track* track) noexcept nogil:
    cdef int32_t* first = &s.paddles[s.chute_table[track.exit].diverter].first_told
    cdef int32_t t = <int32_t>(track - s.tracks)
    track.told_prev = NOBODY
    track.told_next = first[0]
    if first[0] != NOBODY:
        s.tracks[first[0]].told_prev = t
    first[0] = t
    track.marks |= ARMED
    s.nodes[s.chute_table[track.exit].node].n_told += 1


cdef inline void leave_told(State* s, Track* track) noexcept nogil:
    """Nothing more is awaited of a track's divert."""
    if not track.marks & ARMED:
        return
    if track.told_prev == NOBODY:
        s.paddles[s.chute_table[track.exit].diverter].first_told = track.told_next
    else:
        s.tracks[track.told_prev].told_next = track.told_next
    if track.told_next != NOBODY:
        s.tracks[track.told_next].told_prev = track.told_prev
    track.marks &= ~ARMED
    s.nodes[s.chute_table[track.exit].node].n_told -= 1


# What is told


cdef inline Record* say_to_node(State* s, const Track* track, int kind) noexcept nogil:
    cdef Record* record = say(s, kind, track.parcel)
    record.seq = track.seq
    record.plan = track.plan
    record.device = s.chute_table[track.exit].diverter
    record.chute = track.exit
    return record


cdef inline void tell_divert(State* s, Track* track) noexcept nogil:
    """Tells the node where a track is to be diverted, unless it knows; under the same number again, where now."""
    cdef Record* record
    if not fires_by_count(s, track) or (track.marks & ARMED and track.told_counts == track.fire_counts):
        return
    if not track.marks & ARMED:
        join_told(s, track)
    track.told_counts = track.fire_counts
    record = say_to_node(s, track, ARM_DIVERT)
    record.counts = track.fire_counts - s.belts[track.belt].base_counts
    record.limit = record.counts + travel(planning_speed(s, track.belt), diverter_of(s, track).void_ns)


cdef inline void take_back(State* s, Track* track) noexcept nogil:
    """Takes back what the node was told, if it was and nothing has become of it yet; its word is awaited."""
    if not track.marks & ARMED:
        return
    say_to_node(s, track, CANCEL_DIVERT)
    leave_told(s, track)
    track.back_seq = track.seq
    track.back_chute = track.chute
    track.back_exit = track.exit
    track.back_reason = track.reason


cdef inline void take_back_untold(State* s, Track* track) noexcept nogil:
    """Takes it back until the commit: there it is decided anew."""
    take_back(s, track)
    track.marks |= NOT_TOLD


cdef inline void take_back_to(State* s, int d, int exit, bint with_committed) noexcept nogil:
    """Takes back all that a diverter was told for an exit, or for all of its exits if that is -1."""
    cdef int32_t t = s.paddles[d].first_told
    cdef Track* track
    while t != NOBODY:
        track = &s.tracks[t]
        t = track.told_next
        if exit != -1 and track.exit != exit:
            continue
        if track.state == ROUTED or (with_committed and track.state == COMMITTED_TRACK):
            take_back_untold(s, track)


# Two at one diverter


cdef inline bint are_at_odds(const State* s, const Track* track, const Track* other) noexcept nogil:
    """Whether a paddle cannot do both: the other one as it was told, the track where it is to be fired."""
    cdef const Diverter* diverter = diverter_of(s, track)
    cdef int64_t speed = planning_speed(s, track.belt)
    cdef int64_t away = track.fire_counts - other.told_counts
    if away < 0:
        away = -away
    if away >= travel(speed, diverter.hold_ns + diverter.cycle_ns):
        return False
    return track.exit != other.exit or away >= travel(speed, diverter.hold_ns)


cdef inline bint meets_another(const State* s, const Track* track) noexcept nogil:
    """Whether a diverter was told of another divert that is at odds with a track's."""
    cdef int32_t t = s.paddles[s.chute_table[track.exit].diverter].first_told
    while t != NOBODY:
        if &s.tracks[t] != track and are_at_odds(s, track, &s.tracks[t]):
            return True
        t = s.tracks[t].told_next
    return False


cdef inline void clear_way(State* s, const Track* track) noexcept nogil:
    """Who is committed goes before those that are not, told ahead or not."""
    cdef int32_t t = s.paddles[s.chute_table[track.exit].diverter].first_told
    cdef Track* other
    while t != NOBODY:
        other = &s.tracks[t]
        t = other.told_next
        if other != track and other.state == ROUTED and are_at_odds(s, track, other):
            take_back_untold(s, other)
