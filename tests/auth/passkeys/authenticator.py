"""A device with passkeys and the browser around it, in software: ES256, discoverable, with a counter or without.

Every part of what it says can be bent, to see that the server refuses what is bent.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
import httpx2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ORIGIN = "http://localhost:8000"
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


@dataclass
class Key:
    """One passkey on the device."""

    rp_id: str
    user_handle: bytes
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def cose(self) -> dict[int, Any]:
        numbers = self.private.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}


@dataclass
class Authenticator:
    """The device. `step` is how much the counter grows with each use; 0 keeps none, as synced passkeys do."""

    step: int = 0
    keys: list[Key] = field(default_factory=list)
    count: int = 0

    def create(self, asked: dict[str, Any], **bent: Any) -> dict[str, Any]:
        """What `navigator.credentials.create` would make of the options of the server."""
        key = Key(asked["rp"]["id"], unb64(asked["user"]["id"]))
        if "key_id" in bent:
            key.id = bent["key_id"]
        self.keys.append(key)
        self.count += self.step
        described = b"\x00" * 16 + len(key.id).to_bytes(2, "big") + key.id + cbor2.dumps(bent.get("cose", key.cose()))
        data = self._data(key, ATTESTED, **bent) + described
        statement = {"fmt": bent.get("fmt", "none"), "attStmt": bent.get("statement", {}), "authData": data}
        said = self._said("webauthn.create", asked, **bent)
        response = {"clientDataJSON": b64(said), "attestationObject": b64(cbor2.dumps(statement)), "transports": []}
        return self._credential(key, response)

    def get(self, asked: dict[str, Any], **bent: Any) -> dict[str, Any]:
        """What `navigator.credentials.get` would make of the options of the server."""
        allowed = {each["id"] for each in asked.get("allowCredentials", [])}
        mine = [key for key in self.keys if key.rp_id == asked["rpId"] and (not allowed or b64(key.id) in allowed)]
        key = bent.get("key") or mine[-1]
        self.count += self.step
        data, said = self._data(key, 0, **bent), self._said("webauthn.get", asked, **bent)
        private = bent.get("private", key.private)
        signature = private.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        handle = bent.get("user_handle", key.user_handle)
        response = {
            "clientDataJSON": b64(bent.get("said_after", said)),
            "authenticatorData": b64(bent.get("data_after", data)),
            "signature": b64(signature),
            "userHandle": b64(handle) if handle is not None else None,
        }
        return self._credential(key, response)

    def _data(self, key: Key, more: int, **bent: Any) -> bytes:
        rp_hash = hashlib.sha256(bent.get("rp_id", key.rp_id).encode()).digest()
        flags = bent.get("flags", PRESENT | VERIFIED | (0 if self.step else ELIGIBLE | BACKED_UP)) | more
        return rp_hash + bytes([flags]) + bent.get("count", self.count).to_bytes(4, "big")

    def _said(self, kind: str, asked: dict[str, Any], **bent: Any) -> bytes:
        said = {
            "type": bent.get("type", kind),
            "challenge": bent.get("challenge", asked["challenge"]),
            "origin": bent.get("origin", ORIGIN),
            "crossOrigin": bent.get("cross_origin", False),
        }
        return json.dumps(said).encode()

    def _credential(self, key: Key, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": b64(key.id),
            "rawId": b64(key.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {"credProps": {"rk": True}},
            "response": response,
        }


async def asked(client: httpx2.AsyncClient, what: str) -> dict[str, Any]:
    """The options of the server for `register`, `login` or `reauthenticate`."""
    answer = await client.post(f"/api/auth/passkey/{what}/options")
    assert answer.status_code == 200, answer.text
    return answer.json()["public_key"]


async def send(client: httpx2.AsyncClient, what: str, credential: dict[str, Any], **more: Any) -> httpx2.Response:
    """Give the server what the device made."""
    return await client.post(f"/api/auth/passkey/{what}", json={"credential": credential, **more})


async def make_passkey(client: httpx2.AsyncClient, device: Authenticator, name: str = "Laptop") -> str:
    """A passkey of the client's account on the device; its id."""
    made = await send(client, "register", device.create(await asked(client, "register")), name=name)
    assert made.status_code == 201, made.text
    return made.json()["id"]
