"""What a belt carries and a diverter moves: parcels too heavy, light, wide or high for them."""

from libc.stdint cimport int64_t, uint16_t

from hubctl._records cimport NO_INDEX, NO_WEIGHT, NONE, OVERSIZE, OVERWEIGHT, UNDERWEIGHT
from hubctl._state cimport State, Track
from hubctl._tables cimport Belt, Diverter


cdef inline uint16_t belt_limit(const State* s, const Track* track) noexcept nogil:
    """Why a belt does not sort a parcel; NONE if it does. What is not known of it is no reason."""
    cdef const Belt* belt = &s.belt_table[track.belt]
    if belt.weight_g_max and track.load.weight_g > belt.weight_g_max:
        return OVERWEIGHT
    if belt.width_mm_max and track.width_mm > belt.width_mm_max:
        return OVERSIZE
    if belt.height_mm_max and track.height_mm > belt.height_mm_max:
        return OVERSIZE
    return NONE


cdef inline uint16_t diverter_limit(const State* s, const Track* track, int exit) noexcept nogil:
    """Why the diverter of an exit does not move a parcel; NONE if it does, or if there is none.

    Who rides on round a loop has no exit.
    """
    cdef int d = NO_INDEX if exit == NO_INDEX else s.chute_table[exit].diverter
    cdef const Belt* belt = &s.belt_table[track.belt]
    cdef const Diverter* diverter
    if d == NO_INDEX:
        return NONE
    diverter = &s.diverter_table[d]
    if track.load.weight_g == 0:
        return NO_WEIGHT if belt.weight_required and (diverter.weight_g_min or diverter.weight_g_max) else NONE
    if diverter.weight_g_max and track.load.weight_g > diverter.weight_g_max:
        return OVERWEIGHT
    return UNDERWEIGHT if track.load.weight_g < diverter.weight_g_min else NONE


cdef inline bint is_of_weight(uint16_t reason) noexcept nogil:
    """Whether a chute was passed over for what a scale may say otherwise."""
    return reason == NO_WEIGHT or reason == OVERWEIGHT or reason == UNDERWEIGHT
