/* Which addresses are public, one inside and the neighbours of every range that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "net/address.h"

static bool is_public(const char *text) {
    struct sockaddr_storage at;
    memset(&at, 0, sizeof at);
    struct sockaddr_in *in = (struct sockaddr_in *)&at;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&at;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        in->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
        in6->sin6_family = AF_INET6;
    else
        fail_msg("%s is no address", text);
    return sl_address_is_public((struct sockaddr *)&at);
}

static void private_addresses_are_told(void **state) {
    (void)state;
    static const char *const closed[] = {"0.0.0.0",
                                         "0.255.255.255",
                                         "10.0.0.0",
                                         "10.255.255.255",
                                         "100.64.0.0",
                                         "100.127.255.255",
                                         "127.0.0.1",
                                         "127.255.255.255",
                                         "169.254.169.254",
                                         "172.16.0.0",
                                         "172.31.255.255",
                                         "192.0.0.1",
                                         "192.0.2.1",
                                         "192.168.0.0",
                                         "192.168.255.255",
                                         "198.18.0.0",
                                         "198.19.255.255",
                                         "203.0.113.5",
                                         "224.0.0.1",
                                         "239.255.255.255",
                                         "240.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "fc00::1",
                                         "fd12::1",
                                         "fe80::1",
                                         "ff02::1",
                                         "2001:db8::1",
                                         "::ffff:127.0.0.1",
                                         "::ffff:10.1.1.1",
                                         "64:ff9b::10.0.0.1",
                                         "2002:0a00:0001::1",
                                         "2001:0:1::1",
                                         "::127.0.0.1",
                                         "5f00::1"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        if (is_public(closed[i])) fail_msg("%s counts as public", closed[i]);
}

static void public_addresses_are_left_alone(void **state) {
    (void)state;
    static const char *const open[] = {
        "1.1.1.1",         "9.255.255.255",    "11.0.0.0",         "100.63.255.255",
        "100.128.0.0",     "126.255.255.255",  "128.0.0.0",        "169.253.255.255",
        "169.255.0.0",     "172.15.255.255",   "172.32.0.0",       "192.0.1.0",
        "192.167.255.255", "192.169.0.0",      "198.17.255.255",   "198.20.0.0",
        "223.255.255.255", "2606:4700::1111",  "2a00:1450::1",     "2001:4860::8888",
        "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8", "2002:0808:0808::1"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (!is_public(open[i])) fail_msg("%s counts as private", open[i]);
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(sl_address_is_public(&local));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(private_addresses_are_told),
                                       cmocka_unit_test(public_addresses_are_left_alone)};
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
