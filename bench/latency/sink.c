/* The diverter sink: a Modbus TCP server that stamps each coil write on receipt and answers as a node would.
 *
 *   sink STAMPS_FD CAPACITY answers|falls-silent
 *
 * Serves functions 1 to 6, 15 and 16. STAMPS_FD is shared memory: the number of stamps (8 bytes), then CAPACITY
 * stamps {t_ns int64, coil uint32, on uint32}. A sink that "falls-silent" answers until the first coil is switched
 * on; that request and all later ones are read, stamped and never answered. Says "port N".
 */
#include "net.h"
#include <stdbool.h>
#include <sys/epoll.h>

enum {
    N_COILS = 2000,
    N_REGISTERS = 256,
    BITS_MAX = 2000,
    REGISTERS_MAX = 125,
    CONNECTIONS_MAX = 128,
    HEADER = 7, /* transaction, protocol, length, unit */
    FRAME_MAX = 260,
    ILLEGAL_FUNCTION = 1,
    ILLEGAL_ADDRESS = 2,
    ILLEGAL_VALUE = 3,
};

typedef struct {
    int64_t t_ns;
    uint32_t coil;
    uint32_t on;
} stamp_t;

typedef struct {
    uint64_t n;
    stamp_t stamp[];
} stamps_t;

typedef struct {
    int fd;
    size_t n;
    uint8_t bytes[8192];
} connection_t;

typedef struct {
    size_t n;
    uint8_t bytes[64 * 1024];
} answers_t;

static stamps_t *stamps;
static uint64_t capacity;
static bool falls_silent;
static bool silent;
static uint8_t coils[N_COILS];
static uint16_t registers[N_REGISTERS];
static connection_t connections[CONNECTIONS_MAX];
static answers_t answers;

static unsigned get_2(const uint8_t *from)
{
    return (unsigned)from[0] << 8 | from[1];
}

static void put_2(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void write_coil(unsigned coil, bool on, int64_t t_ns)
{
    uint64_t i = stamps->n;
    if (i >= capacity)
        give_up("more coil writes than stamps");
    coils[coil] = on;
    silent |= falls_silent && on;
    stamps->stamp[i] = (stamp_t){t_ns, coil, on};
    publish(&stamps->n, i + 1);
}

/* Each of these answers one request body (function code first) into `out` and returns the answer's length. */

static size_t refuse(uint8_t *out, uint8_t function, uint8_t code)
{
    out[0] = function | 0x80;
    out[1] = code;
    return 2;
}

static size_t echo(uint8_t *out, const uint8_t *body)
{
    memcpy(out, body, 5);
    return 5;
}

static size_t read_bits(uint8_t *out, const uint8_t *body)
{
    unsigned first = get_2(body + 1), n = get_2(body + 3), n_bytes = (n + 7) / 8;
    if (n == 0 || n > BITS_MAX)
        return refuse(out, body[0], ILLEGAL_VALUE);
    if (first + n > N_COILS)
        return refuse(out, body[0], ILLEGAL_ADDRESS);
    out[0] = body[0];
    out[1] = (uint8_t)n_bytes;
    memset(out + 2, 0, n_bytes);
    for (unsigned i = 0; i < n && body[0] == 1; i++)
        out[2 + i / 8] |= (uint8_t)(coils[first + i] << (i % 8));
    return 2 + n_bytes;
}

static size_t read_registers(uint8_t *out, const uint8_t *body)
{
    unsigned first = get_2(body + 1), n = get_2(body + 3);
    if (n == 0 || n > REGISTERS_MAX)
        return refuse(out, body[0], ILLEGAL_VALUE);
    if (first + n > N_REGISTERS)
        return refuse(out, body[0], ILLEGAL_ADDRESS);
    out[0] = body[0];
    out[1] = (uint8_t)(2 * n);
    for (unsigned i = 0; i < n; i++)
        put_2(out + 2 + 2 * i, body[0] == 3 ? registers[first + i] : 0);
    return 2 + 2 * n;
}

static size_t write_one_coil(uint8_t *out, const uint8_t *body, int64_t t_ns)
{
    unsigned coil = get_2(body + 1), value = get_2(body + 3);
    if (value != 0xFF00 && value != 0)
        return refuse(out, body[0], ILLEGAL_VALUE);
    if (coil >= N_COILS)
        return refuse(out, body[0], ILLEGAL_ADDRESS);
    write_coil(coil, value != 0, t_ns);
    return echo(out, body);
}

static size_t write_one_register(uint8_t *out, const uint8_t *body)
{
    if (get_2(body + 1) >= N_REGISTERS)
        return refuse(out, body[0], ILLEGAL_ADDRESS);
    registers[get_2(body + 1)] = (uint16_t)get_2(body + 3);
    return echo(out, body);
}

static size_t write_coils(uint8_t *out, const uint8_t *body, size_t n_body, int64_t t_ns)
{
    unsigned first = get_2(body + 1), n = get_2(body + 3);
    if (n == 0 || n > BITS_MAX || n_body != 6 + (size_t)body[5] || body[5] != (n + 7) / 8)
        return refuse(out, body[0], ILLEGAL_VALUE);
    if (first + n > N_COILS)
        return refuse(out, body[0], ILLEGAL_ADDRESS);
    for (unsigned i = 0; i < n; i++)
        write_coil(first + i, body[6 + i / 8] >> (i % 8) & 1, t_ns);
    return echo(out, body);
}

static size_t write_registers(uint8_t *out, const uint8_t *body, size_t n_body)
{
    unsigned first = get_2(body + 1), n = get_2(body + 3);
    if (n == 0 || n > REGISTERS_MAX || n_body != 6 + 2 * (size_t)n || body[5] != 2 * n)
        return refuse(out, body[0], ILLEGAL_VALUE);
    if (first + n > N_REGISTERS)
        return refuse(out, body[0], ILLEGAL_ADDRESS);
    for (unsigned i = 0; i < n; i++)
        registers[first + i] = (uint16_t)get_2(body + 6 + 2 * i);
    return echo(out, body);
}

static size_t serve(uint8_t *out, const uint8_t *body, size_t n_body, int64_t t_ns)
{
    size_t n_least = body[0] == 15 || body[0] == 16 ? 7 : 5;
    if (body[0] == 0 || body[0] == 7 || (body[0] > 6 && body[0] != 15 && body[0] != 16))
        return refuse(out, body[0], ILLEGAL_FUNCTION);
    if (n_body < n_least || (n_least == 5 && n_body != 5))
        return refuse(out, body[0], ILLEGAL_VALUE);
    switch (body[0]) {
    case 1:
    case 2:
        return read_bits(out, body);
    case 3:
    case 4:
        return read_registers(out, body);
    case 5:
        return write_one_coil(out, body, t_ns);
    case 6:
        return write_one_register(out, body);
    case 15:
        return write_coils(out, body, n_body, t_ns);
    default:
        return write_registers(out, body, n_body);
    }
}

static void answer_frame(const uint8_t *frame, size_t n_frame, int64_t t_ns)
{
    uint8_t *out = answers.bytes + answers.n;
    size_t n_body = serve(out + HEADER, frame + HEADER, n_frame - HEADER, t_ns);
    if (silent)
        return;
    memcpy(out, frame, HEADER);
    put_2(out + 4, (unsigned)n_body + 1);
    answers.n += HEADER + n_body;
}

static void flush_answers(int fd)
{
    if (answers.n > 0)
        send_all(fd, answers.bytes, answers.n);
    answers.n = 0;
}

/* Answers all whole frames at the front of the connection's bytes and returns how many bytes they were. */
static size_t answer_frames(connection_t *c, int64_t t_ns)
{
    size_t at = 0;
    while (c->n - at > HEADER) {
        size_t n_frame = 6 + get_2(c->bytes + at + 4);
        if (n_frame <= HEADER || n_frame > FRAME_MAX)
            give_up("a Modbus TCP frame was expected");
        if (c->n - at < n_frame)
            break;
        answer_frame(c->bytes + at, n_frame, t_ns);
        at += n_frame;
        if (answers.n > sizeof answers.bytes - FRAME_MAX)
            flush_answers(c->fd);
    }
    return at;
}

static void hang_up(connection_t *c)
{
    close(c->fd);
    *c = (connection_t){.fd = -1};
}

static void receive(connection_t *c)
{
    ssize_t n = recv(c->fd, c->bytes + c->n, sizeof c->bytes - c->n, 0);
    int64_t t_ns = now_ns();
    if (n <= 0) {
        hang_up(c);
        return;
    }
    c->n += (size_t)n;
    size_t n_done = answer_frames(c, t_ns);
    flush_answers(c->fd);
    c->n -= n_done;
    memmove(c->bytes, c->bytes + n_done, c->n);
}

static void watch(int epoll, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static connection_t *free_connection(void)
{
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        if (connections[i].fd < 0)
            return &connections[i];
    give_up("too many connections");
    return NULL;
}

static void welcome(int epoll, int listener)
{
    connection_t *c = free_connection();
    c->fd = accept(listener, NULL, NULL);
    if (c->fd < 0)
        die("accept");
    send_at_once(c->fd);
    watch(epoll, c->fd, c);
}

static void serve_for_ever(int listener)
{
    struct epoll_event events[CONNECTIONS_MAX];
    int epoll = epoll_create1(0);
    watch(epoll, listener, NULL);
    for (;;) {
        int n = epoll_wait(epoll, events, CONNECTIONS_MAX, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                receive(events[i].data.ptr);
            else
                welcome(epoll, listener);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: sink STAMPS_FD CAPACITY answers|falls-silent\n");
        return 2;
    }
    be_punctual();
    capacity = strtoull(argv[2], NULL, 10);
    falls_silent = strcmp(argv[3], "falls-silent") == 0;
    stamps = map_shared(atoi(argv[1]), sizeof *stamps + capacity * sizeof stamps->stamp[0]);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        connections[i].fd = -1;
    serve_for_ever(listen_somewhere());
    return 0;
}
