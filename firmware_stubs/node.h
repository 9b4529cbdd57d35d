/* The node: counts its encoder, latches the edges of its eyes, fires armed diverts by its own count.
 *
 * Time comes in as ticks of a microsecond, modulo 2**32, from a timer that runs freely; bytes come in, bytes go out.
 * Nothing is allocated, nothing blocks, nothing calls back. Call `node_move`, `node_encoder` and `node_eyes` when
 * the inputs change, `node_step` at least every few milliseconds, and set the outputs to `node->outputs` after each.
 */
#ifndef HUB_NODE_H
#define HUB_NODE_H

#include "modbus.h"
#include "registers.h"

struct edge {
    uint32_t counts;
    uint16_t what; /* eye, + HUB_EDGE_BLOCKED */
};

struct outcome {
    uint32_t seq;
    uint32_t counts;
    uint16_t what; /* kind * 256 + result */
};

/* Rings keep the newest; `first` numbers the oldest kept, modulo 2**16. */
struct ring {
    uint16_t first;
    uint16_t n;
    uint16_t n_lost;
};

struct armed {
    uint32_t seq;
    uint32_t fire_counts;
    uint16_t void_after; /* counts past the fire count */
    uint16_t hold;
    uint8_t hold_unit;
    uint8_t diverter;
    uint8_t action;
};

struct output {
    bool is_held; /* on until `until`, in counts or ticks */
    uint8_t hold_unit;
    uint32_t until;
};

/* A fired divert that its eye has not proved yet. */
struct watch {
    uint32_t seq;
    uint32_t fired_counts;
    uint8_t diverter;
};

struct config {
    uint16_t host_seq;
    uint32_t epoch;
    uint16_t watchdog_ms; /* 0: not armed */
    uint16_t safe_outputs;
    uint16_t encoder_mode;
    uint16_t debounce_counts[HUB_N_EYES];
    uint16_t confirm_eye[HUB_N_DIVERTERS];
    uint16_t confirm_counts[HUB_N_DIVERTERS];
};

struct node {
    struct modbus modbus;
    uint32_t boot_id;
    uint32_t epoch;
    uint16_t host_seq;
    uint16_t result;
    uint16_t state;
    uint16_t safe_reason;
    uint32_t now_ticks;
    uint32_t heard_ticks; /* when the host that has taken it last wrote */
    struct config config;

    uint32_t counts;
    uint8_t encoder_lines;
    uint16_t encoder_faults;
    uint32_t speed_ticks; /* start of the stretch that the speed is taken over */
    uint32_t speed_counts;
    int32_t counts_per_s;

    uint16_t eye_lines;
    uint16_t eye_levels;
    uint16_t eyes_changing; /* whose line differs from the level, each since */
    uint32_t changed_counts[HUB_N_EYES];
    struct ring edge_ring;
    struct edge edges[HUB_N_EDGES_MAX];

    uint16_t outputs;
    struct output holds[HUB_N_DIVERTERS];
    uint32_t last_seq;
    uint16_t n_armed;
    struct armed armed[HUB_N_ARMED_MAX];
    uint16_t n_watches;
    struct watch watches[HUB_N_WATCHES_MAX];
    struct ring outcome_ring;
    struct outcome outcomes[HUB_N_OUTCOMES_MAX];
};

void node_init(struct node *node, enum framing framing, uint32_t quiet_ticks, uint32_t boot_id, uint32_t now_ticks);

/* Bytes in, at most one answer out; `out` has room for MODBUS_FRAME_MAX. Call again with n = 0 until it gives 0. */
size_t node_step(struct node *node, uint32_t now_ticks, const uint8_t *in, size_t n, uint8_t *out);

/* The belt has moved by so many counts, back if negative: for boards that count in hardware. */
void node_move(struct node *node, uint32_t now_ticks, int32_t by_counts);
/* The encoder's lines A (bit 0) and B (bit 1): for boards that sample them. */
void node_encoder(struct node *node, uint32_t now_ticks, unsigned lines);
/* The eyes' lines, bit an eye: blocked. */
void node_eyes(struct node *node, uint32_t now_ticks, uint16_t lines);

/* How many counts forward until something is due, at most `most`: so long a platform need not look. */
uint32_t node_rest_counts(const struct node *node, uint32_t most);

#endif
