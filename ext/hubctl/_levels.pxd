"""Levels: outputs that stay as they were told, until they are told otherwise."""

from hubctl._wires cimport UP, Field, LevelStatus


cdef inline void set_level(Field* field, int kind, int index, bint is_on) noexcept nogil:
    cdef int i
    for i in range(field.n_levels):
        if field.levels[i].kind == kind and field.levels[i].index == index:
            field.level_status[i].wanted = is_on


cdef inline bint is_to_be_set(const Field* field, int link, int level) noexcept nogil:
    """Whether an output of a link's nodes stands otherwise than it should."""
    cdef const LevelStatus* status = &field.level_status[level]
    cdef int node = field.levels[level].node
    if status.waiting or status.wanted == status.written:
        return False
    return field.nodes[node].link == link and field.node_status[node].state == UP


cdef inline void level_answered(Field* field, int level, bint confirmed) noexcept nogil:
    """Unconfirmed it may stand either way; written anew it does no harm."""
    cdef LevelStatus* status = &field.level_status[level]
    status.written = status.sent if confirmed else -1


cdef inline void forget_levels(Field* field, int node) noexcept nogil:
    """All coils of a node that starts are written off."""
    cdef int i
    for i in range(field.n_levels):
        if field.levels[i].node == node:
            field.level_status[i].written = 0
            field.level_status[i].waiting = False
