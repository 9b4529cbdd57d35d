/* The simulated world around a node; `world.h` says what its line carries. */
#include "world.h"

#include "wire.h"

enum {
    TICKS_PER_S = 1000000,
    N_NUMBERS_MAX = 3,
    COUNTS_AT_ONCE_MAX = 20000,
};

/* Saying */

static void say_text(struct world *world, const char *text)
{
    while (*text != '\0' && world->n_said < WORLD_SAID_MAX)
        world->said[world->n_said++] = *text++;
}

static void say_number(struct world *world, uint32_t number)
{
    char digits[11] = {0};
    size_t at = sizeof digits - 1;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    say_text(world, " ");
    say_text(world, digits + at);
}

static void say(struct world *world, const char *what, const uint32_t *numbers, size_t n)
{
    say_text(world, what);
    for (size_t i = 0; i < n; i++)
        say_number(world, numbers[i]);
    say_text(world, "\n");
}

void world_tell_outputs(struct world *world)
{
    const struct node *node = world->node;
    unsigned changed = node->outputs ^ world->outputs_said;
    for (unsigned i = 0; changed >> i; i++) {
        if (!(changed >> i & 1))
            continue;
        uint32_t numbers[] = {i, node->outputs >> i & 1u, node->counts, node->now_ticks};
        say(world, "o", numbers, 4);
    }
    world->outputs_said = node->outputs;
}

/* Eyes */

static void set_eye(struct world *world, uint32_t now_ticks, unsigned eye, bool is_blocked)
{
    unsigned bit = 1u << eye, lines = world->node->eye_lines;
    node_eyes(world->node, now_ticks, (uint16_t)(is_blocked ? lines | bit : lines & ~bit));
}

static bool is_due(const struct world *world, const struct planned_edge *edge)
{
    int32_t to_go = ahead(edge->counts, world->node->counts);
    return world->counts_per_s < 0 ? to_go >= 0 : to_go <= 0;
}

static void make_due_edges(struct world *world, uint32_t now_ticks)
{
    while (world->n_edges > 0 && is_due(world, &world->edges[0])) {
        set_eye(world, now_ticks, world->edges[0].eye, world->edges[0].is_blocked);
        world->n_edges--;
        memmove(world->edges, world->edges + 1, world->n_edges * sizeof world->edges[0]);
    }
}

static void plan_edge(struct world *world, struct planned_edge edge)
{
    unsigned at = world->n_edges++;
    for (; at > 0 && ahead(world->edges[at - 1].counts, edge.counts) > 0; at--)
        world->edges[at] = world->edges[at - 1];
    world->edges[at] = edge;
}

/* Belt */

static unsigned lines_at(unsigned phase)
{
    static const uint8_t lines[] = {0, 1, 3, 2};
    return lines[phase & 3];
}

/* Moves the encoder's lines by as many changes as make one count. */
static void move_encoder(struct world *world, uint32_t now_ticks, bool is_forward)
{
    if (world->node->config.encoder_mode == HUB_ENCODER_MODE_QUADRATURE) {
        world->encoder_phase += is_forward ? 1u : 3u;
        node_encoder(world->node, now_ticks, lines_at(world->encoder_phase));
        return;
    }
    node_encoder(world->node, now_ticks, is_forward ? 0 : 2);
    node_encoder(world->node, now_ticks, is_forward ? 1 : 3);
}

static void move(struct world *world, uint32_t now_ticks, int32_t by_counts)
{
    for (int32_t i = 0; i != by_counts; i += by_counts < 0 ? -1 : 1) {
        move_encoder(world, now_ticks, by_counts > 0);
        make_due_edges(world, now_ticks);
        world_tell_outputs(world);
    }
}

static int32_t counts_after(const struct world *world, uint32_t ticks)
{
    return (int32_t)((int64_t)world->counts_per_s * (int64_t)ticks / TICKS_PER_S);
}

/* A whole second is a whole number of counts, so nothing is lost by beginning anew there. */
static void begin_anew(struct world *world, uint32_t now_ticks)
{
    if (world->moved_counts != counts_after(world, now_ticks - world->since_ticks))
        return;
    while (now_ticks - world->since_ticks >= 2 * TICKS_PER_S) {
        world->since_ticks += TICKS_PER_S;
        world->moved_counts -= world->counts_per_s;
    }
}

static int32_t at_most(int32_t counts, int32_t most)
{
    if (counts > most)
        return most;
    return counts < -most ? -most : counts;
}

void world_advance(struct world *world, uint32_t now_ticks)
{
    int32_t to_go = counts_after(world, now_ticks - world->since_ticks) - world->moved_counts;
    to_go = at_most(to_go, COUNTS_AT_ONCE_MAX);
    world->moved_counts += to_go;
    move(world, now_ticks, to_go);
    begin_anew(world, now_ticks);
}

static void run(struct world *world, uint32_t now_ticks, int32_t counts_per_s)
{
    world_advance(world, now_ticks);
    world->counts_per_s = at_most(counts_per_s, TICKS_PER_S);
    world->since_ticks = now_ticks;
    world->moved_counts = 0;
}

static void set_counts(struct node *node, uint32_t counts)
{
    node->speed_counts += counts - node->counts;
    node->counts = counts;
}

uint32_t world_rest_ticks(const struct world *world, uint32_t now_ticks, uint32_t most)
{
    uint32_t speed = (uint32_t)(world->counts_per_s < 0 ? -world->counts_per_s : world->counts_per_s);
    if (speed == 0)
        return most;
    uint32_t n = node_rest_counts(world->node, most * speed / TICKS_PER_S + 1);
    if (world->n_edges > 0 && world->edges[0].counts - world->node->counts < n)
        n = world->edges[0].counts - world->node->counts;
    uint32_t moved = (uint32_t)(world->moved_counts < 0 ? -world->moved_counts : world->moved_counts);
    uint32_t due_ticks = (uint32_t)(((uint64_t)(moved + n) * TICKS_PER_S + speed - 1) / speed);
    uint32_t passed_ticks = now_ticks - world->since_ticks;
    if (due_ticks <= passed_ticks)
        return 0;
    return due_ticks - passed_ticks < most ? due_ticks - passed_ticks : most;
}

/* Hearing */

/* The numbers of a line behind its letter; how many, or -1 if there is anything else. */
static int numbers_of(const char *text, uint32_t *numbers)
{
    int n = 0;
    while (*text == ' ' && n < N_NUMBERS_MAX) {
        bool is_negative = *++text == '-';
        uint32_t number = 0;
        text += is_negative;
        if (*text < '0' || *text > '9')
            return -1;
        while (*text >= '0' && *text <= '9')
            number = number * 10 + (uint32_t)(*text++ - '0');
        numbers[n++] = is_negative ? 0 - number : number;
    }
    return *text == '\0' ? n : -1;
}

static bool is_eye(const uint32_t *numbers)
{
    return numbers[0] < HUB_N_EYES && numbers[1] <= 1;
}

static void order_edge(struct world *world, uint32_t now_ticks, const uint32_t *numbers)
{
    struct planned_edge edge = {numbers[2], (uint8_t)numbers[0], numbers[1] == 1};
    if (is_due(world, &edge) && edge.counts != world->node->counts) {
        uint32_t late[] = {numbers[0], world->node->counts};
        say(world, "l", late, 2);
    }
    plan_edge(world, edge);
    make_due_edges(world, now_ticks);
}

static bool follow_eye(struct world *world, uint32_t now_ticks, int n, const uint32_t *numbers)
{
    char letter = world->line[0];
    if (letter == 'i' && n == 2 && is_eye(numbers))
        set_eye(world, now_ticks, numbers[0], numbers[1] == 1);
    else if (letter == 'e' && n == 3 && is_eye(numbers) && world->n_edges < WORLD_EDGES_MAX)
        order_edge(world, now_ticks, numbers);
    else
        return false;
    return true;
}

static bool follow(struct world *world, uint32_t now_ticks, int n, const uint32_t *numbers)
{
    uint32_t where[] = {world->node->counts, now_ticks};
    char letter = world->line[0];
    if (letter == 'v' && n == 1)
        run(world, now_ticks, ahead(numbers[0], 0));
    else if (letter == 'p' && n == 1)
        move(world, now_ticks, at_most(ahead(numbers[0], 0), COUNTS_AT_ONCE_MAX));
    else if (letter == 'c' && n == 1)
        set_counts(world->node, numbers[0]);
    else if (letter == 'b' && n == 0)
        world->wants_boot = true;
    else if (letter == 'q' && n == 0)
        say(world, "s", where, 2);
    else
        return follow_eye(world, now_ticks, n, numbers);
    return true;
}

static void end_line(struct world *world, uint32_t now_ticks)
{
    uint32_t numbers[N_NUMBERS_MAX] = {0};
    bool is_whole = world->n_line > 0 && world->n_line < WORLD_LINE_MAX;
    int n = -1;
    if (is_whole) {
        world->line[world->n_line] = '\0';
        n = numbers_of(world->line + 1, numbers);
    }
    if (n < 0 || !follow(world, now_ticks, n, numbers))
        say(world, "x", NULL, 0);
    world->n_line = 0;
    world_tell_outputs(world);
}

void world_receive(struct world *world, uint32_t now_ticks, const uint8_t *in, size_t n)
{
    world_advance(world, now_ticks);
    for (size_t i = 0; i < n; i++) {
        if (in[i] == '\n')
            end_line(world, now_ticks);
        else if (world->n_line < WORLD_LINE_MAX)
            world->line[world->n_line++] = (char)in[i];
    }
}

/* Life */

void world_init(struct world *world, struct node *node, uint32_t now_ticks)
{
    memset(world, 0, sizeof *world);
    world->node = node;
    world->since_ticks = now_ticks;
    world_booted(world, now_ticks);
}

/* The lines of the eyes and of the encoder stay as they are; the node sees them anew. */
void world_booted(struct world *world, uint32_t now_ticks)
{
    world->wants_boot = false;
    world->n_edges = 0;
    world->node->encoder_lines = (uint8_t)lines_at(world->encoder_phase);
    world_tell_outputs(world);
    node_step(world->node, now_ticks, NULL, 0, (uint8_t[MODBUS_FRAME_MAX]){0});
    say(world, "r", &world->node->boot_id, 1);
}
