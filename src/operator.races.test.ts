import { describe, expect, it } from 'vitest'
import { ApiError } from './cluster/errors.ts'
import type { Cluster, Resource } from './cluster/port.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { parseCertificate, signatureVerifies } from './pki/certificates/parse.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { isReady } from './resources/conditions.ts'
import { secrets, type Secret } from './resources/core.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import { ManualClock } from './runtime/manual-clock.ts'
import { interrupted, withVerbs } from './faults.fixture.ts'
import {
  anotherCertificate,
  authority,
  authorityReady,
  base64,
  certificate,
  emptyCluster,
  entriesOf,
  fresh,
  getAuthority,
  getCertificate,
  getSecret,
  issuedOnce,
  leafOf,
  namespace,
  newCluster,
  pass,
  put,
  quiet,
  ready,
  secretOf,
  somebody,
  stalled,
  start,
  text,
  until,
  withAuthority,
} from './testing.ts'

const year = 365 * 24 * 3_600_000
const foreign = (name: string): Secret =>
  secretOf(name, { 'tls.crt': 'theirs', 'tls.key': 'theirs' }, { type: 'kubernetes.io/tls' })
const refused = (status: number, reason: string) => () =>
  Promise.reject(new ApiError({ status, reason, message: 'exceeded quota' }))

describe('what happens while a certificate is on its way', () => {
  const begin = async (interrupt: (cluster: Cluster) => Cluster) => {
    const running = await withAuthority({}, interrupt)
    await put(running.cluster, certificate())
    return running
  }

  it('leaves a Secret alone that appears under its name', async () => {
    const { cluster } = await begin((port) =>
      interrupted(
        port,
        'apply',
        'secrets',
        async ({ metadata }) => {
          if (metadata.name === 'orders-tls') await port.create(secrets, foreign('orders-tls'), somebody)
        },
        2,
      ),
    )
    expect((await stalled(cluster)).reason).toBe('SecretInTheWay')
    const { data, metadata } = await getSecret(cluster)
    expect(data).toEqual({ 'tls.crt': base64('theirs'), 'tls.key': base64('theirs') })
    expect(metadata.annotations).toBeUndefined()
  })

  it('makes a Secret again that is deleted while it is renewed', async () => {
    const { cluster, stop, clock, serial } = await issuedOnce()
    await stop()
    await start(
      interrupted(cluster, 'apply', 'secrets', () => cluster.delete(secrets, { namespace, name: 'orders-tls' })),
      clock,
    )
    await put(cluster, certificate({ renewTrigger: '1' }))
    const { status } = await anotherCertificate(cluster, serial)
    expect(leafOf(await getSecret(cluster)).serialNumber).toBe(status?.serialNumber)
    // The CA's, the first, and one that was signed when the Secret went away and was delivered all the same.
    expect(await entriesOf(cluster)).toHaveLength(3)
  })

  it('sees an edit that comes before its status is written', async () => {
    const names = ['orders.data.svc', 'more.data.svc']
    const { cluster } = await begin((port) =>
      interrupted(port, 'updateStatus', 'databasecertificates', () => put(port, certificate({ dnsNames: names }))),
    )
    const { metadata } = await ready(cluster)
    expect(metadata.generation).toBe(2)
    const has = leafOf(await getSecret(cluster)).subjectAlternativeNames.map(({ value }) => value)
    expect(has).toEqual(names)
  })

  it('does not stay with a CA that was replaced meanwhile', async () => {
    const replace = async (present: Cluster): Promise<void> => {
      await present.delete(certificateAuthorities, { namespace, name: 'ca' })
      await present.delete(secrets, { namespace, name: 'ca-ca' })
      await put(present, authority())
    }
    let creations = 0
    const { cluster } = await begin((port) =>
      interrupted(
        port,
        'create',
        'issuedcertificates',
        async () => {
          creations += 1
          if (creations === 2) await replace(port)
        },
        2,
      ),
    )
    await until('a leaf of the present CA', async () => {
      const found = await getCertificate(cluster)
      const [ca] = (await cluster.list(certificateAuthorities, { namespace })).items
      return (
        isReady(found) &&
        ca !== undefined &&
        isReady(ca) &&
        found.status?.authorityFingerprint === ca.status?.certificate?.fingerprint &&
        creations === 2
      )
    })
    const secret = await getSecret(cluster)
    const [root] = certificatesOf(text(secret, 'ca.crt')).map((der) => parseCertificate(der))
    expect(signatureVerifies(leafOf(secret), root?.subject as Uint8Array, root?.spki as Uint8Array)).toBe(true)
  })

  it('says how often the ledger has refused it, waits, and forgets it when it succeeds', async () => {
    const { cluster, clock, stop } = await issuedOnce()
    await stop()
    const running = await start(
      interrupted(cluster, 'create', 'issuedcertificates', refused(403, 'Forbidden'), 2),
      clock,
    )
    await put(cluster, certificate({ renewTrigger: '1' }))
    const failing = await until('two failures', async () => {
      const found = await getCertificate(cluster)
      if (found.status?.failedAttempts === 1) await clock.advance(10_000)
      return found.status?.failedAttempts === 2 && found
    })
    expect(failing.status?.lastFailure?.message).toContain('exceeded quota')
    expect(failing.status?.conditions?.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      'Ready IssuanceFailed',
      'Reconciling IssuanceFailed',
    ])
    await clock.advance(15_000)
    await quiet(running.operator)
    expect((await getCertificate(cluster)).status?.failedAttempts).toBe(2)
    await clock.advance(10_000)
    const { status } = await ready(cluster)
    expect(status).not.toHaveProperty('failedAttempts')
    expect(status).not.toHaveProperty('nextAttemptAt')
    expect(status).not.toHaveProperty('lastFailure')
  })

  it('says the same of an authority', async () => {
    const { cluster, clock, operator } = await fresh((port) =>
      interrupted(port, 'create', 'issuedcertificates', refused(422, 'Invalid')),
    )
    await put(cluster, authority())
    const failing = await until('a failure', async () => {
      const found = await getAuthority(cluster)
      return found.status?.failedAttempts === 1 && found
    })
    expect(failing.status?.conditions?.[0]).toMatchObject({ status: 'False', reason: 'IssuanceFailed' })
    const touched = { ...authority(), metadata: { name: 'ca', namespace, labels: { a: 'look' } } }
    await put(cluster, touched)
    await quiet(operator)
    expect(isReady(await getAuthority(cluster))).toBe(false)
    await clock.advance(10_000)
    const done = await authorityReady(cluster)
    expect(done.status).not.toHaveProperty('failedAttempts')
  })
})

describe('a cluster that takes no Secret', () => {
  it('is told of, and costs one entry of the ledger however often it is tried', async () => {
    const { cluster, clock, stop } = await issuedOnce()
    await stop()
    const entries = (await entriesOf(cluster)).length
    await start(interrupted(cluster, 'apply', 'secrets', refused(403, 'Forbidden'), 3), clock)
    await put(cluster, certificate({ renewTrigger: '1' }))
    const said = await until('a reason', async () =>
      (await getCertificate(cluster)).status?.conditions?.find(({ type }) => type === 'Reconciling'),
    )
    expect(said).toMatchObject({ reason: 'WriteFailed' })
    expect(said.message).toContain('exceeded quota')
    await ready(cluster)
    expect(await entriesOf(cluster)).toHaveLength(entries + 1)
  })

  it('costs none where the Secret is too large to be sent', async () => {
    const { cluster, serial } = await issuedOnce()
    const entries = (await entriesOf(cluster)).length
    const items = [
      { key: 'tls.crt', content: 'CertificateChain' },
      { key: 'tls.key', content: 'PrivateKey' },
      ...Array.from({ length: 50 }, (_, at) => ({ key: `chain-${at}`, content: 'CertificateChain' })),
    ]
    const dnsNames = Array.from(
      { length: 150 },
      (_, at) => `${`n${at}`.padEnd(60, 'x')}.${'y'.repeat(60)}.${'z'.repeat(60)}.example`,
    )
    await put(cluster, certificate({ dnsNames, secret: { name: 'orders-tls', items } }))
    expect((await stalled(cluster)).reason).toBe('SecretTooLarge')
    expect(await entriesOf(cluster)).toHaveLength(entries)
    expect(leafOf(await getSecret(cluster)).serialNumber).toBe(serial)
  })
})

describe('the ledger', () => {
  const replacedBy = async (cluster: Cluster, serial: string | undefined) =>
    (await entriesOf(cluster))
      .filter(({ spec }) => spec.supersedes?.serialNumber === serial)
      .map(({ spec }) => spec.serialNumber)

  it('knows what a renewal replaced although a crash kept it from status', async () => {
    const { cluster, clock, stop, serial } = await issuedOnce()
    await stop()
    const dying = await start(cluster, clock)
    dying.dieAt(3, 'before')
    await put(cluster, certificate({ renewTrigger: '1' }))
    await until('the end', async () => dying.dead)
    await dying.stop()
    const second = leafOf(await getSecret(cluster)).serialNumber
    expect(second).not.toBe(serial)
    await put(cluster, certificate({ renewTrigger: '2' }))
    await start(cluster, clock)
    const third = await ready(cluster)
    expect(await replacedBy(cluster, serial)).toEqual([second])
    expect(await replacedBy(cluster, second)).toEqual([third.status?.serialNumber])
  })

  it('does not believe that what somebody put into the Secret was replaced', async () => {
    const { cluster, serial, anotherSerial } = await issuedOnce()
    await put(cluster, certificate({}, 'other'))
    const other = (await ready(cluster, 'other')).status?.serialNumber
    const theirs = await getSecret(cluster, 'other-tls')
    const own = await getSecret(cluster)
    await cluster.update(secrets, { ...own, data: theirs.data ?? {} }, somebody)
    const renewed = await anotherSerial()
    expect(await replacedBy(cluster, other)).toEqual([])
    expect(await replacedBy(cluster, serial)).toEqual([renewed.status?.serialNumber])
  })
})

describe('two operators at once', () => {
  it('use no serial number twice, and leave one generation in every Secret', async () => {
    const { clock, cluster } = emptyCluster()
    const both = [await start(cluster, clock), await start(cluster, clock)]
    await put(cluster, authority())
    const names = Array.from({ length: 12 }, (_, at) => `db-${at}`)
    for (const name of names) await put(cluster, certificate({}, name))
    for (const name of names) await ready(cluster, name)
    for (const { operator } of both) await quiet(operator)
    const serials = (await entriesOf(cluster)).map(({ spec }) => spec.serialNumber)
    expect(new Set(serials).size).toBe(serials.length)
    for (const name of names) {
      const secret = await getSecret(cluster, `${name}-tls`)
      const { serialNumber } = leafOf(secret)
      expect(serials).toContain(serialNumber)
      expect((await getCertificate(cluster, name)).status?.serialNumber).toBe(serialNumber)
      expect(secret.metadata.annotations?.['dbtls.dev/serial-number']).toBe(serialNumber)
    }
  })
})

describe('a cache of Secrets that lags', () => {
  it('costs one signature at most, because a refused write makes the operator look', async () => {
    const { cluster, clock, stop, serial } = await issuedOnce({
      secret: { name: 'orders-tls', deletionPolicy: 'Retain' },
    })
    await stop()
    await cluster.delete(databaseCertificates, { namespace, name: 'orders' })
    const seen = <Options extends object>(resource: Resource, options: Options): Options =>
      resource.plural === 'secrets' ? { ...options, labelSelector: 'nobody=has-it' } : options
    const blind = withVerbs(cluster, {
      list: (resource, options = {}) => cluster.list(resource, seen(resource, options)),
      watch: (resource, options) => cluster.watch(resource, seen(resource, options)),
    })
    await start(blind, clock)
    await put(cluster, certificate({ secret: { name: 'orders-tls', deletionPolicy: 'Retain' } }))
    expect((await ready(cluster)).status?.serialNumber).toBe(serial)
    expect(await entriesOf(cluster)).toHaveLength(3)
  })
})

describe('a wall clock that jumps', () => {
  const apart = async () => {
    const [clock, server] = [new ManualClock(), new ManualClock()]
    const cluster = newCluster(server)
    const running = await start(cluster, clock)
    await put(cluster, authority())
    const names = Array.from({ length: 20 }, (_, at) => `db-${at}`)
    for (const name of names) await put(cluster, certificate({}, name))
    for (const name of names)
      await until(`${name} to be Ready`, async () => {
        await clock.advance(20)
        return isReady(await getCertificate(cluster, name))
      })
    await quiet(running.operator)
    const all = async () => (await cluster.list(secrets, { namespace })).items.map(({ data }) => data)
    return { clock, server, cluster, names, all, ...running }
  }

  it.each([
    { name: 'an hour ahead', ms: 3_600_000 },
    { name: 'five years ahead', ms: 5 * year },
    { name: 'ten years ahead', ms: 10 * year },
    { name: 'an hour back', ms: -3_600_000 },
    { name: 'ten years back', ms: -10 * year },
  ])('$name replaces no Secret, and nothing is left of it when it is set right', async ({ ms }) => {
    const { clock, cluster, all, operator, names } = await apart()
    const [before, entries] = [await all(), (await entriesOf(cluster)).length]
    clock.setNow(clock.now() + ms)
    await clock.advance(12 * 3_600_000)
    for (let minute = 0; minute < 5; minute += 1) {
      await clock.advance(60_000)
      await quiet(operator)
    }
    expect(await all()).toEqual(before)
    // What status says stays true, and it is not written for every certificate: only an authority that seems to have ended is told of.
    const disturbed = (await Promise.all(names.map((name) => getCertificate(cluster, name)))).filter(
      (found) => !isReady(found),
    )
    if (ms < 10 * year) expect(disturbed).toEqual([])
    else expect(disturbed.map(({ status }) => status?.conditions?.[0]?.reason)).toContain('AuthorityExpiring')
    // At first one for each worker, and then ever more rarely one: not one for each certificate, each time.
    expect((await entriesOf(cluster)).length - entries).toBeLessThanOrEqual(4 + 2 + 6)
    clock.setNow(clock.now() - ms - 12 * 3_600_000 - 300_000)
    for (let hour = 0; hour < 13; hour += 1) {
      await clock.advance(3_600_000)
      await quiet(operator)
    }
    expect(await all()).toEqual(before)
    for (const name of names) expect(isReady(await getCertificate(cluster, name))).toBe(true)
  })

  it('holds a first certificate back and says why', async () => {
    const { clock, cluster } = await apart()
    clock.setNow(clock.now() + 3_600_000)
    await put(cluster, certificate({}, 'new'))
    const said = await until('a reason', async () =>
      (await getCertificate(cluster, 'new')).status?.conditions?.find(({ type }) => type === 'Reconciling'),
    )
    expect(said.message).toMatch(/clock/)
    await expect(getSecret(cluster, 'new-tls')).rejects.toThrow()
  })
})

describe('a wait for the next attempt', () => {
  it('is not stretched by years when the clock is set back', async () => {
    const { cluster, clock, stop } = await issuedOnce({ duration: '30d' })
    await stop()
    await pass(clock, 1000)
    await start(interrupted(cluster, 'create', 'issuedcertificates', refused(403, 'Forbidden')), clock)
    await put(cluster, certificate({ duration: '30d', renewTrigger: '1' }))
    await until('a failure', async () => (await getCertificate(cluster)).status?.failedAttempts === 1)
    clock.setNow(clock.now() - 2 * 3_600_000)
    await clock.advance(11_000)
    await ready(cluster)
  })
})
