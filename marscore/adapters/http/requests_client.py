"""The general HTTP client: requests over urllib3's connection pools, for the transport by requests (`http/session.py`).

    Request --prepare--> requests.PreparedRequest --send, one hop at a time--> Answer + body as it arrives

requests brings proxies, netrc, cookies and TLS settings. Its retries are off, so that there is one retry budget, and its
redirects are followed here, since the rules are ours: never from https to http, and manifest headers go to no other origin.

What it is given is `Url.text`, made of parts that were checked, and what it makes of that has to have the same origin. Connections and
request lines are made from the same Url (`connections.PoolAdapter`), so no reading of its own decides who is asked.

One Session serves all threads of a process: its pools are thread-safe, and a connection that one thread is done with serves the next.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import requests
import urllib3
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
from requests.hooks import dispatch_hook
from requests.utils import select_proxy

from marscore.adapters.http.access import credentials_of, proxy_of, read_proxy, refused_before, trusted
from marscore.adapters.http.challenges import Challenges
from marscore.adapters.http.requests_access import NoAuth, auth_for, cert_of
from marscore.adapters.http.requests_connections import Connections, PoolAdapter
from marscore.adapters.http.requests_failures import failure_of, is_closed
from marscore.adapters.http.requests_response import RequestsResponse, drop
from marscore.errors import OriginError
from marscore.policy.failures import failure_of_host
from marscore.policy.redirect import headers_for, is_public, next_url, private, sent_to, the_location
from marscore.ports import Answer, Request
from marscore.url import Url, parse_url
from marscore.values import Access, Failure
from marscore.version import __version__

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PROTOCOLS = {10: "HTTP/1.0", 11: "HTTP/1.1"}
#: Fields of a caller's session that any origin may have.
_HARMLESS = ("user-agent", "accept", "accept-encoding", "connection")
USER_AGENT = f"marscore/{__version__}"


def _addresses(host: str, port: int | None) -> Iterable[str]:
    return [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class RequestsClient:
    """Implements `ports.HttpClient`. `connections` is how many may be open, over all hosts; `resolve` looks addresses up.

    A caller's `session` is used with its auth, adapters, header fields, cookies and hooks; it is not changed but for its cookies, and not
    closed. What it sends of its own goes to another origin only as far as the manifest's may (`policy/redirect`).
    """

    def __init__(
        self,
        connections: int,
        resolve: Callable[[str, int | None], Iterable[str]] = _addresses,
        session: requests.Session | None = None,
    ) -> None:
        self._live = Connections(connections)
        #: The context in which a thread opens and reads a response.
        self.use = self._live.use
        self._resolve = resolve
        #: Whether its connections tell of their sockets; a caller's adapters have their own.
        self.is_own = session is None
        self._challenges = Challenges()
        self._session = requests.Session() if session is None else session
        if session is not None:
            return
        self._session.headers = requests.structures.CaseInsensitiveDict({"User-Agent": USER_AGENT, "Accept": "*/*"})
        adapter = PoolAdapter(self._live, pool_connections=64)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def open(self, request: Request) -> RequestsResponse:
        """Send a request and follow its redirects, with cookies for these hops alone, unless the session is a caller's.

        Raises:
            OriginError: there is no answer (dns, connection, tls, proxy, timeout, redirect).
        """
        jar = RequestsCookieJar() if self.is_own else None
        self._demand_public(request.url, request)
        return self._follow(request, self._send(request.url, request, jar), jar)

    def _follow(self, request: Request, raw: Any, jar: RequestsCookieJar | None) -> RequestsResponse:
        url, hops = request.url, list[tuple[Url, Url]]()
        while (location := _location(raw)) is not None:
            # Of a caller's adapters nobody knows whether they would take what follows the body for an answer.
            drop(raw) if self.is_own else raw.close()
            following = location if isinstance(location, Failure) else next_url(url, location, len(hops))
            if isinstance(following, Failure):
                raise OriginError(following)
            hops.append((url, following))
            url = following
            self._demand_public(url, request)
            raw = self._send(url, request, jar)
        answer = Answer(raw.status, _fields_of(raw), url, tuple(hops), _PROTOCOLS.get(raw.version, ""))
        return RequestsResponse(answer, raw, request.access.timeouts)

    def close(self) -> None:
        """Drop every idle connection."""
        self._live.idle.clear()

    def _keep_cookies(self, prepared: requests.PreparedRequest, raw: Any, jar: RequestsCookieJar | None) -> None:
        extract_cookies_to_jar(self._session.cookies if jar is None else jar, prepared, raw)  # type: ignore[no-untyped-call]  # requests' stubs leave it out

    def _settings(self, url: Url, request: Request) -> dict[str, Any]:
        """Proxy, certificates and time, as requests' adapters take them.

        Raises:
            OriginError: there is no such way to the URL, or a redirect must not take it.
        """
        access, session = request.access, self._session
        proxy = self._proxy(url, access)
        if refused_before(request, url, proxy):
            raise OriginError(private(url != request.url))
        secure = url.scheme == "https" or (proxy is not None and proxy.scheme == "https")
        verify: Any = session.verify if access.verify is True and not self.is_own else access.verify
        if secure and (isinstance(access.verify, str) or (verify is True and (self.is_own or session.trust_env))):
            verify = trusted(access)
        return {
            "stream": True,
            "verify": verify,
            "cert": (cert_of(access) if url.scheme == "https" else None) or session.cert,
            "proxies": {} if proxy is None else {url.scheme: proxy.text_with_userinfo},
            "timeout": (access.timeouts.connect, access.timeouts.read),
        }

    def _proxy(self, url: Url, access: Access) -> Url | None:
        """The manifest's proxy, else that of a caller's session, else the environment's, unless that session forgoes it."""
        if not self.is_own and access.proxies is None:
            found = select_proxy(url.text, self._session.proxies)
            if found or not self._session.trust_env:
                return read_proxy(found) if found else None
        return proxy_of(access, url)

    def _send(self, url: Url, request: Request, jar: RequestsCookieJar | None) -> Any:
        if failure := failure_of_host(url):
            raise OriginError(failure)
        for answers in itertools.count():
            raw = self._send_once(url, request, jar)
            if raw.status != 401 or not self._challenges.learn(request, url, raw.headers.get("www-authenticate", ""), answers):
                break
            drop(raw)
        return raw

    def _send_once(self, url: Url, request: Request, jar: RequestsCookieJar | None) -> Any:
        prepared = self._prepare(url, request, jar)
        access = request.access
        try:
            settings = self._settings(url, request)
            # What a name meant when it was looked up and what it means when it is dialled may differ, so both are checked.
            self._live.here.public_only = request.access.public_only(url.origin, url != request.url)
            while True:
                # What fails before a request is sent, no other connection can be asked for.
                self._live.here.reused = False
                try:
                    # Not by Session.send, which would look at redirects by rules of its own.
                    adapter = self._session.get_adapter(url.text)
                    response = dispatch_hook("response", prepared.hooks, adapter.send(prepared, **settings), **settings)  # type: ignore[no-untyped-call]
                    for each in (*response.history, response):
                        self._keep_cookies(each.request or prepared, each.raw, jar)
                    return _raw_of(response)
                except requests.ConnectionError as error:
                    # A kept-alive connection that the server closed meanwhile says nothing about the server: ask again at once. The next
                    # may have met the same end; a new one ends this.
                    if not is_closed(error) or not self._live.here.reused:
                        raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise OriginError(failure_of(error, access.timeouts)) from error
        finally:
            self._live.here.public_only = False

    def _prepare(self, url: Url, request: Request, jar: RequestsCookieJar | None) -> requests.PreparedRequest:
        own = self._kept_back(url, request) | headers_for(request.access, request.url, url) | dict(request.fields)
        try:
            own_params: Any = self._session.params
            # A caller's own parameters are for the first request, as requests has it; a value of None leaves one out.
            params = None if url == request.url else dict.fromkeys(own_params) if isinstance(own_params, Mapping) else {}
            asked = requests.Request(request.method, url.text, headers=own, auth=self._auth(url, request), cookies=jar, params=params)
            prepared = self._session.prepare_request(asked)
            if parse_url(str(prepared.url)).origin != url.origin:
                raise ValueError("requests reads another origin")
        except (requests.RequestException, ValueError) as error:
            raise OriginError(Failure("redirect" if url != request.url else "connection", "not a URL that can be asked")) from error
        if not self.is_own and not sent_to(request.url, url):
            prepared.headers.pop("Cookie", None)
            prepared.prepare_cookies(_with_domains(self._session.cookies))
        if self.is_own:
            # With its path as it is written: requests decodes what need not be encoded. A caller's session may have signed its own reading.
            prepared.url = url.text
        if "%" in url.host:
            # Older versions of http.client write the zone into it.
            prepared.headers.setdefault("Host", url.authority)
        return prepared

    def _auth(self, url: Url, request: Request) -> AuthBase | None:
        if not sent_to(request.url, url):
            return NoAuth()
        # Any auth that is set keeps requests from looking in netrc, which `auth: netrc` alone asks for.
        given = auth_for(self._challenges, request, url)
        return given or (NoAuth() if self.is_own or credentials_of(request, url) else None)

    def _kept_back(self, url: Url, request: Request) -> dict[str, Any]:
        """The header fields of a caller's session that another origin is not to have: all but those that tell nothing of who asks."""
        if self.is_own or sent_to(request.url, url):
            return {}
        return dict.fromkeys(name for name in self._session.headers if name.lower() not in (*_HARMLESS, *request.access.forward_headers))

    def _demand_public(self, url: Url, request: Request) -> None:
        is_redirect = url != request.url
        if request.access.public_only(url.origin, is_redirect) and not self._leads_to_public(url):
            raise OriginError(private(is_redirect))

    def _leads_to_public(self, url: Url) -> bool:
        try:
            return all(map(is_public, self._resolve(url.host, url.port)))
        except (OSError, ValueError):
            # A proxy may know a name that this machine does not; without one, the connection fails by itself.
            return True


def _raw_of(response: requests.Response) -> Any:
    """The response below; a caller's adapter may have put any file there."""
    if isinstance(response.raw, urllib3.BaseHTTPResponse):
        return response.raw
    return urllib3.HTTPResponse(response.raw, response.headers, response.status_code, preload_content=False, decode_content=False)


def _with_domains(cookies: RequestsCookieJar) -> RequestsCookieJar:
    """The cookies that belong to a host: one that a caller set without a domain would go to every host."""
    jar = RequestsCookieJar()
    for cookie in cookies:
        if cookie.domain:
            jar.set_cookie(cookie)
    return jar


def _location(raw: Any) -> str | Failure | None:
    location = the_location(raw.headers.getlist("location")) if raw.status in _REDIRECTS else None
    if isinstance(location, str):
        with contextlib.suppress(UnicodeError):
            # http.client reads field values as Latin-1; servers send UTF-8 (as requests assumes in get_redirect_target).
            location = location.encode("latin-1").decode("utf-8")
    return location


def _fields_of(raw: Any) -> dict[str, str]:
    # Repeated fields are joined by a comma (RFC 9110 section 5.3).
    return {name.lower(): value for name, value in raw.headers.itermerged()}
