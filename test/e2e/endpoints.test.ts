import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serve, startTls, type TestServer } from '../../src/database/connect/testing.ts'
import { eventually } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { Operator } from '../controlplane/harness/index.ts'
import type { CustomThing } from './support/api.ts'
import { Page, typeOn } from './support/page.ts'
import { Rig } from './support/rig.ts'

const page = new Page('docs/endpoints.md')
const [example = ''] = page.blocks('yaml')
const namespace = 'data'
const profiles = 'databasetlsprofiles'

type Profile = CustomThing & {
  readonly status?: {
    readonly endpoints?: readonly {
      readonly address: string
      readonly servedSerial?: string
      readonly message?: string
    }[]
  }
}

describe('live endpoints', () => {
  let rig: Rig
  let operator: Operator
  let server: TestServer
  let pair = { cert: '', key: '' }
  beforeAll(async () => {
    server = await serve((socket) => startTls(socket, { options: pair }))
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-endpoints-operator' }, [namespace])
    operator = await rig.operator({ args: ['--probe-allow=127.0.0.1'] })
    await rig.plane.apply(example)
    await rig.ready(namespace, profiles, 'orders')
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await rig.stop()
  })

  const serving = (reason: string) =>
    eventually(`Serving to say ${reason}`, async () => {
      const found = await rig.api.get<Profile>(profiles, namespace, 'orders')
      const condition = rig.condition(found, 'Serving')
      return condition?.reason === reason && { ...condition, found }
    })
  const certificateNow = async () => {
    const { data } = await rig.secret(namespace, 'orders-server-tls')
    const [cert = '', key = ''] = ['tls.crt', 'tls.key'].map((name) =>
      Buffer.from(data?.[name] ?? '', 'base64').toString(),
    )
    return { cert, key }
  }

  it('are shown by the commands of the page', async () => {
    await serving('EndpointUnreachable')
    const told: string[] = []
    for (const { command } of page.steps()) {
      const { code, stdout, stderr } = await typeOn(rig.plane, rig.plane.tempDir('endpoints'), command)
      expect([code, stderr]).toEqual([0, ''])
      told.push(stdout)
    }
    const [waits, rows = '', reason] = told
    expect(waits).toContain('condition met')
    expect(rows.trim().split('\n')).toHaveLength(3)
    expect(rows).toContain('orders-2.orders-headless.data.svc.cluster.local:3306\t\tIts name leads nowhere')
    expect(reason).toBe('EndpointUnreachable')
  })

  it('are asked through a renewal with the rights of the chart, and write nothing at rest', async () => {
    const address = `127.0.0.1:${server.port}`
    // Redis, for its TLS begins at once; the certificate is good for the loopback.
    const spec = { engine: 'Redis', probe: { interval: '10s', endpoints: [address] } }
    await rig.plane.kubectlOk([
      '-n',
      namespace,
      'patch',
      'dbtls',
      'orders',
      '--type=merge',
      '-p',
      JSON.stringify({ spec }),
    ])
    await rig.ready(namespace, profiles, 'orders')
    pair = await certificateNow()
    const served = await serving('Served')
    expect(served.status).toBe('True')
    const connections = server.connections.length
    const since = Date.now()
    await eventually('two more looks', () => Promise.resolve(server.connections.length > connections + 1))
    expect(rig.writes(since).filter(({ objectRef }) => objectRef?.resource === profiles)).toEqual([])
    await rig.plane.kubectlOk(['-n', namespace, 'annotate', 'dbcert', 'orders-server', 'dbtls.dev/renew-trigger=now'])
    const old = await serving('OldCertificateServed')
    expect(old.message).toMatch(/It still serves [0-9A-F]+ and not [0-9A-F]+, .* since 20[-0-9T:]+Z/)
    pair = await certificateNow()
    const renewed = await serving('Served')
    expect(renewed.found.status?.endpoints?.[0]?.servedSerial).not.toBe(
      served.found.status?.endpoints?.[0]?.servedSerial,
    )
    expect(await operator.metrics()).toContain(
      `dbtls_endpoint_serves_expected{namespace="data",profile="orders",address="${address}"} 1`,
    )
    expect(rig.forbidden()).toEqual([])
  })
})
