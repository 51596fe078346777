/** The DatabaseCertificate of one part of a profile. */

import type { KeyRequest, Role, Subject } from '../database/engines/engine.ts'
import type { SubjectFields } from '../pki/names/names.ts'
import type { DatabaseCertificateSpec } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { AuthorityRef } from '../resources/fields.ts'
import type { Item } from '../resources/secret-items.ts'
import type { Names } from './topology.ts'

/** What the schema fills in where nothing is said. */
export const keyOf = ({ spec }: DatabaseTLSProfile): KeyRequest & { readonly rotation: 'Always' | 'Never' } => ({
  algorithm: spec.server?.privateKey.algorithm ?? 'ECDSA',
  ...(spec.server?.privateKey.size === undefined ? {} : { size: spec.server.privateKey.size }),
  encoding: spec.server?.privateKey.encoding ?? 'PKCS8',
  rotation: spec.server?.privateKey.rotation ?? 'Always',
})

interface Wish {
  readonly authorityRef: AuthorityRef
  readonly role: Role
  readonly subject: Subject
  /** By the policy of the CA; what the engine wants goes before it. */
  readonly matching: SubjectFields
  readonly names?: Names
  readonly secretName: string
  readonly items: readonly Item[]
  /** Instead of the items: it brings its own, and labels. */
  readonly layout?: string | undefined
  /** Default: that of the servers. */
  readonly encoding?: 'PKCS8'
}

export const specOf = (profile: DatabaseTLSProfile, wish: Wish): DatabaseCertificateSpec => {
  const duration = profile.spec.server?.duration
  const { rotation, ...key } = keyOf(profile)
  const subject = mergedSubject(wish.subject, wish.matching)
  return {
    authorityRef: wish.authorityRef,
    role: wish.role,
    ...(Object.keys(subject).length === 0 ? {} : { subject }),
    ...(wish.names === undefined
      ? {}
      : { dnsNames: [...wish.names.dnsNames], ipAddresses: [...wish.names.ipAddresses] }),
    ...(duration === undefined ? {} : { duration }),
    privateKey: { ...key, encoding: wish.encoding ?? key.encoding, rotation },
    secret: {
      name: wish.secretName,
      ...(wish.layout === undefined ? { items: [...wish.items] } : { layout: wish.layout }),
      deletionPolicy: 'Delete',
    },
    keystore: { pkcs12Profile: 'Modern2023' },
  } as DatabaseCertificateSpec
}

/** Without empty members. */
export const mergedSubject = (subject: Subject, matching: SubjectFields): SubjectFields =>
  Object.fromEntries(
    Object.entries({ ...matching, ...subject }).filter(([, value]) => value !== undefined && value.length > 0),
  )
