"""Bytes that wait to be written to a device."""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy

cdef enum:
    OUTGOING_MAX = 512

cdef struct Outgoing:
    uint8_t[512] bytes
    int n


cdef inline bint outgoing_add(Outgoing* out, const void* bytes, int n) noexcept nogil:
    """Puts bytes behind the others; false, and nothing is put, if there is no room."""
    if out.n + n > OUTGOING_MAX:
        return False
    memcpy(out.bytes + out.n, bytes, n)
    out.n += n
    return True
