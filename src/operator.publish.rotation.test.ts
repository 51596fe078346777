/** What is published of a CA that rotates, asked for at the addresses in the very certificates, and judged by openssl. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { ask, inPhase } from './operator.rotation.fixture.ts'
import { parseCertificate, type ParsedCertificate, signatureVerifies } from './pki/certificates/parse.ts'
import { certificatesOf, encodePem } from './pki/encoding/pem.ts'
import { parseRevocationList, revocationListVerifies } from './pki/revocation/revocation-list.ts'
import { makeRoot, openssl, opensslVersion } from './pki/testing.ts'
import { listenToPublish, type PublishOptions } from './publish/server.ts'
import { configMaps, secrets } from './resources/core.ts'
import { issuedCertificates } from './resources/issued-certificate.ts'
import { begin, type Process, stepNames, take } from './rotating.fixture.ts'
import { silentLogger } from './runtime/log.ts'
import { Registry } from './runtime/metrics.ts'
import type { ListeningServer } from './server/http.ts'
import {
  authority,
  certificate,
  entriesOf,
  fresh,
  getAuthority,
  getCertificate,
  getSecret,
  intermediate,
  leafOf,
  namespace,
  person,
  put,
  ready,
  revoke,
  secretOf,
  text,
  until,
} from './testing.ts'

const opened: ListeningServer[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close(0)))
})
const folder = mkdtempSync(join(tmpdir(), 'dbtls-published-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const unlimited = { perSecond: 1e6, burst: 1e6 }
const base = 'http://pki.example'
const spec = { crl: { enabled: true }, publish: { url: base } }

const serve = ({ context: { caches, clock }, seen, keyring }: Process) =>
  serveOf({ cluster: seen.port, caches, rootsOf: (of) => keyring.trustOf(of), clock })

const serveOf = async (what: Pick<PublishOptions, 'cluster' | 'caches' | 'rootsOf' | 'clock'>) => {
  const server = await listenToPublish({
    ...what,
    address: '127.0.0.1:0',
    log: silentLogger(),
    registry: new Registry(),
    limits: { perClient: unlimited, total: unlimited, clients: 10 },
  })
  opened.push(server)
  const get = (path: string) => fetch(`http://${server.address}${path}`, { redirect: 'manual' })
  /** As a client follows it. */
  const follow = async (url: string | undefined): Promise<Uint8Array> => {
    expect(url).toContain(base)
    const answer = await get((url ?? '').slice(base.length))
    expect([url, answer.status]).toEqual([url, 200])
    return new Uint8Array(await answer.arrayBuffer())
  }
  return { get, follow }
}
type Served = Awaited<ReturnType<typeof serveOf>>

const leaf = async ({ cluster }: Process, name: string): Promise<ParsedCertificate> =>
  leafOf(await getSecret(cluster, `${name}-tls`))
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex')

/** What a client that checks revocation does with a certificate: its issuer and the list, each by the certificate's own address. */
const check = async ({ follow }: Served, of: ParsedCertificate, at: number): Promise<'good' | 'revoked'> => {
  expect([of.caIssuers.length, of.crlDistributionPoints.length]).toEqual([1, 1])
  const issuer = parseCertificate(await follow(of.caIssuers[0]))
  const list = parseRevocationList(await follow(of.crlDistributionPoints[0]))
  expect([hex(issuer.subjectKeyId), hex(list.authorityKeyId)]).toEqual([hex(of.authorityKeyId), hex(of.authorityKeyId)])
  expect(signatureVerifies(of, issuer.subject, issuer.spki)).toBe(true)
  expect(revocationListVerifies(list, issuer.spki)).toBe(true)
  const verdict = list.revoked.some(({ serialNumber }) => serialNumber === of.serialNumber) ? 'revoked' : 'good'
  if (opensslVersion !== undefined) expect(opensslSays(of, issuer, list.der, at)).toBe(verdict)
  return verdict
}

const opensslSays = (of: ParsedCertificate, issuer: ParsedCertificate, list: Uint8Array, at: number) => {
  const file = (name: string, label: string, der: Uint8Array): string => {
    writeFileSync(join(folder, name), encodePem(label, der))
    return join(folder, name)
  }
  const ca = file('ca.pem', 'CERTIFICATE', issuer.der)
  const crl = file('ca.crl', 'X509 CRL', list)
  const when = ['-attime', String(Math.floor(at / 1000))]
  const files = ['-CAfile', ca, '-CRLfile', crl, file('leaf.pem', 'CERTIFICATE', of.der)]
  try {
    openssl(['verify', ...when, '-partial_chain', '-crl_check', ...files])
    return 'good'
  } catch (error) {
    expect(String(error)).toContain('revoked')
    return 'revoked'
  }
}

/** Two certificates, of which one was revoked before anything began; `victim` has another one since. */
const beginning = async () => {
  const process = await begin(authority(spec), certificate({}, 'server'), certificate({}, 'victim'))
  const revoked = await leaf(process, 'victim')
  const { serialNumber } = (await getCertificate(process.cluster, 'victim')).status ?? {}
  await revoke(process.cluster, serialNumber, { reason: 'keyCompromise' })
  await process.settle()
  return { process, revoked, served: await serve(process) }
}

describe('what a CA that rotates publishes', () => {
  it('is found by every certificate at its own addresses, in every phase and after the last', async () => {
    const { process, revoked, served } = await beginning()
    const { clock } = process
    const [server, victim] = [await leaf(process, 'server'), await leaf(process, 'victim')]
    const keys = new Set<string>()
    for (const step of [undefined, ...stepNames]) {
      // Until the former CA is dropped one of the two waits for its turn.
      if (step === 'switch') process.waiting.add(`${namespace}/server`)
      if (step === 'drop') {
        process.waiting.clear()
        await process.settle()
      }
      if (step !== undefined) await take(process, step)
      const [nowServer, nowVictim] = [await leaf(process, 'server'), await leaf(process, 'victim')]
      for (const one of [server, victim, nowServer, nowVictim]) {
        expect(await check(served, one, clock.now())).toBe('good')
        keys.add(hex(one.authorityKeyId))
      }
      expect(await check(served, revoked, clock.now())).toBe('revoked')
      if (step === 'switch') {
        expect(nowServer.serialNumber).toBe(server.serialNumber)
        expect(nowVictim.serialNumber).not.toBe(victim.serialNumber)
      }
      // The address of the CA itself goes with the CA.
      const present = process.authority().status?.certificate
      expect(parseCertificate(await served.follow(`${base}/ca/data/ca.cer`)).fingerprint).toBe(present?.fingerprint)
      const list = parseRevocationList(await served.follow(`${base}/ca/data/ca.crl`))
      expect(hex(list.authorityKeyId)).toBe(present?.subjectKeyId)
    }
    expect(keys.size).toBe(2)
  })

  it('is there for the next CA before it signs anything', async () => {
    const { process, served } = await beginning()
    await take(process, 'prepare')
    const { rotation, certificate: present } = process.authority().status ?? {}
    const next = (await entriesOf(process.cluster))
      .flatMap(({ spec: { certificate: pem } }) => certificatesOf(pem).map((der) => parseCertificate(der)))
      .find(({ fingerprint }) => fingerprint === rotation?.to)
    const keyId = hex(next?.subjectKeyId)
    expect(keyId).not.toBe(present?.subjectKeyId)
    expect(hex(await served.follow(`${base}/ca/data/ca/${keyId}.crt`))).toBe(hex(next?.der))
    const list = parseRevocationList(await served.follow(`${base}/ca/data/ca/${keyId}.crl`))
    expect(hex(list.authorityKeyId)).toBe(keyId)
  })

  it('is found by an intermediate above which nothing rotates, and nothing is signed anew', async () => {
    const process = await begin(authority({ ...spec, maxPathLength: 1 }, 'root'), intermediate(), certificate())
    const stored = async (): Promise<ParsedCertificate> =>
      parseCertificate(certificatesOf(text(await getSecret(process.cluster, 'ca-ca'), 'tls.crt'))[0] as Uint8Array)
    const served = await serve(process)
    const before = await stored()
    for (const name of stepNames) {
      await take(process, name)
      for (const one of [before, await stored()]) expect(await check(served, one, process.clock.now())).toBe('good')
      expect(await process.settle()).toEqual([])
    }
    expect((await stored()).fingerprint).not.toBe(before.fingerprint)
  })

  it('comes from the Secret where the ledger has lost the next CA', async () => {
    const { process, served } = await beginning()
    await take(process, 'prepare', 'publish')
    const { to } = process.authority().status?.rotation ?? {}
    for (const { spec: entry, metadata } of await entriesOf(process.cluster)) {
      const [der] = certificatesOf(entry.certificate)
      if (der === undefined || parseCertificate(der).fingerprint !== to) continue
      await process.cluster.delete(issuedCertificates, { namespace, name: metadata.name })
      const { store } = process.context.caches.ledger
      await until('the cache', () => Promise.resolve(store.get(`${namespace}/${metadata.name}`) === undefined))
    }
    const { data = {} } = await process.cluster.get(secrets, { namespace, name: 'ca-ca' })
    const [der] = certificatesOf(Buffer.from(data['next.crt'] ?? '', 'base64').toString())
    const keyId = hex(parseCertificate(der as Uint8Array).subjectKeyId)
    expect(hex(await served.follow(`${base}/ca/data/ca/${keyId}.cer`))).toBe(hex(der))
  })
})

describe('what a CA that its owner replaces publishes', () => {
  it('is found by what the former key signed, until the new one signs and while the former is remembered', async () => {
    const { cluster, clock, operator, port } = await fresh()
    const made = async (commonName: string) => makeRoot({ commonName, now: clock.now() })
    const bring = async ({ certificate: der, key: { pkcs8 } }: Awaited<ReturnType<typeof made>>) =>
      cluster.apply(
        secrets,
        secretOf('corp-ca', {
          'tls.crt': encodePem('CERTIFICATE', der),
          'tls.key': encodePem('PRIVATE KEY', pkcs8),
        }),
        person,
      )
    await bring(await made('Corp CA'))
    const rotation = { trustSoak: '0s', dropSoak: '0s', holdAt: 'TrustBoth' }
    await put(cluster, authority({ ...spec, source: { secret: { name: 'corp-ca' } }, rotation }))
    await until('the list', async () => (await getAuthority(cluster)).status?.crl !== undefined)
    await put(cluster, certificate())
    await ready(cluster)
    const before = leafOf(await getSecret(cluster))
    const served = await serveOf({
      cluster: port,
      caches: operator.caches,
      rootsOf: (of) => operator.trustOf(of),
      clock,
    })
    expect(await check(served, before, clock.now())).toBe('good')
    await bring(await made('New Corp CA'))
    await inPhase(cluster, 'TrustBoth')
    expect(await check(served, before, clock.now())).toBe('good')
    await ask(cluster, { holdAt: 'DropSoak' })
    await inPhase(cluster, 'DropSoak')
    expect(await check(served, before, clock.now())).toBe('good')
    const after = leafOf(await getSecret(cluster))
    expect(hex(after.authorityKeyId)).not.toBe(hex(before.authorityKeyId))
    await until('the list of the new key', async () => {
      const answer = await served.get((after.crlDistributionPoints[0] ?? '').slice(base.length))
      return answer.status === 200
    })
    expect(await check(served, after, clock.now())).toBe('good')
  })
})

describe('an address of a key', () => {
  it('that the authority never had is not there, and costs the cluster nothing', async () => {
    const { process, served } = await beginning()
    const keyId = process.authority().status?.certificate?.subjectKeyId ?? ''
    await served.follow(`${base}/ca/data/ca/${keyId}.crl`)
    const before = process.seen.readNames.length
    for (const id of ['00', 'ff'.repeat(20), keyId.slice(2), `${keyId}00`, `${keyId}g`, 'certs'])
      for (const suffix of ['crl', 'crt', 'cer'])
        expect([id, suffix, (await served.get(`/ca/data/ca/${id}.${suffix}`)).status]).toEqual([id, suffix, 404])
    for (const path of [`${keyId}.pem`, `${keyId}.p7c`, `${keyId}.crl/x`, keyId, '.crl', '__proto__.crl'])
      expect([path, (await served.get(`/ca/data/ca/${path}`)).status]).toEqual([path, 404])
    expect((await served.get(`/ca/data/absent/${keyId}.crl`)).status).toBe(404)
    expect(process.seen.readNames.slice(before)).toEqual([])
  })

  it('serves no list that the key did not sign', async () => {
    const { process, served } = await beginning()
    await take(process, 'prepare', 'publish', 'switch')
    const map = await process.cluster.get(configMaps, { namespace, name: 'ca-crl' })
    const { data = {} } = map
    const former = Object.keys(data).find((key) => key.startsWith('former-')) ?? ''
    const path = `/ca/data/ca/${former.replaceAll(/^former-|\.crl$/g, '')}.crl`
    const bytes = new Uint8Array(await (await served.get(path)).arrayBuffer())
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    const forged = { ...map, data: { ...data, [former]: encodePem('X509 CRL', bytes) } }
    await process.cluster.update(configMaps, forged, person)
    await until('the forged one to be refused', async () => (await served.get(path)).status === 404)
    await process.settle()
    expect((await served.get(path)).status).toBe(200)
  })
})
