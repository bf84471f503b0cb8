"""What the security tests need around koine: certificates, an issuer of tokens, a broker with listeners that ask who is
there, and nginx before the registry. All on loopback, all in one directory, all stopped by whoever started it.
"""
import base64
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

from support import servers, wait_for

PASSWORD = "pa55-word:of/the%stores"


def run(*command, **extra):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **extra)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class Authority:
    """A certificate authority, and what it has signed: PEM certificate and PKCS#8 key by name."""

    def __init__(self, directory, name="koine-test-ca"):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", self.key, "-out", self.cert)

    def issue(self, name, file=None):
        cert, key = self.directory / f"{file or name}.pem", self.directory / f"{file or name}.key"
        request, extra = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extra.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", "2",
            "-extfile", extra, "-out", cert)
        return cert, key

    def keystore(self, name):
        """For Java: the certificate and its key, and what it trusts."""
        cert, key = self.issue(name)
        store, trust = self.directory / f"{name}.p12", self.directory / f"{name}.trust.p12"
        run("openssl", "pkcs12", "-export", "-in", cert, "-inkey", key, "-name", name, "-out", store, "-passout", f"pass:{PASSWORD}")
        run("keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", self.cert, "-keystore", trust, "-storetype", "PKCS12",
            "-storepass", PASSWORD)
        return store, trust


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Issuer:
    """Client credentials in, signed tokens out, and the keys to check them with. `secret` can be changed while it runs;
    `asked` keeps what came in, `given` the tokens; `revoked` are those that introspection (of nginx) does not take."""

    CLIENT = "koine-client"

    def __init__(self, directory, life=60):
        self.directory, self.life, self.secret = Path(directory), life, PASSWORD
        self.key = self.directory / "issuer.key"
        run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key)
        modulus = run("openssl", "rsa", "-in", self.key, "-noout", "-modulus").strip().split("=")[1]
        self.modulus = bytes.fromhex(modulus)
        self.asked, self.given, self.revoked, self.is_away = [], [], set(), False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def reply(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if self.path == "/check":
                    token = (self.headers.get("x-token") or "").removeprefix("Bearer ")
                    return self.reply(200 if token in outer.given and token not in outer.revoked else 401, {})
                self.reply(200, {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "e": "AQAB",
                                           "n": base64url(outer.modulus)}]})

            def do_POST(self):
                form = self.rfile.read(int(self.headers["content-length"])).decode()
                outer.asked.append(form)
                if outer.is_away:
                    return self.reply(503, {})
                user, _, secret = base64.b64decode(self.headers["authorization"].removeprefix("Basic ")).decode().partition(":")
                if (urllib.parse.unquote_plus(user), urllib.parse.unquote_plus(secret)) != (outer.CLIENT, outer.secret):
                    return self.reply(401, {"error": "invalid_client", "error_description": "wrong secret " + secret})
                self.reply(200, {"access_token": outer.token(), "token_type": "Bearer", "expires_in": outer.life})

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def token(self):
        now = int(time.time())
        header = {"alg": "RS256", "kid": "1", "typ": "JWT"}
        claims = {"iss": "koine-test", "aud": "kafka", "sub": self.CLIENT, "scope": "kafka", "iat": now, "exp": now + self.life,
                  "jti": str(len(self.given))}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        text = self.directory / f"token-{len(self.given)}-{threading.get_ident()}"
        text.write_text(signed)
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key, text], check=True, capture_output=True).stdout
        text.unlink()
        self.given.append(f"{signed}.{base64url(signature)}")
        return self.given[-1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


BROKER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SCRAM://127.0.0.1:{scram},MTLS://127.0.0.1:{mtls},SASLPLAIN://127.0.0.1:{saslplain},OAUTH://127.0.0.1:{oauth},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL,MTLS:SSL,SASLPLAIN:SASL_SSL,OAUTH:SASL_SSL
ssl.keystore.location={store}
ssl.keystore.password={password}
ssl.keystore.type=PKCS12
ssl.truststore.location={trust}
ssl.truststore.password={password}
ssl.truststore.type=PKCS12
listener.name.mtls.ssl.client.auth=required
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.saslplain.sasl.enabled.mechanisms=PLAIN
listener.name.saslplain.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_koine="{password}";
listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.oauth.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
listener.name.oauth.oauthbearer.sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.oauth.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={jwks}
listener.name.oauth.oauthbearer.sasl.oauthbearer.expected.audience=kafka
listener.name.oauth.oauthbearer.sasl.oauthbearer.expected.issuer=koine-test
listener.name.oauth.oauthbearer.connections.max.reauth.ms=8000
"""


class SecureKafka(servers.Kafka):
    """A broker with a listener for each way in, and a plain one for the test itself."""

    def __init__(self, directory, authority, jwks):
        self.ports = {name: servers.free_port() for name in ("plain", "scram", "mtls", "saslplain", "oauth", "controller")}
        self.jwks = jwks
        self.store, self.trust = authority.keystore("broker")
        super().__init__(directory)

    def write_properties(self):
        common = [line for line in servers.SERVER_PROPERTIES.splitlines()
                  if not line.startswith(("process.roles", "node.id", "controller.quorum", "listeners=", "advertised.", "listener.security"))]
        self.port = self.ports["plain"]
        self.brokers = f"127.0.0.1:{self.port}"
        text = BROKER.format(**self.ports, store=self.store, trust=self.trust, password=PASSWORD, jwks=self.jwks)
        text += "\n".join(common).format(port=self.port, controller=self.ports["controller"], data=self.dir / "data")
        self.properties.write_text(text + "\n")

    def format_arguments(self):
        return ["--add-scram", f"SCRAM-SHA-512=[name=koine,password={PASSWORD}]"]

    def command(self):
        # Since 4.0 Java's clients and brokers ask only addresses that they were allowed to.
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self.jwks}"
        java, *rest = super().command()
        return [java, allowed, *rest]

    def address(self, listener):
        return f"127.0.0.1:{self.ports[listener]}"


NGINX = """\
daemon off;
{user}
pid {dir}/pid;
error_log {dir}/error.log;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log {dir}/access.log;
  client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp; fastcgi_temp_path {dir}/tmp; uwsgi_temp_path {dir}/tmp; scgi_temp_path {dir}/tmp;
  map $http_authorization $is_known {{ default 0; "Bearer {password}" 1; }}
  server {{
    listen 127.0.0.1:{basic} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
    auth_basic "registry"; auth_basic_user_file {dir}/htpasswd;
    location / {{ proxy_pass {origin}; proxy_set_header Authorization ""; }}
  }}
  server {{
    listen 127.0.0.1:{bearer} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
    location / {{ if ($is_known = 0) {{ return 401; }} proxy_pass {origin}; proxy_set_header Authorization ""; }}
  }}
  server {{
    listen 127.0.0.1:{oidc} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
    location / {{ auth_request /check; proxy_pass {origin}; proxy_set_header Authorization ""; }}
    location = /check {{ internal; proxy_pass {issuer}/check; proxy_pass_request_body off; proxy_set_header Content-Length "";
                         proxy_set_header X-Token $http_authorization; }}
  }}
  server {{
    listen 127.0.0.1:{mtls} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
    ssl_client_certificate {ca}; ssl_verify_client on;
    location / {{ proxy_pass {origin}; }}
  }}
}}
"""


class Nginx:
    """Debian's nginx before the registry: one port for each way in."""

    def __init__(self, directory, authority, registry, issuer):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        origin, self.path = registry.split("/apis", 1)[0], "/apis" + registry.split("/apis", 1)[1]
        self.ports = {name: servers.free_port() for name in ("basic", "bearer", "oidc", "mtls")}
        cert, key = authority.issue("nginx")
        hashed = run("openssl", "passwd", "-apr1", PASSWORD).strip()
        (self.directory / "htpasswd").write_text(f"koine:{hashed}\n")
        # Where the tests run as root, nginx' workers would be somebody who may not read root's temporary files.
        user = "user root;" if os.getuid() == 0 else ""
        self.file = self.directory / "nginx.conf"
        self.file.write_text(NGINX.format(dir=self.directory, user=user, cert=cert, key=key, ca=authority.cert, origin=origin,
                                          issuer=issuer.base, password=PASSWORD, **self.ports))
        binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        assert binary, "no nginx: tests/run setup"
        with open(self.directory / "output", "wb") as out:
            self.process = subprocess.Popen([binary, "-p", self.directory, "-c", self.file], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out)
        context = ssl.create_default_context(cafile=authority.cert)
        wait_for(lambda: self.answers(context), "nginx", 30)

    def answers(self, context):
        assert self.process.poll() is None, (self.directory / "output").read_text()
        try:
            urllib.request.urlopen(self.url("bearer"), timeout=2, context=context)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def url(self, way):
        return f"https://127.0.0.1:{self.ports[way]}{self.path}"

    def requests(self):
        return (self.directory / "access.log").read_text().splitlines()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
