/* One Modbus request to one answer, both without their frames: functions 1 to 6, 15, 16, 23 and 43/14. */
#include "parts.h"

enum {
    ILLEGAL_FUNCTION = 1,
    ILLEGAL_ADDRESS = 2,
    ILLEGAL_VALUE = 3,
    DEVICE_FAILURE = 4,
};

enum {
    BITS_MAX = 2000,
    WRITTEN_BITS_MAX = 1968,
    REGISTERS_MAX = 125,
    WRITTEN_REGISTERS_MAX = 123,
    EXCHANGED_REGISTERS_MAX = 121,
    COIL_ON = 0xFF00,
};

static size_t refuse(uint8_t function, uint8_t exception, uint8_t *out)
{
    out[0] = function | 0x80;
    out[1] = exception;
    return 2;
}

/* What function, address and number of a write, or its value, are answered with: themselves. */
static size_t echo(const uint8_t *pdu, uint8_t *out)
{
    memcpy(out, pdu, 5);
    return 5;
}

/* Bits */

static size_t read_bits(const uint8_t *pdu, size_t n, uint32_t bits, uint8_t *out)
{
    if (n != 5 || get_2(pdu + 3) < 1 || get_2(pdu + 3) > BITS_MAX)
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    unsigned first = get_2(pdu + 1), n_bits = get_2(pdu + 3);
    if (first + n_bits > 16)
        return refuse(pdu[0], ILLEGAL_ADDRESS, out);
    bits = bits >> first & ((1u << n_bits) - 1);
    out[0] = pdu[0];
    out[1] = (uint8_t)((n_bits + 7) / 8);
    out[2] = (uint8_t)bits;
    out[3] = (uint8_t)(bits >> 8);
    return 2u + out[1];
}

/* By hand only: a host that has taken the node arms diverts instead. */
static size_t write_bits(struct node *node, const uint8_t *pdu, unsigned n_bits, uint32_t bits, uint8_t *out)
{
    unsigned first = get_2(pdu + 1);
    if (first + n_bits > HUB_N_DIVERTERS)
        return refuse(pdu[0], ILLEGAL_ADDRESS, out);
    if (node->state != HUB_NODE_STATE_IDLE)
        return refuse(pdu[0], DEVICE_FAILURE, out);
    uint32_t mask = ((1u << n_bits) - 1) << first;
    node->outputs = (uint16_t)((node->outputs & ~mask) | (bits << first & mask));
    return echo(pdu, out);
}

static size_t write_coil(struct node *node, const uint8_t *pdu, size_t n, uint8_t *out)
{
    if (n != 5 || (get_2(pdu + 3) != COIL_ON && get_2(pdu + 3) != 0))
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    return write_bits(node, pdu, 1, get_2(pdu + 3) == COIL_ON, out);
}

static size_t write_coils(struct node *node, const uint8_t *pdu, size_t n, uint8_t *out)
{
    if (n < 7)
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    unsigned n_bits = get_2(pdu + 3), n_bytes = (n_bits + 7) / 8;
    if (n_bits < 1 || n_bits > WRITTEN_BITS_MAX || pdu[5] != n_bytes || n != 6 + n_bytes)
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    if (n_bits > HUB_N_DIVERTERS)
        return refuse(pdu[0], ILLEGAL_ADDRESS, out);
    uint32_t bits = pdu[6] | (n_bytes > 1 ? (uint32_t)pdu[7] << 8 : 0);
    return write_bits(node, pdu, n_bits, bits, out);
}

/* Registers */

static size_t put_registers(const struct node *node, uint8_t function, unsigned address, unsigned n, uint8_t *out)
{
    out[0] = function;
    out[1] = (uint8_t)(2 * n);
    for (unsigned i = 0; i < n; i++)
        put_2(out + 2 + 2 * i, read_register(node, address + i));
    return 2 + 2 * n;
}

static size_t read_registers(const struct node *node, const uint8_t *pdu, size_t n, uint8_t *out)
{
    if (n != 5 || get_2(pdu + 3) < 1 || get_2(pdu + 3) > REGISTERS_MAX)
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    if (!is_readable(get_2(pdu + 1), get_2(pdu + 3)))
        return refuse(pdu[0], ILLEGAL_ADDRESS, out);
    return put_registers(node, pdu[0], get_2(pdu + 1), get_2(pdu + 3), out);
}

/* The host's sequence number alone, for clients that stamp their next read; it is no heartbeat. */
static size_t write_register(struct node *node, const uint8_t *pdu, size_t n, uint8_t *out)
{
    if (n != 5)
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    if (get_2(pdu + 1) != HUB_POLL_ADDRESS + HUB_AT_POLL_HOST_SEQ)
        return refuse(pdu[0], ILLEGAL_ADDRESS, out);
    node->host_seq = get_2(pdu + 3);
    return echo(pdu, out);
}

static size_t write_registers(struct node *node, const uint8_t *pdu, size_t n, uint8_t *out)
{
    if (n < 6)
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    unsigned address = get_2(pdu + 1), n_words = get_2(pdu + 3);
    if (n_words < 1 || n_words > WRITTEN_REGISTERS_MAX || pdu[5] != 2 * n_words || n != 6 + 2 * n_words)
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    if (!is_writable(address, n_words))
        return refuse(pdu[0], ILLEGAL_ADDRESS, out);
    write_block(node, (uint16_t)address, pdu + 6);
    return echo(pdu, out);
}

/* Function 23: writes first, then reads. */
static size_t exchange_registers(struct node *node, const uint8_t *pdu, size_t n, uint8_t *out)
{
    if (n < 10)
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    unsigned n_read = get_2(pdu + 3), n_written = get_2(pdu + 7);
    if (n_read < 1 || n_read > REGISTERS_MAX || n_written < 1 || n_written > EXCHANGED_REGISTERS_MAX ||
        pdu[9] != 2 * n_written || n != 10 + 2 * n_written)
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    if (!is_readable(get_2(pdu + 1), n_read) || !is_writable(get_2(pdu + 5), n_written))
        return refuse(pdu[0], ILLEGAL_ADDRESS, out);
    unsigned read_address = get_2(pdu + 1);
    write_block(node, get_2(pdu + 5), pdu + 10);
    return put_registers(node, pdu[0], read_address, n_read, out);
}

/* Identification, function 43/14 */

static const char *const OBJECTS[] = {"hubctl", "hub node", "1.0"}; /* vendor, product, revision */

enum { N_OBJECTS = sizeof OBJECTS / sizeof OBJECTS[0] };

static size_t put_object(unsigned id, uint8_t *out)
{
    size_t n = strlen(OBJECTS[id]);
    out[0] = (uint8_t)id;
    out[1] = (uint8_t)n;
    memcpy(out + 2, OBJECTS[id], n);
    return 2 + n;
}

/* Code 1 asks for the basic objects from one on, 2 for the regular ones too, which are none, 4 for one alone. */
static size_t identify(const uint8_t *pdu, size_t n, uint8_t *out)
{
    if (n < 2 || pdu[1] != 14)
        return refuse(pdu[0], ILLEGAL_FUNCTION, out);
    if (n != 4 || (pdu[2] != 1 && pdu[2] != 2 && pdu[2] != 4))
        return refuse(pdu[0], ILLEGAL_VALUE, out);
    if (pdu[2] == 4 && pdu[3] >= N_OBJECTS)
        return refuse(pdu[0], ILLEGAL_ADDRESS, out);
    unsigned first = pdu[3] < N_OBJECTS ? pdu[3] : 0, last = pdu[2] == 4 ? first : N_OBJECTS - 1;
    uint8_t head[] = {pdu[0], 14, pdu[2], 0x81, 0, 0, (uint8_t)(last - first + 1)};
    memcpy(out, head, sizeof head);
    size_t n_out = sizeof head;
    for (unsigned id = first; id <= last; id++)
        n_out += put_object(id, out + n_out);
    return n_out;
}

size_t answer(struct node *node, const uint8_t *pdu, size_t n, uint8_t *out)
{
    switch (pdu[0]) {
    case 1:
        return read_bits(pdu, n, node->outputs, out);
    case 2:
        return read_bits(pdu, n, node->eye_levels, out);
    case 3: case 4:
        return read_registers(node, pdu, n, out);
    case 5:
        return write_coil(node, pdu, n, out);
    case 6:
        return write_register(node, pdu, n, out);
    case 15:
        return write_coils(node, pdu, n, out);
    case 16:
        return write_registers(node, pdu, n, out);
    case 23:
        return exchange_registers(node, pdu, n, out);
    case 43:
        return identify(pdu, n, out);
    default:
        return refuse(pdu[0], ILLEGAL_FUNCTION, out);
    }
}
