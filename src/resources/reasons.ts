/** Every reason a condition or event of ours can carry, with the sentence the reference prints. */
export const reasons = {
  Ready: 'Everything the spec asks for exists and is in use.',
  Issued: 'The certificate is valid and its Secret holds it.',
  Issuing: 'A certificate is being issued.',
  Renewing: 'The certificate is being replaced before it ends; the one in the Secret stays valid meanwhile.',
  Encoding:
    'The Secret is being written anew from the same certificate, because its items, password, profile or trust changed.',
  AuthorityNotFound: 'The CertificateAuthority named in authorityRef does not exist. It is used as soon as it appears.',
  AuthorityNotAllowed:
    'The CertificateAuthority does not allow this namespace (see its spec.allowedNamespaces), or signs nothing at all (source.trustOnly).',
  AuthorityNotReady: 'The CertificateAuthority cannot sign yet; its own conditions say why.',
  AuthorityExpiring: 'The CertificateAuthority ends too soon for another certificate. Renew or replace it.',
  AuthorityExpired: 'The certificate of the CertificateAuthority has ended. Nothing is signed until it is renewed.',
  AuthorityNotYetValid: 'The certificate of the CertificateAuthority is not valid yet. It signs from then on.',
  AuthorityCannotSign:
    'The certificate or the key that was brought along may not sign: it is no CA, too weak, or does not lead to a root. The message says which; bring another one.',
  AuthorityReplaced:
    'The Secret of source.secret holds another key than before. It is staged as a rotation: trusted everywhere first, then it signs; nothing is signed meanwhile but what would end.',
  AuthoritySecretShared:
    'Another CertificateAuthority has its key in the same Secret; two ledgers for one key would contradict each other.',
  AuthoritySecretInvalid:
    'The Secret of the CertificateAuthority cannot be parsed, or key and certificate do not belong together. Nothing is signed and nothing overwritten; restore the Secret.',
  AuthoritySecretMissing:
    'The Secret of a CertificateAuthority that has issued before is gone. Restore it from a backup; a new key would not be trusted.',
  SecretInTheWay:
    'A Secret of that name exists and was not made by dbtls. Choose another name, remove it, or annotate the Secret with dbtls.dev/adopt: "true".',
  SecretTypeChanged: 'The type of a Secret cannot change. Delete the Secret, or choose another name.',
  SecretTooLarge: 'The Secret would be larger than Kubernetes stores (1 MiB). Ask for fewer items.',
  SecretImmutable: 'The Secret is marked immutable. Delete it, or choose another name.',
  SecretNotFound: 'A Secret the spec refers to does not exist, or lacks the key.',
  PasswordSecretNotFound: 'The Secret named in keystore.passwordSecretRef does not exist, or lacks the key.',
  PasswordInvalid: 'The keystore password is empty, shorter than six characters, or not printable ASCII.',
  PassphraseNotFound:
    'The private key needs a passphrase, and passphraseSecretRef is not set, or its Secret does not exist or lacks the key.',
  PassphraseWrong: "The passphrase does not open the authority's private key.",
  ConfigMapNotFound: 'A ConfigMap the spec refers to does not exist, or lacks the key.',
  TrustBundleInvalid:
    'The certificates to trust cannot be read, or none of them is a CA. What was delivered before stays in use; correct them.',
  TrustExpired:
    'Certificates to trust have expired and are left out; while all have, what was delivered before stays. Bring newer ones.',
  RequestInvalid: 'The spec asks for something that cannot be signed. Only a change of the spec can help.',
  RequestNotFound:
    'The Secret or ConfigMap named in spec.request does not exist, or lacks the key, and the ledger keeps no request of this certificate.',
  KeyInUse:
    'The key of the request belongs to a CA or to another certificate, or was revoked as compromised. Make another key and request.',
  PolicyViolation:
    'The CertificateAuthority does not sign this: its spec.policy. Change the spec, or the policy; what is in the Secret stays.',
  NameConstraintViolation:
    'The name constraints of the CertificateAuthority, or of one above it, do not allow a name. Change the spec; what is in the Secret stays.',
  KeyExportNotAllowed:
    "The Secret is to hold the CertificateAuthority's own private key, and that one does not allow it (spec.allowKeyExport) or is in another namespace. A key that was exported before is taken out of the Secret; where that is refused, the message says why it is still there.",
  KeyExported:
    "The CertificateAuthority's own private key was written into another Secret, as spec.allowKeyExport allows.",
  KeyWithdrawn:
    "The CertificateAuthority's own private key was taken out of a Secret: it does not allow that any more (spec.allowKeyExport), or no item asks for it there.",
  CommonNameTaken:
    'The CertificateAuthority gives each common name to one certificate (policy.uniqueCommonName), and a newer DatabaseCertificate has it. Choose another name, or delete one of the two.',
  OnHold:
    'The certificate is revoked for the time being (certificateHold). It is used again when the hold is taken back.',
  RevocationListNotReady: 'The CertificateAuthority has no revocation list yet.',
  Revoked:
    'The certificate is revoked. That of a CertificateAuthority signs nothing any more; create another one, or take a certificateHold back.',
  RevocationListIssued: 'The revocation list in the ConfigMap is current.',
  RevocationListNotSigned:
    'The key of the CertificateAuthority cannot sign a revocation list now; the last one stays. The message says why.',
  RevocationListTooLarge:
    'The revocation list would be larger than Kubernetes stores (1 MiB, some 15,000 revocations). The last one stays; shorten the lifetime of certificates, or spread them over several CAs.',
  ConfigMapInTheWay:
    'A ConfigMap of that name exists and was not made by dbtls. Remove it, or annotate it with dbtls.dev/adopt: "true".',
  Held: 'The annotation dbtls.dev/hold is set on the CertificateAuthority, and says why. Nothing is signed until it is removed.',
  IssuanceFailed: 'Signing failed; it is tried again with growing delays (status.nextAttemptAt).',
  WriteFailed: 'The cluster refused a write; it is tried again.',
  NamespaceTerminating: 'The namespace is being deleted; nothing is created in it.',
  Deleting: 'The object is being deleted.',
  NotImplemented: 'This version does not act on a field that is set. Remove the field, or install a later version.',
  SignedEarly:
    'The certificate would have ended, and the owner of the CA has replaced its key: the next CA signed it before everybody is known to trust that one.',
  OutsideWindows:
    'The certificate was renewed outside of spec.rotation.windows, because none of them opens between its renewal and its end.',
  Renewed: 'The certificate was replaced before it ended.',
  Rotating: 'The authority is being replaced by one with another key; status.rotation says how far that is.',
  RotationPrepared: 'A rotation has begun: the CA that will sign lies ready, and is not used yet.',
  RotationTrustBoth: 'The next CA is published beside the present one; it signs when everybody trusts it.',
  RotationSigning: 'The new CA signs, and the certificates of the former one are replaced.',
  RotationDropSoak: 'No certificate of the former CA is in use any more; it stays trusted for spec.rotation.dropSoak.',
  RotationDropped: 'The former CA is taken out of every trust bundle.',
  RotationEnded: 'The rotation has ended.',
  RotationTakenBack: 'The rotation was taken back (spec.rotation.abort).',
  RotationFailed:
    'A step of the rotation was refused and is tried again; the phase stays. The message says what is wrong.',
  Created: 'The authority has a certificate and can sign.',
  Repaired: 'The Secret had been changed or deleted by someone else and was written again.',
  TrustTargetsIncomplete:
    'Not every ConfigMap or Secret of spec.trustBundle.targets holds the trust bundle; status.trustTargets.message says which and why.',
  ProfileInvalid:
    'The profile asks for something that its engine, its layout or Kubernetes does not take; the message names the field and what to write. What was delivered before stays as it is, and what is not concerned is made.',
  CertificateInTheWay:
    'A DatabaseCertificate of that name exists and was not made for this profile. Delete it, give the profile or its client another name, or annotate it with dbtls.dev/adopt: "true".',
  CertificatesNotReady:
    'Some certificates of the profile are not Ready; the message names the first of them with their reasons.',
  ConfigMapTooLarge:
    'The ConfigMap would be larger than Kubernetes stores (1 MiB). Make a profile for each part of the clients.',
  ReloadFailed:
    'A server has not taken up what was delivered; status.reload.pending says which, why and since when. It is tried again with growing delays.',
  ReloadRefused:
    'The account of spec.reload may not log in or may not reload, or the operator may not restart the workload. The message says what to change; it is tried again now and then.',
  ReloadByHand:
    'Servers serve another certificate than the one that was delivered, and spec.reload leaves it to people to have them read their files.',
  Reloaded: 'Servers serve what was delivered, after they were told to read their files or were restarted.',
  Applied: 'DatabaseCertificates or ConfigMaps of the profile were made, changed or removed.',
  Served:
    'On condition Serving: every endpoint serves a certificate that clients take; of servers that dbtls makes certificates for, the current one.',
  OldCertificateServed:
    'On condition Serving: a server still serves a certificate from before the renewal, the message says since when; or the chain of a CA that is being replaced. Let it reload or restart.',
  OtherCertificateServed:
    'On condition Serving: a server serves a certificate that is none of this profile. It was given other files, or another server answers there.',
  ServedCertificateRefused:
    'On condition Serving: clients refuse what a server serves: it has expired, is not for the name they connect to, or no CA they trust leads to it.',
  ClientCertificateRefused:
    "On condition Serving: a server refuses the certificate of the profile's own client. It has not loaded the CA of the clients.",
  TLSNotServed: 'On condition Serving: a server answers and speaks no TLS. Switch it on.',
  EndpointUnreachable: 'On condition Serving: a server does not answer, so nothing is known of it.',
  EndpointNotAsked:
    'On condition Serving: an endpoint is of a kind that the operator does not ask; the message says which rule. Name another one, or have the rule changed.',
  Adopted: 'A Secret that asked for it (dbtls.dev/adopt) is now managed.',
} as const satisfies Record<string, string>

export type Reason = keyof typeof reasons
