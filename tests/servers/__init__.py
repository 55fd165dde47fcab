"""Real servers for tests, each a context manager on a free loopback port: nginx, a forward proxy, and TLS material for both."""

from tests.servers.nginx import Nginx, nginx
from tests.servers.process import need
from tests.servers.proxy import Proxy, tinyproxy
from tests.servers.tls import Tls, make_tls

__all__ = ["Nginx", "Proxy", "Tls", "make_tls", "need", "nginx", "tinyproxy"]
