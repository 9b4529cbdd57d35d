"""Inputs that name what the hub does not have, or say what cannot be: refused, and counted."""

from hubctl._motion cimport is_timed
from hubctl._records cimport (
    CARRIER,
    CHANGE,
    CHUTE_LEVEL,
    CLEAR_NODE,
    CLOSING,
    CODE,
    CONFIRM,
    DIVERTER,
    ENCODER,
    EYE,
    EYE_IN_USE,
    FAULT,
    FIRE_RESULT,
    FLUSH,
    HELD,
    HOME,
    HOST_ANSWER,
    INTERCEPT,
    LIST,
    MACHINE,
    NO_DATA,
    NO_INDEX,
    NOT_FOUND,
    N_REASONS,
    NODE,
    OK,
    OPEN,
    OPERATE,
    READ,
    SAFETY,
    SIZE,
    TAKE_OFF,
    TEXT_MAX,
    TICK,
    WEIGHT,
    Record,
)
from hubctl._state cimport State

cdef enum:
    WEIGHT_G_MAX = 10000000
    SIZE_MM_MAX = 100000


cdef inline bint is_of_a_chute(const State* s, const Record* input) noexcept nogil:
    if input.chute >= s.head.n_chutes:
        return False
    if input.kind == CONFIRM:
        return s.chute_table[input.chute].has_confirm
    if input.kind == OPERATE:
        return input.value == OPEN or (input.value >= CLOSING and input.value <= FAULT)
    if input.kind == CHUTE_LEVEL:
        return input.device <= 1
    return input.reason < N_REASONS


cdef inline bint is_of_a_scale(const State* s, const Record* input) noexcept nogil:
    """Whether a result is one that a scale can have of something."""
    if input.device >= s.head.n_scales or input.value < 1:
        return False
    if input.kind == WEIGHT:
        return input.value <= WEIGHT_G_MAX
    return input.value <= SIZE_MM_MAX and 1 <= input.limit <= SIZE_MM_MAX and 1 <= input.seq <= SIZE_MM_MAX


cdef inline bint is_an_answer(const State* s, const Record* input) noexcept nogil:
    """Whether the host says where a parcel goes, or why nowhere."""
    if input.reason == OK:
        return input.chute < s.head.n_chutes or (input.chute == NO_INDEX and input.value >= 0)
    return input.reason == NOT_FOUND or input.reason == NO_DATA or input.reason == INTERCEPT or input.reason == HELD


cdef inline bint is_acceptable(const State* s, const Record* input) noexcept nogil:
    """Whether every index of an input is one of this hub's: nothing else may reach memory by it."""
    if input.kind == EYE or input.kind == EYE_IN_USE:
        return input.device < s.head.n_eyes
    if input.kind == ENCODER:
        return input.device < s.head.n_belts and not is_timed(&s.belt_table[input.device])
    if input.kind == CODE:
        return input.n_text <= TEXT_MAX
    if input.kind == LIST:
        return input.n_text <= TEXT_MAX and (input.reason == INTERCEPT or input.reason == HELD)
    if input.kind == CHANGE:
        return input.chute < s.head.n_chutes or input.chute == NO_INDEX
    if input.kind == READ:
        return input.device < s.head.n_scanners and input.n_text <= TEXT_MAX
    if input.kind == CARRIER:
        return input.device < s.head.n_belts and 0 <= input.counts < s.ring_table[input.device].n_carriers
    if input.kind == HOST_ANSWER:
        return is_an_answer(s, input)
    if input.kind == WEIGHT or input.kind == SIZE:
        return is_of_a_scale(s, input)
    if input.kind == NODE or input.kind == CLEAR_NODE:
        return input.device < s.head.n_nodes
    if input.kind == CONFIRM or input.kind == CHUTE_LEVEL or input.kind == OPERATE or input.kind == FIRE_RESULT:
        return is_of_a_chute(s, input)
    if input.kind == DIVERTER or input.kind == HOME:
        return input.device < s.head.n_diverters
    if input.kind == TAKE_OFF:
        return True
    return input.kind == TICK or input.kind == FLUSH or input.kind == MACHINE or input.kind == SAFETY
