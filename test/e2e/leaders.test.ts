import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Operator } from '../controlplane/harness/index.ts'
import { ensureNamespace, eventually } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { SecretThing, Thing } from './support/api.ts'
import { allWaitForTheirCa, issuanceUnderWay } from './support/burst.ts'
import { ledgerOf, ledgerProblems } from './support/ledger.ts'
import { authority } from './support/manifests.ts'
import { problemsOf } from './support/material.ts'
import { Recorder } from './support/recorder.ts'
import { Rig } from './support/rig.ts'

const release = 'e2e-leaders'
const namespaces = ['e2e-leaders-kill', 'e2e-leaders-pause', 'e2e-leaders-term'] as const
const many = 200

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start(sharedControlPlane(), { release }, namespaces)
})
afterAll(() => rig.stop())

interface Lease extends Thing {
  readonly spec?: { readonly holderIdentity?: string; readonly leaseDurationSeconds?: number }
}

const holder = async (): Promise<string> =>
  (await rig.api.find<Lease>('leases', release, release))?.spec?.holderIdentity ?? ''

describe('two operators', () => {
  let recorder: Recorder
  let pair: { readonly leader: Operator; readonly other: Operator; readonly otherName: string }
  let at = 0

  beforeEach(async () => {
    const ns = namespaces[at] as string
    recorder = new Recorder(rig.api, ns)
    await ensureNamespace(rig.plane, ns)
    const [first, second] = [`first-${at}`, `second-${at}`]
    const leader = await rig.operator({ podName: first })
    await eventually('the first to lead', async () => (await holder()).startsWith(`${first}_`))
    const other = await rig.operator({ podName: second })
    pair = { leader, other, otherName: second }
    at += 1
    await allWaitForTheirCa(rig, ns, many)
    await rig.apply(authority(ns, 'ca'))
    await issuanceUnderWay(rig, ns, many)
  })
  afterEach(async () => {
    await recorder.stop()
    await Promise.all([pair.leader.stop(), pair.other.stop()])
  })

  const otherLeads = (): Promise<boolean> =>
    eventually('the other one to lead', async () => (await holder()).startsWith(`${pair.otherName}_`), {
      timeoutMs: 120_000,
    })

  /** Every certificate delivered and whole; every serial recorded once; every serial ever seen recorded. */
  const nothingLost = async (ns: string): Promise<void> => {
    await rig.allReady(ns, many)
    const entries = await ledgerOf(rig.api, ns)
    expect(ledgerProblems(entries, recorder.serials())).toEqual([])
    expect(await recorder.problems()).toEqual([])
    const secrets = await rig.api.list<SecretThing>('secrets', ns)
    const leaves = secrets.filter(({ metadata }) => metadata.name.endsWith('-tls'))
    expect(leaves).toHaveLength(many)
    for (const secret of leaves) expect(await problemsOf(secret, undefined, Date.now())).toEqual([])
    // A crash between ledger and Secret costs one certificate for each worker that was at it, and no more.
    expect(entries.length - 1 - many).toBeLessThanOrEqual(16)
  }

  it('go on when the leader is killed in the middle of issuance', async () => {
    const [ns] = namespaces
    pair.leader.sigkill()
    await otherLeads()
    await nothingLost(ns)
  })

  it('stay one leader when the leader is stopped for 20 s in the middle of issuance and wakes up', async () => {
    const [, ns] = namespaces
    pair.leader.sigstop()
    const stoppedAt = Date.now()
    await otherLeads()
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, stoppedAt + 20_000 - Date.now())))
    pair.leader.sigcont()
    // Whoever is no leader any more ends, so that its memory of the cluster goes with it.
    const { code } = await pair.leader.exited
    expect(code).not.toBe(0)
    await nothingLost(ns)
    expect((await holder()).startsWith(`${pair.otherName}_`)).toBe(true)
  })

  it('hand over at once when the leader is asked to end, instead of letting the Lease run out', async () => {
    const [, , ns] = namespaces
    const watch = new AbortController()
    const seen: Lease[] = []
    const watching = rig.api.follow<Lease>('leases', release, watch.signal, ({ object }) => void seen.push(object))
    await eventually('the Lease to be watched', () => Promise.resolve(seen.length > 0))
    pair.leader.sigterm()
    await otherLeads()
    watch.abort()
    await watching
    expect(await pair.leader.exited).toMatchObject({ code: 0 })
    const holders = seen.map(({ spec }) => spec?.holderIdentity?.replace(/_.*/, ''))
    expect(holders.filter((name, index) => name !== holders[index - 1]).slice(0, 3)).toEqual([
      'first-2',
      '',
      'second-2',
    ])
    // Whoever looks at a Lease that nobody holds takes it; at the latest after this second.
    expect(seen.find(({ spec }) => spec?.holderIdentity === '')?.spec?.leaseDurationSeconds).toBe(1)
    await nothingLost(ns)
  })
})
