"""The same advice in words of `get`, which has options in place of a manifest's keys.

sentence of `remedies` --in_words_of_get--> sentence

What only a manifest can say is said so, and how to get one.
"""

from __future__ import annotations

_MANIFEST = "marscore init URL"
_LATER = "run again later, or look for another server that has the file"
_CA = "name the server's CA bundle in SSL_CERT_FILE"
_ONE = "run again with --threads 1, and without a Range of your own among the headers: the server answers requests for parts wrongly"

#: What somebody is told who named a source and nothing else -> what is said to who ran `get`.
_SAID = {
    "run again later; lower execution.per_host, or raise retry.max_retries_by.rate_limited": "run again later, or with a higher --retry",
    "run again later, or name another source under mirrors": _LATER,
    "run again; for a slow server raise timeout.connect or timeout.read": "run again: it goes on where it can",
    "check the host's spelling, the network and any VPN; behind a proxy set proxies or HTTPS_PROXY": (
        "check the host's spelling, the network and any VPN; behind a proxy set HTTPS_PROXY"
    ),
    "name the CA bundle of a private server in verify; update this machine's certificates if it should be trusted already": (
        f"{_CA} if it is a private one; update this machine's certificates if it should be trusted already"
    ),
    "check proxies in the manifest or HTTP_PROXY and HTTPS_PROXY; hosts to be reached directly go into NO_PROXY": (
        "check HTTP_PROXY and HTTPS_PROXY; hosts to be reached directly go into NO_PROXY"
    ),
    "set threads: 1 for this download, since its server answers requests for parts wrongly": _ONE,
    "run again: if this repeats, set threads: 1 for this download, since its server answers requests for parts wrongly": _ONE,
    "name a faster source under mirrors, or lower min_speed": "look for a faster server that has the file",
    "correct size if the file was meant to change; else the server offers another file than was expected": (
        "find out which file is right: the server offers another one than was expected"
    ),
    "raise max_size if the file may be that large": "see how large the file is with `curl -I`",
    "ask for the URL's final address, as `curl -sIL URL` shows it, and name that in the manifest": (
        "ask for the URL's final address, as `curl -sIL URL` shows it, and get that"
    ),
    "look at what is there in the output folder, or choose another path for this download": (
        "look at what is there, or choose another place with -o or --output-dir"
    ),
    "replace the file that is there with --overwrite, or choose another path for this download": (
        "replace the file that is there with --overwrite, or choose another path with -o"
    ),
    "see with `tar -t` or `unzip -t` whether the archive is whole; leave `unpack` away to have it as it is": (
        "see with `tar -t` or `unzip -t` whether the archive is whole"
    ),
    "give credentials: auth, netrc, or an Authorization header from a variable; a token may have expired": (
        "give credentials: -u USER, netrc, or -H @FILE with an Authorization header; a token may have expired"
    ),
    "check that these credentials may read the file; a signed URL may have expired, and some servers want a User-Agent or Referer": (
        "check that these credentials may read the file; a signed URL may have expired, and some servers want a User-Agent or Referer (-H)"
    ),
    "check the Accept header that is sent, or leave it away": "check the Accept header that -H sends, or leave it away",
    "take the download out or give it a new URL: the server says that the file is gone for good": (
        "look for the file's new URL: the server says that it is gone for good"
    ),
    "set execution.http to 1.1: the server does not want several hosts on one connection": (
        f"write a manifest ({_MANIFEST}) with http: '1.1' below execution: the server does not want several hosts on one connection"
    ),
    "name another source: this server may not offer the file where you are": (
        "look for another server: this one may not offer the file where you are"
    ),
    "run again later: a proxy before the server gets no answer from it; or name another source under mirrors": (
        "run again later: a proxy before the server gets no answer from it"
    ),
    "run again later; if the server is only busy, lower execution.per_host or raise retry.max_retries_by.server_error": (
        "run again later; if the server is only busy, with a higher --retry"
    ),
    "set auth.scheme: digest": f"write a manifest ({_MANIFEST}) with scheme: digest below auth: -u logs in by Basic",
    "run again after that time, or raise retry.max_retry_after": "run again after that time",
    "run again to go on, or raise execution.deadline": "run again to go on",
    "run again to go on, or raise timeout.total": "run again to go on",
    "see whether the server is up and whether a firewall drops connections to it, or raise timeout.connect": (
        "see whether the server is up and whether a firewall drops connections to it"
    ),
    "run again: it goes on where it can; for a slow server raise timeout.read": "run again: it goes on where it can",
    "name the server's CA bundle in verify": _CA,
    "name the server's CA bundle in verify, or update this machine's certificates": f"{_CA}, or update this machine's certificates",
    "check cert: its file, key and password": "check the client certificate: its file, key and password",
    "name a client certificate in cert": f"write a manifest ({_MANIFEST}) that names a client certificate in cert",
    "the server wants a client certificate (cert), or has no cipher in common with this machine": (
        f"the server wants a client certificate, for which write a manifest ({_MANIFEST}), or has no cipher in common with this machine"
    ),
    "check the CA bundle that verify, REQUESTS_CA_BUNDLE or SSL_CERT_FILE names": (
        "check the CA bundle that REQUESTS_CA_BUNDLE or SSL_CERT_FILE names"
    ),
    "check the CA bundle that verify names": "check the CA bundle that SSL_CERT_FILE names",
    "check the spelling of the proxy's host in proxies or HTTPS_PROXY": "check the spelling of the proxy's host in HTTPS_PROXY",
    "if the file was meant to change, run `marscore lock --upgrade`; else the server offers another file than was locked": (
        "the server offers another file than was expected"
    ),
    "check checksum.from and checksum.name against the publisher's list": "check the checksum against the publisher's list",
    "set security.private_addresses: allow if the target is one of your own network": (
        "name the target's URL yourself if it is to be trusted"
    ),
    "move the file away, or set if_exists to keep, refresh or replace": "move the file away, or replace it with --overwrite",
    "move away what is there, or choose another path": "move away what is there, or choose another path with -o",
    "do not unpack this archive with unpack: it would write outside its folder": (
        "do not unpack this archive: it would write outside its folder"
    ),
    "leave `unpack` away, and unpack it by hand if it is to be trusted": "unpack it by hand if it is to be trusted",
    "close other programs, or lower --processes, --threads and buffer_size": "close other programs, or lower --processes and --threads",
    "choose a shorter path": "choose a shorter path with -o",
    "set PYTHONUTF8=1 or a UTF-8 locale, or choose a path in plain letters": (
        "set PYTHONUTF8=1 or a UTF-8 locale, or choose a path in plain letters with -o"
    ),
}


def in_words_of_get(sentence: str) -> str:
    """The same for who ran `get`."""
    return _SAID.get(sentence, sentence)
