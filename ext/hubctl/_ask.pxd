"""Requests of a master to its nodes, each with a tag that says what its reply is for."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from hubctl._master cimport Master
from hubctl._tables cimport NodeWire
from hubctl._wire cimport Request, channel_send

cdef enum:
    COIL_ON = 0xFF00
    FC_READ_COILS = 1
    FC_WRITE_COIL = 5
    FC_WRITE_REGISTER = 6
    FC_WRITE_COILS = 15
    FC_WRITE_REGISTERS = 16

cdef inline uint32_t tag_of(int action, int index) noexcept nogil:
    return (<uint32_t>action << 16) | <uint32_t>index

cdef inline int n_data_of(const Request* request) noexcept nogil:
    if request.function == FC_WRITE_COILS:
        return (request.count + 7) // 8
    return 2 * request.count if request.function == FC_WRITE_REGISTERS else 0

cdef inline bint send(Master* m, int action, int index, int node, Request* request, const uint8_t* data,
                      int64_t now_ns) noexcept nogil:
    cdef const NodeWire* wire = &m.field.nodes[node]
    request.unit = <uint8_t>wire.unit
    m.n_out += channel_send(&m.channel, request, data, n_data_of(request), now_ns, wire.timeout_ns,
                            tag_of(action, index), m.out + m.n_out)
    return True

cdef inline bint write_one(Master* m, int action, int index, int node, int function, int address, int value,
                           int64_t now_ns) noexcept nogil:
    cdef Request request
    memset(&request, 0, sizeof(Request))
    request.function = <uint8_t>function
    request.address = <uint16_t>address
    request.count = 1
    request.value = <uint16_t>value
    return send(m, action, index, node, &request, NULL, now_ns)

cdef inline bint ask(Master* m, int action, int index, int node, int function, int address, int count,
                     const uint8_t* data, int64_t now_ns) noexcept nogil:
    cdef Request request
    memset(&request, 0, sizeof(Request))
    request.function = <uint8_t>function
    request.address = <uint16_t>address
    request.count = <uint16_t>count
    return send(m, action, index, node, &request, data, now_ns)
