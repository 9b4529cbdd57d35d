/* The scanner head as a process: its telegrams on one line, what it sees on standard input.
 *
 *   scanner_host PORT RESULT_MS [HEARTBEAT_MS]
 *
 * `l LABELS` on standard input is what the next parcel shows (nothing behind it: none), `t 1` and `t 0` open and
 * close the gate, `q` says what was lost. It ends when standard input does. The port is printed when it is ready.
 */
#define _GNU_SOURCE
#include "scanner.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REST_MS = 1, LINE_MAX = 64 };

static struct head head;

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

static int listen_at(const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    socklen_t n = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&at, n) != 0 || listen(listener, 1) != 0)
        die(port);
    getsockname(listener, (struct sockaddr *)&at, &n);
    printf("scanner tcp:%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return listener;
}

static void follow(char *line)
{
    line[strcspn(line, "\n")] = '\0';
    bool is_good = true;
    if (line[0] == 'l')
        is_good = head_queue(&head, line[1] == ' ' ? line + 2 : "");
    else if (strcmp(line, "t 1") == 0 || strcmp(line, "t 0") == 0)
        head_trigger(&head, now_ticks(), line[2] == '1');
    else
        is_good = strcmp(line, "q") == 0;
    printf("%s %u\n", is_good ? "ok" : "x", head.n_lost);
    fflush(stdout);
}

/* Lines as they come; false at their end. */
static bool read_lines(void)
{
    static char lines[4 * LINE_MAX];
    static size_t n;
    ssize_t n_in = read(STDIN_FILENO, lines + n, sizeof lines - 1 - n);
    if (n_in <= 0)
        return false;
    n += (size_t)n_in;
    lines[n] = '\0';
    for (char *end; (end = strchr(lines, '\n')) != NULL;) {
        size_t n_line = (size_t)(end + 1 - lines);
        *end = '\0';
        follow(lines);
        memmove(lines, lines + n_line, n - n_line + 1);
        n -= n_line;
    }
    return n < sizeof lines - 1;
}

static int exchange(int fd, bool is_readable)
{
    uint8_t in[256], out[HEAD_OUT_MAX];
    ssize_t n = is_readable ? recv(fd, in, sizeof in, MSG_DONTWAIT) : 0;
    size_t n_out = head_step(&head, now_ticks(), in, n > 0 ? (size_t)n : 0, out);
    bool is_gone = is_readable && n <= 0;
    if (n_out > 0 && fd >= 0 && send(fd, out, n_out, MSG_NOSIGNAL) < 0)
        is_gone = true;
    if (is_gone)
        close(fd);
    return is_gone ? -1 : fd;
}

int main(int n, char **words)
{
    int fd = -1;
    if (n < 3)
        die("scanner_host PORT RESULT_MS [HEARTBEAT_MS]");
    int listener = listen_at(words[1]);
    uint32_t heartbeat_ms = n > 3 ? (uint32_t)atoi(words[3]) : 0;
    head_init(&head, (uint32_t)atoi(words[2]) * 1000, heartbeat_ms * 1000, now_ticks());
    for (;;) {
        struct pollfd lines[] = {{STDIN_FILENO, POLLIN, 0}, {listener, POLLIN, 0}, {fd, POLLIN, 0}};
        poll(lines, 3, REST_MS);
        if (lines[0].revents && !read_lines())
            return 0;
        if (lines[1].revents) {
            close(fd);
            fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            lines[2].revents = 0;
        }
        fd = exchange(fd, fd >= 0 && lines[2].revents);
    }
}
