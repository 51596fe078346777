/**
 * Secrets in layouts of database operators, before the code by which these operators read them: Elastic's ECK and MongoDB's
 * community operator as Go modules, Strimzi's names as its API package has them.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import type { EmbeddedCluster } from '../../src/cluster/embedded/cluster.ts'
import { secretNamed } from '../../src/database/layouts/named.ts'
import type { Secret } from '../../src/resources/core.ts'
import { ManualClock } from '../../src/runtime/manual-clock.ts'
import {
  authority,
  authorityReady,
  getSecret,
  namespace,
  newCluster,
  put,
  ready,
  start,
  text,
} from '../../src/testing.ts'
import { must } from '../controlplane/harness/process.ts'
import { goProgram, here, mavenJars, missing } from './tools.ts'

const algorithms = ['RSA', 'ECDSA'] as const
type Algorithm = (typeof algorithms)[number]

/** An operator at the present, since other people's code looks at the clock, with a CA whose key may be handed out. */
const running = async (algorithm: Algorithm): Promise<EmbeddedCluster> => {
  const clock = new ManualClock(Date.now())
  const cluster = newCluster(clock)
  await start(cluster, clock)
  await put(cluster, authority({ allowKeyExport: true, privateKey: { algorithm } }))
  await authorityReady(cluster)
  return cluster
}

/** The Secret of a certificate in that layout, or of what is the CA's alone; as it is where nobody names a layout. */
const issued = async (cluster: EmbeddedCluster, name: string, layout?: string, more: object = {}): Promise<Secret> => {
  const ofAuthority = /-(ca|ca-cert|ca-key)$/.test(layout ?? '')
  const spec = {
    ...{ authorityRef: { name: 'ca' }, secret: { name, ...(layout === undefined ? {} : { layout }) } },
    ...(ofAuthority ? {} : { dnsNames: [`${name}.data.svc`] }),
    ...more,
  }
  await put(cluster, {
    ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate', metadata: { name, namespace } },
    ...{ spec },
  })
  await ready(cluster, name)
  return getSecret(cluster, name)
}

/** The built program; undefined, with a word of why, where nobody judges. */
const judge = async (name: string): Promise<string | undefined> => {
  const program = (await missing('go', 'version')) ? undefined : await goProgram(name)
  if (program === undefined) console.error(`SKIPPED: ${name} as a judge of layouts: it cannot be built here`)
  return program
}
const answers = async <T>(program: string, requests: readonly object[]): Promise<T[]> => {
  const { stdout } = await must(program, [], { stdin: JSON.stringify(requests) })
  return JSON.parse(stdout) as T[]
}

describe('Elastic Cloud on Kubernetes', () => {
  let program: string | undefined
  beforeAll(async () => {
    program = await judge('eck')
  }, 1_200_000)

  it.for(algorithms)('reads what is made for it with %s keys', async (algorithm, context) => {
    if (program === undefined) return context.skip('ECK cannot be built here')
    const cluster = await running(algorithm)
    const requests = [
      { purpose: 'http', secret: await issued(cluster, 'http', 'ECK/http', { privateKey: { algorithm } }) },
      { purpose: 'http', secret: await issued(cluster, 'signer', 'ECK/http-ca-key') },
      { purpose: 'transport', secret: await issued(cluster, 'transport', 'ECK/transport-ca-key') },
    ]
    expect(await answers<string>(program, requests)).toEqual(['', '', ''])
  })

  it('refuses the usual form of an ECDSA key, a pair beside a CA, and halves', async (context) => {
    if (program === undefined) return context.skip('ECK cannot be built here')
    const cluster = await running('ECDSA')
    const usual = await issued(cluster, 'usual', undefined, { privateKey: { algorithm: 'ECDSA' } })
    const http = await issued(cluster, 'http', 'ECK/http', { privateKey: { algorithm: 'ECDSA' } })
    const signer = await issued(cluster, 'signer', 'ECK/http-ca-key')
    const { 'tls.key': _, ...half } = http.data ?? {}
    const requests = [
      { purpose: 'http', secret: usual },
      { purpose: 'http', secret: { ...http, data: { ...http.data, 'ca.key': signer.data?.['ca.key'] } } },
      { purpose: 'http', secret: { ...http, data: half } },
      { purpose: 'transport', secret: { ...signer, data: { ...signer.data, 'ca.key': http.data?.['tls.key'] } } },
    ]
    expect(await answers<string>(program, requests)).toEqual([
      expect.stringContaining('expected an RSA private key'),
      expect.stringContaining('cannot specify tls.key or tls.crt when ca.key is set'),
      expect.stringContaining("can't find private key tls.key"),
      'the private key does not match the public one',
    ])
  })
})

interface ForMongod {
  readonly problem: string
  readonly pem: string
  readonly ca: string
}

describe('the community operator of MongoDB', () => {
  let program: string | undefined
  beforeAll(async () => {
    program = await judge('mongodb-operator')
  }, 1_200_000)

  it('makes of both layouts a file for mongod, the pair as it is', async (context) => {
    if (program === undefined) return context.skip('the operator cannot be built here')
    const cluster = await running('ECDSA')
    const server = await issued(cluster, 'server', 'MongoDBCommunity/server')
    const pem = await issued(cluster, 'pem', 'MongoDBCommunity/pem')
    const [ofServer, ofPem] = await answers<ForMongod>(program, [{ secret: server }, { secret: pem }])
    const joined = `${text(server, 'tls.crt').trimEnd()}\n${text(server, 'tls.key').trimEnd()}`
    expect(ofServer).toEqual({ problem: '', pem: joined, ca: text(server, 'ca.crt') })
    expect(ofPem).toEqual({ problem: '', pem: text(pem, 'tls.pem'), ca: text(pem, 'ca.crt') })
  })

  it('goes on with no Secret that lacks the pair or the CA, or whose tls.pem is another', async (context) => {
    if (program === undefined) return context.skip('the operator cannot be built here')
    const cluster = await running('ECDSA')
    const server = await issued(cluster, 'server', 'MongoDBCommunity/server')
    const without = (key: string) => ({ ...server, data: { ...server.data, [key]: undefined } })
    const swapped = Buffer.from(`${text(server, 'tls.key')}${text(server, 'tls.crt')}`).toString('base64')
    const both = { ...server, data: { ...server.data, 'tls.pem': swapped } }
    const requests = [without('tls.key'), without('ca.crt'), both].map((secret) => ({ secret }))
    const none = expect.stringContaining('the operator made no data/') as string
    const problems = (await answers<ForMongod>(program, requests)).map(({ problem }) => problem)
    expect(problems).toEqual([none, none, none])
  })
})

describe('Strimzi', () => {
  it('knows its CAs by the names and labels of the layouts', async (context) => {
    const jars = await mavenJars('strimzi', ['io.strimzi:api:0.47.0'])
    if (jars === undefined) return context.skip('the API package of Strimzi cannot be had here')
    const { stdout } = await must('java', ['-cp', jars, `${here}java/StrimziOracle.java`, 'orders'])
    const says: unknown = JSON.parse(stdout)
    const nameOf = (layout: string) => secretNamed('Strimzi', layout, { cluster: 'orders' })?.secretName
    const { metadata } = await issued(await running('ECDSA'), 'orders-cluster-ca', 'Strimzi/cluster-ca-key')
    const labels = Object.entries(metadata.labels ?? {}).filter(([name]) => name.startsWith('strimzi.io/'))
    expect(says).toEqual({
      secrets: ['cluster-ca-cert', 'cluster-ca-key', 'clients-ca-cert', 'clients-ca-key'].map(nameOf),
      labels: Object.fromEntries(labels),
    })
  })
})
