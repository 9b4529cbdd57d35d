/* What the three C programs of the latency benchmark share: the clock, loopback sockets, and giving up. */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STX = 0x02, ETX = 0x03 };

static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline void give_up(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline struct timespec to_timespec(int64_t t_ns)
{
    return (struct timespec){.tv_sec = t_ns / 1000000000, .tv_nsec = t_ns % 1000000000};
}

/* The default slack of 50 us would be added to every sleep and every timer. */
static inline void be_punctual(void)
{
    if (prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL) < 0)
        die("prctl");
}

static inline void send_at_once(int fd)
{
    int one = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
        die("setsockopt");
}

static inline struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Listens on a free port and tells it on standard output, as "port N". */
static inline int listen_somewhere(void)
{
    struct sockaddr_in at = loopback(0);
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) < 0 || listen(fd, 128) < 0)
        die("listen");
    getsockname(fd, (struct sockaddr *)&at, &n);
    printf("port %d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static inline int connect_to(int port)
{
    struct sockaddr_in at = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
        die("connect");
    send_at_once(fd);
    return fd;
}

static inline void send_all(int fd, const void *data, size_t n)
{
    const char *from = data;
    while (n > 0) {
        ssize_t sent = send(fd, from, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            die("send");
        if (sent > 0) {
            from += sent;
            n -= (size_t)sent;
        }
    }
}

/* Memory that the harness reads while we write it, every page present before the first stamp. */
static inline void *map_shared(int fd, size_t n_bytes)
{
    void *memory = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED)
        die("mmap");
    return memory;
}

static inline void publish(uint64_t *n, uint64_t value)
{
    __atomic_store_n(n, value, __ATOMIC_RELEASE);
}

#endif
