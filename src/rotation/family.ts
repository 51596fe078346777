/** Which CAs hang together: what a CA's trust reaches, and what it hangs under. From the caches alone. */

import { lineage } from '../authority/lineage.ts'
import { keyOf } from '../cluster/port.ts'
import { type Caches, existing } from '../control/context.ts'
import { isRotating } from '../control/rotation.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type IsStranger, strangersTo } from './strangers.ts'

export interface Member {
  readonly authority: CertificateAuthority
  /** The one above it in this family; undefined for the head. */
  readonly parent: CertificateAuthority | undefined
  readonly isStranger: IsStranger
}

/** The CA itself and those below it in whatever namespace, each after the one above it. */
export const familyOf = (caches: Caches, head: CertificateAuthority): Member[] => {
  const family: Member[] = [{ authority: head, parent: undefined, isStranger: strangersTo(caches, head) }]
  const seen = new Set([keyOf(head)])
  for (const { authority, isStranger } of family) {
    for (const child of caches.authorities.store.by('parent', keyOf(authority))) {
      const key = keyOf(child)
      if (seen.has(key) || isGoing(caches, child) || isStranger(child)) continue
      seen.add(key)
      family.push({ authority: child, parent: authority, isStranger: strangersTo(caches, child) })
    }
  }
  return family
}

/** `namespace/name` of the CA and of those above it. */
export const lineOf = ({ authorities }: Caches, key: string): string[] =>
  lineage(key, (at) => authorities.store.get(at)).map(([at]) => at)

/** Nobody waits for what is being deleted, or what is in a namespace that is. */
export const isGoing = (
  { namespaces }: Caches,
  { metadata }: { readonly metadata: { readonly deletionTimestamp?: string; readonly namespace?: string } },
): boolean =>
  metadata.deletionTimestamp !== undefined ||
  namespaces?.store.get(metadata.namespace ?? 'default')?.metadata.deletionTimestamp !== undefined

/** Another CA of the line or of the family that is rotating: two at once would each wait for what the other changes. */
export const rotatingRelative = (
  caches: Caches,
  authority: CertificateAuthority,
  family: readonly Member[] = familyOf(caches, authority),
): string | undefined => {
  const own = keyOf(authority)
  const below = family.map((member) => keyOf(member.authority))
  return [...lineOf(caches, own), ...below].find((key) => key !== own && isRotating(existing(caches.authorities, key)))
}
