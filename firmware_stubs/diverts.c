/* Armed diverts: each fires once, where it was told to, or not at all. */
#include "parts.h"

enum { TICKS_PER_MS = 1000 };

/* Outputs */

static void drive(struct node *node, unsigned diverter, bool is_on)
{
    uint16_t bit = (uint16_t)(1u << diverter);
    node->outputs = (uint16_t)(is_on ? node->outputs | bit : node->outputs & ~bit);
}

void drive_all(struct node *node, uint16_t outputs)
{
    node->outputs = outputs;
    for (unsigned i = 0; i < HUB_N_DIVERTERS; i++)
        node->holds[i].is_held = false;
}

static bool is_over(const struct node *node, const struct output *hold)
{
    uint32_t now = hold->hold_unit == HUB_HOLD_UNIT_MS ? node->now_ticks : node->counts;
    return ahead(now, hold->until) >= 0;
}

void end_holds(struct node *node)
{
    for (unsigned i = 0; i < HUB_N_DIVERTERS; i++) {
        if (!node->holds[i].is_held || !is_over(node, &node->holds[i]))
            continue;
        node->holds[i].is_held = false;
        drive(node, i, false);
    }
}

static void hold(struct node *node, const struct armed *divert)
{
    bool by_time = divert->hold_unit == HUB_HOLD_UNIT_MS;
    struct output *output = &node->holds[divert->diverter];
    output->is_held = divert->action == HUB_ACTION_PULSE;
    output->hold_unit = divert->hold_unit;
    output->until = by_time ? node->now_ticks + (uint32_t)divert->hold * TICKS_PER_MS : node->counts + divert->hold;
}

/* The armed ring */

static struct armed *find(struct node *node, uint32_t seq)
{
    for (unsigned i = 0; i < node->n_armed; i++)
        if (node->armed[i].seq == seq)
            return &node->armed[i];
    return NULL;
}

static void drop(struct node *node, struct armed *divert)
{
    *divert = node->armed[--node->n_armed];
}

static bool is_void(const struct node *node, const struct armed *divert)
{
    return ahead(node->counts, divert->fire_counts) > divert->void_after;
}

static uint16_t check(const struct node *node, const struct armed *wish)
{
    int32_t to_go = ahead(wish->fire_counts, node->counts);
    if (wish->diverter >= HUB_N_DIVERTERS)
        return HUB_RESULT_BAD_DIVERTER;
    if (wish->action < HUB_ACTION_PULSE || wish->action > HUB_ACTION_OFF)
        return HUB_RESULT_BAD_ACTION;
    if (wish->hold_unit > HUB_HOLD_UNIT_MS || (wish->action == HUB_ACTION_PULSE) != (wish->hold > 0))
        return HUB_RESULT_BAD_HOLD;
    if (to_go > (int32_t)HUB_FIRE_AHEAD_COUNTS_MAX)
        return HUB_RESULT_BAD_COUNTS;
    return is_void(node, wish) ? HUB_RESULT_LATE : HUB_RESULT_OK;
}

/* A new one has a number above all before; a number that is armed already is armed anew, in its place. */
static uint16_t place(struct node *node, const struct armed *wish)
{
    struct armed *old = find(node, wish->seq);
    if (old == NULL && node->n_armed == HUB_N_ARMED_MAX)
        return HUB_RESULT_FULL;
    if (old == NULL) {
        node->last_seq = wish->seq;
        old = &node->armed[node->n_armed++];
    }
    *old = *wish;
    return HUB_RESULT_OK;
}

/* It has ended already, or never was: a host that got no answer may tell it again. */
static bool is_old(struct node *node, uint32_t seq)
{
    return ahead(seq, node->last_seq) <= 0 && find(node, seq) == NULL;
}

static void drop_late(struct node *node, uint32_t seq)
{
    struct armed *divert = find(node, seq);
    if (divert != NULL)
        drop(node, divert);
}

/* What is refused leaves a divert of the same number as it was armed; but one that should have fired by now is over. */
uint16_t arm(struct node *node, const struct armed *wish)
{
    uint16_t result = is_old(node, wish->seq) ? HUB_RESULT_OLD_SEQ : check(node, wish);
    if (result == HUB_RESULT_OK)
        result = place(node, wish);
    if (result == HUB_RESULT_LATE)
        drop_late(node, wish->seq);
    if (result != HUB_RESULT_OK)
        add_outcome(node, wish->seq, HUB_OUTCOME_KIND_REFUSED, result, node->counts);
    fire_due(node);
    return result;
}

uint16_t cancel(struct node *node, uint32_t seq)
{
    struct armed *divert = find(node, seq);
    if (divert == NULL)
        return HUB_RESULT_NOT_ARMED;
    drop(node, divert);
    add_outcome(node, seq, HUB_OUTCOME_KIND_CANCELLED, HUB_RESULT_OK, node->counts);
    return HUB_RESULT_OK;
}

void cancel_all(struct node *node, uint16_t why)
{
    for (unsigned i = 0; i < node->n_armed; i++)
        add_outcome(node, node->armed[i].seq, HUB_OUTCOME_KIND_CANCELLED, why, node->counts);
    node->n_armed = 0;
}

/* Confirming */

static void forget_watch(struct node *node, unsigned at)
{
    node->n_watches--;
    for (unsigned i = at; i < node->n_watches; i++)
        node->watches[i] = node->watches[i + 1];
}

static bool has_passed(const struct node *node, const struct watch *watch)
{
    return ahead(node->counts, watch->fired_counts) > node->config.confirm_counts[watch->diverter];
}

/* An edge may still be debounced after the belt has passed, so passed ones go only when others come. */
static void expect(struct node *node, const struct armed *divert)
{
    if (node->config.confirm_eye[divert->diverter] >= HUB_N_EYES)
        return;
    for (unsigned i = node->n_watches; i-- > 0;)
        if (node->n_watches > HUB_N_WATCHES_MAX / 2 && has_passed(node, &node->watches[i]))
            forget_watch(node, i);
    if (node->n_watches == HUB_N_WATCHES_MAX)
        forget_watch(node, 0);
    node->watches[node->n_watches++] = (struct watch){divert->seq, node->counts, divert->diverter};
}

static bool is_proved(const struct node *node, const struct watch *watch, unsigned eye, uint32_t counts)
{
    int32_t travelled = ahead(counts, watch->fired_counts);
    bool is_within = travelled >= 0 && travelled <= node->config.confirm_counts[watch->diverter];
    return is_within && node->config.confirm_eye[watch->diverter] == eye;
}

/* Of those that the eye may prove it is the oldest, since parcels keep their order. */
void confirm(struct node *node, unsigned eye, uint32_t counts)
{
    for (unsigned i = 0; i < node->n_watches; i++) {
        if (!is_proved(node, &node->watches[i], eye, counts))
            continue;
        add_outcome(node, node->watches[i].seq, HUB_OUTCOME_KIND_CONFIRMED, HUB_RESULT_OK, counts);
        forget_watch(node, i);
        return;
    }
}

/* Firing */

static void fire(struct node *node, const struct armed *divert)
{
    drive(node, divert->diverter, divert->action != HUB_ACTION_OFF);
    hold(node, divert);
    expect(node, divert);
    add_outcome(node, divert->seq, HUB_OUTCOME_KIND_FIRED, HUB_RESULT_OK, node->counts);
}

static void conclude(struct node *node, struct armed *divert)
{
    if (is_void(node, divert))
        add_outcome(node, divert->seq, HUB_OUTCOME_KIND_VOID, HUB_RESULT_LATE, node->counts);
    else
        fire(node, divert);
    drop(node, divert);
}

void fire_due(struct node *node)
{
    unsigned i = 0;
    while (i < node->n_armed) {
        if (ahead(node->counts, node->armed[i].fire_counts) >= 0)
            conclude(node, &node->armed[i]);
        else
            i++;
    }
}
