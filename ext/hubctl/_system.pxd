"""The calls of Linux that the reactor makes."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from *:
    """
    #include <errno.h>
    #include <sched.h>
    #include <stdint.h>
    #include <sys/epoll.h>
    #include <sys/eventfd.h>
    #include <sys/prctl.h>
    #include <sys/syscall.h>
    #include <sys/timerfd.h>
    #include <time.h>
    #include <unistd.h>

    static inline int64_t hub_now_ns(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }
    static inline int hub_watch(int epoll_fd, int fd, uint32_t events, uint32_t tag) {
        struct epoll_event event = {.events = events, .data.u64 = tag};
        return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
    static inline int hub_unwatch(int epoll_fd, int fd) {
        return epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    }
    static inline int hub_arm(int timer_fd, int64_t at_ns) {
        struct itimerspec at = {.it_value = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000}};
        return timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
    }
    static inline int hub_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }
    static inline int hub_timer(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); }
    static inline int hub_bell(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
    static inline ssize_t hub_ring_bell(int fd) { uint64_t one = 1; return write(fd, &one, sizeof one); }
    static inline int hub_is_transient(void) { return errno == EAGAIN || errno == EINTR; }
    static inline void hub_no_slack(void) { prctl(PR_SET_TIMERSLACK, 1UL); }
    struct hub_sched_attr { /* as sched_setattr(2) first had it */
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t slice_ns, deadline_ns, period_ns;
    };
    /* Who asks for short slices interrupts others as soon as it wakes, while it has had less than its share (Linux 6.12;
       older ones do not mind). With the default it may wait until their slice ends: some milliseconds. */
    static inline void hub_short_slice(void) {
        struct hub_sched_attr at;
        if (syscall(SYS_sched_getattr, 0, &at, sizeof at, 0) == 0 && at.policy == SCHED_OTHER) {
            at.slice_ns = 100000; /* the least there is */
            syscall(SYS_sched_setattr, 0, &at, 0);
        }
    }
    """
    struct epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    enum:
        EPOLLIN
        EPOLLET
        EPOLLRDHUP
    int64_t hub_now_ns() noexcept nogil
    int hub_watch(int epoll_fd, int fd, uint32_t events, uint32_t tag) noexcept nogil
    int hub_unwatch(int epoll_fd, int fd) noexcept nogil
    int hub_arm(int timer_fd, int64_t at_ns) noexcept nogil
    int hub_epoll() noexcept nogil
    int hub_timer() noexcept nogil
    int hub_bell() noexcept nogil
    ssize_t hub_ring_bell(int fd) noexcept nogil
    bint hub_is_transient() noexcept nogil
    void hub_no_slack() noexcept nogil
    void hub_short_slice() noexcept nogil
    int epoll_wait(int epoll_fd, epoll_event* events, int n_max, int timeout_ms) noexcept nogil
    int close(int fd) noexcept nogil
    ssize_t read(int fd, void* to, size_t n) noexcept nogil
    ssize_t write(int fd, const void* at, size_t n) noexcept nogil
