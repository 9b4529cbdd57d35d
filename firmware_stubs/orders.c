/* What the host writes: heartbeats, commands and configuration, each under its epoch; and what its silence means. */
#include "parts.h"

enum { TICKS_PER_MS = 1000 };

/* Safe state */

static bool is_taken(const struct node *node)
{
    return node->state != HUB_NODE_STATE_IDLE;
}

void make_safe(struct node *node, uint16_t reason)
{
    if (node->state == HUB_NODE_STATE_SAFE)
        return;
    node->state = HUB_NODE_STATE_SAFE;
    node->safe_reason = reason;
    cancel_all(node, HUB_RESULT_IS_SAFE);
    drive_all(node, node->config.safe_outputs);
}

static uint16_t state_by_watchdog(const struct node *node)
{
    return node->config.watchdog_ms > 0 ? HUB_NODE_STATE_READY : HUB_NODE_STATE_TAKEN;
}

static uint16_t clear(struct node *node)
{
    if (node->state == HUB_NODE_STATE_SAFE) {
        node->state = state_by_watchdog(node);
        node->safe_reason = HUB_SAFE_REASON_NONE;
        drive_all(node, 0);
    }
    return HUB_RESULT_OK;
}

void look_after_host(struct node *node)
{
    uint32_t patience_ticks = (uint32_t)node->config.watchdog_ms * TICKS_PER_MS;
    if (node->state == HUB_NODE_STATE_READY && node->now_ticks - node->heard_ticks >= patience_ticks)
        make_safe(node, HUB_SAFE_REASON_HOST_SILENT);
}

/* Epochs */

static uint16_t check_epoch(const struct node *node, uint32_t epoch)
{
    if (epoch < node->epoch)
        return HUB_RESULT_OLD_EPOCH;
    return is_taken(node) && epoch == node->epoch ? HUB_RESULT_OK : HUB_RESULT_NOT_TAKEN;
}

/* Another host knows nothing of what was armed, so nothing of it may happen; what is kept was the old one's. */
static void change_host(struct node *node, uint32_t epoch)
{
    cancel_all(node, HUB_RESULT_OLD_EPOCH);
    take(&node->edge_ring, (uint16_t)(node->edge_ring.first + node->edge_ring.n));
    take(&node->outcome_ring, (uint16_t)(node->outcome_ring.first + node->outcome_ring.n));
    drive_all(node, node->config.safe_outputs);
    node->epoch = epoch;
    node->last_seq = 0;
    node->n_watches = 0;
    node->config.watchdog_ms = 0;
    if (node->state != HUB_NODE_STATE_SAFE)
        node->state = HUB_NODE_STATE_TAKEN;
}

static uint16_t take_over(struct node *node, uint32_t epoch, uint32_t boot_id)
{
    if (epoch < node->epoch)
        return HUB_RESULT_OLD_EPOCH;
    if (epoch == 0)
        return HUB_RESULT_NOT_TAKEN;
    if (boot_id != node->boot_id)
        return HUB_RESULT_WRONG_BOOT;
    if (epoch > node->epoch)
        change_host(node, epoch);
    return HUB_RESULT_OK;
}

/* Commands */

static uint32_t void_after(const uint8_t *words)
{
    return get_4(words + 2 * HUB_AT_COMMAND_VOID_COUNTS) - get_4(words + 2 * HUB_AT_COMMAND_FIRE_COUNTS);
}

static struct armed wish_of(const uint8_t *words)
{
    return (struct armed){
        .seq = get_4(words + 2 * HUB_AT_COMMAND_SEQ),
        .fire_counts = get_4(words + 2 * HUB_AT_COMMAND_FIRE_COUNTS),
        .void_after = (uint16_t)void_after(words),
        .hold = get_2(words + 2 * HUB_AT_COMMAND_HOLD),
        .hold_unit = words[2 * HUB_AT_COMMAND_HOLD_UNIT + 1],
        .diverter = words[2 * HUB_AT_COMMAND_DIVERTER + 1],
        .action = words[2 * HUB_AT_COMMAND_ACTION + 1],
    };
}

/* Of these only the low byte is kept. */
static bool has_small_words(const uint8_t *words)
{
    return words[2 * HUB_AT_COMMAND_HOLD_UNIT] == 0 && words[2 * HUB_AT_COMMAND_DIVERTER] == 0 &&
           words[2 * HUB_AT_COMMAND_ACTION] == 0;
}

static uint16_t arm_if_ready(struct node *node, const uint8_t *words)
{
    struct armed wish = wish_of(words);
    uint16_t result = HUB_RESULT_OK;
    if (node->state == HUB_NODE_STATE_SAFE)
        result = HUB_RESULT_IS_SAFE;
    else if (node->state != HUB_NODE_STATE_READY)
        result = HUB_RESULT_NO_WATCHDOG;
    else if (!has_small_words(words))
        result = HUB_RESULT_BAD_COMMAND;
    else if (void_after(words) > HUB_VOID_COUNTS_MAX)
        result = HUB_RESULT_BAD_COUNTS;
    if (result == HUB_RESULT_OK)
        return arm(node, &wish);
    add_outcome(node, wish.seq, HUB_OUTCOME_KIND_REFUSED, result, node->counts);
    return result;
}

static uint16_t obey(struct node *node, const uint8_t *words)
{
    switch (get_2(words + 2 * HUB_AT_COMMAND_COMMAND)) {
    case HUB_COMMAND_ARM:
        return arm_if_ready(node, words);
    case HUB_COMMAND_CANCEL:
        return cancel(node, get_4(words + 2 * HUB_AT_COMMAND_SEQ));
    case HUB_COMMAND_CLEAR:
        return clear(node);
    case HUB_COMMAND_MAKE_SAFE:
        make_safe(node, HUB_SAFE_REASON_ASKED);
        return HUB_RESULT_OK;
    default:
        return HUB_RESULT_BAD_COMMAND;
    }
}

static uint16_t command(struct node *node, uint32_t epoch, const uint8_t *words)
{
    uint16_t result = check_epoch(node, epoch);
    if (get_2(words + 2 * HUB_AT_COMMAND_COMMAND) == HUB_COMMAND_TAKE)
        return take_over(node, epoch, get_4(words + 2 * HUB_AT_COMMAND_SEQ));
    return result == HUB_RESULT_OK ? obey(node, words) : result;
}

/* Heartbeat */

static uint16_t poll(struct node *node, uint32_t epoch, const uint8_t *words)
{
    uint16_t result = check_epoch(node, epoch);
    if (result == HUB_RESULT_OK) {
        take(&node->edge_ring, get_2(words + 2 * HUB_AT_POLL_EDGES_TAKEN));
        take(&node->outcome_ring, get_2(words + 2 * HUB_AT_POLL_OUTCOMES_TAKEN));
    }
    return result;
}

/* Configuration */

static void get_words(uint16_t *values, unsigned n, const uint8_t *words)
{
    for (unsigned i = 0; i < n; i++)
        values[i] = get_2(words + 2 * i);
}

static struct config config_of(const uint8_t *words)
{
    struct config config = {
        .host_seq = get_2(words + 2 * HUB_AT_CONFIG_HOST_SEQ),
        .epoch = get_4(words + 2 * HUB_AT_CONFIG_EPOCH),
        .watchdog_ms = get_2(words + 2 * HUB_AT_CONFIG_WATCHDOG_MS),
        .safe_outputs = get_2(words + 2 * HUB_AT_CONFIG_SAFE_OUTPUTS),
        .encoder_mode = get_2(words + 2 * HUB_AT_CONFIG_ENCODER_MODE),
    };
    get_words(config.debounce_counts, HUB_N_EYES, words + 2 * HUB_AT_CONFIG_DEBOUNCE_COUNTS);
    get_words(config.confirm_eye, HUB_N_DIVERTERS, words + 2 * HUB_AT_CONFIG_CONFIRM_EYE);
    get_words(config.confirm_counts, HUB_N_DIVERTERS, words + 2 * HUB_AT_CONFIG_CONFIRM_COUNTS);
    return config;
}

static bool is_sound(const struct config *config)
{
    for (unsigned i = 0; i < HUB_N_DIVERTERS; i++)
        if (config->confirm_eye[i] >= HUB_N_EYES && config->confirm_eye[i] != HUB_NO_EYE)
            return false;
    return config->watchdog_ms >= HUB_WATCHDOG_MS_MIN && config->watchdog_ms <= HUB_WATCHDOG_MS_MAX &&
           config->encoder_mode <= HUB_ENCODER_MODE_PULSE;
}

static uint16_t configure(struct node *node, uint32_t epoch, const uint8_t *words)
{
    struct config config = config_of(words);
    uint16_t result = check_epoch(node, epoch);
    if (result != HUB_RESULT_OK)
        return result;
    if (!is_sound(&config))
        return HUB_RESULT_BAD_CONFIG;
    node->config = config;
    if (node->state == HUB_NODE_STATE_TAKEN)
        node->state = HUB_NODE_STATE_READY;
    return HUB_RESULT_OK;
}

/* The first words of each block are alike: the host's sequence number, then its epoch. */
void write_block(struct node *node, uint16_t address, const uint8_t *words)
{
    uint32_t epoch = get_4(words + 2 * HUB_AT_POLL_EPOCH);
    node->host_seq = get_2(words);
    if (address == HUB_POLL_ADDRESS)
        node->result = poll(node, epoch, words);
    else if (address == HUB_COMMAND_ADDRESS)
        node->result = command(node, epoch, words);
    else
        node->result = configure(node, epoch, words);
    if (is_taken(node) && epoch == node->epoch)
        node->heard_ticks = node->now_ticks;
}
