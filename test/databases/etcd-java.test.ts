/** jetcd with the very lines of Java in commands.md, and the PEM files of the client's Secret. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Reaper } from '../controlplane/harness/process.ts'
import { answeredOf, refusalsOfJvm } from './harness/answers.ts'
import { fencedBlocks } from './harness/config-folder.ts'
import { DriverStage, host, otherHost } from './harness/driver-stage.ts'
import { installJetcd, jetcd } from './harness/etcd-java.ts'
import { runAttempts } from './harness/java-lines.ts'

const reaper = new Reaper()
const classPath = await installJetcd()

type Change = (lines: string, stage: DriverStage) => string

const changes: Readonly<Record<string, Change>> = {
  asGiven: (lines) => lines,
  otherName: (lines) => lines.replace(host, otherHost),
  unknownAuthority: (lines, { app, stranger }) => lines.replace(app.volume.path('ca.crt'), stranger.authority),
  noCertificate: (lines) => lines.replace(/^ *\.keyManager\(.*$/m, ''),
  strangersCertificate: (lines, { app, stranger }) =>
    lines.replace(app.volume.path('tls.crt'), stranger.certificate).replace(app.volume.path('tls.key'), stranger.key),
  plain: (lines) => lines.replace('https:', 'http:').replace('.sslContext(tls)', ''),
}

/** As commands.md says; it would try on until its time is over. */
const sayingWhy = (lines: string): string => lines.replace('Client.builder()', 'Client.builder().waitForReady(false)')

describe('jetcd with etcd', () => {
  let stage: DriverStage | undefined
  let answers: Readonly<Record<string, string>> | undefined
  beforeAll(async () => {
    if (classPath === undefined) return
    const privateKey = { algorithm: 'RSA', encoding: 'PKCS1' }
    const spec = { engine: 'Etcd', version: '3.5', server: { privateKey }, clients: [{ name: 'app' }] }
    stage = await DriverStage.open({ product: 'etcd', spec, statements: () => [] }, reaper)
    if (stage === undefined) return
    const opened = stage
    const [given = ''] = fencedBlocks(opened.app.files['commands.md'] ?? '', 'java')
    const attempts = Object.entries(changes).map(([name, change]) => {
      const changed = change(given, opened)
      return [name, name === 'asGiven' ? changed : sayingWhy(changed)] as const
    })
    const { world, hosts } = opened
    const options = { driver: jetcd, classPath, folder: world.folder, hosts }
    answers = await runAttempts({ ...options, attempts: Object.fromEntries(attempts) })
  }, 600_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })
  const answered = answeredOf('etcd, Java or jetcd', () => answers)

  answered('puts and gets a key as the profile says', 'asGiven', 'connected of jetcd')
  refusalsOfJvm(answered)
  answered('is refused in the clear', 'plain', /^refused .*UNAVAILABLE: (Network closed|io exception)/)
  it('is given a key in PKCS #8, though the server has another form', (context) => {
    if (stage === undefined) return context.skip('etcd, Java or jetcd cannot be had here')
    expect(readFileSync(stage.world.server.volume.path('tls.key'), 'utf8')).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/)
    expect(stage.secret('tls.key')).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  })
})
