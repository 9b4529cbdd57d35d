/* The load source: a scanner that sends labels to an absolute schedule and stamps each before it is written.
 *
 *   source LABELS STAMPS_FD CAPACITY
 *
 * LABELS is a file of one label a line, sent in that order, over and over. STAMPS_FD is shared memory: the number
 * of stamps (8 bytes), then CAPACITY stamps of 8 bytes, CLOCK_MONOTONIC in ns. Says "port N", then "connected" once
 * somebody is; then each line "N INTERVAL_NS" on standard input sends N reads and is answered by "done".
 */
#include "net.h"

enum { LABEL_MAX = 64 };

typedef struct {
    char bytes[LABEL_MAX];
    size_t n;
} frame_t;

typedef struct {
    uint64_t n;
    int64_t t_ns[];
} stamps_t;

static frame_t *frames;
static size_t n_frames;
static stamps_t *stamps;
static uint64_t capacity;

static void add_frame(const char *line)
{
    size_t n = strcspn(line, "\n");
    if (n == 0 || n > LABEL_MAX - 2)
        give_up("a label of 1 to 62 characters was expected");
    frames = realloc(frames, (n_frames + 1) * sizeof *frames);
    if (!frames)
        die("realloc");
    frame_t *frame = &frames[n_frames++];
    frame->bytes[0] = STX;
    memcpy(frame->bytes + 1, line, n);
    frame->bytes[n + 1] = ETX;
    frame->n = n + 2;
}

static void load_frames(const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");
    if (!file)
        die(path);
    while (fgets(line, sizeof line, file))
        add_frame(line);
    fclose(file);
    if (n_frames == 0)
        give_up("no labels");
}

static void send_one(int fd)
{
    uint64_t i = stamps->n;
    if (i >= capacity)
        give_up("more reads than stamps");
    const frame_t *frame = &frames[i % n_frames];
    stamps->t_ns[i] = now_ns();
    send_all(fd, frame->bytes, frame->n);
    publish(&stamps->n, i + 1);
}

static void send_schedule(int fd, long n, int64_t interval_ns)
{
    int64_t due_ns = now_ns();
    for (long i = 0; i < n; i++) {
        struct timespec due = to_timespec(due_ns);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        send_one(fd);
        due_ns += interval_ns;
    }
}

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static void obey(int fd)
{
    long n;
    long long interval_ns;
    while (scanf("%ld %lld", &n, &interval_ns) == 2) {
        send_schedule(fd, n, interval_ns);
        say("done");
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: source LABELS STAMPS_FD CAPACITY\n");
        return 2;
    }
    be_punctual();
    load_frames(argv[1]);
    capacity = strtoull(argv[3], NULL, 10);
    stamps = map_shared(atoi(argv[2]), sizeof *stamps + capacity * sizeof stamps->t_ns[0]);
    int listener = listen_somewhere();
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        die("accept");
    send_at_once(fd);
    say("connected");
    obey(fd);
    return 0;
}
