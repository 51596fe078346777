/** Which CAs hang together: what a CA's trust reaches, and what it hangs under. From the caches alone. */

import { lineage } from '../authority/lineage.ts'
import { keyOf } from '../cluster/port.ts'
import { type Caches, existing } from '../control/context.ts'
import { isRotating } from '../control/rotation.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { strangersTo } from './strangers.ts'

export interface Member {
  readonly authority: CertificateAuthority
  /** The one above it in this family; undefined for the head. */
  readonly parent: CertificateAuthority | undefined
}

/** The CA itself and those below it in whatever namespace, each after the one above it. */
export const familyOf = (caches: Caches, head: CertificateAuthority): Member[] => {
  const family: Member[] = [{ authority: head, parent: undefined }]
  const seen = new Set([keyOf(head)])
  for (const { authority } of family) {
    const isStranger = strangersTo(caches, authority)
    for (const child of caches.authorities.store.by('parent', keyOf(authority))) {
      const key = keyOf(child)
      if (seen.has(key) || isGoing(caches, child) || isStranger(child)) continue
      seen.add(key)
      family.push({ authority: child, parent: authority })
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
export const rotatingRelative = (caches: Caches, authority: CertificateAuthority): string | undefined => {
  const own = keyOf(authority)
  const above = lineOf(caches, own).filter((key) => key !== own)
  const below = familyOf(caches, authority)
    .map((member) => keyOf(member.authority))
    .filter((key) => key !== own)
  return [...above, ...below].find((key) => isRotating(existing(caches.authorities, key)))
}
