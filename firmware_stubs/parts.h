/* What the parts of the node do for each other. */
#ifndef HUB_PARTS_H
#define HUB_PARTS_H

#include "node.h"
#include "wire.h"

/* inputs.c */
void inputs_init(struct node *node);
void settle_eyes(struct node *node);
void measure_speed(struct node *node);

/* diverts.c */
uint16_t arm(struct node *node, const struct armed *wish);
uint16_t cancel(struct node *node, uint32_t seq);
void cancel_all(struct node *node, uint16_t why);
void fire_due(struct node *node);
void end_holds(struct node *node);
void drive_all(struct node *node, uint16_t outputs);
void confirm(struct node *node, unsigned eye, uint32_t counts);

/* rings.c */
void add_edge(struct node *node, unsigned what, uint32_t counts);
void add_outcome(struct node *node, uint32_t seq, unsigned kind, unsigned why, uint32_t counts);
void take(struct ring *ring, uint16_t up_to);

/* orders.c */
void make_safe(struct node *node, uint16_t reason);
void look_after_host(struct node *node);
void write_block(struct node *node, uint16_t address, const uint8_t *words);

/* map.c */
bool is_readable(unsigned address, unsigned n);
bool is_writable(unsigned address, unsigned n);
uint16_t read_register(const struct node *node, unsigned address);

/* server.c: one request to one answer, both without their frames */
size_t answer(struct node *node, const uint8_t *pdu, size_t n, uint8_t *out);

#endif
