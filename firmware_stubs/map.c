/* The register map: what stands at each address, and which stretches can be read and written. */
#include "parts.h"

static bool lies_in(unsigned address, unsigned n, unsigned start, unsigned n_words)
{
    return address >= start && address + n <= start + n_words;
}

/* The blocks from the result to the outcomes follow each other and can be read in one. */
bool is_readable(unsigned address, unsigned n)
{
    unsigned n_words = HUB_OUTCOMES_ADDRESS + HUB_OUTCOMES_WORDS - HUB_RESULT_ADDRESS;
    return lies_in(address, n, HUB_IDENTITY_ADDRESS, HUB_IDENTITY_WORDS) ||
           lies_in(address, n, HUB_RESULT_ADDRESS, n_words) ||
           lies_in(address, n, HUB_CONFIG_ADDRESS, HUB_CONFIG_WORDS);
}

bool is_writable(unsigned address, unsigned n)
{
    return (address == HUB_POLL_ADDRESS && n == HUB_POLL_WORDS) ||
           (address == HUB_COMMAND_ADDRESS && n == HUB_COMMAND_WORDS) ||
           (address == HUB_CONFIG_ADDRESS && n == HUB_CONFIG_WORDS);
}

static uint16_t identity(const struct node *node, unsigned at)
{
    switch (at) {
    case HUB_AT_IDENTITY_MAGIC: case HUB_AT_IDENTITY_MAGIC + 1:
        return half(HUB_MAGIC, at - HUB_AT_IDENTITY_MAGIC);
    case HUB_AT_IDENTITY_MAP_VERSION:
        return HUB_MAP_VERSION;
    case HUB_AT_IDENTITY_FIRMWARE_VERSION:
        return HUB_FIRMWARE_VERSION;
    case HUB_AT_IDENTITY_N_EYES:
        return HUB_N_EYES;
    case HUB_AT_IDENTITY_N_DIVERTERS:
        return HUB_N_DIVERTERS;
    case HUB_AT_IDENTITY_N_ARMED_MAX:
        return HUB_N_ARMED_MAX;
    case HUB_AT_IDENTITY_N_EDGES_MAX:
        return HUB_N_EDGES_MAX;
    case HUB_AT_IDENTITY_N_OUTCOMES_MAX:
        return HUB_N_OUTCOMES_MAX;
    case HUB_AT_IDENTITY_TICKS_PER_S: case HUB_AT_IDENTITY_TICKS_PER_S + 1:
        return half(HUB_TICKS_PER_S, at - HUB_AT_IDENTITY_TICKS_PER_S);
    default:
        return half(node->boot_id, at - HUB_AT_IDENTITY_BOOT_ID);
    }
}

static uint16_t result(const struct node *node, unsigned at)
{
    switch (at) {
    case HUB_AT_RESULT_HOST_SEQ:
        return node->host_seq;
    case HUB_AT_RESULT_RESULT:
        return node->result;
    case HUB_AT_RESULT_STATE:
        return node->state;
    case HUB_AT_RESULT_N_ARMED:
        return node->n_armed;
    case HUB_AT_RESULT_COUNTS: case HUB_AT_RESULT_COUNTS + 1:
        return half(node->counts, at - HUB_AT_RESULT_COUNTS);
    default:
        return half(node->boot_id, at - HUB_AT_RESULT_BOOT_ID);
    }
}

/* Those of two registers before the eyes, all at even offsets. */
static uint32_t long_status(const struct node *node, unsigned at)
{
    switch (at) {
    case HUB_AT_STATUS_BOOT_ID:
        return node->boot_id;
    case HUB_AT_STATUS_EPOCH:
        return node->epoch;
    case HUB_AT_STATUS_COUNTS:
        return node->counts;
    case HUB_AT_STATUS_TICKS:
        return node->now_ticks;
    default:
        return (uint32_t)node->counts_per_s;
    }
}

static uint16_t status(const struct node *node, unsigned at)
{
    switch (at) {
    case HUB_AT_STATUS_HOST_SEQ:
        return node->host_seq;
    case HUB_AT_STATUS_RESULT:
        return node->result;
    case HUB_AT_STATUS_STATE:
        return node->state;
    case HUB_AT_STATUS_SAFE_REASON:
        return node->safe_reason;
    case HUB_AT_STATUS_EYES:
        return node->eye_levels;
    case HUB_AT_STATUS_OUTPUTS:
        return node->outputs;
    case HUB_AT_STATUS_N_ARMED:
        return node->n_armed;
    case HUB_AT_STATUS_ENCODER_FAULTS:
        return node->encoder_faults;
    case HUB_AT_STATUS_BAD_FRAMES:
        return node->modbus.bad_frames;
    case HUB_AT_STATUS_N_EDGES:
        return node->edge_ring.n;
    case HUB_AT_STATUS_N_OUTCOMES:
        return node->outcome_ring.n;
    default:
        return at < HUB_AT_STATUS_EYES ? half(long_status(node, at & ~1u), at & 1)
                                       : half(node->last_seq, at - HUB_AT_STATUS_LAST_SEQ);
    }
}

static uint16_t head(const struct node *node, const struct ring *ring, unsigned at)
{
    switch (at) {
    case HUB_AT_EDGES_HOST_SEQ:
        return node->host_seq;
    case HUB_AT_EDGES_FIRST:
        return ring->first;
    case HUB_AT_EDGES_N_KEPT:
        return ring->n;
    default:
        return ring->n_lost;
    }
}

static uint16_t edge(const struct node *node, unsigned at)
{
    unsigned number = at / HUB_EDGE_WORDS, word = at % HUB_EDGE_WORDS;
    if (number >= node->edge_ring.n)
        return 0;
    const struct edge *edge = &node->edges[(uint16_t)(node->edge_ring.first + number) % HUB_N_EDGES_MAX];
    return word == 0 ? edge->what : half(edge->counts, word - 1);
}

static uint16_t outcome(const struct node *node, unsigned at)
{
    unsigned number = at / HUB_OUTCOME_WORDS, word = at % HUB_OUTCOME_WORDS;
    if (number >= node->outcome_ring.n)
        return 0;
    unsigned slot = (uint16_t)(node->outcome_ring.first + number) % HUB_N_OUTCOMES_MAX;
    const struct outcome *outcome = &node->outcomes[slot];
    if (word < 2)
        return half(outcome->seq, word);
    return word == 2 ? outcome->what : half(outcome->counts, word - 3);
}

static uint16_t config(const struct node *node, unsigned at)
{
    const struct config *config = &node->config;
    switch (at) {
    case HUB_AT_CONFIG_HOST_SEQ:
        return config->host_seq;
    case HUB_AT_CONFIG_EPOCH: case HUB_AT_CONFIG_EPOCH + 1:
        return half(config->epoch, at - HUB_AT_CONFIG_EPOCH);
    case HUB_AT_CONFIG_WATCHDOG_MS:
        return config->watchdog_ms;
    case HUB_AT_CONFIG_SAFE_OUTPUTS:
        return config->safe_outputs;
    case HUB_AT_CONFIG_ENCODER_MODE:
        return config->encoder_mode;
    }
    if (at < HUB_AT_CONFIG_CONFIRM_EYE)
        return config->debounce_counts[at - HUB_AT_CONFIG_DEBOUNCE_COUNTS];
    if (at < HUB_AT_CONFIG_CONFIRM_COUNTS)
        return config->confirm_eye[at - HUB_AT_CONFIG_CONFIRM_EYE];
    return config->confirm_counts[at - HUB_AT_CONFIG_CONFIRM_COUNTS];
}

/* Only of what is readable. */
uint16_t read_register(const struct node *node, unsigned address)
{
    if (address < HUB_RESULT_ADDRESS)
        return identity(node, address - HUB_IDENTITY_ADDRESS);
    if (address < HUB_STATUS_ADDRESS)
        return result(node, address - HUB_RESULT_ADDRESS);
    if (address < HUB_EDGES_ADDRESS)
        return status(node, address - HUB_STATUS_ADDRESS);
    if (address < HUB_EDGES_ADDRESS + HUB_AT_EDGES_EDGE)
        return head(node, &node->edge_ring, address - HUB_EDGES_ADDRESS);
    if (address < HUB_OUTCOMES_ADDRESS)
        return edge(node, address - HUB_EDGES_ADDRESS - HUB_AT_EDGES_EDGE);
    if (address < HUB_OUTCOMES_ADDRESS + HUB_AT_OUTCOMES_OUTCOME)
        return head(node, &node->outcome_ring, address - HUB_OUTCOMES_ADDRESS);
    if (address < HUB_CONFIG_ADDRESS)
        return outcome(node, address - HUB_OUTCOMES_ADDRESS - HUB_AT_OUTCOMES_OUTCOME);
    return config(node, address - HUB_CONFIG_ADDRESS);
}
