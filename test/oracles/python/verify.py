"""Says whether a Python program can use a Secret's files: chain, key and PKCS#12 stores, with the cryptography package.

usage: verify.py DIRECTORY [DNS-NAME]        the keystore password is read from standard input

The directory holds tls.crt (leaf and intermediates), tls.key, ca.crt and, if any, *.p12. One JSON object is printed; its
problems are empty when everything fits.
"""

import json
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID


def spki(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def usages(leaf):
    try:
        return set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return set()


def direct(leaf, intermediates, roots):
    """Signatures, names and dates alone, where the package's own verifier has no opinion on an algorithm."""
    certificate, length = leaf, 1
    while certificate.subject != certificate.issuer or length == 1:
        issuers = [one for one in intermediates + roots if one.subject == certificate.issuer]
        for issuer in issuers:
            try:
                certificate.verify_directly_issued_by(issuer)
                break
            except Exception:  # noqa: BLE001 - another CA of the same name may fit
                continue
        else:
            raise ValueError(f"nobody in the files issued {certificate.subject.rfc4514_string()}")
        if issuer in roots:
            return length + 1
        certificate, length = issuer, length + 1
    return length


def chain_length(leaf, intermediates, roots, name):
    # The Web PKI's list of algorithms, which the verifier applies, leaves Ed25519 out.
    if any(isinstance(one.public_key(), ed25519.Ed25519PublicKey) for one in [leaf, *intermediates, *roots]):
        return direct(leaf, intermediates, roots)
    builder = verification.PolicyBuilder().store(verification.Store(roots))
    if ExtendedKeyUsageOID.SERVER_AUTH in usages(leaf):
        verifier = builder.build_server_verifier(x509.DNSName(name))
        return len(verifier.verify(leaf, intermediates))
    return len(builder.build_client_verifier().verify(leaf, intermediates).chain)


def examine(folder, name, password):
    problems, stores, result = [], [], {}
    chain = x509.load_pem_x509_certificates((folder / "tls.crt").read_bytes())
    roots = x509.load_pem_x509_certificates((folder / "ca.crt").read_bytes())
    leaf = chain[0]
    result["subject"] = leaf.subject.rfc4514_string()
    result["serialNumber"] = f"{leaf.serial_number:X}"
    if not name:
        try:
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            name = next(iter(names.get_values_for_type(x509.DNSName)), "").replace("*", "star")
        except x509.ExtensionNotFound:
            name = ""
    try:
        result["chainLength"] = chain_length(leaf, chain[1:], roots, name)
    except Exception as error:  # noqa: BLE001 - every refusal is a finding
        problems.append(f"chain: {error}")
    try:
        key = serialization.load_pem_private_key((folder / "tls.key").read_bytes(), None)
        if spki(key.public_key()) != spki(leaf.public_key()):
            problems.append("tls.key is not the key of tls.crt")
    except Exception as error:  # noqa: BLE001
        problems.append(f"tls.key: {error}")
    for file in sorted(folder.glob("*.p12")):
        try:
            store = pkcs12.load_pkcs12(file.read_bytes(), password)
            if store.key is not None and spki(store.key.public_key()) != spki(store.cert.certificate.public_key()):
                problems.append(f"{file.name}: the key is not the certificate's")
            alias = store.cert.friendly_name.decode() if store.cert and store.cert.friendly_name else None
            stores.append({"file": file.name, "key": store.key is not None, "alias": alias,
                           "certificates": len(store.additional_certs) + (store.cert is not None)})
        except Exception as error:  # noqa: BLE001
            problems.append(f"{file.name}: {error}")
    return {**result, "stores": stores, "problems": problems}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: verify.py DIRECTORY [DNS-NAME]")
    secret = sys.stdin.buffer.read() or None
    print(json.dumps(examine(pathlib.Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "", secret)))
