"""What we take from an issuer's published keys."""

import pytest
from joserfc.jwk import ECKey
from tests.emulators.oidc import ec_key

from hortus.auth.oidc.id_token import keys_from


def test_only_public_keys_that_sign_are_taken():
    good = ec_key("good")
    weak = {"kty": "RSA", "kid": "weak", "n": "AQAB" * 30, "e": "AQAB"}
    listed = [
        good.as_dict(private=True), {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}, weak, 7, None, {"kty": "EC"},
        {**ec_key("enc").as_dict(private=False), "use": "enc"},
        {**ec_key("ops").as_dict(private=False), "key_ops": ["sign"]},
        {**ec_key("odd").as_dict(private=False), "x": "!!!"}, {"kty": ["RSA"]},
    ]  # fmt: skip
    (kept,) = keys_from({"keys": listed})
    assert isinstance(kept, ECKey)
    assert (kept.kid, kept.is_private) == ("good", False)
    for document in (None, [], {}, {"keys": {}}, "keys"):
        with pytest.raises(ValueError, match="JWKS"):
            keys_from(document)
