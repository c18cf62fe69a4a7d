"""The address of the client: the peer's, unless it is a trusted proxy."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.helpers.server import serve

from hortus.core.settings import Settings
from hortus.core.web.client_ip import client_ip, network_of

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # sent by an untrusted peer
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # the client wrote the first entry
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ['"[2001:DB8::1%eth0]"'], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
        ("unknown", ["198.51.100.1"], "unknown"),
        ("10.0.0.1", ["1.1.1.1," + "10.0.0.2," * 5000 + "10.0.0.3"], "10.0.0.2"),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_not_a_trusted_proxy(peer, forwarded, caller):
    assert client_ip(peer, forwarded, TRUSTED) == caller


def test_one_customer_counts_once():
    assert network_of("203.0.113.7") == "203.0.113.7"
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network_of("2001:db8:1:3::9") != network_of("2001:db8:1:2::9")
    assert network_of("::ffff:203.0.113.7") == "203.0.113.7"
    assert network_of("unknown") == "unknown"


def test_a_proxy_that_is_no_network_is_refused_at_start():
    assert len(Settings(trusted_proxies="10.0.0.0/8, 192.0.2.1").proxies) == 2
    with pytest.raises(ValidationError, match="IPv4 or IPv6 network"):
        Settings(trusted_proxies="everybody")


async def tries(hortus, address: str, times: int) -> list[int]:
    body = {"email": "nobody@example.com", "password": "wrong"}
    headers = {"X-Forwarded-For": address}
    client = hortus.anonymous()
    return [(await client.post("/api/auth/login", json=body, headers=headers)).status_code for _ in range(times)]


async def test_limits_count_the_caller_behind_a_trusted_proxy(database_url: str, tmp_path: Path):
    limits = {"login": "2/minute"}
    async with serve(
        database_url, tmp_path, rate_limits_enabled=True, rate_limits=limits, trusted_proxies="127.0.0.1"
    ) as hortus:
        assert await tries(hortus, "203.0.113.7", 3) == [401, 401, 429]
        assert await tries(hortus, "6.6.6.6, 203.0.113.7", 1) == [429]
        assert await tries(hortus, "203.0.113.8", 1) == [401]
        assert await tries(hortus, "2001:db8::1", 2) == [401, 401]
        assert await tries(hortus, "2001:db8::2", 1) == [429]


async def test_forwarded_addresses_of_untrusted_peers_are_ignored(database_url: str, tmp_path: Path):
    async with serve(database_url, tmp_path, rate_limits_enabled=True, rate_limits={"login": "2/minute"}) as hortus:
        assert await tries(hortus, "203.0.113.7", 2) == [401, 401]
        assert await tries(hortus, "203.0.113.8", 1) == [429]
