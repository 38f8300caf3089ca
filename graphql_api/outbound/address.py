"""Which addresses a stranger may have this system call: those that all of the internet can reach."""

import ipaddress
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# Forms of IPv6 whose last 32 bits are an IPv4 address: mapped, compatible, translated, NAT64.
_ENDS_IN_IPV4 = tuple(
    map(IPv6Network, ("::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"))
)
# Globally routable to some versions of Python, and no server's all the same: 6to4 and its relays, Teredo,
# local NAT64, site-local addresses, documentation.
_NOBODYS = tuple(
    map(
        ipaddress.ip_network,
        ("192.88.99.0/24", "2002::/16", "2001::/23", "64:ff9b:1::/48", "fec0::/10", "3fff::/20"),
    )
)


def is_public(address: Address) -> bool:
    """Whether it, and an IPv4 address that is written in it, is one of the internet's."""
    return all(_is_global(one) for one in (address, *_embedded(address)))


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks has it."""
    return any(address in network for network in networks)


def _is_global(address: Address) -> bool:
    if is_within(address, _ENDS_IN_IPV4):
        return not is_within(address, _NOBODYS)
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not is_within(address, _NOBODYS)
    )


def _embedded(address: Address) -> Iterator[IPv4Address]:
    if isinstance(address, IPv6Address) and is_within(address, _ENDS_IN_IPV4):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
