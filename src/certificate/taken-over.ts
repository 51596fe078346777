/**
 * A certificate that somebody else had the CA sign, in a Secret that was handed over with `dbtls.dev/adopt`: it is kept until its
 * renewal where it is as good as what is asked for. Others arrange a name otherwise than we do, and let keys have usages that
 * ours may not have (RFC 8813 §3); a new certificate would change nothing for anybody who verifies it. Pure.
 */

import { marks } from '../control/context.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { forbiddenUsages } from '../pki/certificates/plan-rules.ts'
import { normaliseGeneralName } from '../pki/names/general-names.ts'
import { commonNameOf, NameError, readName } from '../pki/names/names.ts'
import { extendedKeyUsages, type GeneralName } from '../pki/plan.ts'
import type { Wanted } from './wanted.ts'

type Leaf = Pick<
  ParsedCertificate,
  'serialNumber' | 'subject' | 'subjectAlternativeNames' | 'keyUsage' | 'extendedKeyUsage'
>

/** By the marks of its Secret: nobody of ours has written it yet, or it was taken over before. */
export const isTakenOver = (
  annotations: Readonly<Record<string, string>>,
  leaf: Pick<Leaf, 'serialNumber'> | undefined,
): boolean => {
  if (leaf === undefined || annotations[marks.adopt] !== 'true') return false
  if (annotations[marks.owner] === undefined) return true
  return annotations[marks.takenOver] === leaf.serialNumber
}

/** The same attributes with the same words, in whatever order, grouping and string types. */
export const isSameSubject = (wanted: Uint8Array, { subject }: Pick<Leaf, 'subject'>): boolean => {
  const [has, should] = [subject, wanted].map(attributesOf)
  return has !== undefined && has === should
}

const attributesOf = (name: Uint8Array): string =>
  JSON.stringify(
    readName(name)
      .flat()
      .map(({ oid, text, value }) => `${oid} ${text ?? Buffer.from(value).toString('hex')}`)
      .toSorted(),
  )

/** No name at all, where the one that is wanted only repeats the common name. */
export const namesItsSubjectOnly = (
  wanted: Pick<Wanted, 'names'>,
  { subject, subjectAlternativeNames }: Pick<Leaf, 'subject' | 'subjectAlternativeNames'>,
): boolean => {
  const [name, ...more] = wanted.names
  if (subjectAlternativeNames.length > 0 || more.length > 0 || name?.type !== 'DNS') return false
  return isName(name, commonNameOf(subject))
}

/** Others write names as they were given to them; verifiers take no notice of case. */
export const normalNames = (names: readonly GeneralName[]): readonly GeneralName[] =>
  names.map((name) => {
    try {
      return normaliseGeneralName(name)
    } catch (error) {
      if (error instanceof NameError) return name
      throw error
    }
  })

const isName = ({ value }: GeneralName, commonName: string | undefined): boolean =>
  commonName?.toLowerCase().replace(/\.$/, '') === value

/** It may do all that is asked for, and beyond that only what cannot be asked for. */
export const mayDoAsMuch = (
  { keyUsage, extendedKeyUsage, keyAlgorithm }: Pick<Wanted, 'keyUsage' | 'extendedKeyUsage' | 'keyAlgorithm'>,
  leaf: Pick<Leaf, 'keyUsage' | 'extendedKeyUsage'>,
): boolean => {
  const unaskable: readonly string[] = ['keyCertSign', 'cRLSign', ...forbiddenUsages[keyAlgorithm.algorithm]]
  const extra = leaf.keyUsage.filter((usage) => !keyUsage.includes(usage))
  // Without the extension a key may be used for everything (RFC 5280 §4.2.1.3).
  const lacks = leaf.keyUsage.length > 0 && keyUsage.some((usage) => !leaf.keyUsage.includes(usage))
  if (lacks || extra.some((usage) => !unaskable.includes(usage))) return false
  if (leaf.extendedKeyUsage.includes(anyExtendedKeyUsage)) return true
  const has = leaf.extendedKeyUsage.filter((usage) => Object.hasOwn(extendedKeyUsages, usage))
  return has.length === extendedKeyUsage.length && extendedKeyUsage.every((usage) => has.includes(usage))
}

const anyExtendedKeyUsage = '2.5.29.37.0'
