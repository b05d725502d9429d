"""A real ACME server (acme2certifier) with validation on, and the world around it: DNS, and the router that leads ports 443
and 80 of each domain to the hub. Steps are lines of JSON."""

import datetime
import json
import logging
import os
import socket
import ssl
import sys
import threading
from pathlib import Path

PLACE = Path(sys.argv[1])
os.environ["PLACE"] = str(PLACE)
os.environ["ACME_SRV_CONFIGFILE"] = str(PLACE / "acme_srv.cfg")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

(PLACE / "behaviour.json").write_text("{}")
(PLACE / "orders").write_text("")
(PLACE / "acme_srv.cfg").write_text(
    f"""[DEFAULT]
debug: False
[Nonce]
nonce_check_disable: False
[CAhandler]
handler_file: {HERE / "authority.py"}
[DBhandler]
handler: wsgi
dbfile: {PLACE / "acme.db"}
[Certificate]
revocation_reason_check_disable: False
[Challenge]
challenge_validation_disable: False
[Order]
tnauthlist_support: False
[Directory]
tos_url: https://authority.example/terms
"""
)

# Where ports 443 and 80 of all domains lead. Who looks before somebody says so waits.
LEADS = {}
KNOWN = threading.Event()
CONNECT = socket.socket.connect
LOOKED = []
# The port of the server itself: somebody else's, for a domain.
OWN = []
# Certificates about which it was asked when to renew them.
ASKED = []


def connect(self, address):
    if isinstance(address, tuple) and address[1] in (80, 443):
        KNOWN.wait(20)
        LOOKED.append(address[1])
        port = LEADS.get(address[1])
        if port is None:
            raise ConnectionRefusedError("nobody listens there")
        address = ("127.0.0.1", port)
    return CONNECT(self, address)


socket.socket.connect = connect


def make_root():
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Authority of tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    root = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    root = root.public_key(key.public_key()).serial_number(x509.random_serial_number())
    root = root.not_valid_before(now - datetime.timedelta(days=1))
    root = root.not_valid_after(now + datetime.timedelta(days=365))
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    root = root.sign(key, hashes.SHA256())
    (PLACE / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (PLACE / "root.key").write_bytes(secret)


def make_own():
    """The certificate of the server itself."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from authority import sign

    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    own = sign(names, key.public_key(), 24 * 3600)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    both = secret + own.public_bytes(serialization.Encoding.PEM)
    (PLACE / "own.pem").write_bytes(both)


def begin():
    """Starts the server; gives the URL of its directory."""
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    from acme2certifier.acme_srv import helper
    from acme2certifier.acme_srv.helpers import network

    def resolve(_logger, host, _servers=None, catch_all=False):
        if host.endswith(".nowhere.example"):
            return ([] if catch_all else None, True, "NXDOMAIN")
        return (["127.0.0.1"] if catch_all else "127.0.0.1", False, None)

    helper.fqdn_resolve = resolve
    network.fqdn_resolve = resolve
    from acme2certifier.share import acme2certifier_wsgi

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Handler(WSGIRequestHandler):
        def log_message(self, *_):
            pass

    def application(environ, start_response):
        environ["wsgi.url_scheme"] = "https"
        behaviour = json.loads((PLACE / "behaviour.json").read_text())
        if environ["PATH_INFO"].endswith("/neworders") and behaviour.get("limited"):
            problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many of them"}
            headers = [("Content-Type", "application/problem+json"), ("Retry-After", "7200")]
            headers.append(("Replay-Nonce", "x"))
            start_response("429 Too Many Requests", headers)
            return [json.dumps(problem).encode()]
        if "/renewal-info/" in environ["PATH_INFO"]:
            ASKED.append(environ["PATH_INFO"].rsplit("/", 1)[1])
            if behaviour.get("silent"):
                start_response("404 Not Found", [("Content-Type", "application/problem+json")])
                return [b"{}"]
            if behaviour.get("early"):
                # As an authority does that has to take back what it issued.
                window = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
                start_response("200 OK", [("Content-Type", "application/json"), ("Retry-After", "21600")])
                return [json.dumps({"suggestedWindow": window}).encode()]
        return acme2certifier_wsgi.application(environ, start_response)

    server = Server(("127.0.0.1", 0), Handler)
    port = server.server_address[1]
    OWN.append(port)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PLACE / "own.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.set_app(application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"https://127.0.0.1:{port}/directory"


def step(asked):
    match asked["do"]:
        case "leads":
            LEADS.clear()
            LEADS.update({int(port): to or OWN[0] for port, to in asked["ports"].items()})
            KNOWN.set()
        case "behave":
            (PLACE / "behaviour.json").write_text(json.dumps(asked["how"]))
        case "orders":
            return (PLACE / "orders").read_text().splitlines()
        case "looked":
            return list(LOOKED)
        case "asked":
            return list(ASKED)
        case other:
            raise ValueError(other)
    return None


def main():
    out = sys.stdout
    sys.stdout = sys.stderr
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    make_root()
    make_own()

    def say(name, call):
        answer = {"do": name}
        try:
            answer["value"] = call()
        except Exception as error:  # Whatever it is, the test says it.
            answer["error"] = repr(error)
        out.write(json.dumps(answer) + "\n")
        out.flush()

    say("start", begin)
    for line in sys.stdin:
        asked = json.loads(line)
        say(asked["do"], lambda: step(asked))


main()
