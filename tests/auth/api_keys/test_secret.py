"""The text of a key: random, checked before anything is asked, stored as a digest alone."""

import re

import pytest
from pydantic import SecretStr

from hortus.auth.api_keys import secret
from hortus.auth.api_keys.errors import BadKey
from hortus.core.settings import Settings

NOW = Settings(secret_key=SecretStr("k" * 40))
LATER = Settings(secret_key=SecretStr("n" * 40), secret_key_previous=[SecretStr("k" * 40)])


def test_a_key_looks_as_documented_and_no_two_are_alike():
    made = {secret.mint() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"hortus_[0-9A-Za-z]{40}_[0-9A-Za-z]{6}", each) for each in made)
    assert {character for each in made for character in each[7:47]} == set(secret.ALPHABET)


def test_every_typing_error_is_noticed():
    good = secret.mint()
    assert len(secret.digests_of(NOW, good)) == 1
    wrong = [good[:place] + ("x" if good[place] != "x" else "y") + good[place + 1 :] for place in range(7, len(good))]
    wrong += [
        good[:p] + good[p + 1] + good[p] + good[p + 2 :] for p in range(7, len(good) - 1) if good[p] != good[p + 1]
    ]
    wrong += [good[:-1], good + "A", good + "\n", good[:20] + "\u00e9" + good[21:], "hortus_", "hortus_" * 20]
    for each in wrong:
        with pytest.raises(BadKey):
            secret.digests_of(NOW, each)


def test_a_digest_needs_the_secret_of_the_installation():
    good = secret.mint()
    (digest,) = secret.digests_of(NOW, good)
    assert good not in digest
    assert secret.digests_of(LATER, good)[0] != digest
    assert secret.digests_of(LATER, good)[1] == digest
