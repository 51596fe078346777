/** What PostgreSQL alone does: whom it lets read its key, identities by the whole name, and a CA of its own for each side. */
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probe } from '../../src/database/connect/probe.ts'
import { commaForm } from '../../src/database/engines/identity.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually, freePort, Reaper } from '../controlplane/harness/process.ts'
import { Database } from './harness/database.ts'
import { installPsql } from './harness/install.ts'
import { hostsFile } from './harness/java.ts'
import { Jdbc } from './harness/jdbc.ts'
import { ProfileWorld } from './harness/profile.ts'
import { SecretVolume } from './harness/secret-volume.ts'
import { serverUser } from './harness/server-user.ts'
import { Shell } from './harness/shell.ts'

const reaper = new Reaper()
const selfSigned = (name: string) => ({
  ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'CertificateAuthority', metadata: { name } },
  spec: {
    source: { selfSigned: {} },
    subject: { commonName: name, organizations: ['Acme, Inc.'] },
    policy: { subject: { commonName: 'Optional', organizations: 'Match' } },
  },
})

describe.each([
  ['PostgreSQL 15', '15'],
  ['PostgreSQL 18', '18'],
] as const)('%s', (product, version) => {
  let world: ProfileWorld
  let database: Database | undefined
  let shell: Shell
  beforeAll(async () => {
    const port = await freePort()
    world = await ProfileWorld.start({
      ...{ reaper, objects: [selfSigned('orders-ca'), selfSigned('clients-ca')] },
      spec: {
        ...{ engine: 'PostgreSQL', version, clientAuthorityRef: { name: 'clients-ca' } },
        topology: { services: ['orders'], statefulSet: { name: 'orders', replicas: 2 }, certificatePer: 'Pod' },
        ...{
          connection: { host: 'orders.data.svc', port, database: 'orders' },
          clients: [
            { name: 'app', require: 'Subject' },
            { name: 'standby', database: 'replication', require: 'Subject', java: true },
          ],
        },
      },
    })
    const { volume, files } = world.pod('server-1')
    const subject = world.expansion.certificates.find(({ name }) => name === 'orders-app')?.spec.subject ?? {}
    expect(commaForm(subject)).toBe('CN=app,O=Acme\\, Inc.')
    // A line of a person's, before those of the profile: one role for whoever the whole name says.
    const config = {
      ...files,
      'pg_hba.conf': `hostssl orders named all cert clientname=DN map=names\n${files['pg_hba.conf']}`,
      'pg_ident.conf': `${files['pg_ident.conf']}names "${commaForm(subject)}" named\n`,
    }
    database = await Database.start(product, volume, reaper, { port, config })
    await database?.statement(
      'CREATE DATABASE orders;\nCREATE ROLE app LOGIN;\nCREATE ROLE named LOGIN;\nCREATE ROLE other LOGIN;\nCREATE ROLE standby LOGIN REPLICATION;\n',
    )
    const psql = (await installPsql())?.start('/usr/lib/postgresql/18/bin/psql') ?? ['/usr/bin/psql']
    mkdirSync(join(world.folder, 'shell'))
    const names = ['orders.data.svc', 'orders-1.orders.data.svc', 'orders-0.orders.data.svc']
    shell = new Shell(join(world.folder, 'shell'), { programs: { psql: [...psql, '--no-psqlrc'] }, names })
  }, 600_000)
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })

  const lineOf = (client: string): string => {
    const [, section = ''] = (world.client(client).files['commands.md'] ?? '').split(`\n## ${client}\n`)
    return section.split('\n').find((line) => line.startsWith('psql ')) ?? ''
  }
  const asks = async (change: (line: string) => string = (line) => line): Promise<string> => {
    const line = `${change(lineOf('app'))} --tuples-only --command='SELECT current_user, version, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()'`
    return (await shell.type(line)).shown
  }
  const needs = (context: { skip: (why: string) => void }): Database => {
    if (database === undefined) context.skip(`${product} cannot be had here`)
    return database as Database
  }

  it('knows servers by one CA and clients by another, and a pod by its own name', async (context) => {
    needs(context)
    expect(await asks()).toMatch(/app +\| TLSv1\.3 +\| \/O=Acme\\?, Inc\.\/CN=app/)
    expect(await asks((line) => line.replace('orders.data.svc', 'orders-1.orders.data.svc'))).toMatch(/app +\|/)
    const wrong = await asks((line) => line.replace('orders.data.svc', 'orders-0.orders.data.svc'))
    expect(wrong).toMatch(/does not match host name "orders-0\.orders\.data\.svc"/)
    const issuer = new X509Certificate(readFileSync(world.client('app').volume.path('tls.crt'))).issuer
    expect(issuer).toContain('CN=clients-ca')
  })

  it('takes the whole name of a certificate for a role that a map gives it, in RFC 2253 form', async (context) => {
    needs(context)
    expect(await asks((line) => line.replace('//app@', '//named@'))).toMatch(/named +\| TLSv1\.3/)
    expect(await asks((line) => line.replace('//app@', '//other@'))).toMatch(/FATAL: +no pg_hba\.conf entry/)
  })

  it('lets a standby replicate by its certificate, and nobody else', async (context) => {
    needs(context)
    const identify = async (line: string): Promise<string> =>
      (await shell.type(`${line} --command='IDENTIFY_SYSTEM'`)).shown
    expect(await identify(lineOf('standby'))).toMatch(/systemid[^]*\(1 row\)/)
    const bare = lineOf('standby').replaceAll(/&ssl(cert|key)=[^&']+/g, '')
    expect(await identify(bare)).toMatch(/FATAL: +connection requires a valid client certificate/)
    const own = await identify(lineOf('app').replace(/'$/, "&replication=true'"))
    expect(own).toMatch(/FATAL: +no pg_hba\.conf entry for replication connection/)
    const ordinary = await identify(lineOf('standby').replace('&replication=true', ''))
    expect(ordinary).toMatch(/FATAL: +no pg_hba\.conf entry/)
  })

  it('is told by pgjdbc too that a standby replicates', async (context) => {
    needs(context)
    await using jdbc = await Jdbc.start(hostsFile(join(world.folder, 'hosts'), ['orders.data.svc']), reaper)
    if (jdbc === undefined) return context.skip('Java cannot be had here')
    const file = join(world.folder, 'standby.properties')
    writeFileSync(file, world.client('standby').files['standby.jdbc.properties'] ?? '')
    // It connects, and then asks for what only SQL can tell.
    const { message } = (await jdbc.connect(file)) as { message?: string }
    expect(message).toContain('cannot execute SQL commands in WAL sender for physical replication')
  })

  const serial = async (running: Database): Promise<string | undefined> => {
    const seen = await probe(running.target(), { clock: systemClock(), totalMs: 60_000 })
    const [leaf] = seen.served?.chain ?? []
    return leaf === undefined ? undefined : new X509Certificate(leaf).serialNumber
  }
  const contents = (folder: SecretVolume): Record<string, string> =>
    Object.fromEntries(['tls.crt', 'tls.key', 'ca.crt'].map((key) => [key, readFileSync(folder.path(key), 'utf8')]))

  it("reads a key that is root's and 0640, and keeps the former one where others could read the new one", async (context) => {
    const running = needs(context)
    if (serverUser === undefined) return context.skip('root alone can lay out files that belong to root')
    const { volume } = world.pod('server-1')
    const before = await serial(running)
    await world.renew('server')
    await world.deliver()
    const renewed = contents(volume)
    volume.write(renewed, 0o644)
    await running.reload()
    await eventually('the log to say so', () =>
      Promise.resolve(/private key file ".*" has group or world access/.test(running.logs())),
    )
    expect(await serial(running)).toBe(before)
    volume.write(renewed)
    await running.reload()
    const fresh = new X509Certificate(renewed['tls.crt'] ?? '').serialNumber
    await eventually('the new one to be served', async () => (await serial(running)) === fresh)
    const open = new SecretVolume(join(world.folder, 'open'), renewed, 0o644)
    await expect(Database.start(product, open, reaper)).rejects.toThrow(/has group or world access/)
  })
})
