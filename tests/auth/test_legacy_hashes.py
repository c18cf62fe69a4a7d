"""Accounts that came from elsewhere: their hashes open them once, then are Argon2id."""

import asyncio

import bcrypt
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text
from tests.helpers.server import PASSWORD, Hortus, serve
from werkzeug.security import generate_password_hash

from hortus.auth import PasswordPool

LONG = "p" * 100
OLD = {
    "bcrypt": lambda password: bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(5)).decode(),
    "bcrypt 2a": lambda password: bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(5, b"2a")).decode(),
    "bcrypt 2y": lambda password: bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(5)).decode().replace("2b", "2y"),
    "scrypt": generate_password_hash,
    "scrypt small": lambda password: generate_password_hash(password, "scrypt:16384:4:2"),
    "pbkdf2": lambda password: generate_password_hash(password, "pbkdf2:sha256:600000"),
    "pbkdf2 short": lambda password: generate_password_hash(password, "pbkdf2:sha1:1000"),
    "argon2 dear": lambda password: Argon2Hasher(time_cost=3, memory_cost=65536, parallelism=4).hash(password),
}


@pytest.mark.parametrize("kind", OLD)
@pytest.mark.parametrize("password", [PASSWORD, LONG, "पासवर्ड 🔑"])
async def test_it_verifies_and_is_replaced(kind: str, password: str):
    pool, stored = PasswordPool(), OLD[kind](password)
    good, fresh = await pool.verify(password, stored)
    assert good
    assert fresh.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await pool.verify(password, fresh) == (True, None)
    assert await pool.verify("!" + password, stored) == (False, None)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "plain",
        "!",
        "$2b$31$" + "a" * 53,
        "$2b$05$" + "a" * 20,
        "$argon2id$v=19$m=19456,t=2,p=1$broken$broken",
        "$argon2id$nonsense",
        "scrypt:1048576:8:1$salt$" + "0" * 128,
        "scrypt:1000:8:1$salt$" + "0" * 128,
        "pbkdf2:sha256:99999999$salt$" + "0" * 64,
        "pbkdf2:md5:1$salt$" + "0" * 40,
    ],
)
async def test_what_is_damaged_or_too_dear_opens_nothing(stored: str):
    async with asyncio.timeout(10):
        assert await PasswordPool().verify(PASSWORD, stored) == (False, None)


@pytest.mark.parametrize("kind", ["bcrypt", "scrypt", "pbkdf2"])
async def test_a_sign_in_replaces_it(database_url: str, tmp_path, kind: str):
    async with serve(database_url, tmp_path) as hortus:
        client = await hortus.customer("a@example.com")
        await keep(hortus, OLD[kind](PASSWORD))
        body = {"email": "a@example.com", "password": PASSWORD}
        assert (await client.post("/api/auth/login", json={**body, "password": "wrong"})).status_code == 401
        assert "argon2" not in await kept(hortus)
        assert (await client.post("/api/auth/login", json=body)).status_code == 200
        assert (await kept(hortus)).startswith("$argon2id$")
        assert (await client.post("/api/auth/login", json=body)).status_code == 200


async def keep(hortus: Hortus, stored: str) -> None:
    async with hortus.database.transaction() as tx:
        await tx.execute(text("UPDATE users SET password_hash = :stored"), {"stored": stored})


async def kept(hortus: Hortus) -> str:
    async with hortus.database.snapshot() as tx:
        return (await tx.execute(text("SELECT password_hash FROM users"))).scalar_one()
