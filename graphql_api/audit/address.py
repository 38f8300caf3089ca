"""Where a request came from, as far as it is kept: a network, not a person's machine."""

import ipaddress

_PREFIXES = {4: 24, 6: 48}


def network_of(address: str | None) -> str | None:
    """`203.0.113.0/24` for `203.0.113.7`; None for what is no address."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    return str(ipaddress.ip_network((found, _PREFIXES[found.version]), strict=False))
