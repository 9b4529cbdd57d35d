/* The floor: the least that turns a scanner's read into a coil write, for the other programs to be measured against.
 *
 *   floor SCANNER_PORT NODE_PORT[,NODE_PORT] PLAN HOLD_MS
 *
 * One thread, one epoll: reads <STX>label<ETX>, looks the label up among the plan's lines "label node coil", writes
 * the coil on (Modbus function 5) and off again HOLD_MS later. A coil fired again meanwhile stays on from then.
 * Answers are read and dropped: no checks, no tracks, no records, no deadlines.
 */
#include "net.h"
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

enum {
    LABEL_MAX = 48,
    N_SLOTS = 1 << 18, /* for 100,000 labels */
    NODES_MAX = 2,
    COILS_MAX = 16,
    REQUEST = 12,
    HOLDS_MAX = 1 << 16,
};

typedef struct {
    char label[LABEL_MAX];
    uint8_t n; /* characters of the label; 0: a free slot */
    uint8_t node;
    uint8_t coil;
} entry_t;

typedef struct {
    int fd;
    uint16_t transaction;
    size_t n;
    uint8_t requests[64 * 1024];
} node_t;

typedef struct {
    int64_t off_ns;
    uint8_t node;
    uint8_t coil;
} hold_t;

static entry_t plan[N_SLOTS];
static node_t nodes[NODES_MAX];
static int n_nodes;
static int scanner;
static int timer;
static int64_t hold_ns;
static int64_t off_ns[NODES_MAX][COILS_MAX];
static hold_t holds[HOLDS_MAX]; /* first in, first out, since all hold equally long */
static unsigned first_hold, end_hold;

static entry_t *slot_of(const char *label, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint8_t)label[i]) * 0x100000001b3u;
    size_t at = (hash ^ hash >> 32) % N_SLOTS;
    while (plan[at].n && (plan[at].n != n || memcmp(plan[at].label, label, n) != 0))
        at = (at + 1) % N_SLOTS;
    return &plan[at];
}

static void load_plan(const char *path)
{
    char label[LABEL_MAX];
    unsigned node, coil;
    FILE *file = fopen(path, "r");
    if (!file)
        die(path);
    while (fscanf(file, "%47s %u %u", label, &node, &coil) == 3) {
        size_t n = strlen(label);
        entry_t *entry = slot_of(label, n);
        *entry = (entry_t){.n = (uint8_t)n, .node = (uint8_t)node, .coil = (uint8_t)coil};
        memcpy(entry->label, label, n);
    }
    fclose(file);
}

static void add_request(int node, int coil, bool on)
{
    node_t *to = &nodes[node];
    uint16_t id = ++to->transaction;
    uint8_t request[REQUEST] = {id >> 8, id & 0xFF, 0, 0, 0, 6, 1, 5, 0, (uint8_t)coil, on ? 0xFF : 0, 0};
    memcpy(to->requests + to->n, request, REQUEST);
    to->n += REQUEST;
}

static void flush_requests(void)
{
    for (int i = 0; i < n_nodes; i++) {
        if (nodes[i].n > 0)
            send_all(nodes[i].fd, nodes[i].requests, nodes[i].n);
        nodes[i].n = 0;
    }
}

static void arm_timer(int64_t t_ns)
{
    struct itimerspec at = {.it_value = to_timespec(t_ns)};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void hold(int node, int coil, int64_t t_ns)
{
    off_ns[node][coil] = t_ns + hold_ns;
    holds[end_hold++ % HOLDS_MAX] = (hold_t){t_ns + hold_ns, (uint8_t)node, (uint8_t)coil};
}

static void fire(const char *label, size_t n, int64_t t_ns)
{
    const entry_t *entry = slot_of(label, n);
    if (entry->n == 0)
        return;
    add_request(entry->node, entry->coil, true);
    hold(entry->node, entry->coil, t_ns);
}

static void take_reads(void)
{
    static char bytes[4096];
    static size_t n_bytes;
    bool was_idle = first_hold == end_hold;
    ssize_t n = recv(scanner, bytes + n_bytes, sizeof bytes - n_bytes, 0);
    int64_t t_ns = now_ns();
    if (n <= 0)
        exit(0);
    n_bytes += (size_t)n;
    char *from = bytes, *end = bytes + n_bytes, *etx;
    while ((etx = memchr(from, ETX, (size_t)(end - from)))) {
        if (*from == STX && etx > from + 1)
            fire(from + 1, (size_t)(etx - from - 1), t_ns);
        from = etx + 1;
    }
    flush_requests();
    n_bytes = (size_t)(end - from);
    memmove(bytes, from, n_bytes);
    if (was_idle && first_hold != end_hold)
        arm_timer(holds[first_hold % HOLDS_MAX].off_ns);
}

static void release(int64_t t_ns)
{
    while (first_hold != end_hold && holds[first_hold % HOLDS_MAX].off_ns <= t_ns) {
        const hold_t *due = &holds[first_hold++ % HOLDS_MAX];
        if (off_ns[due->node][due->coil] == due->off_ns)
            add_request(due->node, due->coil, false);
    }
    flush_requests();
}

static void take_timer(void)
{
    uint64_t n_expired;
    if (read(timer, &n_expired, sizeof n_expired) < 0)
        return;
    release(now_ns());
    if (first_hold != end_hold)
        arm_timer(holds[first_hold % HOLDS_MAX].off_ns);
}

static void drop_answers(int fd)
{
    static uint8_t bytes[64 * 1024];
    if (recv(fd, bytes, sizeof bytes, 0) <= 0)
        exit(0);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static void connect_nodes(char *ports, int epoll)
{
    for (char *port = strtok(ports, ","); port && n_nodes < NODES_MAX; port = strtok(NULL, ",")) {
        nodes[n_nodes].fd = connect_to(atoi(port));
        watch(epoll, nodes[n_nodes++].fd);
    }
}

static void run(int epoll)
{
    struct epoll_event events[8];
    for (;;) {
        int n = epoll_wait(epoll, events, 8, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == scanner)
                take_reads();
            else if (events[i].data.fd == timer)
                take_timer();
            else
                drop_answers(events[i].data.fd);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: floor SCANNER_PORT NODE_PORT[,NODE_PORT] PLAN HOLD_MS\n");
        return 2;
    }
    be_punctual();
    load_plan(argv[3]);
    hold_ns = atoll(argv[4]) * 1000000;
    int epoll = epoll_create1(0);
    connect_nodes(argv[2], epoll);
    timer = timerfd_create(CLOCK_MONOTONIC, 0);
    watch(epoll, timer);
    scanner = connect_to(atoi(argv[1]));
    watch(epoll, scanner);
    run(epoll);
    return 0;
}
