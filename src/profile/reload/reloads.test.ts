import { describe, expect, it } from 'vitest'
import { arrivalMs } from './decide.ts'
import { key, sql, told, world } from './testing.ts'

const loaded = (trustBundleHash: string) => ({ trustBundleHash, authorities: [{ name: 'data/ca', trustBundleHash }] })

describe('a profile with strategy SQL', () => {
  it('leaves servers alone that show what was delivered', async () => {
    const { reloads, deliver, shown, run, queued, visits } = world(sql)
    expect(reloads.look(deliver('A'), shown('A', 'A'))).toEqual({
      ...{ facts: { reload: loaded('t1') }, findings: [], notes: [] },
    })
    await run()
    expect([queued, visits]).toEqual([[], []])
  })
  it('tells each server that shows a former certificate, one after the other, and says so once', async () => {
    const { reloads, deliver, shown, run, queued, visits, answers, woken, events } = world(sql)
    const verdict = reloads.look(deliver('B'), shown('A', 'A'))
    expect(verdict.findings).toEqual([])
    expect(verdict.notes.join()).toContain('It shows A, and is told')
    expect(queued).toEqual([key])
    answers(() => ({ served: 'B', told: true, lost: false }))
    await run()
    expect(told(visits)).toEqual(['db-0', 'db-1'].map((pod) => `${pod}.db.data.svc.cluster.local:3306`))
    expect(visits[0]?.tell).toMatchObject({
      ...{ statements: ['ALTER INSTANCE RELOAD TLS'], always: false },
      account: { username: 'root', password: 'geheim' },
    })
    expect(woken.length).toBeGreaterThan(0)
    expect(reloads.look(deliver('B'), shown('A', 'A')).facts).toEqual({ reload: loaded('t1') })
    expect(events.map(({ reason }) => reason)).toEqual(['Reloaded', 'Reloaded'])
    await run()
    expect(visits.length).toBe(2)
  })
  it('asks by itself where nobody else does', async () => {
    const { reloads, deliver, run, visits, answers } = world(sql)
    reloads.look(deliver('B'), [])
    answers(() => ({ served: 'B', told: false, lost: false }))
    await run()
    expect(visits.map(({ tell }) => tell)).toEqual([undefined, undefined])
  })
  it('tells again while the files have not come, and says late that they did not', async () => {
    const { reloads, deliver, shown, run, answers, visits, clock } = world(sql)
    reloads.look(deliver('B'), shown('A', 'B'))
    answers(() => ({ served: 'A', told: true, lost: false }))
    await run()
    expect(told(visits).length).toBe(1)
    expect(reloads.look(deliver('B'), shown('A', 'B')).notes.join()).toContain('may not have come to its pod yet')
    for (let count = 0; count < 8; count += 1) {
      clock.setNow(clock.now() + 700_000)
      await run()
    }
    const { findings, facts } = reloads.look(deliver('B'), shown('A', 'B'))
    expect(findings).toMatchObject([{ cure: 'Wait', reason: 'ReloadFailed' }])
    expect(findings[0]?.message).toContain('it keeps what it had')
    expect(facts.reload?.pending).toMatchObject([{ reason: 'KeptOld' }])
  })
  it('gives one that keeps it waiting a minute, says so, and goes on with the next', async () => {
    const { reloads, deliver, shown, run, answers, clock } = world(sql)
    reloads.look(deliver('B'), shown('A', 'A'))
    answers(({ server, signal }) =>
      server.address.startsWith('db-1')
        ? { served: 'B', told: true, lost: false }
        : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    )
    const running = run()
    await clock.advance(60_000)
    await running
    const pending = reloads.look(deliver('B'), shown('A', 'A')).facts.reload?.pending
    expect(pending).toMatchObject([{ reason: 'TimedOut', message: expect.stringContaining('not done within 60 s') }])
    expect(pending?.[0]?.name).toContain('db-0')
  })
  it.each([
    ['LoginRefused', 'nobody may log in', 'ReloadRefused', /Nobody may log in\. Correct username and password/],
    ['PrivilegeMissing', 'the account may not run it', 'ReloadRefused', /grant it CONNECTION_ADMIN/],
    ['CertificateRefused', 'it wants one', 'ReloadRefused', /spec\.reload\.client/],
  ] as const)('stalls with %s until it is mended', async (reason, message, condition, words) => {
    const { reloads, deliver, shown, run, answers, clock } = world(sql)
    reloads.look(deliver('B'), shown('A', 'B'))
    answers(() => ({ served: 'A', told: false, lost: false, failure: { reason, message } }))
    await run()
    const { findings } = reloads.look(deliver('B'), shown('A', 'B'))
    expect(findings).toMatchObject([{ cure: 'Stall', reason: condition, message: expect.stringMatching(words) }])
    answers(() => ({ served: 'B', told: true, lost: false }))
    clock.setNow(clock.now() + 600_000)
    await run()
    expect(reloads.look(deliver('B'), shown('A', 'B')).findings).toEqual([])
  })
  it('tries a password that was refused on no other server, and again only when its Secret changes or ever later', async () => {
    const { reloads, deliver, shown, run, answers, visits, clock, secretIs } = world(sql)
    secretIs('1')
    reloads.look(deliver('B'), shown('A', 'A'))
    answers(() => ({ served: 'A', told: false, lost: false, failure: { reason: 'LoginRefused', message: 'no' } }))
    const minutes: number[] = []
    for (let minute = 0; minute < 400; minute += 1) {
      const before = told(visits).length
      await run()
      minutes.push(
        ...told(visits)
          .slice(before)
          .map(() => minute),
      )
      clock.setNow(clock.now() + 60_000)
    }
    expect(minutes).toEqual([0, 10, 30, 70, 150, 270, 390])
    secretIs('2')
    reloads.look(deliver('B'), shown('A', 'A'))
    const before = told(visits).length
    await run()
    expect(told(visits).length - before, 'one server finds out').toBe(1)
    secretIs('3')
    answers(() => ({ served: 'B', told: true, lost: false }))
    await run()
    expect(told(visits).length - before).toBe(3)
    expect(reloads.look(deliver('B'), shown('A', 'A')).findings).toEqual([])
  })
  it('goes on at once when the Secret of the account has come', async () => {
    const { reloads, deliver, shown, run, answers, visits, secretIs } = world(sql, { offeredTo: 'billing' })
    secretIs('1')
    reloads.look(deliver('B'), shown('A', 'B'))
    await run()
    expect(visits).toEqual([])
    secretIs('2', 'orders')
    answers(() => ({ served: 'B', told: true, lost: false }))
    await run()
    expect(told(visits)).toHaveLength(1)
    expect(reloads.look(deliver('B'), shown('A', 'B')).findings).toEqual([])
  })
  it.each([
    ['no Secret', null, /Secret "admin" of spec\.reload\.credentialsSecretRef does not exist; create it/],
    ['an empty one', {}, /has neither username nor password/],
  ] as const)('says so where there is %s of the account', async (_, secret, words) => {
    const { reloads, deliver, shown, run } = world(sql, { secret })
    reloads.look(deliver('B'), shown('A', 'B'))
    await run()
    const { findings } = reloads.look(deliver('B'), shown('A', 'B'))
    expect(findings).toMatchObject([{ cure: 'Stall', reason: 'ReloadRefused', message: expect.stringMatching(words) }])
  })
  it('sends no account to any server that its Secret does not offer to the profile', async () => {
    const { reloads, deliver, shown, run, visits } = world(sql, { offeredTo: 'billing' })
    reloads.look(deliver('B'), shown('A', 'A'))
    await run()
    expect(visits).toEqual([])
    const { findings, facts } = reloads.look(deliver('B'), shown('A', 'A'))
    expect(findings).toMatchObject([
      {
        ...{ cure: 'Stall', reason: 'ReloadRefused' },
        message: expect.stringContaining('annotate it with dbtls.dev/reload-credentials: "orders"'),
      },
    ])
    expect(facts.reload?.pending).toMatchObject([{ reason: 'AccountNotOffered' }, { reason: 'AccountNotOffered' }])
    expect(JSON.stringify([findings, facts])).not.toMatch(/root|geheim/)
  })
  it('tells no other server while one that was told does not answer', async () => {
    const { reloads, deliver, shown, run, answers, visits, clock } = world(sql)
    reloads.look(deliver('B'), shown('A', 'A'))
    answers(({ tell }) => (tell === undefined ? { told: false, lost: false } : { told: true, lost: true }))
    await run()
    clock.setNow(clock.now() + 60_000)
    await run()
    expect(told(visits).length).toBe(1)
    const { findings } = reloads.look(deliver('B'), shown('A', 'A'))
    expect(findings).toMatchObject([
      { reason: 'ReloadFailed', message: expect.stringContaining('No other server is told') },
    ])
    answers(() => ({ served: 'B', told: true, lost: false }))
    clock.setNow(clock.now() + 60_000)
    await run()
    expect(told(visits).length).toBe(2)
  })
  it('tells every server of changed CAs, at once and when they must have come, and remembers that in status', async () => {
    const { reloads, deliver, shown, run, answers, visits, clock } = world(sql)
    reloads.look(deliver('A', 't1'), shown('A', 'A'))
    expect(reloads.look(deliver('A', 't2'), shown('A', 'A')).facts.reload?.trustBundleHash).toBe('t1')
    answers(() => ({ served: 'A', told: true, lost: false }))
    await run()
    expect(told(visits).length).toBe(2)
    expect(visits.every(({ tell }) => tell?.always)).toBe(true)
    clock.setNow(clock.now() + arrivalMs)
    await run()
    expect(told(visits).length).toBe(4)
    expect(reloads.look(deliver('A', 't2'), shown('A', 'A')).facts).toEqual({ reload: loaded('t2') })
    await run()
    expect(visits.length).toBe(4)
  })
  it('goes on after a restart of the operator where status says that servers lack CAs', async () => {
    const { reloads, deliver, shown, run, answers, visits } = world(sql, {
      status: { reload: { trustBundleHash: 't1' } },
    })
    reloads.look(deliver('A', 't2'), shown('A', 'A'))
    answers(() => ({ served: 'A', told: true, lost: false }))
    await run()
    expect(told(visits).length).toBe(2)
  })
  it('forgets a profile that is gone', async () => {
    const { reloads, deliver, shown, run, visits } = world(sql)
    reloads.look(deliver('B'), shown('A', 'A'))
    reloads.forget(key)
    await run()
    expect(visits).toEqual([])
  })
})

describe('a profile with strategy None', () => {
  it.each([
    ['MySQL', /show a former certificate\. MySQL: Run on each server: ALTER INSTANCE RELOAD TLS\./],
    ['Etcd', /Etcd: It reads them by itself within minutes\./],
    ['CockroachDB', /Send SIGHUP to each server/],
    ['Kafka', /Run the command of commands\.md/],
  ])('%s: says what is left to do, and does nothing', async (engine, words) => {
    const { reloads, deliver, shown, run, queued, visits } = world({ engine })
    const { findings, notes } = reloads.look(deliver('B'), shown('A', 'A'))
    expect(findings).toEqual([])
    expect(notes.join()).toMatch(words)
    await run()
    expect([queued, visits]).toEqual([[], []])
  })
  it('says that CAs have changed until every server shows a certificate that came later', () => {
    const { reloads, deliver, shown } = world({ engine: 'Etcd' })
    reloads.look(deliver('A', 't1'), shown('A', 'A'))
    expect(reloads.look(deliver('A', 't2'), shown('A', 'A')).notes.join()).toMatch(
      /CAs .* have changed\. Etcd: Restart the servers/,
    )
  })
})
