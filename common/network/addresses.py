"""IP addresses as text: one text for each, and the network of one customer."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

LONGEST_ADDRESS = 45  # characters of an IPv6 address with an IPv4 one in it
PREFIX_BITS = 64  # of IPv6: what a provider gives to one customer at least


def normal_address(text: str) -> str | None:
    """One text per address, or None: an IPv4 one in IPv6 is the former, a zone such as ``%eth0`` is dropped."""
    return _normal(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(16_384)
def _normal(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address)))
    return str(address)


def network_of(address: str) -> str:
    """What one customer has: an IPv4 address, or the /64 of an IPv6 address."""
    return _prefix(address) if ":" in address else address


@lru_cache(16_384)
def _prefix(address: str) -> str:
    normal = normal_address(address) or ""
    return str(IPv6Network((normal, PREFIX_BITS), strict=False)) if ":" in normal else normal
