/* Throws drawn inputs at the node's step, for as long as it is told, under whatever sanitizers it is built with.
 *
 *   node_fuzz N [SEED]
 *
 * Of ten inputs nine are requests, mostly sound, some with a wrong byte or cut short; the tenth is noise. Meanwhile the
 * belt moves, eyes change, time passes and the node boots. After each input the node's invariants are looked at.
 * The same seed gives the same inputs; a failure prints the number of the one it was.
 */
#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct node node;
static uint32_t ticks;
static unsigned long long n_done;
static uint64_t state;

/* SplitMix64 */
static uint32_t draw(uint32_t below)
{
    uint64_t x = state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((x ^ x >> 31) >> 16) % below;
}

static void fail(const char *what)
{
    fprintf(stderr, "input %llu: %s\n", n_done, what);
    abort();
}

static void look(const uint8_t *out, size_t n_out)
{
    if (n_out > MODBUS_FRAME_MAX || (n_out > 0 && node.modbus.framing != MODBUS_TCP && crc16(out, n_out) != 0))
        fail("an answer that is no frame");
    if (node.modbus.n_in > MODBUS_FRAME_MAX || node.modbus.n_frame > node.modbus.n_in)
        fail("more received than there is room for");
    if (node.n_armed > HUB_N_ARMED_MAX || node.n_watches > HUB_N_WATCHES_MAX)
        fail("more armed than there is room for");
    if (node.edge_ring.n > HUB_N_EDGES_MAX || node.outcome_ring.n > HUB_N_OUTCOMES_MAX)
        fail("more kept than there is room for");
    if (node.state == HUB_NODE_STATE_SAFE && (node.n_armed > 0 || node.safe_reason == HUB_SAFE_REASON_NONE))
        fail("armed in the safe state");
    if (node.state == HUB_NODE_STATE_READY && node.config.watchdog_ms < HUB_WATCHDOG_MS_MIN)
        fail("ready without a watchdog");
    for (unsigned i = 0; i < node.n_armed; i++)
        if (ahead(node.counts, node.armed[i].fire_counts) >= 0)
            fail("armed, due and not fired");
}

/* Requests that are sound more often than not */

static const uint16_t blocks[][2] = {
    {HUB_POLL_ADDRESS, HUB_POLL_WORDS},
    {HUB_COMMAND_ADDRESS, HUB_COMMAND_WORDS},
    {HUB_CONFIG_ADDRESS, HUB_CONFIG_WORDS},
};

static void put_4(uint8_t *at, uint32_t value)
{
    put_2(at, half(value, 0));
    put_2(at + 2, half(value, 1));
}

static void put_command(uint8_t *words)
{
    uint16_t command = (uint16_t)(draw(2) ? HUB_COMMAND_ARM : 1 + draw(6));
    put_2(words + 2 * HUB_AT_COMMAND_COMMAND, command);
    put_2(words + 2 * HUB_AT_COMMAND_DIVERTER, (uint16_t)(draw(10) ? draw(HUB_N_DIVERTERS) : draw(65536)));
    put_2(words + 2 * HUB_AT_COMMAND_ACTION, (uint16_t)(draw(10) ? 1 + draw(3) : draw(5)));
    put_4(words + 2 * HUB_AT_COMMAND_SEQ, command == HUB_COMMAND_TAKE ? node.boot_id : node.last_seq + draw(3));
    if (command == HUB_COMMAND_TAKE)
        put_4(words + 2 * HUB_AT_COMMAND_EPOCH, node.epoch + (node.epoch == 0 || draw(20) == 0));
    put_4(words + 2 * HUB_AT_COMMAND_FIRE_COUNTS, node.counts + draw(draw(4) ? 100 : 5000) - 10);
    put_4(words + 2 * HUB_AT_COMMAND_VOID_COUNTS, node.counts + draw(draw(4) ? 400 : 9000));
    put_2(words + 2 * HUB_AT_COMMAND_HOLD, (uint16_t)(words[2 * HUB_AT_COMMAND_ACTION + 1] == HUB_ACTION_PULSE ? draw(100) : 0));
    put_2(words + 2 * HUB_AT_COMMAND_HOLD_UNIT, (uint16_t)(draw(20) / 9));
}

static void put_config(uint8_t *words)
{
    put_2(words + 2 * HUB_AT_CONFIG_WATCHDOG_MS, (uint16_t)(draw(10) ? 500 + draw(2000) : draw(65536)));
    put_2(words + 2 * HUB_AT_CONFIG_ENCODER_MODE, (uint16_t)(draw(10) ? draw(3) : draw(65536)));
    for (unsigned i = 0; i < HUB_N_DIVERTERS; i++) {
        put_2(words + 2 * (HUB_AT_CONFIG_DEBOUNCE_COUNTS + i), (uint16_t)draw(5));
        put_2(words + 2 * (HUB_AT_CONFIG_CONFIRM_EYE + i), (uint16_t)(draw(8) ? draw(HUB_N_EYES) : HUB_NO_EYE));
        put_2(words + 2 * (HUB_AT_CONFIG_CONFIRM_COUNTS + i), (uint16_t)draw(300));
    }
}

static void put_block(uint8_t *words, const uint16_t *block)
{
    for (unsigned i = 0; i < 2u * block[1]; i++)
        words[i] = draw(8) ? 0 : (uint8_t)draw(256);
    put_4(words + 2 * HUB_AT_POLL_EPOCH, node.epoch + draw(20) / 19 - draw(20) / 19);
    if (block[0] == HUB_COMMAND_ADDRESS)
        put_command(words);
    if (block[0] == HUB_CONFIG_ADDRESS)
        put_config(words);
}

static size_t put_write(uint8_t *pdu, size_t at)
{
    const uint16_t *block = blocks[draw(3)];
    put_2(pdu + at, block[0]);
    put_2(pdu + at + 2, block[1]);
    pdu[at + 4] = (uint8_t)(2 * block[1]);
    put_block(pdu + at + 5, block);
    return at + 5 + 2u * block[1];
}

static size_t put_request(uint8_t *pdu)
{
    static const uint8_t functions[] = {1, 2, 3, 4, 5, 6, 15, 16, 16, 23, 23, 43, 22};
    pdu[0] = functions[draw(sizeof functions)];
    put_2(pdu + 1, (uint16_t)(draw(3) ? HUB_STATUS_ADDRESS + draw(10) : draw(400)));
    put_2(pdu + 3, (uint16_t)(draw(4) ? 1 + draw(125) : draw(65536)));
    if (pdu[0] == 16)
        return put_write(pdu, 1);
    if (pdu[0] == 23)
        return put_write(pdu, 5);
    if (pdu[0] != 15)
        return 5;
    pdu[5] = (uint8_t)draw(4);
    return 6u + pdu[5];
}

static size_t put_frame(uint8_t *in)
{
    size_t head = modbus_head(&node.modbus);
    size_t n = put_request(in + head);
    in[head - 1] = draw(10) ? HUB_UNIT : (uint8_t)draw(256);
    n += head;
    if (node.modbus.framing == MODBUS_TCP) {
        put_4(in, 0);
        put_2(in + 4, (uint16_t)(n - 6));
        return n;
    }
    uint16_t crc = crc16(in, n);
    in[n] = (uint8_t)crc;
    in[n + 1] = (uint8_t)(crc >> 8);
    return n + 2;
}

static size_t put_noise(uint8_t *in)
{
    size_t n = draw(300);
    for (size_t i = 0; i < n; i++)
        in[i] = (uint8_t)draw(256);
    return n;
}

static size_t put_input(uint8_t *in)
{
    if (draw(10) == 0)
        return put_noise(in);
    size_t n = put_frame(in);
    if (draw(8) == 0)
        in[draw((uint32_t)n)] = (uint8_t)draw(256);
    if (draw(16) == 0)
        return draw((uint32_t)n);
    return n;
}

/* One turn of a node's life */

static void disturb(void)
{
    ticks += draw(20) ? draw(3000) : draw(100000);
    if (draw(3) == 0)
        node_move(&node, ticks, draw(400) ? (int32_t)draw(12) - 2 : (int32_t)draw(1u << 30));
    if (draw(3) == 0)
        node_encoder(&node, ticks, draw(4));
    if (draw(3) == 0)
        node_eyes(&node, ticks, (uint16_t)draw(65536));
    if (node.modbus.is_broken || draw(1000) == 0)
        modbus_reset(&node.modbus);
    if (draw(20000) == 0)
        node_init(&node, (enum framing)draw(3), 1750, draw(1000), ticks);
}

static void turn(void)
{
    uint8_t in[512], out[MODBUS_FRAME_MAX];
    size_t n = put_input(in);
    disturb();
    for (size_t n_out = node_step(&node, ticks, in, n, out), tries = 0; n_out > 0 && tries < 4; tries++) {
        look(out, n_out);
        n_out = node_step(&node, ticks, in, 0, out);
    }
    look(out, 0);
}

int main(int n, char **words)
{
    unsigned long long n_inputs = n > 1 ? strtoull(words[1], NULL, 10) : 100000;
    unsigned long long n_changes = 0, seed = n > 2 ? strtoull(words[2], NULL, 10) : 1;
    state = seed;
    node_init(&node, MODBUS_TCP, 1750, 7, 0);
    for (; n_done < n_inputs; n_done++) {
        uint16_t before = node.outputs;
        turn();
        n_changes += node.outputs != before;
    }
    printf("%llu inputs from seed %llu, no finding; outputs changed %llu times\n", n_inputs, seed, n_changes);
    return 0;
}
