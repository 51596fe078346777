/**
 * Who is given one CA alone, and so another one from one moment to the next when it takes the place of the former: no content
 * `AuthorityCertificate` ever holds both (docs/layouts.md). They are named, for nobody can be waited for. From the caches alone.
 */

import { keyOf } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import { shapedItems } from '../database/layouts/shape.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { nameOf } from './consumers.ts'
import { isGoing } from './family.ts'
import type { Waiting } from './state.ts'
import { strangersTo } from './strangers.ts'

type Items = readonly { readonly content: string }[]

const both: ReadonlySet<string> = new Set(['TrustBundle', 'PKCS12Truststore', 'JKSTruststore'])

const isAlone = (items: Items): boolean =>
  items.some(({ content }) => content === 'AuthorityCertificate') && !items.some(({ content }) => both.has(content))

export const aloneWith = (caches: Caches, authority: CertificateAuthority): Waiting[] => {
  const isStranger = strangersTo(caches, authority)
  const certificates = caches.certificates.store.by('authority', keyOf(authority)).flatMap((certificate) => {
    const { layout = '', items, name } = certificate.spec.secret
    // Of most nothing is said, and the usual items hold all that is trusted.
    if (layout === '' && items === undefined) return []
    if (!isAlone(shapedItems(certificate.spec)) || isGoing(caches, certificate) || isStranger(certificate)) return []
    return { name: nameOf(certificate), why: `Secret "${name}"` }
  })
  const targets = (authority.spec.trustBundle?.targets ?? []).flatMap(({ kind, name, items }) =>
    isAlone(items) ? { name: `${kind} "${name}"`, why: 'spec.trustBundle.targets' } : [],
  )
  return [...certificates, ...targets]
}
