/* The node's step: its clock goes on, its host is looked after, and a request is answered. */
#include "parts.h"

enum { NO_SUCH_UNIT = 0x0B };

void node_init(struct node *node, enum framing framing, uint32_t quiet_ticks, uint32_t boot_id, uint32_t now_ticks)
{
    memset(node, 0, sizeof *node);
    modbus_init(&node->modbus, framing, HUB_UNIT, quiet_ticks);
    node->boot_id = boot_id;
    node->now_ticks = now_ticks;
    for (unsigned i = 0; i < HUB_N_DIVERTERS; i++)
        node->config.confirm_eye[i] = HUB_NO_EYE;
    inputs_init(node);
}

static size_t answer_frame(struct node *node, struct pdu request, uint8_t *out)
{
    uint8_t *pdu = out + modbus_head(&node->modbus);
    size_t n = 2;
    if (request.is_for_us) {
        n = answer(node, request.data, request.n, pdu);
    } else {
        pdu[0] = request.data[0] | 0x80;
        pdu[1] = NO_SUCH_UNIT;
    }
    return modbus_frame(&node->modbus, out, n);
}

size_t node_step(struct node *node, uint32_t now_ticks, const uint8_t *in, size_t n, uint8_t *out)
{
    node->now_ticks = now_ticks;
    look_after_host(node);
    measure_speed(node);
    end_holds(node);
    struct pdu request = modbus_receive(&node->modbus, now_ticks, in, n);
    if (request.n == 0 || !(request.is_for_us || request.is_answered))
        return 0;
    size_t n_out = answer_frame(node, request, out);
    return request.is_answered ? n_out : 0;
}

static uint32_t fewer(uint32_t most, int32_t to_go)
{
    if (to_go <= 0)
        return 0;
    return (uint32_t)to_go < most ? (uint32_t)to_go : most;
}

uint32_t node_rest_counts(const struct node *node, uint32_t most)
{
    for (unsigned i = 0; i < node->n_armed; i++)
        most = fewer(most, ahead(node->armed[i].fire_counts, node->counts));
    for (unsigned i = 0; i < HUB_N_DIVERTERS; i++)
        if (node->holds[i].is_held && node->holds[i].hold_unit == HUB_HOLD_UNIT_COUNTS)
            most = fewer(most, ahead(node->holds[i].until, node->counts));
    return most;
}
