/**
 * The drivers of Elasticsearch and OpenSearch with the very lines of commands.md, and the Secrets of a profile. The servers cannot be had
 * for a test: an imitation of their port answers with who it is that asks.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, vi } from 'vitest'
import { freePort, Reaper } from '../controlplane/harness/process.ts'
import { answeredOf } from './harness/answers.ts'
import { fencedBlocks } from './harness/config-folder.ts'
import { host, otherHost, password, strangerIn, type Stranger } from './harness/driver-stage.ts'
import { imitate, type Imitation, imitationProgram, searchServed } from './harness/imitation.ts'
import { hostsFile } from './harness/java.ts'
import { loopbackNames } from './harness/loopback-names.ts'
import { ProfileWorld } from './harness/profile.ts'
import { type Driver, drivers, type Run } from './harness/search-drivers.ts'

const reporter = 'first.last@acme'

type Change = (lines: string, stranger: Stranger) => string

const toStrangersAuthority: Change = (lines, stranger) =>
  lines
    .replace(/(\bca: readFileSync\(|ca_certs=)"[^"]*"/, `$1"${stranger.authority}"`)
    .replace(/(\.loadTrustMaterial\(new File\()"[^"]*"\), [^.]*\.getenv\("\w+"\)/, (_, before: string) => {
      return `${before}"${stranger.truststore}"), "${stranger.password}"`
    })

const toStrangersPair: Change = (lines, stranger) =>
  lines
    .replace(/(\bcert: readFileSync\(|client_cert=)"[^"]*"/, `$1"${stranger.certificate}"`)
    .replace(/(\bkey: readFileSync\(|client_key=)"[^"]*"/, `$1"${stranger.key}"`)
    .replace(/\.loadKeyMaterial\([^;]*toCharArray\(\)\)/, () => {
      const word = `"${stranger.password}".toCharArray()`
      return `.loadKeyMaterial(new File("${stranger.keystore}"), ${word}, ${word})`
    })

const withoutPair: Change = (lines) =>
  lines
    .replaceAll(/^ *(cert: |key: |client_cert=|client_key=).*\n/gm, '')
    .replace(/\.loadKeyMaterial\([^;]*toCharArray\(\)\)/, '')

const changes: Readonly<Record<string, Change>> = {
  asGiven: (lines) => lines,
  otherName: (lines) => lines.replace(host, otherHost),
  unknownAuthority: toStrangersAuthority,
  noCertificate: withoutPair,
  strangersCertificate: toStrangersPair,
}

const products = [
  ['Elasticsearch', 'Elasticsearch', '9.0'],
  ['Elasticsearch 7', 'Elasticsearch', '7.17'],
  ['OpenSearch', 'OpenSearch', '3.0'],
] as const

const reaper = new Reaper()
const names = loopbackNames(new Set([host, otherHost]))
afterAll(() => names[Symbol.dispose]())

describe.each(products)('with %s', (product, engine, version) => {
  let world: ProfileWorld | undefined
  let server: Imitation | undefined
  let stranger: Stranger | undefined
  beforeAll(async () => {
    const program = await imitationProgram()
    if (program === undefined) return
    const port = await freePort()
    world = await ProfileWorld.start({
      reaper,
      spec: {
        ...{ engine, version, topology: { services: ['orders'] }, connection: { host, port } },
        clients: [
          { name: 'app', java: true, require: 'X509' },
          { name: 'report', username: reporter, java: true, require: 'TLS' },
        ],
      },
    })
    const served = searchServed[engine](world.server)
    server = await imitate({
      ...{ program, protocol: engine.toLowerCase(), served, folder: world.folder, reaper, port },
    })
    stranger = await strangerIn(world.folder)
  }, 600_000)
  afterAll(async () => {
    await server?.process.stop()
    await world?.[Symbol.asyncDispose]()
  })

  describe.each<Driver>(drivers[product])('$name', ({ language, install }) => {
    let answers: Readonly<Record<string, string>> | undefined
    beforeAll(async () => {
      const attempt = await install()
      if (world === undefined || stranger === undefined || attempt === undefined) return
      const opened = world
      const unknown = stranger
      const passwordOf = (client: string): string =>
        readFileSync(opened.client(client).volume.path('keystore-password'), 'utf8')
      const linesOf = (client: string): string => {
        const page = opened.client(client).files['commands.md'] ?? ''
        const [, section = ''] = page.split(`\n## ${client}\n`)
        return fencedBlocks(section, language)[0] ?? ''
      }
      const attempts = {
        ...Object.fromEntries(
          Object.entries(changes).map(([name, change]) => [name, change(linesOf('app'), unknown)] as const),
        ),
        byPassword: linesOf('report').replaceAll('KEYSTORE_PASSWORD', 'REPORTS_PASSWORD'),
      }
      const env = {
        ...{ KEYSTORE_PASSWORD: passwordOf('app'), REPORTS_PASSWORD: passwordOf('report') },
        ...{ ELASTICSEARCH_PASSWORD: password, OPENSEARCH_PASSWORD: password },
      }
      for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
      const hosts = hostsFile(join(opened.folder, 'hosts'), [host, otherHost])
      const options: Run = { folder: opened.folder, hosts, env, attempts: Object.values(attempts) }
      const said = await attempt(options)
      answers = Object.fromEntries(Object.keys(attempts).map((name, at) => [name, said[at] ?? '']))
    }, 600_000)
    afterAll(() => void vi.unstubAllEnvs())
    const answered = answeredOf('Go or the driver', () => answers)

    answered('connects as the profile says', 'asGiven', 'connected app')
    answered('connects with a password and without a certificate', 'byPassword', `connected ${reporter}`)
    answered(
      'refuses a server of another name',
      'otherName',
      /^refused .*(altnames|Hostname mismatch|No subject alternative DNS name matching|doesn't match|does not match)/i,
    )
    answered(
      'refuses a server of an unknown CA',
      'unknownAuthority',
      /^refused .*(unable to verify the first|self-signed|verify failed|signature check failed|PKIX path)/i,
    )
    answered(
      'is refused without a certificate',
      'noCertificate',
      /^refused .*(401|missing authentication|security_exception)/i,
    )
    answered(
      'is refused with the certificate of an unknown CA',
      'strangersCertificate',
      /^refused .*(unknown.?ca|reset|closed|broken|EPIPE|other side|alert|EOF)/i,
    )
  })
})
