/**
 * Whether the operator keeps the certificate in a Secret that is handed over to it: asked of the very checks by which it decides,
 * on what the Secret holds. Only the certificate leaves this file.
 */

import { decide } from '../../certificate/decide.ts'
import { resolve } from '../../certificate/wanted.ts'
import { dataOf } from '../../control/secrets.ts'
import { recoverMaterial } from '../../material/recover.ts'
import { certificatesOf } from '../../pki/encoding/pem.ts'
import { parseCertificate, type ParsedCertificate, signatureVerifies } from '../../pki/certificates/parse.ts'
import { algorithmOfSpki } from '../../pki/keys/keys.ts'
import type { KubeObject } from '../../cluster/port.ts'
import type { Secret } from '../../resources/core.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import { admit } from '../../resources/validate.ts'

export type Verdict =
  | { readonly state: 'kept'; readonly certificate: ParsedCertificate }
  /** A sentence for each reason; `certificate` where the Secret holds one. */
  | {
      readonly state: 'replaced'
      readonly reasons: readonly string[]
      readonly certificate: ParsedCertificate | undefined
    }

/** `object` is a DatabaseCertificate as it was written; `authority` the Secret of its CA, where that could be read. */
export const verdictOn = async (
  object: KubeObject,
  secret: Secret,
  authority: Secret | undefined,
  now: number,
): Promise<Verdict> => {
  const admitted = admit('DatabaseCertificate', object)
  if ('problems' in admitted) throw new Error('a manifest that is not accepted was written')
  const certificate = admitted.object as DatabaseCertificate
  const resolved = resolve(certificate)
  if (resolved.problems !== undefined) return { state: 'replaced', reasons: resolved.problems, certificate: undefined }
  const { wanted } = resolved
  const found = await recoverMaterial(wanted.secret.items, dataOf(secret))
  const leaf = found.certificate === undefined ? undefined : parseCertificate(found.certificate)
  const decision = decide(
    {
      name: '',
      uid: '',
      generation: 1,
      resolved: { wanted },
      status: undefined,
      authority: { state: 'notReady', message: '' },
      ...{ password: undefined, request: undefined, entry: undefined, revocationList: undefined },
      ...{ authorityKey: undefined, commonNameHolder: undefined, keyHolder: undefined, keyCompromised: false },
      secret: {
        state: 'present',
        ...{ uid: '', resourceVersion: '', type: wanted.secret.type, immutable: secret.immutable === true },
        ...{ ours: true, adopted: true, takenOver: true, owner: undefined, leaf },
        privateKey: found.privateKey,
        keyAlgorithm: leaf === undefined ? undefined : algorithmOfSpki(leaf.spki),
        ...{ password: undefined, signedByAuthority: undefined, waits: false },
        ...{ requestedDuration: undefined, renewTrigger: undefined, drift: [], outputsCurrent: true },
        ...{ staleLists: [], counted: new Map() },
      },
    },
    now,
  )
  const reasons = [
    ...decision.findings.filter(({ cure }) => cure === 'Issue' || cure === 'Stall').map(({ message }) => message),
    ...signerReasons(leaf, authority),
  ]
  if (reasons.length > 0 || leaf === undefined) return { state: 'replaced', reasons, certificate: leaf }
  return { state: 'kept', certificate: leaf }
}

const signerReasons = (leaf: ParsedCertificate | undefined, authority: Secret | undefined): string[] => {
  if (leaf === undefined || authority === undefined) return []
  const signers = authoritiesIn(authority)
  return signers.length === 0 || signers.some(({ subject, spki }) => signatureVerifies(leaf, subject, spki))
    ? []
    : [`The certificate was not signed by the present key in Secret "${authority.metadata.name}".`]
}

const authoritiesIn = (secret: Secret): ParsedCertificate[] => {
  const text = Buffer.from(dataOf(secret).get('tls.crt') ?? new Uint8Array()).toString('latin1')
  try {
    return certificatesOf(text).map((der) => parseCertificate(der))
  } catch {
    // What is wrong with it is told by the CertificateAuthority.
    return []
  }
}
