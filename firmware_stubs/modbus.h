/* Modbus frames out of a stream of bytes and back: TCP, or RTU whose frames end by length or by silence. */
#ifndef HUB_MODBUS_H
#define HUB_MODBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MODBUS_FRAME_MAX = 260, /* TCP; an RTU frame has at most 256 bytes */
    MODBUS_RTU_MAX = 256,
    MODBUS_PDU_MAX = 253,
};

enum framing {
    MODBUS_TCP,
    MODBUS_RTU_LENGTH, /* a frame ends where its own words say: for lines that do not keep time */
    MODBUS_RTU_SILENCE, /* a frame ends with 3.5 characters of silence, as the serial line guide has it */
};

struct modbus {
    enum framing framing;
    uint8_t unit;
    uint32_t quiet_ticks; /* RTU: the silence that ends a frame, or clears what was none */
    uint32_t heard_ticks; /* when the last byte came */
    bool is_broken; /* TCP: out of step, only a new connection helps */
    bool is_drained; /* RTU: nothing counts until the line is silent */
    uint16_t bad_frames;
    uint16_t n_in;
    uint16_t n_frame; /* bytes of the request given last, still in front of `in` */
    uint8_t in[MODBUS_FRAME_MAX];
};

struct pdu {
    const uint8_t *data;
    size_t n; /* 0: there is none */
    bool is_for_us; /* it is to be done */
    bool is_answered; /* and answered: a broadcast is not */
};

void modbus_init(struct modbus *m, enum framing framing, uint8_t unit, uint32_t quiet_ticks);
/* A new connection: nothing was received. Counts stay. */
void modbus_reset(struct modbus *m);
/* Bytes that can be taken now; more are a fault of the line. */
size_t modbus_room(const struct modbus *m);
/* The request that the bytes complete, good until the next call. */
struct pdu modbus_receive(struct modbus *m, uint32_t now_ticks, const uint8_t *in, size_t n);
/* The frame of an answer to that request, made around its `n` bytes of PDU at out + modbus_head(m). */
size_t modbus_head(const struct modbus *m);
size_t modbus_frame(const struct modbus *m, uint8_t *out, size_t n);

#endif
