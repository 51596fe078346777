/**
 * The mark on a Secret that holds the private key of a CA: by it the key is found and taken out again, whatever has become
 * of the certificate that it was written for. Pure.
 */

import type { PartialObject } from '../cluster/port.ts'
import { marks } from '../control/context.ts'
import { shapeOf } from '../database/layouts/shape.ts'
import type { OutputItem } from '../material/contents.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { Wanted } from './wanted.ts'

export interface KeyMark {
  /** Names in the namespace of the Secret: a key is in no other than that of its CA. */
  readonly certificate: string
  readonly authority: string
  /** Under which the key stands. */
  readonly keys: readonly string[]
}

export const isExport = ({ content }: OutputItem): boolean => content === 'AuthorityPrivateKey'

export const markText = (secret: string, { certificate, authority, keys }: KeyMark): string =>
  [secret, certificate, authority, keys.join(',')].join(' ')

/** The annotation for what a certificate asks for; none where that is no key of a CA. */
export const markFor = ({ metadata }: DatabaseCertificate, { authority, secret }: Wanted): Record<string, string> => {
  const keys = secret.items.filter(isExport).map(({ key }) => key)
  if (keys.length === 0) return {}
  const mark = { certificate: metadata.name, authority: authority.name, keys }
  return { [marks.authorityKey]: markText(`${metadata.namespace ?? 'default'}/${secret.name}`, mark) }
}

/** Undefined without one, and in a copy of a marked Secret: that is somebody else's. */
export const markOf = ({ metadata }: PartialObject): KeyMark | undefined => {
  const [secret, certificate, authority, keys = '', ...rest] =
    metadata.annotations?.[marks.authorityKey]?.split(' ') ?? []
  if (secret !== `${metadata.namespace}/${metadata.name}` || rest.length > 0 || keys === '') return undefined
  return certificate === undefined || authority === undefined
    ? undefined
    : { certificate, authority, keys: keys.split(',') }
}

/** Values of the index of marked Secrets; `key` is `namespace/name`. */
export const heldFrom = (key: string): string => `CertificateAuthority ${key}`
export const heldFor = (key: string): string => `DatabaseCertificate ${key}`

/** Index: the Secrets that hold the key of a CA, and that were written for a certificate. */
export const byKeyMark = (secret: PartialObject): string[] => {
  const mark = markOf(secret)
  if (mark === undefined) return []
  const { namespace } = secret.metadata
  return [heldFrom(`${namespace}/${mark.authority}`), heldFor(`${namespace}/${mark.certificate}`)]
}

/** Which of the marked keys go, and why, in a sentence. */
export interface Undue {
  readonly keys: readonly string[]
  readonly why: string
}

/**
 * A CA that does not allow it takes all. Under a key that the certificate does not ask for any more it goes as well, when
 * the certificate has had its turn: till then its own write may replace one key by the other. What outlives its certificate
 * (deletionPolicy: Retain) or its CA stays.
 */
export const undue = (
  secretName: string,
  mark: KeyMark,
  authority: CertificateAuthority | undefined,
  certificate: DatabaseCertificate | undefined,
): Undue | undefined => {
  if (authority !== undefined && !authority.spec.allowKeyExport)
    return { keys: mark.keys, why: `CertificateAuthority "${mark.authority}" does not allow it (spec.allowKeyExport).` }
  if (certificate === undefined || certificate.metadata.deletionTimestamp !== undefined) return undefined
  if (certificate.status?.observedGeneration !== certificate.metadata.generation) return undefined
  const shaped = shapeOf(certificate.spec)
  if (!('shape' in shaped)) return undefined
  const { authorityRef, secret } = certificate.spec
  const { namespace } = certificate.metadata
  const isOfThis = authorityRef.name === mark.authority && (authorityRef.namespace ?? namespace) === namespace
  const items = isOfThis && secret.name === secretName ? shaped.shape.items.filter(isExport) : []
  const keys = mark.keys.filter((key) => !items.some((item) => item.key === key))
  return keys.length === 0
    ? undefined
    : { keys, why: `DatabaseCertificate "${mark.certificate}" does not ask for it there any more.` }
}
