/* The node as a process: Modbus on one line, the simulated world on another.
 *
 *   node_host MODBUS [WORLD] [rtu|silence] [boot=ID]
 *
 * A line is tcp:PORT (0: any), unix:PATH or pty. Where it can be reached is printed when it is ready. A new
 * connection takes the place of the old one, whose host may be gone without a word. On a pty frames are RTU; on
 * TCP and Unix sockets they are Modbus TCP unless `rtu` is said, which ends frames by their length. `silence`
 * ends them by 3.5 characters of silence, as a serial line does.
 */
#define _GNU_SOURCE
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    REST_TICKS_MAX = 2000,
    SILENCE_TICKS = 1750, /* 3.5 characters above 19,200 Bd */
    DISCARD_TICKS = 50000, /* of a frame that does not end: far longer than a scheduler lets bytes wait */
};

struct line {
    int listener; /* -1: a pty, or none */
    int fd; /* -1: nobody is there */
};

static struct node node;
static struct world world;
static struct line modbus = {-1, -1}, side = {-1, -1};
static enum framing framing = MODBUS_TCP;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint32_t now_ticks(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

/* Lines */

static void listen_tcp(struct line *line, const char *name, const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    socklen_t n = sizeof at;
    int yes = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    line->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(line->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(line->listener, (struct sockaddr *)&at, n) != 0 || listen(line->listener, 4) != 0)
        die(name);
    getsockname(line->listener, (struct sockaddr *)&at, &n);
    printf("%s tcp:%d\n", name, ntohs(at.sin_port));
}

static void listen_unix(struct line *line, const char *name, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at.sun_path)
        errno = ENAMETOOLONG, die(path);
    strcpy(at.sun_path, path);
    unlink(path);
    line->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(line->listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(line->listener, 4) != 0)
        die(path);
    printf("%s unix:%s\n", name, path);
}

/* Its other end stays open here too, so that it never hangs up. */
static void open_pty(struct line *line, const char *name)
{
    struct termios raw;
    line->fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (line->fd < 0 || grantpt(line->fd) != 0 || unlockpt(line->fd) != 0)
        die(name);
    int other = open(ptsname(line->fd), O_RDWR | O_NOCTTY);
    if (other < 0 || tcgetattr(other, &raw) != 0)
        die(name);
    cfmakeraw(&raw);
    tcsetattr(other, TCSANOW, &raw);
    printf("%s pty:%s\n", name, ptsname(line->fd));
}

static void open_line(struct line *line, const char *name, const char *address)
{
    if (strncmp(address, "tcp:", 4) == 0)
        listen_tcp(line, name, address + 4);
    else if (strncmp(address, "unix:", 5) == 0)
        listen_unix(line, name, address + 5);
    else if (strcmp(address, "pty") == 0)
        open_pty(line, name);
    else
        errno = EINVAL, die(address);
}

static void hang_up(struct line *line)
{
    if (line->fd >= 0 && line->listener >= 0) {
        close(line->fd);
        line->fd = -1;
    }
}

static void take_call(struct line *line)
{
    int yes = 1;
    int fd = accept4(line->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    hang_up(line);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    line->fd = fd;
}

/* Bytes read; 0: none, now or any more. */
static size_t read_line(struct line *line, uint8_t *in, size_t n_max)
{
    ssize_t n = line->fd < 0 || n_max == 0 ? -1 : read(line->fd, in, n_max);
    bool is_gone = n == 0 || (n < 0 && line->fd >= 0 && n_max > 0 && errno != EAGAIN && errno != EINTR);
    if (is_gone)
        hang_up(line);
    return n > 0 ? (size_t)n : 0;
}

/* A peer that takes no bytes is given up, since half an answer would be worse than none. */
static void write_line(struct line *line, const void *out, size_t n)
{
    if (line->fd < 0 || n == 0)
        return;
    ssize_t n_sent = line->listener < 0 ? write(line->fd, out, n) : send(line->fd, out, n, MSG_NOSIGNAL);
    if (n_sent != (ssize_t)n)
        hang_up(line);
}

/* The node */

static void tell_world(void)
{
    world_tell_outputs(&world);
    write_line(&side, world.said, world.n_said);
    world.n_said = 0;
}

static void boot(uint32_t boot_id, uint32_t ticks)
{
    uint32_t quiet_ticks = framing == MODBUS_RTU_SILENCE ? SILENCE_TICKS : DISCARD_TICKS;
    uint16_t eyes = node.eye_lines;
    hang_up(&modbus);
    node_init(&node, framing, quiet_ticks, boot_id, ticks);
    node_eyes(&node, ticks, eyes);
}

static void answer_all(uint32_t ticks)
{
    uint8_t in[MODBUS_FRAME_MAX], out[MODBUS_FRAME_MAX];
    size_t n_out;
    do {
        size_t n = read_line(&modbus, in, modbus_room(&node.modbus));
        n_out = node_step(&node, ticks, in, n, out);
        write_line(&modbus, out, n_out);
    } while (n_out > 0);
    if (node.modbus.is_broken || modbus.fd < 0) {
        hang_up(&modbus);
        modbus_reset(&node.modbus);
    }
}

static void hear_world(uint32_t ticks)
{
    uint8_t in[256];
    size_t n = read_line(&side, in, sizeof in);
    world_receive(&world, ticks, in, n);
    if (world.wants_boot) {
        boot(node.boot_id + 1, ticks);
        world_booted(&world, ticks);
    }
}

static void wait_for_something(void)
{
    uint32_t ticks = world_rest_ticks(&world, now_ticks(), REST_TICKS_MAX);
    bool is_within = node.modbus.framing == MODBUS_RTU_SILENCE && node.modbus.n_in > node.modbus.n_frame;
    struct timespec rest = {0, 1000L * (is_within && ticks > SILENCE_TICKS ? SILENCE_TICKS : (long)ticks)};
    struct pollfd lines[] = {
        {modbus.listener, POLLIN, 0}, {modbus.fd, POLLIN, 0}, {side.listener, POLLIN, 0}, {side.fd, POLLIN, 0},
    };
    ppoll(lines, 4, &rest, NULL);
    if (lines[0].revents) {
        take_call(&modbus);
        modbus_reset(&node.modbus);
    }
    if (lines[2].revents)
        take_call(&side);
}

static uint32_t new_boot_id(void)
{
    uint32_t id = 0;
    if (getrandom(&id, sizeof id, 0) != sizeof id)
        die("getrandom");
    return id;
}

int main(int n, char **words)
{
    uint32_t boot_id = new_boot_id();
    if (n < 2)
        errno = EINVAL, die("node_host MODBUS [WORLD] [rtu|silence] [boot=ID]");
    framing = strcmp(words[1], "pty") == 0 ? MODBUS_RTU_LENGTH : MODBUS_TCP;
    open_line(&modbus, "modbus", words[1]);
    for (int i = 2; i < n; i++) {
        if (strcmp(words[i], "rtu") == 0)
            framing = MODBUS_RTU_LENGTH;
        else if (strcmp(words[i], "silence") == 0)
            framing = MODBUS_RTU_SILENCE;
        else if (strncmp(words[i], "boot=", 5) == 0)
            boot_id = (uint32_t)strtoul(words[i] + 5, NULL, 0);
        else
            open_line(&side, "world", words[i]);
    }
    fflush(stdout);
    boot(boot_id, now_ticks());
    world_init(&world, &node, now_ticks());
    for (;;) {
        uint32_t ticks = now_ticks();
        hear_world(ticks);
        answer_all(ticks);
        tell_world();
        wait_for_something();
    }
}
