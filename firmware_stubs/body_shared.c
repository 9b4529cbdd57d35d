/* The node and the scanner head as a shared object: how large they are, for whoever gives them their memory. */
#include "scanner.h"
#include "world.h"

size_t node_size(void);
size_t world_size(void);
size_t head_size(void);
uint16_t node_outputs(const struct node *node);
uint32_t node_counts(const struct node *node);
bool node_is_broken(const struct node *node);
size_t world_take_said(struct world *world, uint8_t *out);

size_t node_size(void)
{
    return sizeof(struct node);
}

size_t world_size(void)
{
    return sizeof(struct world);
}

size_t head_size(void)
{
    return sizeof(struct head);
}

uint16_t node_outputs(const struct node *node)
{
    return node->outputs;
}

uint32_t node_counts(const struct node *node)
{
    return node->counts;
}

bool node_is_broken(const struct node *node)
{
    return node->modbus.is_broken;
}

/* `out` has room for WORLD_SAID_MAX. */
size_t world_take_said(struct world *world, uint8_t *out)
{
    size_t n = world->n_said;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)world->said[i];
    world->n_said = 0;
    return n;
}
