/** What is published of a running operator's authorities, asked for over HTTP and judged by openssl. */

import { createPrivateKey } from 'node:crypto'
import fc from 'fast-check'
import { request } from 'node:http'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, KubeObject } from './cluster/port.ts'
import type { Operator } from './operator.ts'
import { certificatesOf, encodePem } from './pki/encoding/pem.ts'
import { makeRoot, openssl, opensslVersion } from './pki/testing.ts'
import { listenToPublish } from './publish/server.ts'
import { type CertificateAuthority } from './resources/certificate-authority.ts'
import { issuedCertificates } from './resources/issued-certificate.ts'
import { secrets } from './resources/core.ts'
import { silentLogger } from './runtime/log.ts'
import { ManualClock } from './runtime/manual-clock.ts'
import { Registry } from './runtime/metrics.ts'
import type { ListeningServer } from './server/http.ts'
import { withVerbs } from './faults.fixture.ts'
import {
  authority,
  authorityReady,
  certificate,
  fresh,
  getAuthority,
  getCertificate,
  intermediate,
  namespace,
  person,
  put,
  quiet,
  ready,
  revoke,
  until,
} from './testing.ts'

const withOpenssl = it.skipIf(opensslVersion === undefined)

const opened: ListeningServer[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close(0)))
})

const publish = { publish: { url: 'http://pki.example' } }
const unlimited = { perSecond: 1e6, burst: 1e6 }

const serve = async (cluster: Cluster, operator: Operator, clock: ManualClock) => {
  const registry = new Registry()
  const server = await listenToPublish({
    address: '127.0.0.1:0',
    cluster,
    caches: operator.caches,
    rootsOf: (of) => operator.trustOf(of),
    clock,
    log: silentLogger(),
    registry,
    limits: { perClient: unlimited, total: unlimited, clients: 10 },
  })
  opened.push(server)
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`http://${server.address}${path}`, { headers, method, redirect: 'manual' })
  const bytes = async (path: string): Promise<Uint8Array> => new Uint8Array(await (await ask(path)).arrayBuffer())
  return { address: server.address, registry, ask, bytes }
}

/** A root and, below it, `orders`, which has signed one certificate; both published, `other` is not. */
const running = async (ordersSpec: object = {}) => {
  const started = await fresh()
  const { clock, cluster } = started
  await put(cluster, authority({ maxPathLength: 1, ...publish }, 'root'))
  await put(cluster, intermediate({ ...publish, ...ordersSpec }, 'orders'))
  await put(cluster, authority({}, 'other'))
  await put(cluster, certificate({ authorityRef: { name: 'orders' } }))
  await authorityReady(cluster, 'other')
  const serial = (await ready(cluster)).status?.serialNumber ?? ''
  await quiet(started.operator)
  return { serial, ...started, ...(await serve(started.port, started.operator, clock)) }
}

const statusOf = async (cluster: Cluster, name: string): Promise<NonNullable<CertificateAuthority['status']>> =>
  (await getAuthority(cluster, name)).status ?? {}

describe('certificates of authorities', () => {
  withOpenssl('are served in every form, as the authority reports them, and openssl reads each', async () => {
    const { ask, bytes, cluster } = await running()
    const { certificate: reported } = await statusOf(cluster, 'orders')
    const fingerprint = (text: string): string =>
      (/Fingerprint=([0-9A-F:]+)/i.exec(text)?.[1] ?? '').replaceAll(':', '')
    for (const [suffix, type] of [
      ['crt', 'application/x-x509-ca-cert'],
      ['cer', 'application/pkix-cert'],
    ]) {
      const answer = await ask(`/ca/data/orders.${suffix}`)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type])
      expect(answer.headers.get('cache-control')).toBe('public, max-age=3600')
      const printed = openssl(
        ['x509', '-inform', 'DER', '-noout', '-fingerprint', '-sha256'],
        new Uint8Array(await answer.arrayBuffer()),
      )
      expect(fingerprint(printed).toLowerCase()).toBe(reported?.fingerprint)
    }
    const pem = await (await ask('/ca/data/orders.pem')).text()
    const root = await bytes('/ca/data/root.crt')
    expect(certificatesOf(pem).map((der) => Buffer.from(der).toString('hex'))).toEqual(
      [await bytes('/ca/data/orders.crt'), root].map((der) => Buffer.from(der).toString('hex')),
    )
    const p7c = await ask('/ca/data/orders.p7c')
    expect(p7c.headers.get('content-type')).toBe('application/pkcs7-mime; smime-type=certs-only')
    const inside = openssl(['pkcs7', '-inform', 'DER', '-print_certs'], new Uint8Array(await p7c.arrayBuffer()))
    expect(certificatesOf(inside).length).toBe(2)
    expect(inside).toContain('root of tests')
  })

  it('come from the ledger, so that no Secret is read', async () => {
    const { bytes, readNames } = await running()
    const before = readNames.length
    await bytes('/ca/data/orders.pem')
    expect((await bytes('/ca/data/root.crt')).length).toBeGreaterThan(100)
    expect(readNames.slice(before)).toEqual([])
  })

  withOpenssl('come from the Secret where the ledger has lost the entry', async () => {
    const { bytes, cluster, operator, ask } = await running()
    const { certificate: reported } = await statusOf(cluster, 'orders')
    const name = `root-${reported?.serialNumber.toLowerCase()}`
    await cluster.delete(issuedCertificates, { namespace, name })
    await until('the cache', () => Promise.resolve(operator.caches.ledger.store.get(`data/${name}`) === undefined))
    expect(openssl(['x509', '-inform', 'DER', '-noout', '-subject'], await bytes('/ca/data/orders.crt'))).toContain(
      'orders of tests',
    )
    expect(certificatesOf(await (await ask('/ca/data/orders.pem')).text()).length).toBe(2)
  })

  it.each(['crt', 'cer', 'pem', 'p7c', 'crl'])(
    '.%s of an authority that does not say spec.publish is not',
    async (suffix) => {
      const { ask } = await running()
      expect((await ask(`/ca/data/other.${suffix}`)).status).toBe(404)
      expect(await (await ask('/')).text()).not.toContain('data/other')
      expect((await ask('/ca/data/other')).status).toBe(404)
    },
  )

  it('have entity tags that hold as long as the bytes do', async () => {
    const { ask } = await running()
    const etag = (await ask('/ca/data/root.pem')).headers.get('etag') ?? ''
    expect((await ask('/ca/data/root.pem', { 'if-none-match': etag })).status).toBe(304)
    expect((await ask('/ca/data/root.crt', { 'if-none-match': etag })).status).toBe(200)
    const head = await ask('/ca/data/root.pem', {}, 'HEAD')
    expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, etag, ''])
  })
})

describe('revocation lists', () => {
  const withList = async () => {
    const { cluster, operator, ...rest } = await running({ crl: { duration: '10d', renewBefore: '2d' } })
    const { ask } = rest
    const entries = async (count: number) =>
      until(`a list of ${count}`, async () => {
        const { crl } = await statusOf(cluster, 'orders')
        return crl?.entries === count && (await ask('/ca/data/orders.crl')).ok && crl
      })
    return { cluster, operator, entries, ...rest }
  }

  withOpenssl('are served as openssl reads them, with the validity of the list', async () => {
    const { ask, clock, entries } = await withList()
    const crl = await entries(0)
    const answer = await ask('/ca/data/orders.crl')
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/pkix-crl'])
    expect(answer.headers.get('cache-control')).toBe('public, max-age=3600')
    expect(Date.parse(answer.headers.get('expires') ?? '')).toBe(Date.parse(crl.nextUpdate))
    expect(Date.parse(answer.headers.get('last-modified') ?? '')).toBe(Date.parse(crl.thisUpdate))
    const printed = openssl(['crl', '-inform', 'DER', '-noout', '-text'], new Uint8Array(await answer.arrayBuffer()))
    expect(printed).toContain('No Revoked Certificates')
    clock.setNow(Date.parse(crl.nextUpdate) - 600_000)
    expect((await ask('/ca/data/orders.crl')).headers.get('cache-control')).toBe('public, max-age=600')
    clock.setNow(Date.parse(crl.nextUpdate) + 600_000)
    expect((await ask('/ca/data/orders.crl')).headers.get('cache-control')).toBe('public, max-age=0')
  })

  it('are replaced as soon as there is a new one', async () => {
    const { ask, cluster, entries, serial } = await withList()
    await entries(0)
    const etag = (await ask('/ca/data/orders.crl')).headers.get('etag') ?? ''
    expect((await ask('/ca/data/orders.crl', { 'if-none-match': etag })).status).toBe(304)
    await revoke(cluster, serial, { reason: 'superseded' })
    await entries(1)
    await until('another tag', async () => (await ask('/ca/data/orders.crl', { 'if-none-match': etag })).status === 200)
    expect(await (await ask('/ca/data/orders')).text()).toMatch(
      /Number<\/dt>\s*<dd>2<\/dd>[^]*Revoked certificates<\/dt>\s*<dd>1<\/dd>/,
    )
  })

  it('a list that there is none of is not found, in words', async () => {
    const { ask } = await running()
    const answer = await ask('/ca/data/orders.crl')
    expect([answer.status, await answer.text()]).toEqual([404, 'this authority publishes no revocation list\n'])
  })
})

describe('a certificate by its serial number', () => {
  it.each([
    [undefined, 'text/plain; charset=utf-8', 'Certificate:\n    Data:'],
    ['application/x-pem-file', 'application/x-pem-file', '-----BEGIN CERTIFICATE-----'],
    ['text/plain;q=0.1, application/pem-certificate-chain', 'application/pem-certificate-chain', '-----BEGIN'],
    ['application/json', 'application/json', '{\n  "authority": "data/orders"'],
    ['text/html,*/*;q=0.8', 'text/html; charset=utf-8', '<!doctype html>'],
  ])('as %s', async (accept, type, begin) => {
    const { ask, serial } = await running()
    const answer = await ask(`/ca/data/orders/certs/${serial}`, accept === undefined ? {} : { accept })
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('vary')]).toEqual([
      200,
      type,
      'accept',
    ])
    expect((await answer.text()).startsWith(begin)).toBe(true)
  })

  withOpenssl('says what openssl says, and for nobody which object it was signed for', async () => {
    const { ask, cluster, serial } = await running()
    const text = await (await ask(`/ca/data/orders/certs/${serial.toLowerCase()}`)).text()
    expect(openssl(['x509', '-noout', '-serial'], text)).toBe(`serial=${serial}\n`)
    const json = JSON.parse(await (await ask(`/ca/data/orders/certs/${serial}`, { accept: 'application/json' })).text())
    const { notBefore, notAfter } = (await getCertificate(cluster)).status ?? {}
    expect(json).toMatchObject({
      ...{ authority: 'data/orders', serialNumber: serial, state: 'Valid', notBefore, notAfter },
      ...{ subject: '', issuer: 'CN=orders of tests', certificate: expect.stringContaining('BEGIN CERTIFICATE') },
      subjectAlternativeNames: [{ type: 'DNS', value: 'orders.data.svc' }],
      fingerprints: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), sha1: expect.stringMatching(/^[0-9a-f]{40}$/) },
    })
    expect(Object.keys(json)).not.toContain('certificateRef')
  })

  it('says since when and why it is revoked', async () => {
    const { ask, cluster, operator, serial } = await running()
    const name = `orders-${serial.toLowerCase()}`
    const revocation = { reason: 'keyCompromise', time: '2026-01-02T03:04:05Z' }
    await revoke(cluster, serial, revocation)
    await until('the cache', () =>
      Promise.resolve(operator.caches.ledger.store.get(`data/${name}`)?.state === 'Revoked'),
    )
    const json = await (await ask(`/ca/data/orders/certs/${serial}`, { accept: 'application/json' })).json()
    expect(json).toMatchObject({ state: 'Revoked', revocation })
    expect(await (await ask(`/ca/data/orders/certs/${serial}`, { accept: 'text/html' })).text()).toContain(
      'keyCompromise',
    )
  })

  it('is found under its own authority alone, and nowhere else', async () => {
    const { ask, cluster, serial } = await running()
    const root = (await statusOf(cluster, 'root')).certificate?.serialNumber ?? ''
    expect((await ask(`/ca/data/root/certs/${root}`)).status).toBe(200)
    for (const path of [
      `orders/certs/${serial}/pem`,
      `root/certs/${serial}`,
      `orders/certs/${root}`,
      'orders/certs/00',
      `other/certs/${serial}`,
    ])
      expect((await ask(`/ca/data/${path}`)).status, path).toBe(404)
    expect((await ask(`/ca/data/orders/certs/${serial}`, { accept: 'image/png' })).status).toBe(406)
  })

  it('made-up numbers cost the cluster no request', async () => {
    const { ask, operator, serial, cluster } = await running()
    let lists = 0
    const counting = withVerbs(cluster, {
      list: (...args) => {
        lists += 1
        return cluster.list(...args)
      },
    })
    const other = await serve(counting, operator, new ManualClock())
    for (let at = 1; at < 50; at += 1) expect((await other.ask(`/ca/data/orders/certs/${at}`)).status).toBe(404)
    expect(lists).toBe(0)
    for (let at = 0; at < 5; at += 1) await other.ask(`/ca/data/orders/certs/${serial}`)
    expect(lists).toBe(1)
    expect((await ask('/')).status).toBe(200)
  })

  it('is looked up by the form in whatever way it was copied', async () => {
    const { ask, serial } = await running()
    const colons = encodeURIComponent((serial.toLowerCase().match(/../g) ?? []).join(':'))
    for (const entered of [serial, colons, `0x${serial}`, `%20${serial}%20`]) {
      const answer = await ask(`/ca/data/orders/certs?serial=${entered}`)
      expect([answer.status, answer.headers.get('location')]).toEqual([303, `certs/${serial}`])
    }
    const wrong = await ask('/ca/data/orders/certs?serial=%22%3E%3Cscript%3E')
    expect(wrong.status).toBe(400)
    expect(await wrong.text()).toContain('value="&quot;&gt;&lt;script&gt;"')
  })
})

describe('pages', () => {
  it('show the authority, and nothing in them can run or load', async () => {
    const { ask, cluster } = await running()
    const answer = await ask('/ca/data/orders')
    const text = await answer.text()
    const { certificate: reported } = await statusOf(cluster, 'orders')
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/)
    expect(text).toContain((reported?.fingerprint.toUpperCase().match(/../g) ?? []).join(':'))
    expect(text).toContain('CN=orders of tests')
    expect(text).not.toMatch(/<script|javascript:| on\w+=/i)
    const index = await (await ask('/')).text()
    expect(index).toContain('<a href="ca/data/orders">')
  })

  it('take what others wrote as text', async () => {
    const hostile = `"><img src=x onerror=alert(1)>`
    const { ask } = await running({ subject: { commonName: hostile } })
    const text = await (await ask('/ca/data/orders')).text()
    expect(text).not.toContain('<img')
    expect(text).toContain('&quot;&gt;&lt;img src=x onerror=alert(1)&gt;')
  })
})

describe('strange requests', () => {
  let address: string
  let asked: Awaited<ReturnType<typeof running>>['ask']
  let registry: Registry
  beforeAll(async () => {
    ;({ address, ask: asked, registry } = await running())
    opened.length = 0
  })

  /** As it is: fetch would tidy the path up. */
  const raw = (path: string, method = 'GET'): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const [host, port] = address.split(':')
      request({ host, port, path, method, agent: false }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })

  it.each([
    '/ca/data/../data/root.crt',
    '/ca/data/%2e%2e/data/root.crt',
    '/ca/data%2froot.crt',
    '/ca/data/root.crt/',
    '/ca//data/root.crt',
    '/ca/data/root.key',
    '/ca/data/root.CRT',
    '/CA/data/root.crt',
    '/ca/data/root-ca',
    '/ca/data',
    '/ca/data/root/certs/1/2',
    '/ca/data/root/other',
    '/ca/__proto__/constructor.crt',
    '/ca/data/.crt',
    '/metrics',
    '/healthz',
    '/favicon.ico',
  ])('%s is not found', async (path) => expect(await raw(path)).toBe(404))

  it.each(['/ca/data/root.crt?x=1', '/ca/data/%72oot.crt', '/c%61/data/root.crt', 'http://elsewhere/ca/data/root.crt'])(
    '%s is another way to write it',
    async (path) => expect(await raw(path)).toBe(200),
  )

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('%s is not allowed', async (method) =>
    expect(await raw('/ca/data/root.crt', method)).toBe(405),
  )

  it('no path makes the server fail', async () => {
    const piece = fc.constantFrom(
      'ca',
      'data',
      'root',
      'orders',
      '.crt',
      '.crl',
      '.pem',
      '/',
      'certs',
      '..',
      '%2e',
      '%',
      '%00',
      '?serial=',
      '0A',
      '__proto__',
      'ä',
      '*',
    )
    const paths = fc
      .array(piece, { maxLength: 12 })
      .map((parts) => `/${encodeURI(parts.join('')).replaceAll('%25', '%')}`)
    await fc.assert(
      fc.asyncProperty(paths, async (path) => {
        expect([200, 303, 400, 404]).toContain(await raw(path))
      }),
      { numRuns: 200 },
    )
  })

  it('are counted under few labels', async () => {
    await asked('/nothing/of/the/kind')
    const text = await registry.metrics()
    expect(text).toMatch(/dbtls_publish_requests_total\{code="404",method="GET",route="none"\} [1-9]/)
    expect(text).toMatch(/dbtls_publish_requests_total\{code="405",method="other",route="none"\} 6/)
    expect(text).not.toContain('kind')
  })
})

describe('authorities that only stand for roots', () => {
  it('publish their roots, and sign nothing', async () => {
    const { cluster, ask, bytes, operator } = await running()
    const roots = await Promise.all(['root'].map((name) => ask(`/ca/data/${name}.pem`).then((answer) => answer.text())))
    const spec = { source: { trustOnly: { inline: roots.join('') } }, ...publish, subject: undefined }
    await put(cluster, JSON.parse(JSON.stringify(authority(spec, 'rds'))) as KubeObject)
    await authorityReady(cluster, 'rds')
    await quiet(operator)
    expect(await bytes('/ca/data/rds.crt')).toEqual(await bytes('/ca/data/root.crt'))
    expect((await ask('/ca/data/rds.crl')).status).toBe(404)
    expect(await (await ask('/ca/data/rds')).text()).not.toContain('<form')
  })

  it('have a page under their own name where there are several roots', async () => {
    const { cluster, ask, operator } = await running()
    const roots = await Promise.all(
      ['root', 'root'].map(async (commonName) => (await makeRoot({ commonName })).certificate),
    )
    const inline = roots.map((der) => encodePem('CERTIFICATE', der)).join('')
    const spec = { source: { trustOnly: { inline } }, ...publish, subject: undefined }
    await put(cluster, JSON.parse(JSON.stringify(authority(spec, 'rds'))) as KubeObject)
    await authorityReady(cluster, 'rds')
    await quiet(operator)
    const page = await ask('/ca/data/rds')
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('<title>rds')
  })
})

describe('an authority that was brought along', () => {
  it('is served from its Secret with those above it, and never its key', async () => {
    const { cluster, ask, bytes, operator, clock } = await running()
    const root = await makeRoot({ now: clock.now() })
    const key = Buffer.from(encodePem('PRIVATE KEY', root.key.pkcs8))
    const { d = '' } = createPrivateKey(key).export({ format: 'jwk' })
    const pem = Buffer.from(`preamble\r\n${encodePem('CERTIFICATE', root.certificate)}`)
    const data = { 'my.crt': pem.toString('base64'), 'my.key': key.toString('base64') }
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'corp', namespace }, type: 'Opaque', data }
    await cluster.apply(secrets, secret, person)
    const source = { secret: { name: 'corp', certificateKey: 'my.crt', privateKeyKey: 'my.key' } }
    const wanted = authority({ source, ...publish, subject: undefined }, 'corp')
    await put(cluster, JSON.parse(JSON.stringify(wanted)) as KubeObject)
    await authorityReady(cluster, 'corp')
    await quiet(operator)
    expect(Buffer.from(await bytes('/ca/data/corp.cer')).equals(root.certificate)).toBe(true)
    for (const suffix of ['', '.crt', '.cer', '.pem', '.p7c']) {
      const answer = await ask(`/ca/data/corp${suffix}`)
      expect(answer.status).toBe(200)
      const body = Buffer.from(await answer.arrayBuffer())
      expect(body.includes('PRIVATE')).toBe(false)
      expect(body.includes(Buffer.from(d, 'base64url'))).toBe(false)
    }
  })
})
