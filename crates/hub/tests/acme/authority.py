"""What signs for the ACME server: certificates that are good for seconds, or for another name, or none at all."""

import base64
import datetime
import json
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

PLACE = Path(os.environ["PLACE"])


def read(name):
    return (PLACE / name).read_bytes()


def sign(names, key, seconds, usage_of_server=True):
    """A certificate by the root in the folder; it is good from now on."""
    root = x509.load_pem_x509_certificate(read("root.pem"))
    secret = serialization.load_pem_private_key(read("root.key"), None)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    made = x509.CertificateBuilder()
    made = made.subject_name(x509.Name([])).issuer_name(root.subject)
    made = made.public_key(key).serial_number(x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(seconds=seconds))
    made = made.add_extension(x509.SubjectAlternativeName(names), critical=True)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(secret.public_key())
    made = made.add_extension(identifier, critical=False)
    return made.sign(secret, hashes.SHA256())


class CAhandler:
    def __init__(self, _debug=None, logger=None):
        self.logger = logger

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def handler_check(self):
        return None

    def enroll(self, csr):
        behaviour = json.loads(read("behaviour.json"))
        asked = base64.urlsafe_b64decode(csr + "=" * (-len(csr) % 4))
        asked = x509.load_der_x509_csr(asked)
        names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = list(names)
        with open(PLACE / "orders", "a", encoding="utf-8") as orders:
            orders.write(" ".join(name.value for name in names) + "\n")
        if behaviour.get("refuses"):
            return ("nothing is signed today", None, None, None)
        if behaviour.get("name"):
            names = [x509.DNSName(behaviour["name"])]
        signed = sign(names, asked.public_key(), behaviour.get("seconds", 90 * 24 * 3600))
        der = signed.public_bytes(serialization.Encoding.DER)
        pem = signed.public_bytes(serialization.Encoding.PEM).decode()
        bundle = pem + read("root.pem").decode()
        return (None, bundle, base64.b64encode(der).decode(), None)

    def poll(self, _name, identifier, _csr):
        return (None, None, None, identifier, False)

    def revoke(self, _cert, _reason, _date):
        return (200, None, None)

    def trigger(self, _payload):
        return (None, None, None)
