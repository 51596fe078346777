/** Java programs with exactly the jdbc.properties that a profile gives, and the stores of the client's Secret. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { DriverStage, type DriverSpec, password, toOtherHost, without } from './harness/driver-stage.ts'
import { Jdbc } from './harness/jdbc.ts'
import type { Product } from './harness/install.ts'

const reaper = new Reaper()

interface Attempt {
  readonly name: string
  /** Of the file. */
  readonly change?: (text: string) => string
  /** Settings that take the place of those in the file. */
  readonly more?: (stage: DriverStage) => Readonly<Record<string, string>>
  readonly refused: { readonly sqlState: string | RegExp; readonly error?: number; readonly message: RegExp }
}

interface Driver extends DriverSpec {
  readonly driver: RegExp
  /** What a person adds by hand, since a ConfigMap holds no passwords. */
  readonly passwords: readonly string[]
  readonly user: string
  readonly attempts: readonly Attempt[]
}

const clients = [
  { name: 'app', database: 'orders', java: true, require: 'Subject' },
  { name: 'old', require: 'None' },
]

/** In TLS 1.3 the client may have begun to speak before it reads the alert, and then finds the connection gone. */
const turnedAway = { sqlState: /^08/, message: /Received fatal alert: unknown_ca|Connection reset|Broken pipe/ }

const mysqlFamily = {
  user: 'app@%',
  statements: ({ app }: DriverStage) => [
    'CREATE DATABASE orders',
    `CREATE USER 'app'@'%' IDENTIFIED BY '${password}'`,
    "GRANT ALL ON orders.* TO 'app'@'%'",
    `CREATE USER 'old'@'%' IDENTIFIED BY '${password}'`,
    app.files['accounts.sql'] ?? '',
  ],
}

const connectorJ: Driver = {
  ...mysqlFamily,
  product: 'MySQL 9',
  spec: { engine: 'MySQL', version: '9', clients },
  driver: /MySQL Connector/,
  passwords: ['trustCertificateKeyStorePassword', 'clientCertificateKeyStorePassword'],
  attempts: [
    {
      name: 'a server of another name',
      change: toOtherHost,
      refused: { sqlState: '08S01', message: /other\.test/ },
    },
    {
      name: 'a server of an unknown CA',
      more: ({ stranger }) => ({
        trustCertificateKeyStoreUrl: `file:${stranger.truststore}`,
        trustCertificateKeyStorePassword: stranger.password,
      }),
      refused: { sqlState: '08S01', message: /signature check failed/ },
    },
    {
      name: 'who shows no certificate',
      change: without('clientCertificateKeyStoreUrl', 'clientCertificateKeyStoreType'),
      refused: { sqlState: '28000', error: 1045, message: /Access denied for user 'app'/ },
    },
    {
      name: 'who shows the certificate of an unknown CA',
      more: ({ stranger }) => ({
        clientCertificateKeyStoreUrl: `file:${stranger.keystore}`,
        clientCertificateKeyStorePassword: stranger.password,
      }),
      refused: turnedAway,
    },
    {
      name: 'who comes in the clear',
      more: () => ({ sslMode: 'DISABLED', allowPublicKeyRetrieval: 'true' }),
      refused: { sqlState: '28000', error: 1045, message: /Access denied for user 'app'/ },
    },
    {
      name: 'who comes in the clear to an account that demands nothing',
      more: () => ({ user: 'old', sslMode: 'DISABLED', allowPublicKeyRetrieval: 'true' }),
      refused: { sqlState: 'HY000', error: 3159, message: /insecure transport are prohibited/ },
    },
  ],
}

const mariadbConnector = (product: Product, version: string, clear: Attempt['refused']): Driver => ({
  ...mysqlFamily,
  product,
  spec: { engine: 'MariaDB', version, clients },
  driver: /MariaDB Connector/,
  passwords: ['keyStorePassword'],
  attempts: [
    {
      name: 'a server of another name',
      change: toOtherHost,
      refused: { sqlState: '08006', message: /No subject alternative DNS name matching other\.test found/ },
    },
    {
      name: 'a server of an unknown CA',
      more: ({ stranger }) => ({ serverSslCert: stranger.authority }),
      refused: { sqlState: '08000', message: /signature check failed/ },
    },
    {
      name: 'who shows no certificate',
      change: without('keyStore', 'keyStoreType'),
      refused: { sqlState: '28000', error: 1045, message: /Access denied for user 'app'/ },
    },
    {
      name: 'who shows the certificate of an unknown CA',
      more: ({ stranger }) => ({ keyStore: stranger.keystore, keyStorePassword: stranger.password }),
      refused: turnedAway,
    },
    {
      name: 'who comes in the clear',
      more: () => ({ sslMode: 'disable' }),
      refused: clear,
    },
  ],
})

const pgjdbc = (product: Product, version: string): Driver => ({
  product,
  spec: { engine: 'PostgreSQL', version, clients },
  statements: () => ['CREATE DATABASE orders', 'CREATE ROLE app LOGIN'],
  driver: /PostgreSQL JDBC/,
  passwords: [],
  user: 'app',
  attempts: [
    { name: 'a server of another name', change: toOtherHost, refused: { sqlState: '08006', message: /other\.test/ } },
    {
      name: 'a server of an unknown CA',
      more: ({ stranger }) => ({ sslrootcert: stranger.authority }),
      refused: { sqlState: '08006', message: /signature check failed/ },
    },
    {
      name: 'who shows no certificate',
      change: without('sslcert', 'sslkey'),
      refused: { sqlState: '28000', message: /connection requires a valid client certificate/ },
    },
    {
      name: 'who shows the certificate of an unknown CA',
      more: ({ stranger }) => ({ sslcert: stranger.certificate, sslkey: stranger.keyDER }),
      refused: turnedAway,
    },
    {
      // What the alias of the profile's keystore is for.
      name: 'who has its certificate under another alias than "user"',
      change: without('sslcert', 'sslkey'),
      more: (stage) => ({ sslkey: stage.repacked('client'), sslpassword: 'changeit' }),
      refused: { sqlState: '28000', message: /connection requires a valid client certificate/ },
    },
    {
      name: 'who comes in the clear',
      more: () => ({ sslmode: 'disable' }),
      refused: { sqlState: '28000', message: /pg_hba\.conf rejects connection .* no encryption/ },
    },
  ],
})

const drivers: readonly Driver[] = [
  connectorJ,
  mariadbConnector('MariaDB 10.11', '10.11', { sqlState: '28000', error: 1045, message: /Access denied/ }),
  // From 11.8 on it says why.
  mariadbConnector('MariaDB 11.8', '11.8', {
    sqlState: '08004',
    error: 3159,
    message: /insecure transport are prohibited/,
  }),
  pgjdbc('PostgreSQL 15', '15'),
  pgjdbc('PostgreSQL 18', '18'),
]

describe.each(drivers)('jdbc.properties for $product', (driver) => {
  let opened: { readonly stage: DriverStage; readonly jdbc: Jdbc } | undefined
  beforeAll(async () => {
    const stage = await DriverStage.open(driver, reaper)
    if (stage === undefined) return
    const jdbc = await Jdbc.start(stage.hosts, reaper)
    if (jdbc === undefined) await stage[Symbol.asyncDispose]()
    else opened = { stage, jdbc }
  }, 600_000)
  afterAll(async () => {
    await opened?.jdbc[Symbol.asyncDispose]()
    await opened?.stage[Symbol.asyncDispose]()
  })
  const live = (name: string, test: (stage: DriverStage, jdbc: Jdbc) => Promise<void>): void =>
    it(name, async (context) => {
      if (opened === undefined) return context.skip(`${driver.product}, Java or its drivers cannot be had here`)
      await test(opened.stage, opened.jdbc)
    })
  const secrets = (stage: DriverStage): Record<string, string> => ({
    password,
    ...Object.fromEntries(driver.passwords.map((name) => [name, stage.secret('keystore-password')])),
  })
  const connected = {
    outcome: 'connected',
    driver: expect.stringMatching(driver.driver) as string,
    ...{ tlsVersion: 'TLSv1.3', cipher: expect.stringContaining('TLS_') as string, user: driver.user },
  }

  live('connects with the password added and nothing else', async (stage, jdbc) => {
    const answer = await jdbc.connect(stage.file('jdbc.properties'), secrets(stage))
    expect(answer).toMatchObject(connected)
    if (answer.outcome === 'connected') console.log(`${driver.product}: ${Object.values(answer).join(', ')}`)
  })

  if (driver.driver.source.includes('PostgreSQL'))
    live('connects with the keystore that its comment speaks of', async (stage, jdbc) => {
      const path = stage.file('jdbc.properties', without('sslcert', 'sslkey'))
      const sslkey = stage.app.volume.path('keystore.p12')
      const more = { ...secrets(stage), sslkey, sslpassword: stage.secret('keystore-password') }
      expect(await jdbc.connect(path, more)).toMatchObject({ ...connected, certificate: '/CN=app' })
    })

  for (const { name, change, more, refused } of driver.attempts)
    live(`refuses ${name}`, async (stage, jdbc) => {
      const settings = { ...secrets(stage), ...more?.(stage) }
      const answer = await jdbc.connect(stage.file('jdbc.properties', change), settings)
      expect(answer).toMatchObject({
        outcome: 'refused',
        sqlState: expect.stringMatching(refused.sqlState) as string,
        ...(refused.error === undefined ? {} : { error: refused.error }),
        message: expect.stringMatching(refused.message) as string,
      })
    })

  live('reads its files anew for each connection, through a whole change of CA', async (stage, jdbc) => {
    const { world, database } = stage
    const path = stage.file('jdbc.properties')
    for (const step of ['Both', 'NextSigns', 'Next'] as const) {
      await world.trust(step)
      await world.deliver()
      await database.reload()
      await eventually(`${driver.product} to have read them`, async () => {
        const answer = await jdbc.connect(path, secrets(stage))
        if (answer.outcome === 'refused') throw new Error(answer.message)
        return true
      })
    }
  })
})
