/** elasticsearch.yml and the Secrets of a profile, before the code with which Elasticsearch loads its TLS. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { definitions } from '../../src/database/engines/index.ts'
import { makeAuthority, makePair } from '../../src/database/connect/testing.ts'
import { must, Reaper } from '../controlplane/harness/process.ts'
import { ProfileWorld } from '../databases/harness/profile.ts'
import { here, mavenJars } from './tools.ts'

// The last line that needs no more than these two.
const version = '8.15.0'
const artifacts = ['ssl-config', 'core'].map((name) => `org.elasticsearch:elasticsearch-${name}:${version}`)
const prefixes = ['xpack.security.http.ssl.', 'xpack.security.transport.ssl.']

let world: ProfileWorld
let jars: string | undefined
beforeAll(async () => {
  jars = await mavenJars('elasticsearch', artifacts)
  if (jars === undefined)
    console.error('SKIPPED: Elasticsearch as a judge of its settings: its packages cannot be had here')
  const spec = {
    engine: 'Elasticsearch',
    topology: { services: ['orders'] },
    clients: [{ name: 'app', require: 'X509' }],
  }
  world = await ProfileWorld.start({ spec, reaper: new Reaper() })
}, 600_000)
afterAll(() => world[Symbol.asyncDispose]())

const judged = async (yaml: string): Promise<string[]> => {
  const settings = Object.entries(parse(yaml) as Record<string, unknown>)
  const stdin = settings.flatMap(([name, value]) => [value].flat().map((one) => `${name} ${String(one)}\n`)).join('')
  const program = `${here}java/ElasticsearchOracle.java`
  const { stdout } = await must('java', ['-cp', jars ?? '', program, world.server.folder, ...prefixes], { stdin })
  return stdout.trim().split('\n')
}

it('loads what a profile gives', async (context) => {
  if (jars === undefined) return context.skip('the packages of Elasticsearch cannot be had here')
  const serial = async (name: string): Promise<string> => (await world.serial(name)).replace(/^0+/, '')
  expect(await judged(world.server.files['elasticsearch.yml'] ?? '')).toEqual([
    `xpack.security.http.ssl. serves ${await serial('server')}, clients OPTIONAL, verification FULL, 1 CA, connects`,
    `xpack.security.transport.ssl. serves ${await serial('transport')}, clients as usual, verification FULL, 1 CA, connects`,
  ])
})

it('finds a setting it does not know, and a file that is not there', async (context) => {
  if (jars === undefined) return context.skip('the packages of Elasticsearch cannot be had here')
  const yaml = world.server.files['elasticsearch.yml'] ?? ''
  const [unknown] = await judged(yaml.replace('http.ssl.certificate_authorities', 'http.ssl.authorities'))
  expect(unknown).toBe('xpack.security.http.ssl. does not know [authorities]')
  const [absent] = await judged(yaml.replace('http.ssl.key: ', 'http.ssl.key: /nowhere'))
  expect(absent).toMatch(/cannot read configured PEM private key|does not exist/)
})

it('takes a pair that is none, and then lets nobody in', async (context) => {
  if (jars === undefined) return context.skip('the packages of Elasticsearch cannot be had here')
  const { key } = await makePair(await makeAuthority('Orders CA'), 'Server')
  const file = join(world.folder, 'other.key')
  writeFileSync(file, key)
  const yaml = world.server.files['elasticsearch.yml'] ?? ''
  const [http, transport] = await judged(yaml.replace(/http\.ssl\.key: .*/, `http.ssl.key: ${file}`))
  expect(http).toMatch(/serves .* lets nobody in$/)
  expect(transport).toMatch(/connects$/)
  expect(definitions.Elasticsearch.reload([8], {} as never).onMismatch).toBe('LosesService')
})
