"""Writes the certificates of a PEM bundle as a trust store that Java reads.

    python3 truststore.py BUNDLE.pem STORE.jks

Java has a store of its own and does not look at SSL_CERT_FILE. The format is Java's JKS, version 2, with trusted
certificates only; its password, which protects nothing here, is "changeit". Exit: 0 done, 1 not; the reason is on
stderr.
"""
import hashlib
import re
import ssl
import struct
import sys
import time

PASSWORD = "changeit"
TRUSTED_CERTIFICATE = 2


def text(value):
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def store(certificates):
    now_ms = int(time.time() * 1000)
    data = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for number, certificate in enumerate(certificates):
        data += struct.pack(">I", TRUSTED_CERTIFICATE) + text(f"certificate-{number}") + struct.pack(">q", now_ms)
        data += text("X.509") + struct.pack(">I", len(certificate)) + certificate
    # The format's own words: they keep the sum apart from that of other data.
    return data + hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + data).digest()


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: truststore.py BUNDLE.pem STORE.jks")
    try:
        with open(sys.argv[1], encoding="utf-8", errors="replace") as bundle:
            blocks = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", bundle.read(), re.S)
        certificates = [ssl.PEM_cert_to_DER_cert(block) for block in blocks]
        if not certificates:
            sys.exit(f"{sys.argv[1]} holds no certificates")
        with open(sys.argv[2], "wb") as target:
            target.write(store(certificates))
    except (OSError, ValueError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")


if __name__ == "__main__":
    main()
