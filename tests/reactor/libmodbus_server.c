/* A Modbus server by libmodbus: 64 of everything, input and holding registers hold their number times 3. Without an
 * argument it listens on a TCP port of the system's choice and tells it; with a device it serves RTU there as unit 1. */

#include <modbus/modbus.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { N_THINGS = 64 };

static modbus_mapping_t *make_things(void)
{
    modbus_mapping_t *things = modbus_mapping_new(N_THINGS, N_THINGS, N_THINGS, N_THINGS);
    for (int i = 0; things && i < N_THINGS; i++) {
        things->tab_registers[i] = (uint16_t)(3 * i);
        things->tab_input_registers[i] = (uint16_t)(3 * i);
    }
    return things;
}

static void tell(int port)
{
    printf("%d\n", port);
    fflush(stdout);
}

static int port_of(int listener)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    return getsockname(listener, (struct sockaddr *)&at, &size) ? -1 : ntohs(at.sin_port);
}

/* Answers until the peer goes; libmodbus sleeps half a second over a malformed request. */
static void serve(modbus_t *context, modbus_mapping_t *things)
{
    uint8_t question[MODBUS_TCP_MAX_ADU_LENGTH];
    for (;;) {
        int n = modbus_receive(context, question);
        if (n < 0)
            return;
        if (n > 0)
            modbus_reply(context, question, n, things);
    }
}

static int serve_line(const char *device, modbus_mapping_t *things)
{
    modbus_t *context = modbus_new_rtu(device, 115200, 'N', 8, 1);
    if (!context || modbus_set_slave(context, 1) || modbus_connect(context))
        return 1;
    tell(0);
    for (;;)
        serve(context, things);
}

static int serve_tcp(modbus_mapping_t *things)
{
    modbus_t *context = modbus_new_tcp("127.0.0.1", 0);
    int listener = context ? modbus_tcp_listen(context, 4) : -1;
    if (listener < 0)
        return 1;
    tell(port_of(listener));
    for (;;) {
        if (modbus_tcp_accept(context, &listener) >= 0)
            serve(context, things);
        modbus_close(context);
    }
}

int main(int n_words, char **words)
{
    modbus_mapping_t *things = make_things();
    if (!things)
        return 1;
    return n_words > 1 ? serve_line(words[1], things) : serve_tcp(things);
}
