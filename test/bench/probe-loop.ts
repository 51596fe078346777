/**
 * The watch of endpoints as the operator has it, alone in a process, so that its processor time is that of the probes; afterwards
 * the barest TLS connection that Node makes, for comparison. Standard input: ProbeJob; standard output: ProbeResult.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import { parseCertificate } from '../../src/pki/certificates/parse.ts'
import { Permission, localRules } from '../../src/profile/endpoints/permitted.ts'
import type { PlannedEndpoint } from '../../src/profile/endpoints/plan.ts'
import { EndpointWatch } from '../../src/profile/endpoints/watch.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/log.ts'
import type { Servers } from './probe-servers.ts'

export interface ProbeJob {
  readonly servers: Servers
  readonly intervalMs: number
  readonly measuredMs: number
  /** Of the barest connections. */
  readonly bare: number
}

export interface ProbeResult {
  readonly looks: number
  readonly seconds: number
  readonly cpuMs: number
  /** Endpoints under way, and sockets open, at the most. */
  readonly mostOpen: number
  readonly mostSockets: number
  /** Looks that did not find what they should. */
  readonly failed: number
  readonly tookMs: readonly number[]
  /** CPU of a bare connection, ms. */
  readonly bareMs: number
}

const { servers, intervalMs, measuredMs, bare } = JSON.parse(await text(process.stdin)) as ProbeJob
const { fingerprint, serialNumber } = parseCertificate(Buffer.from(servers.served, 'base64'))
const cpuMs = (): number => process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000
const sockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'TCPWrap').length

let [failed, mostOpen, mostSockets] = [0, 0, 0]
let tookMs: number[] = []
const watch = new EndpointWatch({
  ...{ clock: systemClock(), log: silentLogger(), random: Math.random, permits: new Permission(localRules) },
  read: () => Promise.resolve(undefined),
  offers: () => Promise.reject(new Error('nothing is replaced')),
  changed: () => undefined,
  looked: (_, look) => {
    tookMs.push(look.tookMs)
    failed += Number(look.visits[0]?.served?.fingerprint !== fingerprint || look.visits[0].problems.length > 0)
    mostOpen = Math.max(mostOpen, watch.open)
    mostSockets = Math.max(mostSockets, sockets())
  },
})
const expected = [{ certificate: 'orders-server', serialNumber, fingerprint }]
const endpoints = servers.listening.map(({ port, dialect }): PlannedEndpoint => ({
  ...{ address: `127.0.0.1:${port}`, host: '127.0.0.1', port, dialect, serverName: '127.0.0.1' },
  wish: { expected, managed: false, facesClients: true, engine: 'MySQL' },
}))
const roots = [Buffer.from(servers.root, 'base64')]
const perProfile = 50
for (let first = 0; first < endpoints.length; first += perProfile)
  watch.follow(`bench/profile-${first}`, {
    plan: {
      ...{ namespace: 'bench', clusterDomain: 'cluster.local', intervalMs, leftOut: 0, client: undefined },
      endpoints: endpoints.slice(first, first + perProfile),
    },
    roots,
  })
// The first round is asked within seconds; the pace is that of the interval afterwards.
while (tookMs.length < endpoints.length) await sleep(100)
await sleep(intervalMs / 4)
tookMs = []
const [cpu, start] = [cpuMs(), performance.now()]
await sleep(measuredMs)
const [used, seconds] = [cpuMs() - cpu, (performance.now() - start) / 1000]
const looks = tookMs.length
await watch.stop()

const port = servers.listening.find(({ dialect }) => dialect === 'plain')?.port ?? 0
const connection = async (): Promise<void> => {
  const tls = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  await once(tls, 'secureConnect')
  tls.end()
  tls.resume()
  await once(tls, 'close')
}
for (let round = 0; round < 20; round += 1) await connection()
const bareCpu = cpuMs()
for (let round = 0; round < bare; round += 1) await connection()
const bareMs = (cpuMs() - bareCpu) / bare
const result: ProbeResult = { looks, seconds, cpuMs: used, mostOpen, mostSockets, failed, tookMs, bareMs }
process.stdout.write(JSON.stringify(result))
