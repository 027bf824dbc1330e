"""Tokens that clients get in exchange for an API key, and then send in place of it."""

import base64
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from mockserver.context import Tenant
from mockserver.determinism import Clock
from mockserver.errors import Unauthorized

_ALGORITHM = "HS256"
_ISSUER = "mka1-mockserver"
_JWT_START = "eyJ"  # Base64 of the `{"` with which every JWT begins.


class Token(NamedTuple):
    """The content of a token: what its bearer may do, for whom, and until when.

    `key` is the fingerprint of the API key that was exchanged. The `permissions` are such as `read:responses`; None
    means all.
    """

    key: str
    tenant: Tenant
    expires_at: float
    permissions: frozenset[str] | None

    def permits(self, permission: str) -> bool:
        return self.permissions is None or permission in self.permissions


class TokenIssuer:
    """Issues tokens and reads its own ones; they are JSON Web Tokens, and expire by the clock of the fake."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)

    def issue(
        self,
        key: str,
        account: str,
        *,
        audience: str,
        end_user: str,
        lifetime: float,
        permissions: Sequence[str] | None = None,
    ) -> str:
        """Return a token for an end user of the account; `key` is the fingerprint of the API key."""
        import jwt  # Loading it would make each start slower by a tenth.

        now = self._clock.now(account)
        claims = {
            "iss": _ISSUER,
            "aud": audience,
            "sub": end_user,
            "iat": int(now),
            "exp": int(now + lifetime),
            "account": account,
            "key": key,
        }
        if permissions is not None:
            claims["permissions"] = sorted(set(permissions))
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def read(self, bearer: str) -> Token | None:
        """Return the content of a token, or None if the text is an API key.

        Raises:
            Unauthorized: the token names this kind of issuer, and is not one of this fake or has been changed.
        """
        if not bearer.startswith(_JWT_START) or _read_claims(bearer).get("iss") != _ISSUER:
            return None
        import jwt

        # The library would compare the times with the real time, and the audience with an address that nobody knows.
        try:
            claims = jwt.decode(
                bearer,
                self._secret,
                [_ALGORITHM],
                options={"verify_exp": False, "verify_iat": False, "verify_aud": False},
            )
        except jwt.InvalidTokenError as error:
            raise Unauthorized("The token is not valid: its signature is not one of this server.") from error
        permissions = claims.get("permissions")
        end_user = claims["sub"].strip() or claims["sub"]  # As an end user in `X-On-Behalf-Of` is read.
        return Token(
            claims["key"],
            Tenant(claims["account"], end_user),
            claims["exp"],
            None if permissions is None else frozenset(permissions),
        )

    def check_expiry(self, token: Token) -> None:
        """Raise Unauthorized if the token has expired."""
        if self._clock.now(token.tenant.account) >= token.expires_at:
            raise Unauthorized("The token has expired.")


def read_claimed_key(bearer: str) -> str | None:
    """Return the fingerprint of the API key that a token claims to stand for, or None if the text is no token."""
    key = _read_claims(bearer).get("key") if bearer.startswith(_JWT_START) else None
    return key if isinstance(key, str) else None


def _read_claims(bearer: str) -> dict[str, Any]:
    """Return what a token claims, without verification; nothing if the text is no token."""
    _, _, rest = bearer.partition(".")
    payload = rest.partition(".")[0]
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
