/* Edges and outcomes wait here until the host has taken them; when there is no room the oldest is lost, and told. */
#include "parts.h"

/* Where the next one goes. */
static unsigned make_room(struct ring *ring, unsigned n_max)
{
    if (ring->n == n_max) {
        ring->first++;
        ring->n_lost++;
        ring->n--;
    }
    return (uint16_t)(ring->first + ring->n++) % n_max;
}

void add_edge(struct node *node, unsigned what, uint32_t counts)
{
    unsigned at = make_room(&node->edge_ring, HUB_N_EDGES_MAX);
    node->edges[at] = (struct edge){counts, (uint16_t)what};
}

void add_outcome(struct node *node, uint32_t seq, unsigned kind, unsigned why, uint32_t counts)
{
    unsigned at = make_room(&node->outcome_ring, HUB_N_OUTCOMES_MAX);
    node->outcomes[at] = (struct outcome){seq, counts, (uint16_t)(kind << 8 | why)};
}

/* A number that is not among those kept takes nothing. */
void take(struct ring *ring, uint16_t up_to)
{
    uint16_t n_taken = (uint16_t)(up_to - ring->first);
    if (n_taken > ring->n)
        return;
    ring->first = up_to;
    ring->n = (uint16_t)(ring->n - n_taken);
}
