"""A verdict on every folder of a directory: chain.pem (leaf first, root last), lists.pem where there are any, purposes.

usage: samples.py verify DIRECTORY DNS-NAME       with the verifier of the cryptography package
       samples.py lint DIRECTORY                  with pkilint: every certificate, every issuer with its subject, every list

One JSON object a line is printed.
"""

import json
import pathlib
import sys
from datetime import datetime, timezone

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509 import verification


def blocks(file, label):
    """The PEM blocks of a file, each as text."""
    end = f"-----END {label}-----\n"
    text = file.read_text() if file.exists() else ""
    return [part + end for part in text.split(end) if part.strip()]


def verify_chain(leaf, others, purposes, host):
    # The Web PKI's list of algorithms, which the verifier applies, leaves Ed25519 out.
    if any(isinstance(one.public_key(), ed25519.Ed25519PublicKey) for one in [leaf, *others]):
        for one, issuer in zip([leaf, *others], others):
            one.verify_directly_issued_by(issuer)
        return
    builder = verification.PolicyBuilder().store(verification.Store(others[-1:]))
    if "server" in purposes:
        builder.build_server_verifier(x509.DNSName(host)).verify(leaf, others)
    if "client" in purposes:
        builder.build_client_verifier().verify(leaf, others)


def verify_lists(chain, lists):
    """The package verifies no chain against revocation lists; a program that wants to does this."""
    for one in lists:
        if one.next_update_utc is None or one.next_update_utc < datetime.now(timezone.utc):
            raise ValueError("the list is out of date")
        for subject, issuer in zip(chain, chain[1:]):
            if subject.issuer != one.issuer:
                continue
            if not one.is_signature_valid(issuer.public_key()):
                raise ValueError("the signature of the list is not good")
            for entry in one:
                list(entry.extensions)
            list(one.extensions)
            if one.get_revoked_certificate_by_serial_number(subject.serial_number) is not None:
                raise ValueError("revoked")


def verify(folder, host):
    chain = [x509.load_pem_x509_certificate(one.encode()) for one in blocks(folder / "chain.pem", "CERTIFICATE")]
    purposes = (folder / "purposes").read_text().split()
    lists = [x509.load_pem_x509_crl(one.encode()) for one in blocks(folder / "lists.pem", "X509 CRL")]
    try:
        verify_chain(chain[0], chain[1:] or chain, purposes, host)
        verify_lists(chain, lists)
    except Exception as problem:  # noqa: BLE001 - whatever it is, it is a verdict
        return [f"{type(problem).__name__}: {problem}"]
    return []


class Linter:
    """The validators that the commands lint_pkix_cert, lint_pkix_signer_signee_cert_chain and lint_crl put together."""

    def __init__(self):
        from pkilint import pkix
        from pkilint.bin import lint_pkix_signer_signee_cert_chain as pair
        from pkilint.pkix import certificate, crl, extension, name

        self.certificate = certificate.create_pkix_certificate_validator_container(
            certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
            [
                certificate.create_issuer_validator_container([]),
                certificate.create_validity_validator_container(),
                certificate.create_subject_validator_container([]),
                certificate.create_extensions_validator_container([]),
                certificate.create_spki_validator_container([]),
            ],
        )
        self.pair = pair
        self.list = crl.create_pkix_crl_validator_container(
            [
                pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
                pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
            ],
            [
                crl.create_issuer_validator_container([]),
                crl.create_validity_validator_container([]),
                crl.create_extensions_validator_container([]),
            ],
        )

    def lint(self, folder):
        from pkilint import loader

        problems = []
        certificates = loader.RFC5280CertificateDocumentLoader()
        chain = blocks(folder / "chain.pem", "CERTIFICATE")
        for one in chain:
            problems += findings(self.certificate.validate(certificates.load_pem_document(one, "certificate").root))
        for subject, issuer in zip(chain, chain[1:]):
            together = {}
            together["issuer"] = certificates.load_pem_document(issuer, "issuer", "issuer", together)
            together["subject"] = certificates.load_pem_document(subject, "subject", "subject", together)
            decoding = self.pair.create_decoder_validation_container()
            results = decoding.validate(together["issuer"].root)
            results += decoding.validate(together["subject"].root)
            results += self.pair.create_issuer_validation_container().validate(together["issuer"].root)
            results += self.pair.create_subject_validation_container().validate(together["subject"].root)
            problems += findings(results)
        for one in blocks(folder / "lists.pem", "X509 CRL"):
            document = loader.RFC5280CertificateListDocumentLoader().load_pem_document(one, "list")
            problems += findings(self.list.validate(document.root))
        return problems


def findings(results):
    from pkilint.validation import ValidationFindingSeverity

    return [
        f"{found.finding.code}: {found.message or result.node.path}"
        for result in results
        for found in result.finding_descriptions
        if found.finding.severity <= ValidationFindingSeverity.WARNING
    ]


def linted(linter, folder):
    try:
        return linter.lint(folder)
    except ValueError as problem:
        return [str(problem)]


def main():
    mode, directory = sys.argv[1:3]
    linter = Linter() if mode == "lint" else None
    for folder in sorted(pathlib.Path(directory).iterdir()):
        problems = linted(linter, folder) if linter else verify(folder, sys.argv[3])
        print(json.dumps({"sample": folder.name, "problems": problems}))


main()
