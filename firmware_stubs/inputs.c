/* What comes in from the belt: counts and speed of the encoder, and edges of the eyes with the count of each. */
#include "parts.h"

enum { SPEED_TICKS = 20000 };

void inputs_init(struct node *node)
{
    node->speed_ticks = node->now_ticks;
    node->speed_counts = node->counts;
}

/* Encoder */

void node_move(struct node *node, uint32_t now_ticks, int32_t by_counts)
{
    node->now_ticks = now_ticks;
    node->counts += (uint32_t)by_counts;
    settle_eyes(node);
    fire_due(node);
    end_holds(node);
}

/* Counts of a change of both lines' state, from A + 2 B before to A + 2 B after; 2: both changed, so one was missed. */
static int quadrature(unsigned before, unsigned after)
{
    static const int8_t steps[4][4] = {
        {0, 1, -1, 2},
        {-1, 0, 2, 1},
        {1, 2, 0, -1},
        {2, -1, 1, 0},
    };
    return steps[before][after];
}

static int counts_of(const struct node *node, unsigned before, unsigned after)
{
    bool rises = !(before & 1) && (after & 1);
    switch (node->config.encoder_mode) {
    case HUB_ENCODER_MODE_QUADRATURE:
        return quadrature(before, after);
    case HUB_ENCODER_MODE_PULSE_DIRECTION:
        return rises ? (after & 2 ? -1 : 1) : 0;
    default:
        return rises;
    }
}

void node_encoder(struct node *node, uint32_t now_ticks, unsigned lines)
{
    int by_counts = counts_of(node, node->encoder_lines, lines & 3);
    node->encoder_lines = lines & 3;
    if (by_counts == 2)
        node->encoder_faults++;
    else if (by_counts != 0)
        node_move(node, now_ticks, by_counts);
}

void measure_speed(struct node *node)
{
    uint32_t ticks = node->now_ticks - node->speed_ticks;
    if (ticks < SPEED_TICKS)
        return;
    int64_t counts = ahead(node->counts, node->speed_counts);
    node->counts_per_s = (int32_t)(counts * (int64_t)HUB_TICKS_PER_S / ticks);
    node->speed_ticks = node->now_ticks;
    node->speed_counts = node->counts;
}

/* Eyes */

static void change_level(struct node *node, unsigned eye)
{
    bool is_blocked = node->eye_lines >> eye & 1;
    node->eyes_changing = (uint16_t)(node->eyes_changing & ~(1u << eye));
    node->eye_levels = (uint16_t)(node->eye_levels ^ 1u << eye);
    add_edge(node, eye | (is_blocked ? HUB_EDGE_BLOCKED : 0), node->changed_counts[eye]);
    if (is_blocked)
        confirm(node, eye, node->changed_counts[eye]);
}

static bool has_lasted(const struct node *node, unsigned eye)
{
    int32_t counts = ahead(node->counts, node->changed_counts[eye]);
    int32_t needed = node->config.debounce_counts[eye];
    return counts >= needed || counts <= -needed;
}

/* A change counts once it has lasted so many counts; the edge is where it began. */
void settle_eyes(struct node *node)
{
    for (unsigned changed = node->eye_levels ^ node->eye_lines, eye = 0; changed >> eye; eye++)
        if ((changed >> eye & 1) && has_lasted(node, eye))
            change_level(node, eye);
}

static void note_changes(struct node *node)
{
    unsigned differ = node->eye_levels ^ node->eye_lines, begin = differ & ~(unsigned)node->eyes_changing;
    for (unsigned eye = 0; begin >> eye; eye++)
        if (begin >> eye & 1)
            node->changed_counts[eye] = node->counts;
    node->eyes_changing = (uint16_t)differ;
}

void node_eyes(struct node *node, uint32_t now_ticks, uint16_t lines)
{
    node->now_ticks = now_ticks;
    node->eye_lines = lines;
    note_changes(node);
    settle_eyes(node);
}
