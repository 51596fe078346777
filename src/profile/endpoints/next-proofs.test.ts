import { X509Certificate, randomBytes, webcrypto } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DialectName } from '../../database/connect/dialects/table.ts'
import {
  makeAuthority,
  makePair,
  mysqlError,
  mysqlGreeting,
  opensslServer,
  type Pair,
  pemOf,
  readExactly,
  serve,
  startTls,
} from '../../database/connect/testing.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import { type Authority, opensslVersion } from '../../pki/testing.ts'
import { systemClock } from '../../runtime/clock.ts'
import { silentLogger } from '../../runtime/log.ts'
import type { Look } from './seen.ts'
import { mostAddresses } from './look.ts'
import { signOffers, templateOf } from './offers.ts'
import { localRules, Permission } from './permitted.ts'
import type { Plan, PlannedEndpoint, PlannedProof } from './plan.ts'
import { EndpointWatch, type WatchOptions } from './watch.ts'

let current: Authority
let next: Authority
let server: Pair
let app: Pair
let report: Pair
const folder = mkdtempSync(join(tmpdir(), 'dbtls-next-'))
beforeAll(async () => {
  // Of one name, so that nothing but the signature tells them apart.
  current = await makeAuthority('Orders CA')
  next = await makeAuthority('Orders CA')
  server = await makePair(current, 'Server', ['127.0.0.1', 'localhost'])
  app = await makePair(current, 'Client', ['app'])
  report = await makePair(current, 'Client', ['report'])
  writeFileSync(join(folder, 'server.pem'), server.chain + server.key)
  writeFileSync(join(folder, 'current.pem'), pemOf(current))
  writeFileSync(join(folder, 'both.pem'), pemOf(current) + pemOf(next))
  writeFileSync(join(folder, 'next.pem'), pemOf(next))
})
afterAll(() => rmSync(folder, { recursive: true }))

const fingerprintOf = ({ certificate }: Authority): string => parseCertificate(certificate).fingerprint
const proofOf = (): PlannedProof => ({
  ...{ authority: 'data/ca', from: fingerprintOf(current), to: fingerprintOf(next), trustBundleHash: 'both' },
  templates: ['data/orders-app', 'data/orders-report'],
})
const endpointAt = (port: number, more: Partial<PlannedEndpoint> = {}): PlannedEndpoint => ({
  ...{ address: `127.0.0.1:${port}`, host: '127.0.0.1', port, dialect: 'plain', serverName: '127.0.0.1' },
  wish: { managed: true, facesClients: true, engine: 'Redis', expected: [] },
  ...{ clientAuthority: 'data/ca', proof: proofOf() },
  ...more,
})

const watching = (endpoint: PlannedEndpoint, { intervalMs = 100, ...options }: Partial<WatchOptions & Plan> = {}) => {
  const told = { changed: 0, looks: [] as Look[], offers: 0 }
  const clock = systemClock()
  const watch = new EndpointWatch({
    ...{ clock, log: silentLogger(), random: () => 0.5, permits: new Permission(localRules) },
    read: () => Promise.resolve(undefined),
    offers: async (_, template) => {
      told.offers += 1
      const means = { crypto: webcrypto, random: (size: number) => randomBytes(size), now: clock.now() }
      const model = template === 'data/orders-report' ? report : app
      const issuers = { current: { ...current, chain: [] }, next: { ...next, chain: [] } }
      return signOffers(issuers, await templateOf(model.der, means), means)
    },
    rules: { inARow: 4, overMs: 30 },
    changed: () => (told.changed += 1),
    looked: (_, look) => told.looks.push(look),
    ...options,
  })
  const follow = (one: PlannedEndpoint): void => {
    const plan = { ...{ namespace: 'data', clusterDomain: 'cluster.local', intervalMs }, leftOut: 0, client: undefined }
    watch.follow('data/orders', { plan: { ...plan, endpoints: [one] }, roots: [current.certificate] })
  }
  follow(endpoint)
  return {
    ...{ told, watch, follow },
    trust: (state: string) =>
      until(`the state ${state}`, () => {
        const [seen] = watch.seen('data/orders')
        return seen?.look.trust?.state === state && { ...seen.look.trust, loaded: seen.loaded }
      }),
    [Symbol.asyncDispose]: () => watch.stop(),
  }
}

const until = async <T>(what: string, look: () => T | undefined | false): Promise<T> => {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    await sleep(10)
  }
  throw new Error(`timed out: ${what}`)
}

const openssl = (...args: string[]) => opensslServer(folder, ['-cert', 'server.pem', ...args])
const verifying = (...files: string[]) => openssl('-Verify', '1', '-verify_return_error', '-CAfile', ...files)
/** One port before servers that change. */
const relay = (portOf: (connection: number) => number) => {
  let count = 0
  return serve((socket: Socket) => {
    const behind = connect(portOf(count++), '127.0.0.1')
    behind.on('error', () => socket.destroy())
    socket.on('close', () => behind.destroy())
    socket.pipe(behind).pipe(socket)
  })
}

describe.skipIf(opensslVersion === undefined)('a server, while its CA is replaced,', () => {
  it('is asked until it has loaded the next CA, at once when it was told to, and then from time to time', async () => {
    await using before = await verifying('current.pem')
    await using after = await verifying('both.pem')
    let port = before.port
    await using front = await relay(() => port)
    // The look in an hour is not what finds it.
    await using running = watching(endpointAt(front.port), { intervalMs: 3_600_000 })
    const [from, to] = [fingerprintOf(current), fingerprintOf(next)]
    expect(await running.trust('Refused')).toEqual({
      ...{ state: 'Refused', trusts: [from], loaded: undefined },
      message: 'It does not trust the next CA: it has not loaded the trust bundle.',
    })
    const { changed } = running.told
    await until('it to be asked again by itself', () => running.told.offers > 1)
    expect(running.told.changed, 'nothing new is not told').toBe(changed)
    port = after.port
    running.watch.told('data/orders')
    expect(await running.trust('Trusted')).toEqual({ state: 'Trusted', trusts: [from, to], loaded: 'both' })
    // The same question in the next phase is answered already.
    running.follow(endpointAt(front.port, { proof: { ...proofOf(), templates: [] } }))
    expect(running.watch.seen('data/orders')[0]?.look.trust?.trusts).toEqual([from, to])
  })
  it('that has proved it costs no refusal any more, and is found out when it trusts it no longer', async () => {
    await using both = await verifying('both.pem')
    await using alone = await verifying('current.pem')
    let port = both.port
    await using front = await relay(() => port)
    await using running = watching(endpointAt(front.port))
    await running.trust('Trusted')
    const { length } = front.connections
    const looks = running.told.looks.length
    await until('more looks', () => running.told.looks.length > looks + 4)
    // One look and one offer each.
    expect(front.connections.length - length).toBeLessThanOrEqual(2 * (running.told.looks.length - looks + 1))
    port = alone.port
    expect(await running.trust('Refused')).toMatchObject({ trusts: [fingerprintOf(current)], loaded: undefined })
  })
  it.each<[string, string[], string, readonly string[] | undefined, RegExp | undefined]>([
    ['asks for nothing', [], 'NotRequested', undefined, undefined],
    ['takes anybody', ['-verify', '1'], 'Anybody', undefined, undefined],
    [
      'trusts the next alone',
      ['-Verify', '1', '-verify_return_error', '-CAfile', 'next.pem'],
      'Refused',
      ['next'],
      /clients of the one that signs now are refused/,
    ],
    [
      'trusts neither',
      ['-Verify', '1', '-verify_return_error', '-CAfile', 'server.pem'],
      'Refused',
      [],
      /takes no certificate of the CA that signs now/,
    ],
  ])('that %s is told of as that', async (_, args, state, trusts, words) => {
    await using one = await openssl(...args)
    await using running = watching(endpointAt(one.port))
    const found = await running.trust(state)
    expect(found.trusts).toEqual(trusts?.map(() => fingerprintOf(next)))
    if (words === undefined) expect(found.message).toBeUndefined()
    else expect(found.message).toMatch(words)
  })
  it('that takes the next CA and refuses it in turns has not proved it', async () => {
    await using both = await verifying('both.pem')
    await using alone = await verifying('current.pem')
    await using front = await relay((connection) => (connection % 3 === 0 ? alone.port : both.port))
    await using running = watching(endpointAt(front.port), { rules: { inARow: 10, overMs: 0 } })
    await until('some rounds', () => running.told.offers > 8)
    const states = new Set(running.told.looks.map(({ trust }) => trust?.state))
    expect(states).not.toContain('Trusted')
    expect(states).toContain('Refused')
  })
  it('that serves different certificates under one name is not believed', async () => {
    const other = await makePair(current, 'Server', ['127.0.0.1'])
    writeFileSync(join(folder, 'other.pem'), other.chain + other.key)
    await using first = await verifying('both.pem')
    await using second = await opensslServer(folder, ['-cert', 'other.pem', '-Verify', '1', '-CAfile', 'both.pem'])
    await using front = await relay((connection) => (connection % 2 === 0 ? first.port : second.port))
    await using running = watching(endpointAt(front.port))
    expect((await running.trust('Unknown')).message).toMatch(/list the pods in spec\.probe\.endpoints/)
  })
  it('is asked at every address behind its name, and the worst is told', async () => {
    await using both = await verifying('both.pem')
    const lookup = () => Promise.resolve(['127.0.0.1', '127.0.0.2'])
    await using running = watching(endpointAt(both.port, { host: 'localhost', serverName: 'localhost' }), { lookup })
    expect((await running.trust('Unknown')).message).toBe('127.0.0.2 cannot be asked whether it trusts the next CA.')
  })
  it('behind a name of more addresses than are asked has not proved it', async () => {
    await using both = await verifying('both.pem')
    const lookup = () => Promise.resolve(Array.from({ length: mostAddresses + 1 }, (_, at) => `127.0.0.${at + 1}`))
    await using running = watching(endpointAt(both.port, { host: 'localhost', serverName: 'localhost' }), { lookup })
    expect((await running.trust('Unknown')).message).toMatch(/of 32 addresses .* there are 33: list the pods/)
  })
  it.each([
    ['both.pem', 'Trusted'],
    ['current.pem', 'Refused'],
  ])('is asked at those of its addresses that may be asked: with %s it is %s', async (file, state) => {
    await using one = await verifying(file)
    const lookup = () => Promise.resolve(['127.0.0.1', '169.254.1.1'])
    await using running = watching(endpointAt(one.port, { host: 'localhost', serverName: 'localhost' }), { lookup })
    await running.trust(state)
  })
  it('is not known where nothing can be signed, and asked again', async () => {
    await using both = await verifying('both.pem')
    let count = 0
    const offers = () => {
      count += 1
      return Promise.reject(new Error('s3cr3t'))
    }
    await using running = watching(endpointAt(both.port), { offers })
    expect(JSON.stringify(await running.trust('Unknown'))).toMatch(/no certificate can be signed/)
    await until('it to be asked again', () => count > 3)
    expect(JSON.stringify(running.told.looks)).not.toContain('s3cr3t')
  })
})

/** Verifies as MySQL does, counts as MySQL counts, and lets nobody else in than `names`. */
const mysqlServer = (
  counts: { refused: number; blocked: number },
  trusted: () => readonly Authority[],
  names?: string,
) =>
  serve(async (socket) => {
    if (counts.refused >= 100) {
      counts.blocked += 1
      return socket.end(mysqlError(1129, 'blocked'))
    }
    socket.write(mysqlGreeting())
    if ((await readExactly(socket, 36).catch(() => undefined)) === undefined) return
    const options = { cert: server.chain, key: server.key, requestCert: true, rejectUnauthorized: false }
    startTls(socket, {
      options,
      onSecure: (tls) => {
        const shown = tls.getPeerX509Certificate()
        const isTaken =
          shown === undefined ||
          (trusted().some(({ certificate }) => shown.verify(new X509Certificate(certificate).publicKey)) &&
            (names === undefined || shown.subject.includes(names)))
        if (!isTaken) counts.refused += 1
        if (isTaken) tls.once('data', () => tls.write(mysqlError(1045, 'no', 3)))
        else tls.destroy()
      },
    })
  })

describe('a MySQL server, while its CA is replaced,', () => {
  const mysql: { readonly dialect: DialectName } = { dialect: 'mysql' }
  it('never refuses so often that it blocks the operator, and is asked again after a login', async () => {
    const counts = { refused: 0, blocked: 0 }
    let trusted = [current]
    await using one = await mysqlServer(counts, () => trusted)
    await using running = watching(endpointAt(one.port, mysql), { intervalMs: 5 })
    await running.trust('Refused')
    await until('the refusals to be spent', () => counts.refused >= 50)
    const { offers } = running.told
    const looks = running.told.looks.length
    await until('it to be looked at all the same', () => running.told.looks.length > looks + 20)
    expect([running.told.offers - offers, counts.blocked]).toEqual([0, 0])
    expect(counts.refused).toBeLessThan(60)
    trusted = [current, next]
    // As the server does at a login.
    counts.refused = 0
    running.watch.told('data/orders')
    await running.trust('Trusted')
  })
  it('that knows some of the clients alone is shown another one', async () => {
    const counts = { refused: 0, blocked: 0 }
    await using one = await mysqlServer(counts, () => [current, next], 'CN=report')
    await using running = watching(endpointAt(one.port, mysql))
    await running.trust('Trusted')
  })
})

describe('what is offered', () => {
  it('differs in nothing but its issuer, and is signed for the names of the client with a key of its own', async () => {
    const means = { crypto: webcrypto, random: (size: number) => randomBytes(size), now: Date.now() }
    const offers = await signOffers(
      { current: { ...current, chain: [] }, next: { ...next, chain: [current.certificate] } },
      await templateOf(app.der, means),
      means,
    )
    const read = Object.fromEntries(
      Object.entries(offers).map(([name, { chain }]) => [name, new X509Certificate(chain)]),
    )
    for (const one of Object.values(read)) {
      expect([one.subject, one.subjectAltName, one.issuer]).toEqual(['CN=app', 'DNS:app', 'O=Acme\nCN=Orders CA'])
      expect(one.publicKey.equals(read['Next']?.publicKey ?? one.publicKey)).toBe(true)
      expect(one.publicKey.equals(new X509Certificate(app.der).publicKey)).toBe(false)
      expect(one.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(3_600_000)
      expect(one.keyUsage, 'extended key usage').toEqual(['1.3.6.1.5.5.7.3.2'])
    }
    const signedBy = (authority: Authority) =>
      Object.keys(read).filter((name) => read[name]?.verify(new X509Certificate(authority.certificate).publicKey))
    expect([signedBy(current), signedBy(next)]).toEqual([['Current'], ['Next']])
    expect(offers.Next.chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
  })
})
