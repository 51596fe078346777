/** Many certificates that all wait for one CA: when it comes, the operator is as busy as it can be. */
import { expect } from 'vitest'
import { eventually } from '../../controlplane/harness/index.ts'
import type { CustomThing } from './api.ts'
import { ledgerOf } from './ledger.ts'
import { certificate } from './manifests.ts'
import type { Rig } from './rig.ts'
import { certificates } from './rig.ts'

/** Applies `count` certificates of a CA that is not there, and waits until the operator has said so of each. */
export const allWaitForTheirCa = async (rig: Rig, namespace: string, count: number): Promise<void> => {
  await rig.apply(...Array.from({ length: count }, (_, at) => certificate(namespace, `db-${at}`)))
  await eventually('all to wait for their CA', async () => {
    const all = await rig.api.list<CustomThing>(certificates, namespace)
    return all.length === count && all.every((one) => rig.condition(one, 'Ready')?.reason === 'AuthorityNotFound')
  })
}

/** Returns in the middle of issuance; fails when that is over already. */
export const issuanceUnderWay = async (rig: Rig, namespace: string, count: number): Promise<void> => {
  const recorded = await eventually(
    'issuance to be under way',
    async () => {
      const { length } = await ledgerOf(rig.api, namespace)
      return length > 10 && length
    },
    { everyMs: 5 },
  )
  expect(recorded).toBeLessThan(count)
}
