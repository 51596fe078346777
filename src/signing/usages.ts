/** The usages of certificates.k8s.io, which have names of their own, as those of a leaf. Pure. */

import type { ExtendedKeyUsage, KeyAlgorithm, KeyUsage } from '../pki/plan.ts'
import { forbiddenUsages } from '../pki/certificates/plan-rules.ts'

type LeafUsage = Exclude<KeyUsage, 'keyCertSign' | 'cRLSign'>

const keyUsage = new Map<string, LeafUsage>([
  ['signing', 'digitalSignature'],
  ['digital signature', 'digitalSignature'],
  ['content commitment', 'nonRepudiation'],
  ['key encipherment', 'keyEncipherment'],
  ['data encipherment', 'dataEncipherment'],
  ['key agreement', 'keyAgreement'],
])
const extendedKeyUsage = new Map<string, ExtendedKeyUsage>([
  ['server auth', 'serverAuth'],
  ['client auth', 'clientAuth'],
])

const granted = [...keyUsage.keys(), ...extendedKeyUsage.keys()]

/**
 * Names of plan.ts, or a sentence where the list holds what the leaf of a database does not get. Usages that the key cannot
 * serve, as key encipherment with EC, are left out: templates list them by habit.
 */
export const usagesOf = (
  listed: readonly string[],
  algorithm: KeyAlgorithm['algorithm'] | undefined,
): readonly (LeafUsage | ExtendedKeyUsage)[] | string => {
  const refused = listed.filter((usage) => !granted.includes(usage))
  if (refused.length > 0)
    return `spec.usages asks for ${refused.map((usage) => JSON.stringify(usage)).join(', ')}; this signer grants ${granted.join(', ')}.`
  const extended = listed.flatMap((usage) => extendedKeyUsage.get(usage) ?? [])
  if (extended.length === 0) return 'spec.usages must list "server auth", "client auth" or both.'
  const unfit: readonly KeyUsage[] = algorithm === undefined ? [] : forbiddenUsages[algorithm]
  const usages = listed.flatMap((usage) => keyUsage.get(usage) ?? []).filter((usage) => !unfit.includes(usage))
  return [...new Set([...usages, ...extended])]
}
