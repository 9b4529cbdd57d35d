/* Modbus frames, strictly: what is not a whole frame of the right length and checksum is counted and forgotten. */
#include "modbus.h"

#include "wire.h"

uint16_t crc16(const uint8_t *data, size_t n)
{
    uint16_t crc = 0xFFFF;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1);
    }
    return crc;
}

void modbus_init(struct modbus *m, enum framing framing, uint8_t unit, uint32_t quiet_ticks)
{
    memset(m, 0, sizeof *m);
    m->framing = framing;
    m->unit = unit;
    m->quiet_ticks = quiet_ticks;
}

void modbus_reset(struct modbus *m)
{
    m->n_in = 0;
    m->n_frame = 0;
    m->is_broken = false;
    m->is_drained = false;
}

static size_t capacity(const struct modbus *m)
{
    return m->framing == MODBUS_TCP ? MODBUS_FRAME_MAX : MODBUS_RTU_MAX;
}

size_t modbus_room(const struct modbus *m)
{
    return capacity(m) - (m->n_in - m->n_frame);
}

static void refuse(struct modbus *m)
{
    m->bad_frames++;
    m->n_in = 0;
    m->n_frame = 0;
    m->is_broken = m->framing == MODBUS_TCP;
    m->is_drained = m->framing != MODBUS_TCP;
}

static void forget_frame(struct modbus *m)
{
    m->n_in = (uint16_t)(m->n_in - m->n_frame);
    memmove(m->in, m->in + m->n_frame, m->n_in);
    m->n_frame = 0;
}

static void append(struct modbus *m, uint32_t now_ticks, const uint8_t *in, size_t n)
{
    if (n == 0)
        return;
    m->heard_ticks = now_ticks;
    if (m->is_broken || m->is_drained)
        return;
    if (n > capacity(m) - m->n_in) {
        refuse(m);
        return;
    }
    memcpy(m->in + m->n_in, in, n);
    m->n_in = (uint16_t)(m->n_in + n);
}

/* TCP */

static struct pdu next_tcp(struct modbus *m)
{
    struct pdu none = {0};
    if (m->is_broken || m->n_in < 6)
        return none;
    size_t length = get_2(m->in + 4);
    if (get_2(m->in + 2) != 0 || length < 2 || length > MODBUS_PDU_MAX + 1) {
        refuse(m);
        return none;
    }
    if (m->n_in < 6 + length)
        return none;
    m->n_frame = (uint16_t)(6 + length);
    bool is_ours = m->in[6] == m->unit || m->in[6] == 0 || m->in[6] == 0xFF;
    return (struct pdu){m->in + 7, length - 1, is_ours, true};
}

/* RTU */

/* Size of the request that begins here by its own words; 0: not known, or not yet. */
static size_t size_by_words(const uint8_t *in, size_t n)
{
    if (n < 2)
        return 0;
    switch (in[1]) {
    case 1: case 2: case 3: case 4: case 5: case 6:
        return 8;
    case 15: case 16:
        return n < 7 ? 0 : 9u + in[6];
    case 23:
        return n < 11 ? 0 : 13u + in[10];
    case 43:
        return 7;
    default:
        return 0;
    }
}

static struct pdu judge_rtu(struct modbus *m, size_t size)
{
    if (size < 4 || size > MODBUS_RTU_MAX || crc16(m->in, size) != 0) {
        refuse(m);
        return (struct pdu){0};
    }
    m->n_frame = (uint16_t)size;
    bool is_ours = m->in[0] == m->unit;
    return (struct pdu){m->in + 1, size - 3, is_ours || m->in[0] == 0, is_ours};
}

static struct pdu next_by_length(struct modbus *m)
{
    size_t size = size_by_words(m->in, m->n_in);
    if (size == 0 || (size <= MODBUS_RTU_MAX && m->n_in < size))
        return (struct pdu){0};
    return judge_rtu(m, size);
}

/* What came before a silence is a frame, or noise. */
static struct pdu end_by_silence(struct modbus *m)
{
    struct pdu request = {0};
    size_t size = size_by_words(m->in, m->n_in);
    if (m->n_in > 0 && (size == 0 || size == m->n_in))
        request = judge_rtu(m, m->n_in);
    else if (m->n_in > 0)
        refuse(m);
    m->is_drained = false;
    return request;
}

static struct pdu next_rtu(struct modbus *m, uint32_t now_ticks, const uint8_t *in, size_t n)
{
    struct pdu request = {0};
    if (now_ticks - m->heard_ticks >= m->quiet_ticks)
        request = end_by_silence(m);
    append(m, now_ticks, in, n);
    if (request.n == 0 && m->framing == MODBUS_RTU_LENGTH && m->n_in > 0)
        request = next_by_length(m);
    return request;
}

struct pdu modbus_receive(struct modbus *m, uint32_t now_ticks, const uint8_t *in, size_t n)
{
    forget_frame(m);
    if (m->framing != MODBUS_TCP)
        return next_rtu(m, now_ticks, in, n);
    append(m, now_ticks, in, n);
    return next_tcp(m);
}

/* Answers */

size_t modbus_head(const struct modbus *m)
{
    return m->framing == MODBUS_TCP ? 7 : 1;
}

size_t modbus_frame(const struct modbus *m, uint8_t *out, size_t n)
{
    if (m->framing == MODBUS_TCP) {
        memcpy(out, m->in, 7);
        put_2(out + 4, (uint16_t)(n + 1));
        return 7 + n;
    }
    out[0] = m->in[0];
    uint16_t crc = crc16(out, 1 + n);
    out[1 + n] = (uint8_t)crc;
    out[2 + n] = (uint8_t)(crc >> 8);
    return 3 + n;
}
