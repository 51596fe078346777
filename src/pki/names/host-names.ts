/** Names of hosts in places that are not meant for them, where some verifiers look all the same. */

import { normaliseDnsName } from './general-names.ts'
import { addressToBytes, bytesToAddress } from './ip-address.ts'
import { NameError, readName } from './names.ts'
import { attributeTypes } from './attributes.ts'
import type { GeneralName } from '../plan.ts'

/** `unclear`: it could pass for a host name somewhere, but is no valid one. */
export type HostLike = GeneralName | 'unclear'

/** The dots of UTS 46, all of which browsers and resolvers take for one. */
const dots = /[.\u3002\uff0e\uff61]/u
const hostCharacters = /^[\p{L}\p{N}\p{M}\p{Cf}_*.\u3002\uff0e\uff61-]+$/u

/**
 * What a verifier that falls back to the common name would take it for (RFC 6125 §6.4.4): a name with a dot inside, or an
 * address. Users of databases (`app`, `Dr. Meier`) are neither.
 */
export const hostLike = (commonName: string): HostLike | undefined => {
  const text = commonName.trim()
  // A verifier written in C ends the name at a NUL.
  if (/\p{Cc}/u.test(text)) return 'unclear'
  const address = addressToBytes(text)
  if (address !== undefined) return { type: 'IP', value: bytesToAddress(address) }
  const host = text.replace(/[.\u3002\uff0e\uff61]$/u, '')
  if (!dots.test(host) || !hostCharacters.test(host)) return undefined
  try {
    return { type: 'DNS', value: normaliseDnsName(host) }
  } catch (error) {
    if (error instanceof NameError) return 'unclear'
    throw error
  }
}

/** Texts of one attribute of a DER Name, in order; undefined for values that are not readable strings. */
export const attributeTexts = (name: Uint8Array, type: keyof typeof attributeTypes): (string | undefined)[] =>
  readName(name)
    .flat()
    .filter(({ oid }) => oid === attributeTypes[type].oid)
    .map(({ text }) => text)
