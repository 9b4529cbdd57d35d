/* A client by libmodbus, as one writes it: reads 16 holding registers of each of N connections in turn.
 *
 *   libmodbus_client PORT N SECONDS
 *
 * Prints how many answers came and the seconds it took.
 */
#include <errno.h>
#include <modbus/modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N_REGISTERS = 16, N_MAX = 256 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static modbus_t *connected(int port)
{
    modbus_t *client = modbus_new_tcp("127.0.0.1", port);
    if (!client || modbus_set_slave(client, 1) || modbus_connect(client)) {
        fprintf(stderr, "no connection: %s\n", modbus_strerror(errno));
        exit(1);
    }
    return client;
}

int main(int n_words, char **words)
{
    static modbus_t *clients[N_MAX];
    uint16_t registers[N_REGISTERS];
    int n = n_words == 4 ? atoi(words[2]) : 0;
    long n_answers = 0;
    if (n < 1 || n > N_MAX)
        return 2;
    for (int i = 0; i < n; i++)
        clients[i] = connected(atoi(words[1]));
    double start_s = now_s(), end_s = start_s + atof(words[3]);
    while (now_s() < end_s)
        for (int i = 0; i < n; i++)
            n_answers += modbus_read_registers(clients[i], 0, N_REGISTERS, registers) == N_REGISTERS;
    printf("%ld %.6f\n", n_answers, now_s() - start_s);
    return 0;
}
