"""The IP address of the client, behind trusted proxies only, and the networks derived from it."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
MOST_HOPS = 50
CUSTOMER_PREFIX = 64
"""Providers assign at least this prefix to an IPv6 customer, who may use any address of it."""


def client_ip(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> str:
    """The address of the client: `peer`, unless it is a trusted proxy.

    Behind trusted proxies it is the rightmost entry of the `X-Forwarded-For` headers that is not such a proxy; the
    client controls the entries to its left. An invalid entry ends the search.
    """
    nearest = _parsed(peer)
    if nearest is None or not _among(nearest, trusted):
        return str(nearest or peer)
    hops = [hop for line in forwarded for hop in line.split(",")]
    for hop in reversed(hops[-MOST_HOPS:]):
        found = _parsed(hop)
        if found is None:
            break
        nearest = found
        if not _among(found, trusted):
            break
    return str(nearest)


def network_of(address: str) -> str:
    """The network by which requests of an address are counted: the address for IPv4, its /64 for IPv6."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, CUSTOMER_PREFIX), strict=False))
    return str(found or address)


def anonymised_network(address: str) -> str:
    """The anonymised address: its /24 for IPv4, its /48 for IPv6. It shows a provider and a region, not a person."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, 48), strict=False))
    return str(IPv4Network((found, 24), strict=False)) if found is not None else "unknown"


def _parsed(text: str) -> Address | None:
    """The address in canonical form, without port, brackets and zone; IPv4-mapped IPv6 becomes IPv4."""
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _among(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
