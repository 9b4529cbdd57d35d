/* A scanner head: a trigger opens its gate, the gate's end sends the labels read, as a SICK scanner would.
 *
 * A telegram is <STX>labels<ETX>, as queued, or `NoRead` for none. `sMN mTCgateon` and
 * `sMN mTCgateoff` in such frames open and close the gate too, and are answered. Time and bytes come in, bytes go
 * out; nothing is allocated and nothing blocks.
 */
#ifndef HUB_SCANNER_H
#define HUB_SCANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HEAD_LABELS_MAX = 16,
    HEAD_LABEL_MAX = 48,
    HEAD_COMMAND_MAX = 24,
    HEAD_OUT_MAX = 1024, /* a telegram, and an answer to each command that 256 bytes can hold */
};

struct head {
    uint32_t result_ticks; /* from the gate's end to the telegram */
    uint32_t heartbeat_ticks; /* of silence, after which it shows that it lives; 0: never */
    uint32_t said_ticks; /* when it last said something */
    uint32_t closed_ticks;
    bool is_open;
    bool is_due; /* a telegram will be sent */
    uint16_t n_lost; /* telegrams that the next gate overtook */
    uint8_t first; /* of the labels queued */
    uint8_t n_queued;
    char queue[HEAD_LABELS_MAX][HEAD_LABEL_MAX];
    char seen[HEAD_LABEL_MAX]; /* in the gate */
    char telegram[HEAD_LABEL_MAX]; /* of the gate before */
    bool is_in_frame;
    uint8_t n_command;
    char command[HEAD_COMMAND_MAX];
};

void head_init(struct head *head, uint32_t result_ticks, uint32_t heartbeat_ticks, uint32_t now_ticks);
/* The parcel behind those queued shows these; an empty text is none. False: there is no room, or it is too long. */
bool head_queue(struct head *head, const char *labels);
/* The trigger: opens the gate, or closes it. */
void head_trigger(struct head *head, uint32_t now_ticks, bool is_on);
/* Bytes of the host in, at most 256; telegrams and answers out; `out` has room for HEAD_OUT_MAX. */
size_t head_step(struct head *head, uint32_t now_ticks, const uint8_t *in, size_t n, uint8_t *out);

#endif
