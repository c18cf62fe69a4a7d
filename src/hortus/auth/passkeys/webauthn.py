"""WebAuthn ceremonies: options for browsers, and verification of their responses.

This module does not use the database; the caller checks that the challenge was issued. Any exception of the library's
parsers is treated as an invalid response.
"""

from dataclasses import dataclass
from typing import Any

import structlog

from hortus.auth.passkeys.challenges import CHALLENGE_SECONDS
from hortus.auth.passkeys.relying_party import RelyingParty

log = structlog.get_logger()
SITE_NAME = "Hortus"
LONGEST_KEY = 1000
"""Maximum size of a public key in bytes; RSA with 4096 bits takes 530."""
Credential = dict[str, Any]
"""`PublicKeyCredential.toJSON()` of a browser."""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A verified registration."""

    credential_id: str
    public_key: bytes
    sign_count: int
    backed_up: bool


@dataclass(frozen=True, slots=True)
class PasskeyAssertion:
    """A verified assertion: the key signed this challenge for this relying party, with user verification."""

    sign_count: int
    backed_up: bool
    user_handle: bytes | None


def creation_options(
    relying_party: RelyingParty, challenge: bytes, user_id: str, account: str, name: str | None, known: list[str]
) -> dict[str, Any]:
    """Options for `navigator.credentials.create`; `known` are existing keys of the user."""
    import webauthn  # noqa: PLC0415 - six MB that only an installation with passkeys needs
    from webauthn.helpers import base64url_to_bytes, options_to_json_dict, structs  # noqa: PLC0415 - as above

    options = webauthn.generate_registration_options(
        rp_id=relying_party.rp_id,
        rp_name=SITE_NAME,
        user_id=user_id.encode(),
        user_name=account,
        user_display_name=name or account,
        challenge=challenge,
        timeout=CHALLENGE_SECONDS * 1000,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(each)) for each in known],
    )
    return dict(options_to_json_dict(options))


def request_options(relying_party: RelyingParty, challenge: bytes, known: list[str]) -> dict[str, Any]:
    """Options for `navigator.credentials.get`; without `known`, the user selects a passkey of the site."""
    import webauthn  # noqa: PLC0415 - six MB that only an installation with passkeys needs
    from webauthn.helpers import base64url_to_bytes, options_to_json_dict, structs  # noqa: PLC0415 - as above

    options = webauthn.generate_authentication_options(
        rp_id=relying_party.rp_id,
        challenge=challenge,
        timeout=CHALLENGE_SECONDS * 1000,
        allow_credentials=[structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(each)) for each in known],
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return dict(options_to_json_dict(options))


def challenge_in(credential: Credential) -> bytes:
    """The challenge in the browser's response; empty if it cannot be parsed."""
    from webauthn.helpers import base64url_to_bytes, parse_client_data_json  # noqa: PLC0415 - see `creation_options`

    try:
        data = parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    except Exception:
        return b""
    return b"" if data.cross_origin else data.challenge  # a frame in another site's page invites false clicks


def verify_registration(relying_party: RelyingParty, credential: Credential, challenge: bytes) -> NewPasskey | None:
    """The new key, if the response is valid for this relying party and challenge."""
    import webauthn  # noqa: PLC0415 - six MB that only an installation with passkeys needs
    from webauthn.helpers import bytes_to_base64url, decode_credential_public_key, decoded_public_key_to_cryptography  # noqa: PLC0415 - as above

    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=relying_party.rp_id,
            expected_origin=list(relying_party.origins),
            require_user_verification=True,
        )
        decoded_public_key_to_cryptography(decode_credential_public_key(made.credential_public_key))
    except Exception as error:
        log.info("passkey_not_verified", reason=f"{type(error).__name__}: {error}"[:200])
        return None
    if len(made.credential_public_key) > LONGEST_KEY or bytes_to_base64url(made.credential_id) != credential["id"]:
        return None
    return NewPasskey(credential["id"], made.credential_public_key, made.sign_count, made.credential_backed_up)


def verify_assertion(
    relying_party: RelyingParty, credential: Credential, challenge: bytes, public_key: bytes
) -> PasskeyAssertion | None:
    """The assertion, if the response is valid for this relying party, challenge and key.

    The counter is checked against the database by the caller.
    """
    import webauthn  # noqa: PLC0415 - six MB that only an installation with passkeys needs
    from webauthn.helpers import parse_authentication_credential_json  # noqa: PLC0415 - as above

    try:
        parsed = parse_authentication_credential_json(credential)
        used = webauthn.verify_authentication_response(
            credential=parsed,
            expected_challenge=challenge,
            expected_rp_id=relying_party.rp_id,
            expected_origin=list(relying_party.origins),
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:
        log.info("passkey_refused", reason=f"{type(error).__name__}: {error}"[:200])
        return None
    return PasskeyAssertion(used.new_sign_count, used.credential_backed_up, parsed.response.user_handle)
