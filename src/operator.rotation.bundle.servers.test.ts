/** A bundle that is only trusted, and a managed server whose certificate hangs on what is taken out of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer, type Server } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { Session } from './commands/embedded/session.ts'
import { makeAuthority, makePair, type Pair, pemOf } from './database/connect/testing.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { configMaps } from './resources/core.ts'
import { databaseTLSProfiles } from './resources/database-tls-profile.ts'
import { systemClock } from './runtime/clock.ts'
import { silentLogger } from './runtime/log.ts'
import { createMetrics } from './runtime/metrics.ts'
import { authority, configMapOf, getAuthority, getConfigMap, getProfile, person, profile } from './testing.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const until = async (what: string, look: () => Promise<boolean | undefined>): Promise<void> => {
  for (const end = Date.now() + 90_000; Date.now() < end;) {
    if (await look()) return
    await sleep(50)
  }
  throw new Error(`timed out: ${what}`)
}

/** Serves the pair that it was given last. */
const server = async (first: Pair): Promise<{ port: number; serve: (pair: Pair) => void }> => {
  const running: Server = createServer({ cert: first.chain, key: first.key }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.end()
  })
  running.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => running.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => running.close(resolve)))
  return {
    port: (running.address() as AddressInfo).port,
    serve: ({ chain, key }) => running.setSecureContext({ cert: chain, key }),
  }
}

it('stays trusted as long as a server shows a certificate that hangs on it, and goes when none does', async () => {
  const [one, two] = [await makeAuthority('RDS one'), await makeAuthority('RDS two')]
  const ofOne = await makePair(one, 'Server', ['127.0.0.1'])
  const ofTwo = await makePair(two, 'Server', ['127.0.0.1'])
  const { port, serve } = await server(ofOne)
  const session = new Session({
    ...{ state: undefined, clock: systemClock(), log: silentLogger(), metrics: createMetrics(), workers: 4 },
    ...{ namespaces: undefined, events: { record: () => undefined }, asksServers: true },
  })
  closing.push(() => session.stop())
  await session.start()
  const { cluster } = session
  const give = (...pems: readonly string[]) =>
    cluster.apply(configMaps, configMapOf('rds', { 'ca.crt': pems.join('') }), person)
  await give(pemOf(one))
  const source = { trustOnly: { configMapRef: { name: 'rds', key: 'ca.crt' } } }
  await cluster.apply(
    certificateAuthorities,
    authority({ source, rotation: { dropSoak: '0s' }, subject: undefined }) as never,
    person,
  )
  const address = `127.0.0.1:${port}`
  // As long as a port, and none: nobody asks it, and nobody may wait for it.
  const unreadable = '127.0.0.1:99999'
  const spec = {
    ...{
      engine: 'External',
      authorityRef: { name: 'ca' },
      connection: { host: '127.0.0.1', protocol: 'Redis', port },
    },
    ...{ clients: [{ name: 'app' }], topology: undefined, probe: { interval: '1s', endpoints: [address, unreadable] } },
  }
  await cluster.apply(databaseTLSProfiles, profile(spec) as never, person)
  const row = async () => (await getProfile(cluster)).status?.endpoints?.[0]
  await until('it to be served', async () => (await row())?.standing === 'Serving')
  const trusted = async () => (await getConfigMap(cluster, 'orders-server-ca')).data?.['ca.crt']
  const rotation = async () => (await getAuthority(cluster)).status?.rotation

  await give(pemOf(two))
  await until('both to be trusted', async () => (await trusted()) === pemOf(one) + pemOf(two))
  await until('the server to be named', async () => (await rotation())?.message?.includes(address))
  await until('it to say why', async () => (await row())?.message?.includes('of a CA that stays'))
  await sleep(3000)
  expect((await rotation())?.phase, 'it is needed still').toBe('Signing')
  expect((await rotation())?.pending?.endpoints).toBe(1)
  expect(await trusted()).toBe(pemOf(one) + pemOf(two))

  serve(ofTwo)
  await until('the former one to be gone', async () => (await trusted()) === pemOf(two))
  await until('the end of it', async () => (await rotation())?.phase === 'Idle')
  await until('it to be served still', async () => {
    const found = await row()
    return found?.standing === 'Serving' && found.verifiesUnder === undefined
  })
})
