/** A certificate with maintenance windows: when it is renewed, and what does not wait for one. */
import { describe, expect, it } from 'vitest'
import { databaseCertificates } from './resources/database-certificate.ts'
import {
  anotherCertificate,
  certificate,
  day,
  emptyCluster,
  getAuthority,
  getCertificate,
  getSecret,
  issuedOnce,
  messageOf,
  put,
  quiet,
  ready,
  revoke,
  stalled,
  start,
  until,
  authority,
} from './testing.ts'

const hour = 3_600_000
const at = (text: string | undefined): number => Date.parse(text ?? '')

/** The minute of the year in which `instant` lies, for two hours. */
const windowAt = (instant: number, timeZone = 'UTC') => {
  const date = new Date(instant)
  const [minutes, hours] = [date.getUTCMinutes(), date.getUTCHours()]
  return { cron: `${minutes} ${hours} ${date.getUTCDate()} ${date.getUTCMonth() + 1} *`, duration: '2h', timeZone }
}
const spec = (...windows: readonly object[]) => ({ duration: '90d', rotation: { windows } })

/** Issued, and renewed in a window that opens ten days after it is due. */
const waiting = async (more: object = {}) => {
  const running = await issuedOnce({ duration: '90d' })
  const { status } = await getCertificate(running.cluster)
  const due = at(status?.renewAt)
  const opens = Math.floor((due + 10 * day) / 60_000) * 60_000
  const windows = spec(windowAt(opens))
  await put(running.cluster, certificate({ ...windows, ...more }))
  await ready(running.cluster)
  await quiet(running.operator)
  /** Somebody else's label makes the operator look, at whatever time it is. */
  const lookAt = async (instant: number, label: string): Promise<void> => {
    running.clock.setNow(instant)
    const present = await getCertificate(running.cluster)
    const metadata = { name: present.metadata.name, namespace: present.metadata.namespace, labels: { label } }
    await running.cluster.apply(databaseCertificates, { ...present, metadata } as never, {
      fieldManager: 'labels',
      force: true,
    })
    await quiet(running.operator)
  }
  const serial = async () => (await getCertificate(running.cluster)).status?.serialNumber
  const reads = () => running.readNames.filter((name) => name === 'orders-tls').length
  return { ...running, due, opens, windows, lookAt, reads, present: serial }
}

describe('a renewal with maintenance windows', () => {
  it('waits for the next one, and status says when that is', async () => {
    const { cluster, due, opens, lookAt, writes, serial, present } = await waiting()
    const { status } = await getCertificate(cluster)
    expect(at(status?.renewAt)).toBeGreaterThanOrEqual(opens)
    expect(at(status?.renewAt)).toBeLessThanOrEqual(opens + hour)
    expect(await messageOf(cluster)).toContain(`it is renewed in one of spec.rotation.windows, at ${status?.renewAt}.`)
    const before = writes.length
    await lookAt(due + day, 'due')
    await lookAt(opens - 1000, 'just-before')
    expect(writes.slice(before)).toEqual([])
    expect(await present()).toBe(serial)
    await lookAt(opens + hour, 'open')
    await anotherCertificate(cluster, serial)
    const next = await getCertificate(cluster)
    expect(next.status?.revision).toBe(2)
  })

  it('reads the Secret no more than one without windows', async () => {
    const { cluster, opens, lookAt, serial, reads, windows } = await waiting()
    // The change of spec has looked at the Secret.
    const before = reads()
    await lookAt(opens + hour, 'open')
    await anotherCertificate(cluster, serial)
    expect(reads() - before).toBe(0)
    expect((await getCertificate(cluster)).spec.rotation).toEqual(windows.rotation)
  })

  it('is looked at by itself when the window opens', async () => {
    const { cluster, clock, due, opens, serial, present } = await waiting()
    clock.setNow(due + day)
    // Half a day at a time, as the queue does.
    for (let now = due + day; now < opens - 12 * hour; now += 12 * hour) await clock.advance(12 * hour)
    expect(await present()).toBe(serial)
    const { status } = await getCertificate(cluster)
    await clock.advance(at(status?.renewAt) - clock.now() + 1000)
    await anotherCertificate(cluster, serial)
  })

  it('that has missed its window is made in the next one', async () => {
    const { cluster, opens, lookAt, serial, present, windows } = await waiting()
    const second = windowAt(opens + 5 * day)
    await put(cluster, certificate(spec(...windows.rotation.windows, second)))
    await ready(cluster)
    await lookAt(opens + 3 * hour, 'missed')
    expect(await present()).toBe(serial)
    await until('another time', async () => {
      const { status } = await getCertificate(cluster)
      return at(status?.renewAt) >= opens + 5 * day
    })
    await lookAt(opens + 5 * day + hour, 'second')
    await anotherCertificate(cluster, serial)
  })

  it('is made when it is due, with a warning, where none opens before the end', async () => {
    const { cluster, due, events, lookAt, serial } = await waiting()
    await put(cluster, certificate(spec(windowAt(due + 100 * day))))
    await until('the note', async () => (await messageOf(cluster)).includes('None of spec.rotation.windows opens'))
    expect((await getCertificate(cluster)).status?.renewAt).toBe(new Date(due).toISOString().replace('.000Z', 'Z'))
    await lookAt(due, 'due')
    await anotherCertificate(cluster, serial)
    expect(events.filter(({ reason }) => reason === 'OutsideWindows')).toMatchObject([
      { type: 'Warning', note: expect.stringContaining('none of spec.rotation.windows opens before its end') },
    ])
  })

  it.each<[string, object]>([
    ['a changed name', { dnsNames: ['other.data.svc'] }],
    ['a trigger', { renewTrigger: '1' }],
    ['another duration', { duration: '80d' }],
  ])('does not keep %s waiting', async (_, change) => {
    const { cluster, due, lookAt, serial, windows } = await waiting()
    await lookAt(due - day, 'before')
    await put(cluster, certificate({ ...windows, ...change }))
    await anotherCertificate(cluster, serial)
  })

  it('does not keep a revocation waiting', async () => {
    const { cluster, serial } = await waiting()
    await revoke(cluster, serial, { reason: 'superseded' })
    await anotherCertificate(cluster, serial)
  })

  it('does not keep the first issuance waiting, nor a bundle that changes under the same certificate', async () => {
    const { clock, cluster } = emptyCluster()
    const { operator } = await start(cluster, clock)
    await put(cluster, authority({ duration: '100d', renewBefore: '80d' }))
    await put(cluster, certificate(spec(windowAt(clock.now() + 60 * day))))
    const { status } = await ready(cluster)
    await quiet(operator)
    clock.setNow(clock.now() + 22 * day)
    await put(cluster, authority({ duration: '100d', renewBefore: '79d' }))
    await until('the bundle of the renewed CA', async () => {
      const found = await getCertificate(cluster)
      return found.status?.trustBundleHash !== status?.trustBundleHash && found
    })
    const { trustBundleHash } = (await getAuthority(cluster)).status ?? {}
    expect((await getCertificate(cluster)).status).toMatchObject({
      trustBundleHash,
      serialNumber: status?.serialNumber,
    })
  })
})

describe('a window that cannot be read', () => {
  const wrong = spec({ ...windowAt(0), timeZone: 'Europe/Atlantis' })

  it('is named, costs no certificate, and is forgotten when it is mended', async () => {
    const { cluster, due, events, lookAt, operator, serial, present, windows } = await waiting()
    const resourceVersion = (await getSecret(cluster)).metadata.resourceVersion
    await put(cluster, certificate(wrong))
    const { reason, message } = await stalled(cluster)
    expect(reason).toBe('RequestInvalid')
    expect(message).toContain('spec.rotation.windows[0].timeZone: no time zone is called "Europe/Atlantis"')
    await quiet(operator)
    expect((await getSecret(cluster)).metadata.resourceVersion).toBe(resourceVersion)
    expect(await present()).toBe(serial)
    await lookAt(due, 'due')
    const next = await until('a renewal', async () => {
      const found = await present()
      return found !== serial && found
    })
    expect(events.some(({ reason: said }) => said === 'OutsideWindows')).toBe(true)
    await stalled(cluster)
    await put(cluster, certificate(windows))
    await ready(cluster)
    expect(await present()).toBe(next)
  })

  it('is looked at again when the certificate is due', async () => {
    const { operator, cluster, clock, due, present, serial } = await waiting()
    await put(cluster, certificate(wrong))
    await stalled(cluster)
    // What it is to be looked at again for is set after its status is written.
    await quiet(operator)
    clock.setNow(due - hour)
    await clock.advance(12 * hour)
    await until('a renewal', async () => (await present()) !== serial)
  })

  it('stalls a first certificate, and nobody else', async () => {
    const { cluster } = await issuedOnce()
    await put(cluster, certificate({ rotation: { windows: [{ cron: '0 25 * * *', duration: '1h' }] } }, 'other'))
    expect((await stalled(cluster, 'other')).message).toContain('spec.rotation.windows[0].cron: "0 25 * * *"')
    await put(cluster, certificate({}, 'third'))
    await ready(cluster, 'third')
  })
})
