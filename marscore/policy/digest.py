"""Digest authentication (RFC 7616): what a server's challenge asks for, and what answers it.

    WWW-Authenticate --challenge_of--> Challenge        Challenge + credentials + request --answer_to--> Authorization

Pure: the caller counts how often a nonce was used, and brings the random text. For clients that do not do it themselves; libcurl does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from marscore.frozen import dataclass
from marscore.values import Credentials

#: RFC 7616 section 6.1, and what they are to hashlib.
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word
#: A field cut at those commas that stand in no quotes (RFC 9110 section 11.6.1).
_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER = re.compile(rf'\s*(?:(?P<scheme>{_TOKEN})\s+)?(?P<name>{_TOKEN})\s*=\s*(?:"(?P<quoted>.*)"|(?P<plain>[^\s"]*))\s*', re.DOTALL)
_SCHEME = re.compile(rf"\s*(?P<scheme>{_TOKEN})(?:\s+\S+)?\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server wants proven, and how: `algorithm` as it writes it, `qop` whether it takes part in the proof.

    `stale` tells that the credentials were right and the nonce too old.
    """

    realm: str
    nonce: str
    algorithm: str = "MD5"
    named: bool = False
    qop: bool = False
    opaque: str | None = None
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that is proven: how often the nonce was used, this time included, and a text that nobody can guess."""

    target: str
    count: int
    cnonce: str
    method: str = "GET"


def challenge_of(field: str) -> Challenge | None:
    """The first challenge of a WWW-Authenticate or Proxy-Authenticate field that Digest can answer here; servers prefer the first."""
    return next((found for scheme, given in challenges(field) if scheme == "digest" and (found := _challenge(given))), None)


def offers_basic(field: str) -> bool:
    """Whether one of the challenges is Basic's (RFC 7617)."""
    return any(scheme == "basic" for scheme, _ in challenges(field))


def challenges(field: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Each challenge's scheme and parameters; schemes and names in lower case."""
    scheme, given = "", dict[str, str]()
    for part in _PART.findall(field):
        parameter = _PARAMETER.fullmatch(part)
        begins = parameter or _SCHEME.fullmatch(part)
        if begins is not None and begins["scheme"]:
            if scheme:
                yield scheme, given
            scheme, given = begins["scheme"].lower(), {}
        if parameter is not None:
            quoted = parameter["quoted"]
            given[parameter["name"].lower()] = parameter["plain"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
    if scheme:
        yield scheme, given


def _challenge(given: Mapping[str, str]) -> Challenge | None:
    algorithm = given.get("algorithm", "MD5")
    qops = {word.strip().lower() for word in given["qop"].split(",")} if given.get("qop") else set()
    usable = _HASHES.get(algorithm.upper().removesuffix("-SESS"), "") in hashlib.algorithms_available
    if not usable or "nonce" not in given or (qops and "auth" not in qops) or any(map(_CONTROL.search, given.values())):
        return None
    stale = given.get("stale", "").lower() == "true"
    return Challenge(given.get("realm", ""), given["nonce"], algorithm, "algorithm" in given, bool(qops), given.get("opaque"), stale)


def answer_to(challenge: Challenge, who: Credentials, asked: Asked) -> bytes:
    """The value of Authorization (RFC 7616 section 3.4), in UTF-8."""
    proof, count = _Hash(challenge.algorithm), f"{asked.count:08x}"
    identity = proof.of(f"{who.username}:{challenge.realm}:{who.password}")
    if challenge.algorithm.upper().endswith("-SESS"):
        identity = proof.of(f"{identity}:{challenge.nonce}:{asked.cnonce}")
    request = proof.of(f"{asked.method}:{asked.target}")
    middle = f"{challenge.nonce}:{count}:{asked.cnonce}:auth" if challenge.qop else challenge.nonce
    quoted = {"username": who.username, "realm": challenge.realm, "nonce": challenge.nonce, "uri": asked.target}
    quoted |= {"response": proof.of(f"{identity}:{middle}:{request}")} | ({} if challenge.opaque is None else {"opaque": challenge.opaque})
    bare = {"algorithm": challenge.algorithm} if challenge.named else {}
    if challenge.qop:
        bare |= {"qop": "auth", "nc": count}
    if challenge.qop or challenge.algorithm.upper().endswith("-SESS"):
        quoted["cnonce"] = asked.cnonce
    parts = [*(f"{name}={_quoted(value)}" for name, value in quoted.items()), *(f"{name}={value}" for name, value in bare.items())]
    return f"Digest {', '.join(parts)}".encode()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Hash:
    def __init__(self, algorithm: str) -> None:
        self._name = _HASHES[algorithm.upper().removesuffix("-SESS")]

    def of(self, text: str) -> str:
        # It is the protocol's choice, not a signature's.
        return hashlib.new(self._name, text.encode(), usedforsecurity=False).hexdigest()
