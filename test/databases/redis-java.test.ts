/** Jedis and Lettuce with the very lines of Java in commands.md, and the stores of the client's Secret. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe } from 'vitest'
import { redisWord } from '../../src/database/engines/quote/redis.ts'
import { Reaper } from '../controlplane/harness/process.ts'
import { answeredOf, refusalsOfJvm } from './harness/answers.ts'
import { fencedBlocks } from './harness/config-folder.ts'
import { DriverStage, host, otherHost, password } from './harness/driver-stage.ts'
import type { Product } from './harness/install.ts'
import { runAttempts } from './harness/java-lines.ts'
import { installRedisJava, type JavaDriver, jvmsNames, redisDrivers } from './harness/redis-java.ts'

const reaper = new Reaper()
const classPath = await installRedisJava()

/** A word of Redis, of a URI and of Java, none of which it may break. */
const wild = String.raw`o'neil"\u0022#$%>x`

type Change = (lines: string, stage: DriverStage) => string

const toStranger =
  (store: 'keystore' | 'truststore'): Change =>
  (lines, { stranger }) =>
    lines.replace(
      new RegExp(String.raw`\.${store}\(new File\("[^"]*"\), System\.getenv\("KEYSTORE_PASSWORD"\)`),
      () => {
        return `.${store}(new File("${stranger[store]}"), "${stranger.password}"`
      },
    )

const changes: Readonly<Record<string, Change>> = {
  asGiven: (lines) => lines,
  otherName: (lines) => lines.replace(`"${host}"`, `"${otherHost}"`),
  unknownAuthority: toStranger('truststore'),
  noCertificate: (lines) => lines.replace(/^ *\.keystore\(.*$/m, '').replace(/^ *\.keyStoreType\(.*$/m, ''),
  strangersCertificate: toStranger('keystore'),
}

const servers: readonly (readonly [Product, string, string, string])[] = [
  ['Redis 8', 'Redis', '8', 'X509'],
  ['Valkey 8', 'Valkey', '8', 'X509'],
  // There the certificate is the user.
  ['Valkey 9', 'Valkey', '9.1', 'Subject'],
]

describe.each(servers)('with %s', (product, engine, version, require) => {
  let stage: DriverStage | undefined
  beforeAll(async () => {
    if (classPath === undefined) return
    const clients = [
      { name: 'app', java: true, require },
      { name: 'wild', username: wild, java: true, require: 'X509' },
    ]
    stage = await DriverStage.open(
      {
        ...{ product, spec: { engine, version, clients } },
        statements: ({ app }) => [
          `${app.files['accounts.txt']}ACL SETUSER ${redisWord(wild)} ">${password}"`,
          ...(require === 'Subject' ? [] : [`ACL SETUSER app ">${password}"`]),
        ],
      },
      reaper,
    )
  }, 600_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })

  describe.each([
    ['Jedis', 0],
    ['Lettuce', 1],
  ] as const)('%s', (driver: JavaDriver, at) => {
    let answers: Readonly<Record<string, string>> | undefined
    beforeAll(async () => {
      if (stage === undefined || classPath === undefined) return
      const opened = stage
      const page = opened.app.files['commands.md'] ?? ''
      const given = fencedBlocks(page.slice(page.indexOf('## app'), page.indexOf('## wild')), 'java')[at] ?? ''
      const wilds = opened.world.client('wild')
      const other = fencedBlocks(wilds.files['commands.md']?.split('## wild')[1] ?? '', 'java')[at] ?? ''
      const lines = {
        ...Object.fromEntries(Object.entries(changes).map(([name, change]) => [name, change(given, opened)])),
        wild: other.replaceAll('KEYSTORE_PASSWORD', 'WILDS_PASSWORD'),
      }
      answers = await runAttempts({
        ...{ driver: redisDrivers[driver], classPath, folder: opened.world.folder, hosts: opened.hosts },
        env: {
          KEYSTORE_PASSWORD: opened.secret('keystore-password'),
          WILDS_PASSWORD: readFileSync(wilds.volume.path('keystore-password'), 'utf8'),
          REDIS_PASSWORD: password,
        },
        attempts: Object.fromEntries(Object.entries(lines).map(([name, text]) => [name, jvmsNames(text)])),
      })
    }, 120_000)
    const answered = answeredOf(`${product}, Java or its drivers`, () => answers)

    answered('connects as the profile says', 'asGiven', 'connected app')
    answered('connects as a user whose name has quotes and escapes', 'wild', `connected ${wild}`)
    refusalsOfJvm(answered)
  })
})
