/** What a folder of `openssl ca` becomes: a CertificateAuthority with its Secret, and the Secret of its passphrase. Pure but for the key's encryption. */

import { randomBytes } from 'node:crypto'
import { marks } from '../../control/context.ts'
import type { ImportedAuthority } from '../../pki/imports/authority.ts'
import { algorithmOfSpki, encryptPrivateKey } from '../../pki/keys/keys.ts'
import { commonNameOf, formatDistinguishedName } from '../../pki/names/names.ts'
import { encodeCertificates, encodePem } from '../../pki/encoding/pem.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import type { Secret } from '../../resources/core.ts'
import { CommandError } from '../shared/failures.ts'
import { keyIterations } from './key.ts'
import type { Key } from './entries.ts'

const day = 86_400_000

/** Of an import that has not ended; the next one goes on with it. */
export const heldBecause = 'an import of an openssl folder has not ended; give the same command again'

/** `Acme Root CA` → `acme-root-ca` */
export const nameFor = (subject: Uint8Array): string => {
  const name = (commonNameOf(subject) ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 52)
    .replace(/-+$/, '')
  return name === '' ? 'imported-ca' : name
}

/** Whether dbtls can sign its certificate anew just as it is. */
const renewsItself = ({ certificate, chain }: ImportedAuthority): boolean =>
  chain.length === 0 && certificate.nameConstraints === undefined

/**
 * A root becomes one that dbtls made itself (`selfSigned`): it is renewed with its key, name and key identifier. One below
 * another CA stays what it is (`secret`): only who is above it can renew it.
 */
export const authorityFor = (
  { namespace, name }: Key,
  imported: ImportedAuthority,
  encrypted: boolean,
): CertificateAuthority => {
  const { certificate } = imported
  const algorithm = algorithmOfSpki(certificate.spki)
  if (algorithm === undefined)
    throw new CommandError('the key of the CA is of a kind or size that dbtls does not sign with')
  const passphrase = encrypted ? { passphraseSecretRef: { name: `${name}-passphrase`, key: 'passphrase' } } : {}
  const own = renewsItself(imported)
  const days = Math.max(1, Math.round((certificate.notAfter - certificate.notBefore) / day))
  const spec = {
    ...(own
      ? {
          source: { selfSigned: {} },
          subject: { literal: formatDistinguishedName(certificate.subject) },
          duration: `${days}d`,
          ...(certificate.pathLength === undefined ? {} : { maxPathLength: certificate.pathLength }),
        }
      : { source: { secret: { name: secretNameFor(name, imported), ...passphrase } } }),
    privateKey: { ...algorithm, ...(own ? passphrase : {}) },
    crl: {},
  }
  return {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { namespace, name },
    spec,
  } as unknown as CertificateAuthority
}

/** The one it keeps itself, or one that is brought along. */
export const secretNameFor = (name: string, imported: ImportedAuthority): string =>
  renewsItself(imported) ? `${name}-ca` : `${name}-imported`

export const secretFor = async (
  { namespace, name }: Key,
  imported: ImportedAuthority,
  passphrase: string | undefined,
): Promise<Secret> => {
  const { certificate, chain, pkcs8, trust } = imported
  const parameters = { salt: randomBytes(16), iv: randomBytes(16), iterations: keyIterations }
  const key =
    passphrase === undefined
      ? encodePem('PRIVATE KEY', pkcs8)
      : encodePem('ENCRYPTED PRIVATE KEY', await encryptPrivateKey(pkcs8, passphrase, parameters))
  const encoded = (text: string): string => Buffer.from(text).toString('base64')
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      namespace,
      name: secretNameFor(name, imported),
      // The authority takes a Secret for its own that somebody says is its own.
      annotations: { [marks.private]: 'true', ...(renewsItself(imported) ? { [marks.adopt]: 'true' } : {}) },
    },
    type: 'kubernetes.io/tls',
    data: {
      'tls.crt': encoded(encodeCertificates(chain.length === 0 ? [certificate.der] : chain)),
      'tls.key': encoded(key),
      'ca.crt': encoded(encodeCertificates(trust)),
    },
  }
}

export const passphraseSecretFor = ({ namespace, name }: Key, passphrase: string): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace, name: `${name}-passphrase` },
  type: 'Opaque',
  data: { passphrase: Buffer.from(passphrase).toString('base64') },
})
