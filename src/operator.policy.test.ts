import { describe, expect, it } from 'vitest'
import { ApiError } from './cluster/errors.ts'
import type { Cluster } from './cluster/port.ts'
import { withVerbs } from './faults.fixture.ts'
import { decodePem } from './pki/encoding/pem.ts'
import { parseRevocationList } from './pki/revocation/parse.ts'
import { type CertificateAuthority } from './resources/certificate-authority.ts'
import { isReady } from './resources/conditions.ts'
import { configMaps, secrets } from './resources/core.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import {
  anotherCertificate,
  authority,
  authorityReady,
  certificate,
  day,
  entriesOf,
  entryOf,
  getAuthority,
  getCertificate,
  getSecret,
  intermediate,
  issuedOnce,
  leafOf,
  messageOf,
  namespace,
  pass,
  person,
  put,
  quiet,
  ready,
  revoke,
  secretOf,
  stalled,
  start,
  text,
  until,
  withAuthority,
  writesAtRest,
} from './testing.ts'

describe('the policy of a CA', () => {
  const cases: { policy: object; spec: object; says: string }[] = [
    {
      policy: { allowedDNSNames: ['*.data.svc'] },
      spec: { dnsNames: ['orders.example'] },
      says: 'DNS name "orders.example" is not in policy.allowedDNSNames (*.data.svc)',
    },
    {
      policy: { allowedIPRanges: [] },
      spec: { ipAddresses: ['10.0.0.1'] },
      says: 'IP address "10.0.0.1" is not in policy.allowedIPRanges (empty: none is allowed)',
    },
    {
      policy: { allowedURIs: ['spiffe://a/*'] },
      spec: { uris: ['spiffe://b/c'] },
      says: 'URI "spiffe://b/c" is not in policy.allowedURIs',
    },
    {
      policy: { allowedEmailAddresses: ['a@b.example'] },
      spec: { emailAddresses: ['c@b.example'] },
      says: 'email address "c@b.example" is not in policy.allowedEmailAddresses',
    },
    { policy: { allowWildcards: false }, spec: { dnsNames: ['*.data.svc'] }, says: 'policy.allowWildcards is false' },
    {
      policy: { subject: { organizations: 'Match', commonName: 'Supplied' } },
      spec: { subject: { commonName: 'a', organizations: ['Other'] } },
      says: 'policy.subject.organizations is Match',
    },
    { policy: { subject: { commonName: 'Supplied' } }, spec: {}, says: 'policy.subject.commonName is Supplied' },
    {
      policy: { subject: { commonName: 'Optional' } },
      spec: { subject: { countries: ['DE'] } },
      says: 'does not list the attribute C',
    },
    {
      policy: { maxDuration: '30d' },
      spec: { duration: '31d' },
      says: 'lifetime of 31 days is longer than policy.maxDuration, 30 days',
    },
    {
      policy: { privateKey: { algorithms: ['RSA'] } },
      spec: { privateKey: { algorithm: 'Ed25519' } },
      says: 'policy.privateKey.algorithms allows RSA',
    },
    {
      policy: { privateKey: { minRSASize: 3072 } },
      spec: { privateKey: { algorithm: 'RSA', size: 2048 } },
      says: 'policy.privateKey.minRSASize is 3072',
    },
  ]
  it.each(cases)('refuses before a key is made: $says', async ({ policy, spec, says }) => {
    const { cluster, writes, operator } = await withAuthority({
      policy,
      subject: { commonName: 'ca of tests', organizations: ['Acme'] },
    })
    await quiet(operator)
    const before = writes.length
    await put(cluster, certificate(spec))
    const { reason, message } = await stalled(cluster)
    expect(reason).toBe('PolicyViolation')
    expect(message).toContain('CertificateAuthority data/ca does not sign this.')
    expect(message).toContain(says)
    expect(message).not.toMatch(/And \S+ more/)
    await quiet(operator)
    expect(writes.slice(before).map(({ plural }) => plural)).toEqual(['databasecertificates'])
  })

  it('says eight of many reasons, and how many more there are', async () => {
    const { cluster } = await withAuthority({ policy: { allowedDNSNames: ['*.other.svc'] } })
    await put(cluster, certificate({ dnsNames: Array.from({ length: 12 }, (_, at) => `n${at}.data.svc`) }))
    const { message } = await stalled(cluster)
    expect(message.match(/"n\d+\.data\.svc"/g)).toHaveLength(8)
    expect(message).toContain(' And 4 more.')
  })

  it('lets through what fits it', async () => {
    const { cluster } = await withAuthority({
      policy: {
        subject: { organizations: 'Match', commonName: 'Supplied' },
        allowedDNSNames: ['*.data.svc'],
        allowedIPRanges: ['10.0.0.0/8'],
        maxDuration: '90d',
        privateKey: { algorithms: ['ECDSA'] },
      },
      subject: { commonName: 'ca of tests', organizations: ['Acme'] },
    })
    const subject = { commonName: 'orders.data.svc', organizations: ['Acme'] }
    await put(cluster, certificate({ subject, ipAddresses: ['10.1.2.3'], duration: '90d' }))
    await ready(cluster)
  })

  it('shortens a lifetime that nobody asked for', async () => {
    const { cluster } = await withAuthority({ policy: { maxDuration: '30d' } })
    await put(cluster, certificate())
    await ready(cluster)
    const { notBefore, notAfter } = leafOf(await getSecret(cluster))
    expect(notAfter - notBefore).toBe(30 * day)
  })

  it('that comes later leaves a certificate in use, says so, and decides at its renewal', async () => {
    const { cluster, clock, operator, serial, writes } = await issuedOnce({ duration: '90d' })
    const key = (await getSecret(cluster)).data
    await put(cluster, authority({ policy: { allowedDNSNames: ['*.other.svc'] } }))
    await until('the note', async () => (await messageOf(cluster)).includes('policy.allowedDNSNames'))
    await quiet(operator)
    expect(isReady(await getCertificate(cluster))).toBe(true)
    expect(await messageOf(cluster)).toContain('stays in use until its renewal')
    expect(await writesAtRest({ clock, operator, writes })).toEqual([])

    await pass(clock, 61 * day)
    const { reason, message } = await stalled(cluster)
    expect(reason).toBe('PolicyViolation')
    expect(message).toContain('The Secret stays as it is.')
    expect((await getSecret(cluster)).data).toEqual(key)
    expect(await entriesOf(cluster, 'orders')).toHaveLength(1)

    await put(cluster, authority({ policy: { allowedDNSNames: ['*.data.svc'] } }))
    const renewed = await anotherCertificate(cluster, serial)
    expect(renewed.status?.revision).toBe(2)
    expect(await messageOf(cluster)).not.toContain('policy')
  })

  it('that the certificate fits changes nothing but what it was judged under', async () => {
    const { cluster, operator, serial, writes } = await issuedOnce({ duration: '90d' })
    const before = writes.length
    await put(cluster, authority({ policy: { allowedDNSNames: ['*.data.svc'] } }))
    await until('the judgement', async () => (await getCertificate(cluster)).status?.observed?.policyHash)
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    expect(writes.slice(before).filter(({ plural }) => plural !== 'certificateauthorities')).toEqual([
      { verb: 'updateStatus', plural: 'databasecertificates' },
    ])
  })

  it('is not asked again by a restart', async () => {
    const { cluster, clock, operator, stop } = await issuedOnce({}, { policy: { allowedDNSNames: ['*.data.svc'] } })
    await quiet(operator)
    await stop()
    const second = await start(cluster, clock)
    await quiet(second.operator)
    expect(second.writes).toEqual([])
  })
})

describe('name constraints', () => {
  const constrained = (permitted: object) => withAuthority({ nameConstraints: { permitted }, maxPathLength: 1 })

  it('of the CA refuse a name outside, in words', async () => {
    const { cluster } = await constrained({ dnsDomains: ['other.svc'] })
    await put(cluster, certificate())
    const { reason, message } = await stalled(cluster)
    expect(reason).toBe('NameConstraintViolation')
    expect(message).toContain('CertificateAuthority data/ca does not sign this.')
    expect(message).toContain('"orders.data.svc" is outside what the name constraints of the CA permit: other.svc')
  })

  it('of a CA above refuse it, too', async () => {
    const { cluster } = await constrained({ dnsDomains: ['other.svc'] })
    await put(cluster, intermediate({}, 'below', { name: 'ca' }))
    await authorityReady(cluster, 'below')
    await put(cluster, certificate({ authorityRef: { name: 'below' } }))
    expect((await stalled(cluster)).reason).toBe('NameConstraintViolation')
    await put(cluster, certificate({ authorityRef: { name: 'below' }, dnsNames: ['orders.other.svc'] }))
    await ready(cluster)
  })
})

describe('a CA that gives each common name to one certificate', () => {
  const unique = { policy: { uniqueCommonName: true } }
  const named = { subject: { commonName: 'orders' } }

  it('gives it to the newest, and the older one says who has it', async () => {
    const { cluster, clock, operator, writes } = await issuedOnce(named, unique)
    const older = await getCertificate(cluster)
    await clock.advance(2000)
    await put(cluster, certificate(named, 'newer'))
    const newer = await ready(cluster, 'newer')
    const { reason, message } = await stalled(cluster)
    expect(reason).toBe('CommonNameTaken')
    expect(message).toContain('DatabaseCertificate data/newer')
    const [entry] = await entriesOf(cluster, 'newer')
    expect(entry?.spec.supersedes?.serialNumber).toBe(older.status?.serialNumber)
    await quiet(operator)
    const rest = writes.filter(({ plural }) => plural === 'issuedcertificates').length
    await clock.advance(13 * 3_600_000)
    await quiet(operator)
    expect(isReady(await getCertificate(cluster, 'newer'))).toBe(true)
    expect((await getCertificate(cluster, 'newer')).status?.serialNumber).toBe(newer.status?.serialNumber)
    expect((await entriesOf(cluster, 'orders')).length + (await entriesOf(cluster, 'newer')).length).toBe(2)
    expect(rest).toBeGreaterThanOrEqual(3)
  })

  it('does not sign a second name beside it, which clients might take instead', async () => {
    const { cluster } = await issuedOnce(named, unique)
    await put(cluster, certificate({ subject: { literal: 'CN=mine,CN=orders' } }, 'thief'))
    const { reason, message } = await stalled(cluster, 'thief')
    expect(reason).toBe('PolicyViolation')
    expect(message).toContain('policy.uniqueCommonName gives each common name to one certificate')
    expect(await entriesOf(cluster, 'thief')).toEqual([])
    await put(cluster, certificate({ subject: { literal: 'CN=mine' } }, 'thief'))
    await ready(cluster, 'thief')
  })

  it('never gives it back and forth, whatever is renewed', async () => {
    const { cluster, clock } = await issuedOnce({ ...named, duration: '90d' }, unique)
    await clock.advance(2000)
    await put(cluster, certificate({ ...named, duration: '90d' }, 'newer'))
    await ready(cluster, 'newer')
    await stalled(cluster)
    await pass(clock, 65 * day)
    await until('the renewal', async () => (await getCertificate(cluster, 'newer')).status?.revision === 2)
    expect(await entriesOf(cluster, 'orders')).toHaveLength(1)
    expect((await stalled(cluster)).reason).toBe('CommonNameTaken')
  })

  it('gives it back when the newer one is deleted', async () => {
    const { cluster, clock } = await issuedOnce(named, unique)
    await clock.advance(2000)
    await put(cluster, certificate(named, 'newer'))
    await ready(cluster, 'newer')
    await stalled(cluster)
    await cluster.delete(databaseCertificates, { namespace, name: 'newer' })
    await ready(cluster)
  })

  it('revokes what the older one has where the CA says so, and the older one is not issued anew', async () => {
    const { cluster, clock } = await issuedOnce(named, { ...unique, crl: { onSupersede: 'Revoke' } })
    await clock.advance(2000)
    await put(cluster, certificate(named, 'newer'))
    await ready(cluster, 'newer')
    await stalled(cluster)
    await clock.advance(25 * 60_000)
    const revoked = await until('the revocation', async () => {
      const [entry] = await entriesOf(cluster, 'orders')
      return entry?.spec.revocation !== undefined && entry
    })
    expect(revoked.spec.revocation?.reason).toBe('superseded')
    expect((await stalled(cluster)).reason).toBe('CommonNameTaken')
    expect(await entriesOf(cluster, 'orders')).toHaveLength(1)
  })

  it('replaces all that had a name when that becomes one of a single certificate', async () => {
    const { cluster, clock } = await issuedOnce(named)
    for (const name of ['second', 'third']) {
      await put(cluster, certificate(named, name))
      await ready(cluster, name)
    }
    await clock.advance(2000)
    await put(cluster, authority(unique))
    await put(cluster, certificate(named, 'newest'))
    await ready(cluster, 'newest')
    for (const name of ['orders', 'second', 'third'])
      expect((await stalled(cluster, name)).reason).toBe('CommonNameTaken')
    await clock.advance(25 * 60_000)
    const states = await until('the marks', async () => {
      const names = ['orders', 'second', 'third', 'newest']
      const found = await Promise.all(names.map(async (name) => (await entriesOf(cluster, name))[0]?.status?.state))
      return found[0] === 'Superseded' && found
    })
    expect(states).toEqual(['Superseded', 'Superseded', 'Superseded', undefined])
  })

  const revoking = { ...unique, crl: { enabled: true, onSupersede: 'Revoke' } }
  /** Passes of the ledger go by, and whatever follows from each. */
  const passes = async ({ clock, operator }: Pick<Awaited<ReturnType<typeof withAuthority>>, 'clock' | 'operator'>) => {
    for (let minutes = 0; minutes < 45; minutes += 5) {
      await clock.advance(5 * 60_000)
      await quiet(operator)
    }
  }
  const stateOf = async (cluster: Cluster, serial: string | undefined) => {
    const { spec, status } = await entryOf(cluster, serial)
    return spec.revocation?.reason ?? status?.state ?? 'Valid'
  }

  it('leaves it to the older one, and its certificate valid, while the newer one cannot be delivered', async () => {
    let refuses = false
    const running = await withAuthority(revoking, (cluster) =>
      withVerbs(cluster, {
        apply: (resource, object, options) =>
          refuses && object.metadata.name === 'newer-tls'
            ? Promise.reject(new ApiError({ status: 403, reason: 'Forbidden', message: 'exceeded quota' }))
            : cluster.apply(resource, object, options),
      }),
    )
    const { clock, cluster } = running
    await put(cluster, certificate(named))
    const older = (await ready(cluster)).status?.serialNumber
    await clock.advance(2000)
    await put(cluster, certificate({ subject: { commonName: 'former' } }, 'newer'))
    const former = (await ready(cluster, 'newer')).status?.serialNumber
    refuses = true
    await put(cluster, certificate(named, 'newer'))
    await until('the refusal', async () => !isReady(await getCertificate(cluster, 'newer')))
    await passes(running)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(older)
    expect(await stateOf(cluster, older)).toBe('Valid')
    expect(await stateOf(cluster, former)).toBe('Valid')
    // One for each name that it asked for: none was revoked and signed again.
    expect(await entriesOf(cluster, 'newer')).toHaveLength(2)

    refuses = false
    await clock.advance(3_600_000)
    await ready(cluster, 'newer')
    expect((await stalled(cluster)).reason).toBe('CommonNameTaken')
    await passes(running)
    expect(await stateOf(cluster, older)).toBe('superseded')
    expect(await stateOf(cluster, former)).toBe('superseded')
  })

  it('takes the mark off what the older one has when it has the name back, and never revokes that', async () => {
    const running = await issuedOnce(named, unique)
    const { clock, cluster, serial } = running
    await clock.advance(2000)
    await put(cluster, certificate(named, 'newer'))
    const taken = (await ready(cluster, 'newer')).status?.serialNumber
    await stalled(cluster)
    await passes(running)
    expect(await stateOf(cluster, serial)).toBe('Superseded')

    await put(cluster, certificate({ subject: { commonName: 'another' } }, 'newer'))
    await anotherCertificate(cluster, taken, 'newer')
    await ready(cluster)
    await passes(running)
    expect(await stateOf(cluster, serial)).toBe('Valid')
    expect(await stateOf(cluster, taken)).toBe('Superseded')

    await put(cluster, authority(revoking))
    await passes(running)
    expect(await stateOf(cluster, serial)).toBe('Valid')
    expect(await stateOf(cluster, taken)).toBe('superseded')
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
  })

  it('lets certificates of other names and of other CAs alone', async () => {
    const { cluster, clock, operator } = await issuedOnce(named, unique)
    await put(cluster, authority({}, 'other'))
    await clock.advance(2000)
    await put(cluster, certificate({ subject: { commonName: 'billing' } }, 'billing'))
    await put(cluster, certificate({ ...named, authorityRef: { name: 'other' } }, 'elsewhere'))
    await ready(cluster, 'billing')
    await ready(cluster, 'elsewhere')
    await quiet(operator)
    expect(isReady(await getCertificate(cluster))).toBe(true)
  })
})

describe('a revocation list in the Secret of a certificate', () => {
  const items = [
    { key: 'tls.crt', content: 'CertificateChain' },
    { key: 'tls.key', content: 'PrivateKey' },
    { key: 'ca.crl', content: 'RevocationList' },
  ]
  const secret = (name: string) => ({ secret: { name, items } })
  const listOf = async (cluster: Cluster) => {
    const [block] = decodePem(text(await getSecret(cluster), 'ca.crl'))
    expect(block?.label).toBe('X509 CRL')
    return parseRevocationList(block?.der ?? new Uint8Array())
  }

  it('is refused in words where the CA makes none', async () => {
    const { cluster } = await withAuthority({})
    await put(cluster, certificate(secret('orders-tls')))
    const { reason, message } = await stalled(cluster)
    expect(reason).toBe('RevocationListNotReady')
    expect(message).toContain('set spec.crl there')
    await put(cluster, authority({ crl: {} }))
    await ready(cluster)
  })

  it('is written again when there is a new one, and only where it is asked for', async () => {
    const { cluster, clock, operator, serial, writes } = await issuedOnce(secret('orders-tls'), { crl: {} })
    await put(cluster, certificate({}, 'other'))
    const { status } = await ready(cluster, 'other')
    await quiet(operator)
    const first = await listOf(cluster)
    expect(first.revoked).toEqual([])
    const before = writes.length
    await revoke(cluster, status?.serialNumber, { reason: 'superseded' })
    const second = await until('the new list', async () => {
      const found = await listOf(cluster)
      return found.number !== first.number && found
    })
    expect(second.revoked.map(({ serialNumber }) => serialNumber)).toEqual([status?.serialNumber])
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    const issued = writes.slice(before).filter(({ plural }) => plural === 'secrets')
    // One for the list, one for the certificate that was revoked and is replaced.
    expect(issued).toHaveLength(2)
    // The ledger's marks come later; to Secrets and their certificates nothing more is written.
    const written = () =>
      writes.filter(({ plural }) => plural === 'secrets' || plural === 'databasecertificates').length
    const rest = written()
    await clock.advance(13 * 3_600_000)
    await quiet(operator)
    expect(written()).toBe(rest)
  })

  const current = (cluster: Cluster) =>
    until('the list of the CA', async () => {
      const map = await cluster.get(configMaps, { namespace, name: 'ca-crl' })
      return map.data?.['ca.crl'] === text(await getSecret(cluster), 'ca.crl')
    })

  it('is kept up to date while the certificate is on hold, and nothing else of the Secret is touched', async () => {
    const { cluster, clock, operator, serial, writes } = await issuedOnce(secret('orders-tls'), { crl: {} })
    const { data: before } = await getSecret(cluster)
    await revoke(cluster, serial, { reason: 'certificateHold' })
    await stalled(cluster)
    await until('the hold in the list', async () => (await listOf(cluster)).revoked[0]?.serialNumber === serial)
    const held = await listOf(cluster)
    await pass(clock, 26 * day)
    await until('a later list', async () => (await listOf(cluster)).number !== held.number)
    await quiet(operator)
    await current(cluster)
    const { data: after } = await getSecret(cluster)
    expect({ ...after, 'ca.crl': '' }).toEqual({ ...before, 'ca.crl': '' })
    expect((await stalled(cluster)).reason).toBe('OnHold')
    const rest = writes.filter(({ plural }) => plural === 'secrets').length
    await clock.advance(13 * 3_600_000)
    await quiet(operator)
    expect(writes.filter(({ plural }) => plural === 'secrets')).toHaveLength(rest)
    await revoke(cluster, serial, undefined)
    await ready(cluster)
    await quiet(operator)
    await current(cluster)
    const { data: last } = await getSecret(cluster)
    expect({ ...last, 'ca.crl': '' }).toEqual({ ...before, 'ca.crl': '' })
  })

  it('that cannot be written keeps nobody from being told of the hold', async () => {
    let refuses = false
    const refusing = (cluster: Cluster): Cluster =>
      withVerbs(cluster, {
        apply: (resource, object, options) =>
          refuses && object.kind === 'Secret'
            ? Promise.reject(new ApiError({ status: 422, reason: 'Invalid', message: 'refused by a webhook' }))
            : cluster.apply(resource, object, options),
      })
    const { cluster, clock, operator, events } = await withAuthority({ crl: {} }, refusing)
    await put(cluster, certificate(secret('orders-tls')))
    const { status } = await ready(cluster)
    await quiet(operator)
    refuses = true
    await revoke(cluster, status?.serialNumber, { reason: 'certificateHold' })
    expect((await stalled(cluster)).reason).toBe('OnHold')
    const told = () => events.some(({ reason, note }) => reason === 'WriteFailed' && note.includes('a webhook'))
    await until('an event', () => Promise.resolve(told()))
    expect((await stalled(cluster)).reason).toBe('OnHold')
    refuses = false
    await clock.advance(13 * 3_600_000)
    await until('the hold in the list', async () => (await listOf(cluster)).revoked.length === 1)
  })

  it('is not written into the Secret of somebody else', async () => {
    const { cluster, operator, serial } = await issuedOnce(secret('orders-tls'), { crl: {} })
    await revoke(cluster, serial, { reason: 'certificateHold' })
    await stalled(cluster)
    await current(cluster)
    await cluster.delete(secrets, { namespace, name: 'orders-tls' })
    const theirs = secretOf('orders-tls', { 'ca.crl': 'theirs' }, { type: 'kubernetes.io/tls' })
    await cluster.apply(
      secrets,
      { ...theirs, stringData: { 'tls.crt': '', 'tls.key': '', 'ca.crl': 'theirs' } },
      person,
    )
    await quiet(operator)
    expect(text(await getSecret(cluster), 'ca.crl')).toBe('theirs')
  })

  it('is not looked at again by a restart', async () => {
    const { cluster, clock, operator, stop } = await issuedOnce(secret('orders-tls'), { crl: {} })
    await quiet(operator)
    await stop()
    const second = await start(cluster, clock)
    await quiet(second.operator)
    expect(second.writes).toEqual([])
    expect(second.readNames).not.toContain('orders-tls')
  })
})

describe('what a CA publishes', () => {
  it('stands in what it signs from then on, and nothing is signed anew for it', async () => {
    const { cluster, operator, serial, anotherSerial } = await issuedOnce()
    expect(leafOf(await getSecret(cluster)).crlDistributionPoints).toEqual([])
    const publish = { publish: { url: 'http://pki.data.svc' }, crl: {} }
    await put(cluster, authority(publish))
    await until('the CA', async () => {
      const ca: CertificateAuthority = await getAuthority(cluster)
      return ca.spec.publish !== undefined && isReady(ca)
    })
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    await put(cluster, certificate({ renewTrigger: '1' }))
    await anotherSerial()
    const keyId = (await getAuthority(cluster)).status?.certificate?.subjectKeyId
    expect(keyId).toMatch(/^[0-9a-f]{40}$/)
    expect(leafOf(await getSecret(cluster))).toMatchObject({
      crlDistributionPoints: [`http://pki.data.svc/ca/data/ca/${keyId}.crl`],
      caIssuers: [`http://pki.data.svc/ca/data/ca/${keyId}.cer`],
    })
  })
})
