/** Usages: cert-manager's words for them, and what of them a key of an algorithm is given here. Pure. */

import { forbiddenUsages } from '../../pki/certificates/plan-rules.ts'
import { usagesOf, type Role } from '../../pki/certificates/plans.ts'
import type { KeyAlgorithm } from '../../pki/plan.ts'

const words: Readonly<Record<string, string | undefined>> = {
  signing: 'digitalSignature',
  'digital signature': 'digitalSignature',
  'content commitment': 'nonRepudiation',
  'key encipherment': 'keyEncipherment',
  'key agreement': 'keyAgreement',
  'data encipherment': 'dataEncipherment',
  'encipher only': 'encipherOnly',
  'decipher only': 'decipherOnly',
  'server auth': 'serverAuth',
  'client auth': 'clientAuth',
  'code signing': 'codeSigning',
  'email protection': 'emailProtection',
  's/mime': 'emailProtection',
  timestamping: 'timeStamping',
  'ocsp signing': 'OCSPSigning',
}

/** Those of a Certificate that names none (cert-manager's DefaultKeyUsages). */
const usual = ['digital signature', 'key encipherment'] as const

export interface UsageWish {
  readonly role?: Role
  readonly usages?: readonly string[]
  /** Of those that were asked for. */
  readonly left: readonly string[]
}

export const usageWish = (given: readonly string[], algorithm: KeyAlgorithm['algorithm']): UsageWish => {
  const asked = given.length === 0 ? usual : given
  const forbidden: readonly string[] = forbiddenUsages[algorithm]
  const able = (usage: string | undefined): usage is string => usage !== undefined && !forbidden.includes(usage)
  const taken = [...new Set(asked.map((word) => wordOf(word)).filter(able))]
  const narrowing = taken.includes('keyAgreement') ? [] : ['encipherOnly', 'decipherOnly']
  const kept = taken.filter((usage) => !narrowing.includes(usage))
  const left = given.filter((word) => !kept.includes(wordOf(word) ?? ''))
  const usages = kept.length === 0 ? ['digitalSignature'] : kept
  const role = roles.find((one) => isRole(one, usages, algorithm))
  return { ...(role === undefined ? { usages } : { role }), left }
}

const wordOf = (word: string): string | undefined => (Object.hasOwn(words, word) ? words[word] : undefined)

const roles = ['Server', 'Client', 'Peer'] as const

const isRole = (role: Role, usages: readonly string[], algorithm: KeyAlgorithm['algorithm']): boolean => {
  const [meant, asked] = [usagesOf(role, [], { algorithm }), usagesOf(role, usages, { algorithm })].map((one) =>
    [...one.keyUsage, ...one.extendedKeyUsage].toSorted().join(' '),
  )
  return meant === asked
}
