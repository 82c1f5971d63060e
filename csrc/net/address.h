/* address.h - which addresses lead to the public internet. */
#ifndef SL_NET_ADDRESS_H
#define SL_NET_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* False for addresses that only this machine, its neighbours or nobody can mean: loopback, private,
 * link-local, shared (RFC 6598), reserved, documentation, multicast, unspecified, and IPv6 forms
 * that carry such an IPv4 address; and for families other than IPv4 and IPv6. */
bool sl_address_is_public(const struct sockaddr *address);

#endif
