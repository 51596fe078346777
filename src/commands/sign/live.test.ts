import { webcrypto } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Cluster } from '../../cluster/port.ts'
import { generateKeyPair } from '../../pki/keys/keys.ts'
import { distinguishedName } from '../../pki/names/names.ts'
import { makeRequest } from '../../pki/requests/request.fixture.ts'
import { isReady } from '../../resources/conditions.ts'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../resources/database-certificate.ts'
import { issuedCertificates } from '../../resources/issued-certificate.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { systemClock } from '../../runtime/clock.ts'
import { authority, namespace, newCluster, put, start, until } from '../../testing.ts'
import type { Io } from '../shared/io.ts'
import { signLive } from './live.ts'
import { preview } from './preview.ts'
import { certificateFor, readRequest, type Wish } from './request.ts'

const clock = systemClock()

const asking = async (change: Partial<Wish> = {}, commonName = 'payments') => {
  const stdin = new PassThrough()
  const key = await generateKeyPair(webcrypto, { algorithm: 'ECDSA', size: 256 })
  stdin.end(makeRequest(key, { subject: distinguishedName({ commonName, organizations: ['Acme'] }) }))
  const asked = await readRequest({ stdin } as unknown as Io, '-')
  const about = { authority: { namespace, name: 'ca' }, namespace, name: 'payments', role: 'Client' }
  return { asked, wish: certificateFor(asked, { ...about, usages: undefined, duration: undefined, ...change }) }
}

const world = async (spec: object = {}) => {
  const manual = new ManualClock(clock.now())
  const cluster = newCluster(manual)
  await start(cluster, manual)
  await put(cluster, authority(spec))
  await until('the CA', async () => isReady(await cluster.get(certificateAuthorities, { namespace, name: 'ca' })))
  return cluster
}
/** The manual clock of the operator has to go on meanwhile. */
const signing = async (cluster: Cluster, wish: DatabaseCertificate, timeoutMs = 60_000) => {
  let done = false
  const answer = signLive({ cluster, clock }, wish, timeoutMs).finally(() => (done = true))
  await Promise.all([answer.catch(() => undefined), until('an answer', () => Promise.resolve(done))])
  return answer
}
const made = async (cluster: Cluster) => (await cluster.list(databaseCertificates, { namespace })).items

describe('dbtls sign on a cluster', () => {
  it('has the operator sign, and keeps what has it signed again', async () => {
    const cluster = await world()
    const { asked, wish } = await asking()
    const signed = await signing(cluster, wish)
    if (signed.state !== 'signed') throw new Error('not signed')
    expect(Buffer.from(signed.certificate.spki).equals(asked.request.spki)).toBe(true)
    expect([signed.holder, signed.chain]).toEqual([{ namespace, name: 'payments' }, []])
    const { items } = await cluster.list(issuedCertificates, { namespace })
    const entry = items.find(({ spec }) => spec.serialNumber === signed.certificate.serialNumber)
    expect(entry?.spec).toMatchObject({ certificateRef: { namespace, name: 'payments' } })
    expect(entry?.spec.request).toContain('CERTIFICATE REQUEST')
  })

  it('finds what the same command has made before, and signs nothing more', async () => {
    const cluster = await world()
    const { wish } = await asking()
    const [first, second] = [await signing(cluster, wish), await signing(cluster, wish)]
    expect(first).toMatchObject({ state: 'signed' })
    expect(second).toEqual(first)
    const { items } = await cluster.list(issuedCertificates, { namespace })
    expect(items.filter(({ spec }) => spec.request !== undefined)).toHaveLength(1)
  })

  it('does not take over an object that asks for something else', async () => {
    const cluster = await world()
    await signing(cluster, (await asking()).wish)
    await expect(signing(cluster, (await asking()).wish)).rejects.toThrow('asks for something else')
  })

  it('says why the operator refuses, and leaves no object behind', async () => {
    const cluster = await world({ policy: { subject: { organizations: 'Match', commonName: 'Supplied' } } })
    const { asked, wish } = await asking()
    const verdict = await signing(cluster, wish)
    expect(verdict).toMatchObject({ state: 'refused', refusals: [{ reason: 'PolicyViolation' }] })
    expect(await preview({ cluster }, asked, wish)).toEqual({
      state: 'refused',
      refusals: [expect.objectContaining({ reason: 'PolicyViolation' })],
    })
    expect(await made(cluster)).toEqual([])
  })

  it('leaves an object that was there before, though it is refused', async () => {
    const cluster = await world({ policy: { allowedDNSNames: ['*.other.svc'], subject: { organizations: 'Match' } } })
    const { wish } = await asking()
    await put(cluster, wish)
    expect(await signing(cluster, wish)).toMatchObject({ state: 'refused' })
    expect(await made(cluster)).toHaveLength(1)
  })

  it('says that it is not signed yet when the operator does not come to it', async () => {
    const cluster = newCluster(new ManualClock(clock.now()))
    const { wish } = await asking()
    await expect(signLive({ cluster, clock }, wish, 1)).rejects.toThrow('not signed yet: The controllers have not come')
    expect(await made(cluster)).toHaveLength(1)
  })

  it('says so when somebody deletes the object while it waits', async () => {
    const cluster = newCluster(new ManualClock(clock.now()))
    const { wish } = await asking()
    const deleting = new Proxy<Cluster>(cluster, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return async (...args: unknown[]): Promise<unknown> => {
          if (name === 'get') await target.delete(databaseCertificates, { namespace, name: 'payments' })
          return (member as (...args: unknown[]) => Promise<unknown>).apply(target, args)
        }
      },
    })
    await expect(signLive({ cluster: deleting, clock }, wish, 60_000)).rejects.toThrow('was deleted meanwhile')
  })
})

describe('dbtls sign --dry-run on a cluster', () => {
  it('asks for nothing, and says what it would ask for', async () => {
    const cluster = await world()
    const { asked, wish } = await asking()
    expect(await preview({ cluster }, asked, wish)).toMatchObject({
      state: 'admissible',
      holder: { namespace, name: 'payments' },
      wanted: { extendedKeyUsage: ['clientAuth'] },
    })
    expect(await made(cluster)).toEqual([])
  })

  it.each<{ name: string; spec?: object; change?: Partial<Wish>; commonName?: string; reason: string }>([
    { name: 'a CA that is not there', change: { authority: { namespace, name: 'none' } }, reason: 'AuthorityNotFound' },
    { name: 'another namespace', change: { namespace: 'apps' }, reason: 'AuthorityNotAllowed' },
    {
      name: 'labels that do not match',
      spec: { allowedNamespaces: { from: 'Selector', selector: { matchLabels: { a: 'b' } } } },
      change: { namespace: 'apps' },
      reason: 'AuthorityNotAllowed',
    },
    {
      name: 'name constraints',
      spec: { nameConstraints: { permitted: { dnsDomains: ['data.svc'] } } },
      commonName: 'evil.example',
      reason: 'NameConstraintViolation',
    },
    {
      name: 'a usage the key cannot serve',
      change: { role: undefined, usages: 'keyEncipherment,serverAuth' },
      reason: 'RequestInvalid',
    },
    {
      name: 'a time too long',
      spec: { policy: { maxDuration: '1h' } },
      change: { duration: '2h' },
      reason: 'PolicyViolation',
    },
  ])('refuses for $name', async ({ spec, change, commonName, reason }) => {
    const cluster = await world(spec)
    const { asked, wish } = await asking(change, commonName)
    expect(await preview({ cluster }, asked, wish)).toMatchObject({ state: 'refused', refusals: [{ reason }] })
  })
})
