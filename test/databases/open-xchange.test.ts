/**
 * The guide "Database connection encryption" of Open-Xchange
 * (https://documentation.open-xchange.com/8.23/middleware/security_and_encryption/database_connection_encryption.html), step by
 * step, with a profile in the place of its openssl commands, a real MySQL and a program that reads dbconnector.yaml as the
 * middleware does.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, must, Reaper, run } from '../controlplane/harness/process.ts'
import { DriverStage, host, otherHost, password } from './harness/driver-stage.ts'
import { install } from './harness/install.ts'
import { type Answer, Jdbc } from './harness/jdbc.ts'

const reaper = new Reaper()
const user = 'openexchange'

const driverSpec = {
  product: 'MySQL 9',
  spec: {
    ...{ engine: 'MySQL', version: '9', layout: { preset: 'OpenXchange' } },
    // "The library expects the key to begin in this manner": BEGIN RSA PRIVATE KEY, on both sides.
    server: { privateKey: { algorithm: 'RSA', size: 2048, encoding: 'PKCS1' } },
    clients: [{ name: 'app', username: user, database: 'configdb' }],
  },
  statements: ({ app }: DriverStage) => [
    'CREATE DATABASE configdb',
    `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`,
    `GRANT ALL ON configdb.* TO '${user}'@'%'`,
    app.files['accounts.sql'] ?? '',
  ],
} as const

let stage: DriverStage | undefined
let jdbc: Jdbc | undefined
beforeAll(async () => {
  stage = await DriverStage.open(driverSpec, reaper)
  if (stage !== undefined) jdbc = await Jdbc.start(stage.hosts, reaper)
}, 600_000)
afterAll(async () => {
  await jdbc?.[Symbol.asyncDispose]()
  await stage?.[Symbol.asyncDispose]()
})

const live = (name: string, test: (opened: DriverStage, java: Jdbc) => Promise<void>): void =>
  it(name, async (context) => {
    if (stage === undefined || jdbc === undefined) return context.skip('MySQL 9 or Java cannot be had here')
    await test(stage, jdbc)
  })

const drivers = ['mysql', 'mariadb'] as const
/** What configdb.properties says. */
const configdb = (scheme: (typeof drivers)[number], { database }: DriverStage, name = host) => ({
  ...{ url: `jdbc:${scheme}://${name}:${database.place.port}/configdb`, user, password },
})

const connected = { outcome: 'connected', tlsVersion: 'TLSv1.3', user: `${user}@%` }

/** As the comment at its end says. */
const withPasswords = (opened: DriverStage) => (yaml: string) =>
  [
    yaml,
    ...['trust', 'client'].map(
      (store) => `    ${store}CertificateKeyStorePassword: "${opened.secret('keystore-password')}"\n`,
    ),
  ].join('')

const entriesOf = async (store: string, storePassword: string): Promise<string[]> => {
  const { stdout } = await must('keytool', ['-list', '-v', '-keystore', store, '-storepass', storePassword])
  const names = [...stdout.matchAll(/^Alias name: (.+)$/gm)].map(([, name]) => name)
  const kinds = [...stdout.matchAll(/^Entry type: (.+)$/gm)].map(([, kind]) => kind)
  return names.map((name, index) => `${name} ${kinds[index]}`).toSorted()
}

describe('the guide of Open-Xchange', () => {
  live('has certificates as its openssl commands make them', async ({ app, world }) => {
    const server = world.server.volume
    for (const key of [app.volume.path('client-key.pem'), server.path('tls.key')])
      expect(readFileSync(key, 'utf8')).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/)
    const certificates = [server.path('tls.crt'), app.volume.path('client-cert.pem')]
    const { stdout } = await must('openssl', ['verify', '-CAfile', app.volume.path('ca.pem'), ...certificates])
    expect(stdout.match(/: OK$/gm)).toHaveLength(2)
  })

  live(
    'lets the local client in, with and without a certificate where the account says so',
    async ({ app, database }) => {
      const mysql = await install('MySQL 9')
      const [command, ...first] = mysql?.start('/usr/bin/mysql') ?? ['mysql']
      const env = { ...process.env, MYSQL_PWD: password }
      const { port } = database.place
      const at = ['--no-defaults', `-u${user}`, '-h127.0.0.1', `-P${port}`, '-e', 'SHOW STATUS LIKE "Ssl_cipher"']
      const file = (key: string): string => app.volume.path(key)
      const pair = [`--ssl-cert=${file('client-cert.pem')}`, `--ssl-key=${file('client-key.pem')}`]
      const trust = ['--ssl-mode=VERIFY_CA', `--ssl-ca=${file('ca.pem')}`]
      const two = await run(command, [...first, ...at, ...trust, ...pair], { env })
      expect(two.stdout, two.stderr).toMatch(/Ssl_cipher\tTLS_/)
      const one = await run(command, [...first, ...at, ...trust], { env })
      expect(one.stderr).toMatch(/ERROR 1045 \(28000\): Access denied for user 'openexchange'/)
    },
  )

  live('finds the aliases of its keystores', async (opened) => {
    const { volume } = opened.app
    const storePassword = opened.secret('keystore-password')
    expect(await entriesOf(volume.path('keystore.jks'), storePassword)).toEqual(['mysqlclient PrivateKeyEntry'])
    expect(await entriesOf(volume.path('truststore.jks'), storePassword)).toEqual(['mysqlcacert trustedCertEntry'])
  })

  live('connects both drivers with the dbconnector.yaml of the profile', async (opened, java) => {
    const file = opened.file('dbconnector.yaml', withPasswords(opened))
    for (const scheme of drivers) {
      expect(await java.connect(file, configdb(scheme, opened)), scheme).toMatchObject(connected)
      const wrong = await java.connect(file, configdb(scheme, opened, otherHost))
      expect(wrong).toMatchObject({ outcome: 'refused', message: expect.stringContaining(otherHost) as string })
    }
  })

  live('goes by its own commands and its own file as well', async (opened, java) => {
    const { app, world } = opened
    const at = (name: string): string => join(world.folder, name)
    const secret = 'changeit'
    const [ca, cert, key] = ['ca.pem', 'client-cert.pem', 'client-key.pem'].map((name) => app.volume.path(name))
    const trust = ['-alias', 'MySQLCACert', '-file', ca ?? '', '-keystore', at('truststore'), '-storepass', secret]
    await must('keytool', ['-importcert', '-noprompt', ...trust])
    const pair = ['-in', cert ?? '', '-inkey', key ?? '', '-name', 'mysqlclient', '-passout', `pass:${secret}`]
    await must('openssl', ['pkcs12', '-export', ...pair, '-out', at('client-keystore.p12')])
    const from = ['-srckeystore', at('client-keystore.p12'), '-srcstoretype', 'pkcs12', '-srcstorepass', secret]
    const into = ['-destkeystore', at('keystore'), '-deststoretype', 'JKS', '-deststorepass', secret]
    await must('keytool', ['-importkeystore', ...from, ...into])
    expect(await entriesOf(at('keystore'), secret)).toEqual(['mysqlclient PrivateKeyEntry'])
    const yaml = (store: string, type: string): string => `com.mysql.jdbc:
    useUnicode: true
    characterEncoding: UTF-8
    autoReconnect: false
    useServerPrepStmts: false
    useTimezone: true
    serverTimezone: UTC
    connectTimeout: 15000
    socketTimeout: 15000
    useSSL: true
    requireSSL: true
    verifyServerCertificate: true
    clientCertificateKeyStoreUrl: file:${at(store)}
    clientCertificateKeyStorePassword: ${secret}
    clientCertificateKeyStoreType: ${type}
    trustCertificateKeyStoreUrl: file:${at('truststore')}
    trustCertificateKeyStorePassword: ${secret}
    trustCertificateKeyStoreType: JKS
`
    for (const [store, type] of [
      ['keystore', 'JKS'],
      ['client-keystore.p12', 'PKCS12'],
    ] as const) {
      writeFileSync(at('guide.yaml'), yaml(store, type))
      for (const scheme of drivers)
        expect(await java.connect(at('guide.yaml'), configdb(scheme, opened)), `${scheme} ${type}`).toMatchObject(
          connected,
        )
    }
  })

  live('rotates the certificate of the client in the existing store', async (opened, java) => {
    const { app, world } = opened
    const file = opened.file('dbconnector.yaml', withPasswords(opened))
    const before = readFileSync(app.volume.path('client-cert.pem'), 'utf8')
    await world.renew('client')
    await world.deliver()
    expect(readFileSync(app.volume.path('client-cert.pem'), 'utf8')).not.toBe(before)
    for (const scheme of drivers) expect(await java.connect(file, configdb(scheme, opened))).toMatchObject(connected)
  })

  live('rotates the CA with old and new in the store first, and no restart of the server', async (opened, java) => {
    const { app, world, database } = opened
    const file = opened.file('dbconnector.yaml', withPasswords(opened))
    const storePassword = opened.secret('keystore-password')
    for (const step of ['Both', 'NextSigns', 'Next'] as const) {
      await world.trust(step)
      await world.deliver()
      await database.reload()
      const trusted = await entriesOf(app.volume.path('truststore.jks'), storePassword)
      expect(trusted, step).toHaveLength(step === 'Next' ? 1 : 2)
      for (const name of trusted) expect(name).toMatch(/^mysqlcacert(-[0-9a-f]{8})? trustedCertEntry$/)
      for (const scheme of drivers)
        await eventually(`${scheme} to connect at ${step}`, async () => {
          const answer: Answer = await java.connect(file, configdb(scheme, opened))
          if (answer.outcome === 'refused') throw new Error(answer.message)
          return true
        })
    }
    // The password is that of the beginning: what was written into the file by hand stays right.
    expect(opened.secret('keystore-password')).toBe(storePassword)
  })
})
