/* The simulated world around a node: its belt and its eyes, driven over a second line, for bodies without hardware.
 *
 * Lines of text, numbers in decimal:
 *
 *   v SPEED              the belt runs at so many counts a second from now on, back if negative
 *   p COUNTS             the belt moves by so many counts at once, each counted singly
 *   e EYE LEVEL COUNTS   the eye is blocked (1) or cleared (0) when the node has counted so far
 *   i EYE LEVEL          the same at once
 *   c COUNTS             the node's count is so much, as if it had run for long
 *   b                    the node loses its power and boots again
 *   q                    asks for a line s
 *
 * What it says by itself, and to q:
 *
 *   o DIVERTER LEVEL COUNTS TICKS   an output has changed
 *   l EYE COUNTS                    an edge was ordered for a count that had passed, and came now
 *   s COUNTS TICKS                  where the belt is
 *   r BOOT_ID                       the node has booted
 *   x                               a line that could not be followed
 */
#ifndef HUB_WORLD_H
#define HUB_WORLD_H

#include "node.h"

enum {
    WORLD_LINE_MAX = 40,
    WORLD_EDGES_MAX = 32,
    WORLD_SAID_MAX = 512,
};

struct planned_edge {
    uint32_t counts;
    uint8_t eye;
    bool is_blocked;
};

struct world {
    struct node *node;
    int32_t counts_per_s;
    uint32_t since_ticks; /* the belt has run at this speed since then, */
    int32_t moved_counts; /* and has moved so far */
    unsigned encoder_phase;
    uint16_t outputs_said;
    bool wants_boot;
    unsigned n_edges;
    struct planned_edge edges[WORLD_EDGES_MAX]; /* in order of their counts */
    size_t n_line;
    char line[WORLD_LINE_MAX];
    size_t n_said;
    char said[WORLD_SAID_MAX]; /* for the body to send and to empty */
};

void world_init(struct world *world, struct node *node, uint32_t now_ticks);
void world_receive(struct world *world, uint32_t now_ticks, const uint8_t *in, size_t n);
/* Moves the belt up to now. */
void world_advance(struct world *world, uint32_t now_ticks);
/* Says what the node's outputs have become: after each step of the node. */
void world_tell_outputs(struct world *world);
/* The node has booted: what was planned by its old count is forgotten. */
void world_booted(struct world *world, uint32_t now_ticks);
/* Ticks that may pass before anything is due, at most `most`. */
uint32_t world_rest_ticks(const struct world *world, uint32_t now_ticks, uint32_t most);

#endif
