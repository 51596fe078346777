/** Usages a leaf asks for one by one, and which of them its key can have. */
import type { KeyAlgorithm } from '../pki/plan.ts'
import { forbiddenUsages } from '../pki/certificates/plan-rules.ts'
import { rule } from './rule.ts'
import { celList } from './secret-items.ts'

interface UsagesValue {
  usages?: string[]
  privateKey: { algorithm: string }
  request?: unknown
}

/** A request brings its own key, of which privateKey says nothing. */
const fits = ([algorithm, forbidden]: readonly [string, readonly string[]]) =>
  rule<UsagesValue>({
    rule: `has(self.request) || !has(self.usages) || self.privateKey.algorithm != '${algorithm}' || !self.usages.exists(u, u in ${celList(forbidden)})`,
    message: `a key of ${algorithm} cannot have the usages ${forbidden.join(', ')}: leave them out of usages, or use another privateKey.algorithm`,
    fieldPath: '.usages',
    holds: ({ request, usages = [], privateKey }) =>
      request !== undefined || privateKey.algorithm !== algorithm || !usages.some((usage) => forbidden.includes(usage)),
  })

const narrowing = ['encipherOnly', 'decipherOnly'] as const

export const usageRules = [
  ...(Object.entries(forbiddenUsages) as [KeyAlgorithm['algorithm'], readonly string[]][]).map(fits),
  rule<UsagesValue>({
    rule: `!has(self.usages) || 'keyAgreement' in self.usages || !self.usages.exists(u, u in ${celList(narrowing)})`,
    message:
      'encipherOnly and decipherOnly narrow keyAgreement and mean nothing without it: add keyAgreement to usages, or leave them out',
    fieldPath: '.usages',
    holds: ({ usages = [] }) => usages.includes('keyAgreement') || !narrowing.some((usage) => usages.includes(usage)),
  }),
]
