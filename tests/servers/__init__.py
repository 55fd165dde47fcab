"""Real servers for tests, each a context manager on a free loopback port: nginx, a forward proxy, and TLS material for both."""

from tests.servers.bad_proxy import bad_proxy
from tests.servers.nginx import Nginx, nginx
from tests.servers.process import have_nginx, have_proxy, need
from tests.servers.proxy import Proxy, tinyproxy
from tests.servers.tls import Tls, make_tls

__all__ = ["Nginx", "Proxy", "Tls", "bad_proxy", "have_nginx", "have_proxy", "make_tls", "need", "nginx", "tinyproxy"]
