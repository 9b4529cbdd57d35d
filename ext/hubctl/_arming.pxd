"""Arming: diverts told ahead to nodes that fire by their own count, told anew when they move, taken back when they are off.

Counts of these commands are as the belt's counter shows them. What has become of an armed divert, only its node
knows: its result is awaited until the divert would be void, and without one the parcel is possibly diverted.
"""

from libc.stdint cimport int64_t

from hubctl._motion cimport planning_speed, travel
from hubctl._records cimport ARM_DIVERT, CANCEL_DIVERT, Record
from hubctl._state cimport ARMED, State, Track, say
from hubctl._tables cimport Diverter


cdef inline const Diverter* diverter_of(const State* s, const Track* track) noexcept nogil:
    return &s.diverter_table[s.chute_table[track.exit].diverter]


cdef inline bint fires_by_count(const State* s, const Track* track) noexcept nogil:
    """Whether the node of a track's diverter is told ahead, and fires by itself."""
    return diverter_of(s, track).is_armed != 0


cdef inline Record* say_to_node(State* s, const Track* track, int kind) noexcept nogil:
    cdef Record* record = say(s, kind, track.parcel)
    record.seq = track.seq
    record.plan = track.plan
    record.device = s.chute_table[track.exit].diverter
    record.chute = track.exit
    return record


cdef inline void arm_divert(State* s, Track* track) noexcept nogil:
    """Tells the node where a committed track is to be diverted; under the same number again, where now."""
    cdef Record* record
    cdef int64_t void_counts = travel(planning_speed(s, track.belt), diverter_of(s, track).void_ns)
    if not fires_by_count(s, track):
        return
    track.marks |= ARMED
    record = say_to_node(s, track, ARM_DIVERT)
    record.counts = track.fire_counts - s.belts[track.belt].base_counts
    record.limit = record.counts + void_counts


cdef inline void cancel_divert(State* s, Track* track) noexcept nogil:
    """Takes back what the node was told, if it was and nothing has become of it yet."""
    if track.marks & ARMED:
        say_to_node(s, track, CANCEL_DIVERT)
        track.marks &= ~ARMED
