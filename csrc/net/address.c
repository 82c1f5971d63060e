#include "net/address.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

typedef struct range {
    uint32_t base;
    int bits;
} range;

/* RFC 6890 and its successors. */
static bool public_v4(uint32_t address) {
    static const range closed[] = {
        {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
        {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16},
        {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 3}};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        if ((address ^ closed[i].base) >> (32 - closed[i].bits) == 0) return false;
    return true;
}

static uint32_t read_v4(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool public_v6(const uint8_t *bytes) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, nat64, 12) == 0)
        return public_v4(read_v4(bytes + 12));
    if (bytes[0] == 0x20 && bytes[1] == 0x02) return public_v4(read_v4(bytes + 2)); /* 6to4 */
    /* 2001::/32 hides an address, 2001:db8::/32 is for documents. */
    if (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0 && bytes[3] == 0) return false;
    if (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0d && bytes[3] == 0xb8) return false;
    return bytes[0] >> 5 == 1; /* 2000::/3 is all that has been given out */
}

bool sl_address_is_public(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return public_v4(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family != AF_INET6) return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, address, sizeof in6);
    return public_v6(in6.sin6_addr.s6_addr);
}
