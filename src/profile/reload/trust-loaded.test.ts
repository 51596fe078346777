import { describe, expect, it } from 'vitest'
import { toTimestamp } from '../../control/schedule.ts'
import { arrivalMs } from './decide.ts'
import { sql, told, world } from './testing.ts'
import { noteMs } from './trust-loaded.ts'

const ca = 'data/ca'
const lacks = { authority: ca, lacksNext: true }
const has = (loaded: string) => ({ authority: ca, lacksNext: false, loaded })
const is = (trustBundleHash: string) => ({ trustBundleHash, authorities: [{ name: ca, trustBundleHash }] })

describe('servers that are told of changed CAs by statement', () => {
  it('are done as soon as they have proved that they loaded them', async () => {
    const { reloads, deliver, proving, run, answers, visits, logins } = world(sql)
    reloads.look(deliver('A', 't1'), proving(has('t1')))
    reloads.look(deliver('A', 't2'), proving(lacks))
    answers(() => ({ served: 'A', told: true, lost: false }))
    await run()
    expect(told(visits)).toHaveLength(2)
    expect(logins, 'whoever asks them learns of each login').toEqual(['data/orders', 'data/orders'])
    expect(reloads.look(deliver('A', 't2'), proving(has('t2'))).facts).toEqual({ reload: is('t2') })
    await run()
    expect(visits).toHaveLength(2)
  })
  it('are not, while they have proved an earlier bundle alone', async () => {
    const { reloads, deliver, proving, run, answers } = world(sql)
    reloads.look(deliver('A', 't1'), proving(undefined))
    reloads.look(deliver('A', 't2'), proving(has('t1')))
    answers(() => ({ served: 'A', told: true, lost: false }))
    await run()
    expect(reloads.look(deliver('A', 't2'), proving(has('t1'))).facts.reload?.trustBundleHash).toBe('t1')
  })
  it('are told again, sooner than they must have come and for as long as they refuse the next CA, and are named late', async () => {
    const { reloads, deliver, proving, run, answers, visits, clock } = world(sql)
    reloads.look(deliver('A', 't1'), proving(undefined))
    const since = clock.now()
    reloads.look(deliver('A', 't2'), proving(lacks))
    answers(() => ({ served: 'A', told: true, lost: false }))
    await run()
    clock.setNow(since + 6000)
    reloads.look(deliver('A', 't2'), proving(lacks))
    await run()
    expect(told(visits)).toHaveLength(4)
    clock.setNow(since + 2 * arrivalMs)
    await run()
    clock.setNow(since + 20 * arrivalMs)
    await run()
    expect(told(visits).length).toBeGreaterThanOrEqual(8)
    const { facts, findings } = reloads.look(deliver('A', 't2'), proving(lacks))
    expect(findings).toMatchObject([{ cure: 'Wait', reason: 'ReloadFailed' }])
    expect(facts.reload).toMatchObject({
      authorities: [{ name: ca, trustBundleHash: 't1', delivered: 't2', since: toTimestamp(since) }],
      pending: [
        { reason: 'KeptOld', message: expect.stringContaining('refuses clients of the next CA') as string },
        {},
      ],
    })
  })
  it('are told once more where one is found to lack what was held for loaded', async () => {
    const { reloads, deliver, proving, run, answers, visits } = world(sql)
    reloads.look(deliver('A', 't2'), proving(undefined))
    reloads.look(deliver('A', 't2'), proving(lacks))
    answers(() => ({ served: 'A', told: true, lost: false }))
    await run()
    expect(told(visits)).toHaveLength(2)
    expect(reloads.look(deliver('A', 't2'), proving(has('t2'))).facts).toEqual({ reload: is('t2') })
  })
  it('are left alone where the same CAs only changed their order', async () => {
    const { reloads, deliver, proving, run, visits, authority } = world(sql)
    reloads.look(deliver('A', 'old-new'), proving(undefined))
    const orders = { trustBundleHash: 'new-old', rotation: { phase: 'Signing', formerTrustBundleHash: 'old-new' } }
    authority('ca', orders)
    expect(reloads.look(deliver('A', 'new-old'), proving(undefined)).facts).toEqual({ reload: is('old-new') })
    await run()
    expect(visits).toEqual([])
    // Then one of them goes, of which the CA tells before its certificates follow.
    authority('ca', { trustBundleHash: 'new', rotation: { phase: 'Dropped', formerTrustBundleHash: 'new' } })
    expect(reloads.look(deliver('A', 'new-old'), proving(undefined)).facts).toEqual({ reload: is('old-new') })
    await run()
    expect(visits).toEqual([])
    reloads.look(deliver('A', 'new'), proving(undefined))
    await run()
    expect(told(visits)).toHaveLength(2)
  })
})

describe('of two CAs', () => {
  const spec = { ...sql, clientAuthorityRef: { name: 'clients' } }
  const entries = (...hashes: readonly string[]) =>
    ['data/ca', 'data/clients'].map((name, index) => ({ name, trustBundleHash: hashes[index] }))
  it('each has its own record, and a proof of the one says nothing of the other', async () => {
    const { reloads, deliver, proving, run, answers, clock, authority } = world(spec)
    authority('clients', { trustBundleHash: 'c1' })
    expect(reloads.look(deliver('A', 't1'), proving(undefined)).facts.reload?.authorities).toEqual(entries('t1', 'c1'))
    authority('clients', { trustBundleHash: 'c2' })
    const proved = { authority: 'data/clients', lacksNext: false, loaded: 'c2' }
    reloads.look(deliver('A', 't2'), proving({ ...proved, loaded: 'c1' }))
    answers(() => ({ served: 'A', told: true, lost: false }))
    await run()
    expect(reloads.look(deliver('A', 't2'), proving(proved)).facts.reload?.authorities).toMatchObject(
      entries('t1', 'c2'),
    )
    clock.setNow(clock.now() + arrivalMs)
    await run()
    expect(reloads.look(deliver('A', 't2'), proving(proved)).facts.reload?.authorities).toEqual(entries('t2', 'c2'))
  })
  it('what an operator before this one recorded of both is known again', () => {
    const first = world(spec)
    first.authority('clients', { trustBundleHash: 'c1' })
    const trustBundleHash = first.reloads.look(first.deliver('A', 't1'), []).facts.reload?.trustBundleHash
    const status = { reload: { trustBundleHash } }
    for (const [own, wanted] of [
      ['t1', ['t1', 'c1']],
      ['t2', [trustBundleHash, trustBundleHash]],
    ] as const) {
      const { reloads, deliver, authority } = world(spec, { status })
      authority('clients', { trustBundleHash: 'c1' })
      const { facts } = reloads.look(deliver('A', own), [])
      expect(facts.reload?.authorities?.map((one) => one.trustBundleHash)).toEqual(wanted)
    }
  })
})

describe('CAs that a person has servers read', () => {
  const etcd = { engine: 'Etcd' }
  const words = /CAs .* have changed\. Etcd: Restart the servers/
  it('are held for loaded when they must have come, and the reminder ends after a week, also in another process', () => {
    const { reloads, deliver, proving, clock } = world(etcd)
    reloads.look(deliver('A', 't1'), proving(undefined))
    const before = reloads.look(deliver('A', 't2'), proving(undefined))
    const since = toTimestamp(clock.now())
    expect(before.facts.reload?.authorities).toEqual([{ name: ca, trustBundleHash: 't1', delivered: 't2', since }])
    expect(before.requeueAfterMs).toBe(arrivalMs)
    clock.setNow(clock.now() + arrivalMs)
    const after = reloads.look(deliver('A', 't2'), proving(undefined))
    expect(after.facts.reload).toMatchObject({
      ...{ trustBundleHash: 't2', authorities: [{ name: ca, trustBundleHash: 't2', since }] },
      message: expect.stringMatching(words) as string,
    })
    const other = world(etcd, { status: after.facts })
    other.clock.setNow(clock.now())
    expect(other.reloads.look(other.deliver('A', 't2'), other.proving(undefined)).facts).toEqual(after.facts)
    other.clock.setNow(clock.now() + noteMs)
    expect(other.reloads.look(other.deliver('A', 't2'), other.proving(undefined)).facts).toEqual({ reload: is('t2') })
  })
  it('are not, while a server refuses the next CA, and are at once when all have proved it', () => {
    const { reloads, deliver, proving, clock } = world(etcd)
    reloads.look(deliver('A', 't1'), proving(undefined))
    reloads.look(deliver('A', 't2'), proving(lacks))
    clock.setNow(clock.now() + 10 * noteMs)
    const { facts } = reloads.look(deliver('A', 't2'), proving(lacks))
    expect(facts.reload).toMatchObject({ trustBundleHash: 't1', message: expect.stringMatching(words) as string })
    expect(reloads.look(deliver('A', 't2'), proving(has('t2'))).facts).toEqual({ reload: is('t2') })
  })
  it('end the reminder when they are proved', () => {
    const { reloads, deliver, proving, clock } = world(etcd)
    reloads.look(deliver('A', 't1'), proving(undefined))
    reloads.look(deliver('A', 't2'), proving(undefined))
    clock.setNow(clock.now() + arrivalMs)
    expect(reloads.look(deliver('A', 't2'), proving(undefined)).notes.join()).toMatch(words)
    expect(reloads.look(deliver('A', 't2'), proving(has('t2'))).facts).toEqual({ reload: is('t2') })
  })
  it('count anew when they change again, also while no operator ran', () => {
    const status = {
      reload: { authorities: [{ name: ca, trustBundleHash: 't1', delivered: 't2', since: '2020-01-01T00:00:00Z' }] },
    }
    const same = world(etcd, { status })
    expect(same.reloads.look(same.deliver('A', 't2'), []).facts.reload?.trustBundleHash).toBe('t2')
    const { reloads, deliver, clock } = world(etcd, { status })
    expect(reloads.look(deliver('A', 't3'), []).facts.reload?.authorities).toEqual([
      { name: ca, trustBundleHash: 't1', delivered: 't3', since: toTimestamp(clock.now()) },
    ])
  })
})

it('CAs that servers read by themselves are held for loaded when the slowest must have looked, and nobody is reminded', () => {
  const { reloads, deliver, proving, clock } = world({ engine: 'Cassandra' })
  reloads.look(deliver('A', 't1'), proving(undefined))
  expect(reloads.look(deliver('A', 't2'), proving(undefined)).requeueAfterMs).toBe(750_000)
  clock.setNow(clock.now() + 749_000)
  expect(reloads.look(deliver('A', 't2'), proving(undefined)).facts.reload?.trustBundleHash).toBe('t1')
  clock.setNow(clock.now() + 1000)
  expect(reloads.look(deliver('A', 't2'), proving(undefined))).toMatchObject({ facts: { reload: is('t2') }, notes: [] })
})
