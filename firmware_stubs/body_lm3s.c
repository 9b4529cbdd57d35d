/* The node on a Cortex-M3, the Stellaris LM3S6965 evaluation board: Modbus on UART 0, the simulated world on UART 1.
 *
 * Nothing but this file and `lm3s.ld` knows the board. Ticks come from SysTick's counter, which runs freely; a
 * one-shot timer only wakes the processor. Frames end by their length, since QEMU's lines do not keep time.
 */
#include "wire.h"
#include "world.h"

enum {
    CLOCK_HALF_TICKS = 25, /* 12.5 MHz after reset: half processor cycles in a tick */
    SYSTICK_MASK = 0xFFFFFF,
    REST_TICKS_MAX = 2000,
    DISCARD_TICKS = 50000,
    RX_MAX = 256,
    IRQ_UART0 = 5,
    IRQ_UART1 = 6,
    IRQ_TIMER0 = 19,
    UART_RXFE = 1 << 4,
    UART_RX = 0x50, /* bytes have come, or came a while ago */
    UART_TXFF = 1 << 5,
};

typedef volatile uint32_t reg;

#define REG(address) (*(reg *)(address))
#define UART_AT(n) (0x4000C000u + 0x1000u * (n))
#define UART_DR(n) REG(UART_AT(n))
#define UART_FR(n) REG(UART_AT(n) + 0x18)
#define UART_IBRD(n) REG(UART_AT(n) + 0x24)
#define UART_FBRD(n) REG(UART_AT(n) + 0x28)
#define UART_LCRH(n) REG(UART_AT(n) + 0x2C)
#define UART_CTL(n) REG(UART_AT(n) + 0x30)
#define UART_IM(n) REG(UART_AT(n) + 0x38)
#define TIMER_CFG REG(0x40030000u)
#define TIMER_TAMR REG(0x40030004u)
#define TIMER_CTL REG(0x4003000Cu)
#define TIMER_IMR REG(0x40030018u)
#define TIMER_ICR REG(0x40030024u)
#define TIMER_TAILR REG(0x40030028u)
#define RCGC1 REG(0x400FE104u)
#define RCGC2 REG(0x400FE108u)
#define SYSTICK_CTRL REG(0xE000E010u)
#define SYSTICK_LOAD REG(0xE000E014u)
#define SYSTICK_VALUE REG(0xE000E018u)
#define NVIC_ENABLE REG(0xE000E100u)

struct received {
    volatile uint16_t at_end; /* the interrupt writes here, */
    volatile uint16_t at; /* the loop reads there */
    volatile uint8_t bytes[RX_MAX];
};

static struct node node;
static struct world world;
static struct received received[2];

/* Kept over a reset; a launcher or a battery may set it, so that each boot has an id of its own. */
#define BOOT_WORD REG(0x2000FFFCu)

/* What a compiler may call without a library */

void *memset(void *to, int value, size_t n)
{
    for (uint8_t *at = to; n > 0; n--)
        *at++ = (uint8_t)value;
    return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
    const uint8_t *source = from;
    for (uint8_t *at = to; n > 0; n--)
        *at++ = *source++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *at = to;
    const uint8_t *source = from;
    if (at <= source)
        return memcpy(to, from, n);
    while (n-- > 0)
        at[n] = source[n];
    return to;
}

size_t strlen(const char *text)
{
    size_t n = 0;
    while (text[n] != '\0')
        n++;
    return n;
}

/* Clock */

static uint32_t now_ticks(void)
{
    static uint32_t last_value, ticks, half_cycles;
    uint32_t value = SYSTICK_VALUE;
    half_cycles += 2 * ((last_value - value) & SYSTICK_MASK);
    last_value = value;
    ticks += half_cycles / CLOCK_HALF_TICKS;
    half_cycles %= CLOCK_HALF_TICKS;
    return ticks;
}

static void start_clock(void)
{
    SYSTICK_LOAD = SYSTICK_MASK;
    SYSTICK_VALUE = 0;
    SYSTICK_CTRL = 5; /* on, by the processor's clock, without interrupts */
    now_ticks();
}

static void wake_after(uint32_t ticks)
{
    TIMER_CTL = 0;
    TIMER_CFG = 0;
    TIMER_TAMR = 1; /* one shot */
    TIMER_TAILR = ticks * CLOCK_HALF_TICKS / 2;
    TIMER_IMR = 1;
    TIMER_CTL = 1;
}

void on_timer(void)
{
    TIMER_ICR = 1;
}

/* Lines */

static void start_uart(unsigned n)
{
    UART_CTL(n) = 0;
    UART_IBRD(n) = 6; /* 115,200 Bd at 12.5 MHz */
    UART_FBRD(n) = 50;
    UART_LCRH(n) = 0x70; /* 8 bits, with its queue */
    UART_IM(n) = UART_RX;
    UART_CTL(n) = 0x301;
}

static bool is_full(const struct received *queue)
{
    return (uint16_t)(queue->at_end - queue->at) == RX_MAX;
}

/* The interrupt comes when the port's queue is filled so far, so all of it is taken; what has no room waits there,
   and the interrupt with it. */
static void take_bytes(unsigned n)
{
    struct received *to = &received[n];
    while (!(UART_FR(n) & UART_RXFE) && !is_full(to)) {
        uint16_t end = to->at_end;
        to->bytes[end % RX_MAX] = (uint8_t)UART_DR(n);
        to->at_end = (uint16_t)(end + 1);
    }
    if (is_full(to))
        UART_IM(n) = 0;
}

void on_uart0(void)
{
    take_bytes(0);
}

void on_uart1(void)
{
    take_bytes(1);
}

static size_t read_line(unsigned n, uint8_t *in, size_t n_max)
{
    struct received *from = &received[n];
    size_t n_in = 0;
    while (n_in < n_max && from->at != from->at_end)
        in[n_in++] = from->bytes[from->at++ % RX_MAX];
    UART_IM(n) = UART_RX;
    return n_in;
}

static void write_line(unsigned n, const void *out, size_t n_out)
{
    for (const uint8_t *at = out; n_out > 0; n_out--) {
        while (UART_FR(n) & UART_TXFF) {
        }
        UART_DR(n) = *at++;
    }
}

/* The node */

static void boot(uint32_t ticks)
{
    uint16_t eyes = node.eye_lines;
    node_init(&node, MODBUS_RTU_LENGTH, DISCARD_TICKS, ++BOOT_WORD, ticks);
    node_eyes(&node, ticks, eyes);
}

static void hear_world(uint32_t ticks)
{
    uint8_t in[64];
    world_receive(&world, ticks, in, read_line(1, in, sizeof in));
    if (world.wants_boot) {
        boot(ticks);
        world_booted(&world, ticks);
    }
}

static void answer_all(uint32_t ticks)
{
    uint8_t in[MODBUS_RTU_MAX], out[MODBUS_FRAME_MAX];
    size_t n_out;
    do {
        size_t n = read_line(0, in, modbus_room(&node.modbus));
        n_out = node_step(&node, ticks, in, n, out);
        write_line(0, out, n_out);
    } while (n_out > 0);
}

static void tell_world(void)
{
    world_tell_outputs(&world);
    write_line(1, world.said, world.n_said);
    world.n_said = 0;
}

/* With interrupts masked, one that is pending still ends the sleep, so none is missed between look and sleep. */
static void sleep_if_idle(void)
{
    uint32_t ticks = world_rest_ticks(&world, now_ticks(), REST_TICKS_MAX);
    __asm volatile("cpsid i");
    if (ticks > 0 && received[0].at == received[0].at_end && received[1].at == received[1].at_end) {
        wake_after(ticks);
        __asm volatile("wfi");
    }
    __asm volatile("cpsie i");
}

int main(void)
{
    RCGC1 |= 1u << 16 | 3u; /* timer 0 and both UARTs */
    RCGC2 |= 1u << 0 | 1u << 3; /* the ports of their pins */
    start_clock();
    boot(now_ticks());
    world_init(&world, &node, now_ticks());
    start_uart(0);
    start_uart(1);
    NVIC_ENABLE = 1u << IRQ_UART0 | 1u << IRQ_UART1 | 1u << IRQ_TIMER0;
    for (;;) {
        uint32_t ticks = now_ticks();
        hear_world(ticks);
        answer_all(ticks);
        tell_world();
        sleep_if_idle();
    }
}

/* Start-up: nothing is initialised but zeroed, so that the image is all in flash. */

extern uint32_t bss_start, bss_end, stack_top;

void on_reset(void)
{
    // cppcheck-suppress comparePointers ; the linker puts both ends around one stretch
    for (uint32_t *at = &bss_start; at < &bss_end; at++)
        *at = 0;
    main();
}

void on_fault(void)
{
    for (;;) {
    }
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[16 + IRQ_TIMER0 + 1] = {
    (vector)&stack_top, on_reset, on_fault, on_fault, on_fault, on_fault, on_fault,
    [16 + IRQ_UART0] = on_uart0, [16 + IRQ_UART1] = on_uart1, [16 + IRQ_TIMER0] = on_timer,
};
