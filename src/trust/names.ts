/** How what is written for a trust bundle is named and found again. Pure. */

import { hash } from 'node:crypto'
import { keyOf, type PartialObject } from '../cluster/port.ts'
import { marks } from '../control/context.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'

/** `namespace/name` of the authority whose trust bundle an object carries, as its annotation says. */
export const trustOf = ({ metadata }: PartialObject): string | undefined => metadata.annotations?.[marks.trustOf]

/** Index: the objects of one authority's trust bundle. */
export const byTrust = (object: PartialObject): string[] => {
  const authority = trustOf(object)
  return authority === undefined ? [] : [authority]
}

/** Index value of every authority that has targets at all. */
export const anyTarget = '*'

/** Index: the authorities that may want an object of this kind and name, in whatever namespace. */
export const byTarget = ({ spec }: CertificateAuthority): string[] => {
  const targets = spec.trustBundle?.targets ?? []
  return targets.length === 0 ? [] : [anyTarget, ...new Set(targets.map(({ kind, name }) => `${kind}/${name}`))]
}

/** What `marks.owner` says on a target: whose it is, for everything else that writes Secrets. */
export const ownerMark = (authority: string): string => `CertificateAuthority/${authority}`

const longestLabel = 63

/** For people and selectors; the annotation decides, because not every name fits into a label. */
export const trustLabel = (authority: string): string => {
  const dotted = authority.replace('/', '.')
  return dotted.length <= longestLabel
    ? dotted
    : `${dotted.slice(0, 54)}-${hash('sha256', authority, 'hex').slice(0, 8)}`
}

/** `ConfigMap namespace/name`: names one object of the two kinds. */
export const idOf = (object: PartialObject): string => `${object.kind} ${keyOf(object)}`
