import { describe, expect, it } from 'vitest'
import { ApiError } from './cluster/errors.ts'
import type { Cluster } from './cluster/port.ts'
import { withVerbs } from './faults.fixture.ts'
import {
  allVerify,
  ask,
  atRest,
  counted,
  delivered,
  fingerprintOf,
  inPhase,
  noSoak,
  rotated,
  rotationOf,
  serialOf,
} from './operator.rotation.fixture.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import {
  authority,
  authorityReady,
  certificate,
  day,
  fresh,
  getAuthority,
  getSecret,
  leafOf,
  pass,
  person,
  put,
  quiet,
  ready,
  until,
  writesOfRest,
} from './testing.ts'

describe('a trigger', () => {
  it('is taken for done with by a CA that is born with it', async () => {
    const running = await atRest({}, { trigger: 'at birth' })
    expect(await rotationOf(running.cluster)).toMatchObject({ phase: 'Idle', trigger: 'at birth' })
    expect(await writesOfRest(running)).toEqual([])
    expect(running.written).toEqual([])
    await ask(running.cluster, { trigger: 'later' })
    await rotated(running.cluster, 'later')
  })

  it.each(['NewKey', 'ReuseKey'] as const)(
    'that was acted on is not acted on again when status is lost (%s)',
    async (onTrigger) => {
      const running = await atRest({}, { onTrigger })
      const { cluster, operator } = running
      await ask(cluster, { trigger: 'one' })
      await rotated(cluster, 'one')
      await quiet(operator)
      const made = await fingerprintOf(cluster)
      const found = await getAuthority(cluster)
      const { rotation: _lost, ...status } = found.status ?? {}
      await cluster.updateStatus(certificateAuthorities, { ...found, status }, person)
      await until('a status', async () => (await rotationOf(cluster)).trigger === 'one')
      await quiet(operator)
      expect(await rotationOf(cluster)).toMatchObject({ phase: 'Idle', trigger: 'one' })
      expect(await fingerprintOf(cluster)).toBe(made)
      expect(await writesOfRest(running)).toEqual([])
      await ask(cluster, { trigger: 'two' })
      await until('the next one', async () => (await fingerprintOf(cluster)) !== made)
    },
  )

  it('that waits for its window postpones no renewal meanwhile', async () => {
    const { cluster, clock } = await atRest({ duration: '1460d', renewBefore: '800d' })
    const before = (await getAuthority(cluster)).status?.certificate
    // The renewal is due in the autumn of 2027.
    await ask(cluster, { trigger: 'one', windows: [{ cron: '0 3 29 2 *', duration: '1h' }] })
    await until('it to wait', async () => (await rotationOf(cluster)).message?.includes('2028-02-29T03:00:00Z'))
    await pass(clock, 665 * day)
    const after = await until('another certificate of the CA', async () => {
      const { certificate: made } = (await getAuthority(cluster)).status ?? {}
      return made?.fingerprint !== before?.fingerprint && made
    })
    expect(after.publicKeyHash).toBe(before?.publicKeyHash)
    expect((await rotationOf(cluster)).phase).toBe('Idle')
  })

  it('renews with the same key where onTrigger says so, and leaves every certificate as it is', async () => {
    const running = await atRest({}, { onTrigger: 'ReuseKey' })
    const { cluster, operator, clock } = running
    const before = (await getAuthority(cluster)).status?.certificate
    const [serial, old] = [await serialOf(cluster, 'server'), await delivered(cluster, 'server')]
    await ask(cluster, { trigger: 'one' })
    await rotated(cluster, 'one')
    const after = await until('the new CA everywhere', async () => {
      const { certificate: made, trustBundleHash } = (await getAuthority(cluster)).status ?? {}
      const { status } = await ready(cluster, 'server')
      return status?.trustBundleHash === trustBundleHash && made
    })
    await quiet(operator)
    expect(after?.fingerprint).not.toBe(before?.fingerprint)
    expect(after).toMatchObject({
      publicKeyHash: before?.publicKeyHash,
      subjectKeyId: before?.subjectKeyId,
      subject: before?.subject,
    })
    expect(await serialOf(cluster, 'server')).toBe(serial)
    allVerify([old, await delivered(cluster, 'server')], clock.now())
    expect(running.written.filter((name) => name === 'server-tls')).toHaveLength(1)
    expect(await rotationOf(cluster)).toMatchObject({
      mode: 'ReuseKey',
      from: before?.fingerprint,
      to: after?.fingerprint,
    })
    expect(await writesOfRest(running)).toEqual([])
  })

  it('that comes in the middle of a rotation begins another one when that has ended', async () => {
    const { cluster } = await atRest()
    const first = await fingerprintOf(cluster)
    await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' })
    await inPhase(cluster, 'TrustBoth')
    await ask(cluster, { trigger: 'two' })
    await until('the second one to be noted', async () =>
      (await rotationOf(cluster)).message?.includes('begins when this one has ended'),
    )
    const { to } = await rotationOf(cluster)
    await ask(cluster, { holdAt: '' })
    const after = await rotated(cluster, 'two')
    expect(after.status?.rotation?.from).toBe(to)
    expect([first, to]).not.toContain(after.status?.certificate?.fingerprint)
  })
})

describe('maintenance windows', () => {
  it('are when phases are entered and certificates replaced', async () => {
    const { cluster, clock, operator } = await atRest({}, { windows: [{ cron: '0 2 * * *', duration: '2h' }] })
    const first = await fingerprintOf(cluster)
    const serial = await serialOf(cluster, 'server')
    await ask(cluster, { trigger: 'one' })
    await until('it to say when', async () => (await rotationOf(cluster)).message?.includes('2026-01-01T02:00:00Z'))
    expect(await rotationOf(cluster)).toMatchObject({ phase: 'Idle' })
    await clock.advance(2 * 3_600_000)
    await inPhase(cluster, 'Signing')
    // It closes in the middle.
    await ask(cluster, { windows: [{ cron: '0 2 2 * *', duration: '2h' }], holdAt: 'DropSoak' })
    await quiet(operator)
    await clock.advance(36 * 3_600_000)
    await inPhase(cluster, 'DropSoak')
    expect(await serialOf(cluster, 'server')).not.toBe(serial)
    await ask(cluster, { holdAt: '', windows: [] })
    await rotated(cluster, 'one')
    expect(await fingerprintOf(cluster)).not.toBe(first)
  })
})

describe('a maintenance window that cannot be read', () => {
  it('is named on the CA, which goes on signing, and is gone when it is corrected', async () => {
    const windows = [{ cron: '0 2 * * *', duration: '2h', timeZone: 'Europe/Berlim' }]
    const running = await atRest({}, { windows })
    const { cluster } = running
    const says = async () =>
      (await authorityReady(cluster)).status?.conditions?.find(({ type }) => type === 'Ready')?.message
    expect(await says()).toContain('spec.rotation.windows[0].timeZone: no time zone is called "Europe/Berlim"')
    expect(await writesOfRest(running)).toEqual([])
    await ask(cluster, { windows: [{ ...windows[0], timeZone: 'Europe/Berlin' }] })
    await until('another word', async () => (await says())?.includes('windows') === false)
  })
})

describe('a soak', () => {
  it('keeps the phase for as long as it lasts, from when all was seen', async () => {
    const { cluster, clock, operator } = await atRest({}, { trustSoak: '24h', dropSoak: '12h' })
    await ask(cluster, { trigger: 'one' })
    await inPhase(cluster, 'TrustBoth')
    await until('the soak', async () => (await rotationOf(cluster)).soakStartedAt !== undefined)
    await pass(clock, 8 * 3_600_000)
    await quiet(operator)
    expect((await rotationOf(cluster)).phase).toBe('TrustBoth')
    await pass(clock, 5 * 3_600_000)
    await inPhase(cluster, 'DropSoak')
    await quiet(operator)
    expect((await rotationOf(cluster)).phase).toBe('DropSoak')
    await pass(clock, 3_600_000)
    await rotated(cluster, 'one')
  })
})

describe('the end of a CA', () => {
  const short = { duration: '100d', renewBefore: '10d' }

  it('begins a rotation so early that the longest certificate still fits, where onExpiry is NewKey', async () => {
    const policy = { maxDuration: '60d' }
    const { cluster, clock, operator } = await atRest({ ...short, policy }, { onExpiry: 'NewKey' })
    const first = await fingerprintOf(cluster)
    await pass(clock, 30 * day)
    await quiet(operator)
    expect(await fingerprintOf(cluster)).toBe(first)
    await pass(clock, 9 * day)
    const after = await until('the rotation', async () => {
      const found = await getAuthority(cluster)
      return found.status?.rotation?.finishedAt !== undefined && found
    })
    expect(after.status?.rotation).toMatchObject({ phase: 'Idle', cause: 'Expiry', from: first, mode: 'NewKey' })
    expect(after.status?.certificate?.fingerprint).not.toBe(first)
  })

  it('that has come while nobody looked skips the time in which both are trusted', async () => {
    const { cluster, clock, operator, events } = await atRest(short, { onExpiry: 'NewKey', trustSoak: '24h' })
    clock.setNow(clock.now() + 120 * day)
    await clock.advance(13 * 3_600_000)
    const after = await until('a CA that is valid', async () => {
      const found = await getAuthority(cluster)
      const { certificate: made } = found.status ?? {}
      return Date.parse(made?.notAfter ?? '') > clock.now() && found
    })
    expect(after.status?.rotation?.phase).not.toBe('Prepared')
    expect(events.map(({ note }) => note).join(' ')).toContain('the new one signs at once')
    await until('valid certificates', async () => {
      const all = await Promise.all(
        ['server', 'client'].map(async (name) => leafOf(await getSecret(cluster, `${name}-tls`))),
      )
      return all.every(({ notAfter }) => notAfter > clock.now())
    })
    await quiet(operator)
    allVerify([await delivered(cluster, 'server'), await delivered(cluster, 'client')], clock.now())
  })
})

describe('an abort', () => {
  it.each(['TrustBoth'] as const)('from %s leaves the CA that signs, and nothing of the next one', async (phase) => {
    const running = await atRest()
    const { cluster, operator } = running
    const [first, serial] = [await fingerprintOf(cluster), await serialOf(cluster, 'server')]
    const bundle = (await delivered(cluster, 'server')).bundle
    await ask(cluster, { trigger: 'one', holdAt: phase })
    await inPhase(cluster, phase)
    await ask(cluster, { abort: 'no' })
    await inPhase(cluster, 'Idle')
    await until('the former bundle', async () => (await delivered(cluster, 'server')).bundle === bundle)
    await quiet(operator)
    expect(await fingerprintOf(cluster)).toBe(first)
    expect(await serialOf(cluster, 'server')).toBe(serial)
    expect(Object.keys((await getSecret(cluster, 'ca-ca')).data ?? {})).not.toContain('next.key')
    expect((await rotationOf(cluster)).cause).toBe('Abort')
    expect(await writesOfRest(running)).toEqual([])
  })

  it('from Prepared does so, too', async () => {
    const written: string[] = []
    /** The step after Prepared. */
    const isPublished = ({ data = {} }: { data?: Record<string, string> }): boolean =>
      data['next.crt'] !== undefined &&
      certificatesOf(Buffer.from(data['ca.crt'] ?? '', 'base64').toString()).length > 1
    const running = await fresh((cluster) =>
      counted(
        withVerbs(cluster, {
          apply: ((...args: Parameters<Cluster['apply']>) =>
            isPublished(args[1] as { data?: Record<string, string> })
              ? Promise.reject(new ApiError({ status: 403, reason: 'Forbidden', message: 'not now' }))
              : cluster.apply(...args)) as Cluster['apply'],
        }),
        written,
      ),
    )
    const { cluster, clock } = running
    await put(cluster, authority({ rotation: noSoak }))
    await authorityReady(cluster)
    await put(cluster, certificate({}, 'server'))
    await ready(cluster, 'server')
    const bundle = (await delivered(cluster, 'server')).bundle
    await ask(cluster, { trigger: 'one' })
    await until('the refusal to be told', async () => (await rotationOf(cluster)).message?.includes('not now'))
    expect((await rotationOf(cluster)).phase).toBe('Prepared')
    await ask(cluster, { abort: 'no' })
    await inPhase(cluster, 'Idle')
    await clock.advance(1000)
    expect(written.filter((name) => name === 'server-tls')).toHaveLength(1)
    expect((await delivered(cluster, 'server')).bundle).toBe(bundle)
    expect(Object.keys((await getSecret(cluster, 'ca-ca')).data ?? {})).not.toContain('next.key')
  })

  it.each(['Signing', 'DropSoak'] as const)('from %s goes back to the former CA in the same phases', async (phase) => {
    const running = await atRest()
    const { cluster, clock, operator } = running
    const first = await fingerprintOf(cluster)
    const serial = await serialOf(cluster, 'server')
    await ask(cluster, { trigger: 'one', holdAt: phase })
    await inPhase(cluster, phase)
    await until(
      'the new certificate',
      async () => (await serialOf(cluster, 'server')) !== serial && (await serialOf(cluster, 'client')),
    )
    const moved = await delivered(cluster, 'server')
    await ask(cluster, { abort: 'no', holdAt: '' })
    await until('the end', async () => {
      const { phase: now, cause, finishedAt } = await rotationOf(cluster)
      return now === 'Idle' && cause === 'Abort' && finishedAt !== undefined
    })
    await quiet(operator)
    expect(await fingerprintOf(cluster)).toBe(first)
    const back = await delivered(cluster, 'server')
    allVerify([back, await delivered(cluster, 'client')], clock.now())
    expect(back.bundle).not.toBe(moved.bundle)
    expect(Object.keys((await getSecret(cluster, 'ca-ca')).data ?? {}).toSorted()).toEqual([
      'ca.crt',
      'tls.crt',
      'tls.key',
    ])
    expect(await writesOfRest(running)).toEqual([])
  })
})
