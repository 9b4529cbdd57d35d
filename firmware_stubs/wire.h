/* Numbers as they travel, two bytes, the high one first; how they are compared; the checksum of a serial Modbus frame. */
#ifndef HUB_WIRE_H
#define HUB_WIRE_H

#include <stddef.h>
#include <stdint.h>

static inline uint16_t get_2(const uint8_t *at)
{
    return (uint16_t)((unsigned)at[0] << 8 | at[1]);
}

static inline uint32_t get_4(const uint8_t *at)
{
    return (uint32_t)get_2(at) << 16 | get_2(at + 2);
}

static inline void put_2(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* How far `a` is ahead of `b` on a circle of 2**32: the one comparison of counts, ticks and sequence numbers. */
static inline int32_t ahead(uint32_t a, uint32_t b)
{
    uint32_t difference = a - b;
    return difference <= 0x7FFFFFFFu ? (int32_t)difference : -(int32_t)(~difference) - 1;
}

/* Of words of two registers: the high one is at 0. */
static inline uint16_t half(uint32_t value, unsigned at)
{
    return (uint16_t)(at == 0 ? value >> 16 : value);
}

/* A freestanding compiler has no header for these, but wants them; a body without a library brings its own. */
void *memset(void *to, int value, size_t n);
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
size_t strlen(const char *text);

uint16_t crc16(const uint8_t *data, size_t n);

#endif
