"""Rules about where a key may be used from."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def parse_network(text: str) -> Network:
    """The network of `10.0.0.0/8`, `2001:db8::/32` or a lone address; ValueError for anything else.

    IPv4 written as IPv6 (`::ffff:10.0.0.0/104`) is the IPv4 network it means.
    """
    found = ip_network(text, strict=False)
    if isinstance(found, IPv6Network):
        mapped = found.network_address.ipv4_mapped
        if mapped is not None and found.prefixlen >= 96:
            return IPv4Network((mapped, found.prefixlen - 96))
    return found


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether the address is in one of the networks; an invalid address is in none."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)
