/** The client certificate that a server is shown: that of a client of the profile, read from its Secret for one look and dropped after it. */

import type { Keyring } from '../../authority/keyring.ts'
import { readDelivered } from '../../certificate/delivered.ts'
import type { Context } from '../../control/context.ts'
import { dataOf } from '../../control/secrets.ts'
import type { ClientCertificate } from '../../database/connect/sight.ts'
import { shapedItems } from '../../database/layouts/shape.ts'
import { type Recovered, recoverMaterial } from '../../material/recover.ts'
import { encodeCertificates, encodePem } from '../../pki/encoding/pem.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'

export interface ClientMaterial extends ClientCertificate {
  /** DER. */
  readonly leaf: Uint8Array
}

/** `key`: of the client's DatabaseCertificate. Undefined where there is nothing (yet) that could be shown. */
export const readClient = async (
  { caches, cluster }: Pick<Context, 'caches' | 'cluster'>,
  keyring: Keyring,
  key: string,
  signal: AbortSignal,
): Promise<ClientMaterial | undefined> => {
  const certificate = caches.certificates.store.get(key)
  const found = certificate && (await recoverDelivered(cluster, certificate, signal))
  if (found?.certificate === undefined || found.privateKey === undefined) return undefined
  const { namespace = certificate?.metadata.namespace, name } = certificate?.spec.authorityRef ?? {}
  const above = await chainOf(caches, keyring, `${namespace}/${name}`)
  return {
    leaf: found.certificate,
    chain: encodeCertificates([found.certificate, ...above]),
    key: encodePem('PRIVATE KEY', found.privateKey),
  }
}

/** What was delivered for a certificate, in whatever form. */
export const recoverDelivered = async (
  cluster: Context['cluster'],
  certificate: DatabaseCertificate,
  signal: AbortSignal,
): Promise<Recovered | undefined> => {
  const secret = await readDelivered(cluster, certificate, signal)
  return secret && recoverMaterial(shapedItems(certificate.spec), dataOf(secret))
}

/** What stands between a leaf and its root; servers know the root alone. */
const chainOf = async (
  caches: Context['caches'],
  keyring: Keyring,
  authorityKey: string,
): Promise<readonly Uint8Array[]> => {
  const authority = caches.authorities.store.get(authorityKey)
  if (authority === undefined || authority.spec.source.trustOnly !== undefined) return []
  return keyring.load(authority).then(
    ({ chain }) => chain,
    // Then the CA's own conditions say what is wrong with it.
    () => [],
  )
}
