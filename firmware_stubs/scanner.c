/* A scanner head; `scanner.h` says how it behaves. */
#include "scanner.h"

#include "wire.h"

enum { STX = 2, ETX = 3 };

void head_init(struct head *head, uint32_t result_ticks, uint32_t heartbeat_ticks, uint32_t now_ticks)
{
    memset(head, 0, sizeof *head);
    head->result_ticks = result_ticks;
    head->heartbeat_ticks = heartbeat_ticks;
    head->said_ticks = now_ticks;
}

bool head_queue(struct head *head, const char *labels)
{
    size_t n = strlen(labels);
    if (head->n_queued == HEAD_LABELS_MAX || n >= HEAD_LABEL_MAX)
        return false;
    memcpy(head->queue[(head->first + head->n_queued++) % HEAD_LABELS_MAX], labels, n + 1);
    return true;
}

/* The gate */

static void open_gate(struct head *head)
{
    head->is_open = true;
    head->seen[0] = '\0';
    if (head->n_queued == 0)
        return;
    memcpy(head->seen, head->queue[head->first], HEAD_LABEL_MAX);
    head->first = (uint8_t)((head->first + 1) % HEAD_LABELS_MAX);
    head->n_queued--;
}

static void close_gate(struct head *head, uint32_t now_ticks)
{
    head->is_open = false;
    head->n_lost = (uint16_t)(head->n_lost + head->is_due);
    head->is_due = true;
    head->closed_ticks = now_ticks;
    memcpy(head->telegram, head->seen, HEAD_LABEL_MAX);
}

void head_trigger(struct head *head, uint32_t now_ticks, bool is_on)
{
    if (is_on && !head->is_open)
        open_gate(head);
    else if (!is_on && head->is_open)
        close_gate(head, now_ticks);
}

/* Saying */

static size_t put_telegram(struct head *head, uint32_t now_ticks, const char *text, uint8_t *out)
{
    size_t n = strlen(text);
    head->said_ticks = now_ticks;
    out[0] = STX;
    memcpy(out + 1, text, n);
    out[1 + n] = ETX;
    return n + 2;
}

static size_t say_due(struct head *head, uint32_t now_ticks, uint8_t *out)
{
    if (head->is_due && now_ticks - head->closed_ticks >= head->result_ticks) {
        head->is_due = false;
        return put_telegram(head, now_ticks, head->telegram[0] ? head->telegram : "NoRead", out);
    }
    if (head->heartbeat_ticks > 0 && now_ticks - head->said_ticks >= head->heartbeat_ticks)
        return put_telegram(head, now_ticks, "HEARTBEAT", out);
    return 0;
}

/* Hearing */

static bool is_command(const struct head *head, const char *text)
{
    size_t n = strlen(text), i = 0;
    while (i < n && i < head->n_command && head->command[i] == text[i])
        i++;
    return i == n && head->n_command == n;
}

static size_t follow(struct head *head, uint32_t now_ticks, uint8_t *out)
{
    if (is_command(head, "sMN mTCgateon")) {
        head_trigger(head, now_ticks, true);
        return put_telegram(head, now_ticks, "sAN mTCgateon 1", out);
    }
    if (is_command(head, "sMN mTCgateoff")) {
        head_trigger(head, now_ticks, false);
        return put_telegram(head, now_ticks, "sAN mTCgateoff 1", out);
    }
    return put_telegram(head, now_ticks, "sFA 3", out);
}

static size_t hear(struct head *head, uint32_t now_ticks, uint8_t byte, uint8_t *out)
{
    bool ends = head->is_in_frame && byte == ETX;
    if (byte == STX || byte == ETX) {
        head->is_in_frame = byte == STX;
        if (byte == STX)
            head->n_command = 0;
    } else if (head->is_in_frame && head->n_command < HEAD_COMMAND_MAX) {
        head->command[head->n_command++] = (char)byte;
    }
    return ends ? follow(head, now_ticks, out) : 0;
}

size_t head_step(struct head *head, uint32_t now_ticks, const uint8_t *in, size_t n, uint8_t *out)
{
    size_t n_out = say_due(head, now_ticks, out);
    for (size_t i = 0; i < n && n_out + 2 * HEAD_COMMAND_MAX < HEAD_OUT_MAX; i++)
        n_out += hear(head, now_ticks, in[i], out + n_out);
    return n_out;
}
