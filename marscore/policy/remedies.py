"""What a person can do about a failure: one sentence for every kind, and more exact ones where status or message say more.

kind + status + message --remedy--> sentence

Summary, page and annotations all show it beside the failure's own message, so it says what to do and not again what went wrong. Options
are named as in a manifest. Sentences begin in lower case and have no full stop, as messages do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from marscore.extras import installing
from marscore.policy.get_remedies import in_words_of_get
from marscore.values import FailureKind

#: Words of a message, and what to do where they stand in it. The first that are found count.
_Hints: TypeAlias = Sequence[tuple[str, str]]

_BY_KIND: dict[FailureKind, str] = {
    "http_status": "open the URL in a browser or with `curl -I` and see whether the server still offers the file there",
    "rate_limited": "run again later; lower execution.per_host, or raise retry.max_retries_by.rate_limited",
    "server_error": "run again later, or name another source under mirrors",
    "timeout": "run again; for a slow server raise timeout.connect or timeout.read",
    "connection": "see whether the server is up and whether a firewall or VPN stands between, then run again: it goes on where it can",
    "dns": "check the host's spelling, the network and any VPN; behind a proxy set proxies or HTTPS_PROXY",
    "tls": "name the CA bundle of a private server in verify; update this machine's certificates if it should be trusted already",
    "proxy": "check proxies in the manifest or HTTP_PROXY and HTTPS_PROXY; hosts to be reached directly go into NO_PROXY",
    "truncated": "run again: it goes on where it can; if it always breaks off, the server or a proxy between cuts long answers",
    "range_mismatch": "set threads: 1 for this download, since its server answers requests for parts wrongly",
    "changed": "run again once the server's file no longer changes",
    "too_slow": "name a faster source under mirrors, or lower min_speed",
    "checksum": "find out which file is right before anything else: if the new one is, correct the checksum, else use another source",
    "size": "correct size if the file was meant to change; else the server offers another file than was expected",
    "too_large": "raise max_size if the file may be that large",
    "redirect": "ask for the URL's final address, as `curl -sIL URL` shows it, and name that in the manifest",
    "disk_full": "free space or choose another disk with --output-dir, then run again",
    "permission": "make the output folder writable for this user, or choose another with --output-dir",
    "path": "look at what is there in the output folder, or choose another path for this download",
    "archive": "see with `tar -t` or `unzip -t` whether the archive is whole; leave `unpack` away to have it as it is",
    "resources": "close other programs or raise the limits (`ulimit -n`, `ulimit -u`); lower --processes and --threads",
    "store": "see whether the store is up and AWS_ENDPOINT_URL or its like are right, then run again: what has come is kept",
    "row": "correct that row of the list, then run again: what is in place is kept",
    "offline": "run once without --offline to fetch it, or with --cache where it is known",
    "interrupted": "run the same command again: it goes on where it can",
    "internal": "run again; if it fails again, report it with the log file and the report",
}

#: Statuses about which more can be said than about their kind.
_BY_STATUS: dict[int, str] = {
    400: "check the URL's query and the headers that are sent: the server does not understand the request",
    401: "give credentials: auth, netrc, or an Authorization header from a variable; a token may have expired",
    402: "see with the provider whether the account or quota is used up",
    403: "check that these credentials may read the file; a signed URL may have expired, and some servers want a User-Agent or Referer",
    404: "check the URL's spelling and version; private servers answer so too where credentials are missing",
    405: "check the URL: this one is made for another method than GET",
    406: "check the Accept header that is sent, or leave it away",
    407: "put user name and password into the proxy's URL: http://user:password@proxy:8080",
    408: "run again later, or name another source under mirrors",
    410: "take the download out or give it a new URL: the server says that the file is gone for good",
    416: "run again: if this repeats, set threads: 1 for this download, since its server answers requests for parts wrongly",
    421: "set execution.http to 1.1: the server does not want several hosts on one connection",
    429: _BY_KIND["rate_limited"],
    431: "send fewer or shorter headers and cookies",
    451: "name another source: this server may not offer the file where you are",
    500: _BY_KIND["server_error"],
    502: "run again later: a proxy before the server gets no answer from it; or name another source under mirrors",
    503: "run again later; if the server is only busy, lower execution.per_host or raise retry.max_retries_by.server_error",
    504: "run again later: a proxy before the server gets no answer from it; or name another source under mirrors",
    511: "sign in to this network first: open any page in a browser",
}

_BY_WORDS: dict[FailureKind, _Hints] = {
    "http_status": (("Digest authentication", "set auth.scheme: digest"),),
    "rate_limited": (("max_retry_after", "run again after that time, or raise retry.max_retry_after"),),
    "server_error": (("max_retry_after", "run again after that time, or raise retry.max_retry_after"),),
    "timeout": (
        ("deadline", "run again to go on, or raise execution.deadline"),
        ("total of", "run again to go on, or raise timeout.total"),
        ("no connection", "see whether the server is up and whether a firewall drops connections to it, or raise timeout.connect"),
        ("nothing came", "run again: it goes on where it can; for a slow server raise timeout.read"),
    ),
    "connection": (
        ("refused", "check host and port: nothing listens there, or a firewall refuses"),
        ("unreachable", "check this machine's network, its routes and any VPN"),
        ("header field", "send fewer cookies or see what the server sends with `curl -I`"),
        ("speak HTTP", "check port and scheme: this may be an https port asked by http, or no web server"),
    ),
    "tls": (
        ("wrong version number", "use http:// or the right port: this one does not speak TLS"),
        ("unknown protocol", "use http:// or the right port: this one does not speak TLS"),
        ("packet length too long", "use http:// or the right port: this one does not speak TLS"),
        ("record layer failure", "use http:// or the right port: this one does not speak TLS"),
        ("not yet valid", "check this machine's clock"),
        ("expired", "check this machine's clock; if it is right, the server's owner has to renew the certificate"),
        ("self-signed", "name the server's CA bundle in verify"),
        ("self signed", "name the server's CA bundle in verify"),
        ("issuer", "name the server's CA bundle in verify, or update this machine's certificates"),
        ("match", "use the host name that the certificate is made out for"),
        ("client certificate", "check cert: its file, key and password"),
        ("cert.", "check cert: its file, key and password"),
        ("certificate required", "name a client certificate in cert"),
        ("handshake failure", "the server wants a client certificate (cert), or has no cipher in common with this machine"),
        ("verified by cannot be read", "check the CA bundle that verify, REQUESTS_CA_BUNDLE or SSL_CERT_FILE names"),
        ("names", "check the CA bundle that verify names"),
    ),
    "proxy": (
        ("407", _BY_STATUS[407]),
        ("refuses", "ask who runs the proxy whether it lets this host through, or put the host into NO_PROXY"),
        ("to CONNECT", "ask who runs the proxy whether it lets this host through, or put the host into NO_PROXY"),
        ("cannot be resolved", "check the spelling of the proxy's host in proxies or HTTPS_PROXY"),
        ("PySocks", f"install it: {installing('socks')}"),
        ("URL", "write the proxy as http://host:port"),
    ),
    "checksum": (
        ("lock", "if the file was meant to change, run `marscore lock --upgrade`; else the server offers another file than was locked"),
        ("list", "check checksum.from and checksum.name against the publisher's list"),
    ),
    "redirect": (
        ("https to http", "name the final URL yourself if its server is to be trusted without TLS"),
        ("private_addresses", "set security.private_addresses: allow if the target is one of your own network"),
        ("more than", "give credentials or cookies: servers redirect in circles where a login is missing"),
    ),
    "path": (
        ("without --overwrite", "replace the file that is there with --overwrite, or choose another path for this download"),
        ("if_exists is fail", "move the file away, or set if_exists to keep, refresh or replace"),
        ("holds this output folder", "wait until the other run has ended, or choose another folder with --output-dir"),
        ("still hold", "wait a moment: they end by themselves"),
        ("knows no locks", "choose an output folder on a local disk with --output-dir"),
        ("stands where", "move away what is there, or choose another path"),
        ("another file took", "see which other program writes into the output folder"),
        ("another program", "see which other program writes into the output folder"),
        ("in the archive", "do not unpack this archive with unpack: it would write outside its folder"),
        ("too long", "choose a shorter path"),
        ("encod", "set PYTHONUTF8=1 or a UTF-8 locale, or choose a path in plain letters"),
        ("cannot be written in", "set PYTHONUTF8=1 or a UTF-8 locale, or choose a path in plain letters"),
    ),
    "too_large": (("archive", "leave `unpack` away, and unpack it by hand if it is to be trusted"),),
    "store": (
        ("no such bucket", "make the bucket, or correct its name in output_dir"),
        ("no such container", "make the container, or correct its name in output_dir"),
        ("another region", "set AWS_REGION to the region of the bucket"),
        ("no credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where the machine has a role"),
        ("certificate", "name the store's CA bundle in AWS_CA_BUNDLE"),
        ("needs obstore", "install it: pip install obstore"),
        ("another run", "wait until the other run has ended, or choose another prefix with --output-dir"),
        ("another program", "see which other program writes below the prefix"),
        ("by now", "see which other program or run writes below the prefix, then run again: what is there is judged anew"),
    ),
    "disk_full": (
        ("the store has no room", "free space in the object store, then run again: what has come is kept"),
        ("quota of the bucket", "free space in the bucket or raise its quota, then run again: what has come is kept"),
        ("quota", "free space within the quota or choose another disk with --output-dir, then run again"),
    ),
    "permission": (
        ("the store", "give these credentials the right to list, read and write below the prefix, or set others (AWS_ACCESS_KEY_ID, ...)"),
        ("clock is wrong", "set this machine's clock"),
        ("Read-only", "choose an output folder on a disk that can be written with --output-dir"),
    ),
    "resources": (
        ("open files", "raise the limit with `ulimit -n`, or lower --threads"),
        ("memory", "close other programs, or lower --processes, --threads and buffer_size"),
        ("threads", "raise the limit with `ulimit -u`, or lower --processes and --threads"),
    ),
}


#: Whose words advice is given in: options are a manifest's keys, or those of the command.
Asker: TypeAlias = Literal["run", "get"]


def remedy(kind: FailureKind, status: int | None = None, message: str = "", asker: Asker = "run") -> str:
    """What to do about a failure, in one sentence.

    Args:
        kind: of the failure.
        status: with which an origin or a proxy answered, if one did.
        message: the failure's own, redacted or not: nothing of it is repeated.
        asker: who ran what.
    """
    sentence = _sentence(kind, status, message)
    return in_words_of_get(sentence) if asker == "get" else sentence


def _sentence(kind: FailureKind, status: int | None, message: str) -> str:
    # Python's ssl writes OpenSSL's reasons in capitals, as WRONG_VERSION_NUMBER.
    text = message.lower().replace("_", " ")
    found = next((advice for words, advice in _BY_WORDS.get(kind, ()) if words.lower().replace("_", " ") in text), None)
    if found is not None:
        return found
    if kind == "proxy" and status is not None and status != 407:
        return _BY_KIND[kind]
    if status is not None and status >= 400:
        return _BY_STATUS.get(status) or _BY_KIND["server_error" if status >= 500 else kind]
    return _BY_KIND[kind]
