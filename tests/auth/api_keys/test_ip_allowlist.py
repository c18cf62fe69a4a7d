"""Where a key may be used from."""

import pytest

from hortus.auth.api_keys.ip_allowlist import is_within, parse_network


@pytest.mark.parametrize(
    ("address", "network", "within"),
    [
        ("192.0.2.7", "192.0.2.0/24", True),
        ("192.0.3.7", "192.0.2.0/24", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.99/24", True),
        ("::ffff:192.0.2.7", "192.0.2.0/24", True),
        ("192.0.2.7", "::ffff:192.0.2.0/120", True),
        ("192.0.2.7", "::/0", False),
        ("2001:db8::5", "2001:db8::/32", True),
        ("2001:db9::5", "2001:db8::/32", False),
        ("fe80::1%eth0", "fe80::/10", True),
        ("192.0.2.7", "2001:db8::/32", False),
        ("unknown", "0.0.0.0/0", False),
        ("", "::/0", False),
    ],
)
def test_an_address_lies_in_a_network(address: str, network: str, within: bool):
    assert is_within(address, [parse_network(network)]) is within


@pytest.mark.parametrize("text", ["", "x", "192.0.2.0/33", "300.1.1.1", "192.0.2.0/24/8", "2001:db8::/129"])
def test_what_is_no_network_is_refused(text: str):
    with pytest.raises(ValueError, match=r".*"):
        parse_network(text)
