/**
 * The command line on a real API server, as a person with a person's rights: every verb by somebody who has what
 * docs/cli.md lists for it and nothing else, and by people with the cluster's own roles `view` and `edit`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { eventually, type Output, run, usedPermissions } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing, LedgerThing } from './support/api.ts'
import { textOf } from './support/api.ts'
import { authority, certificate, type Manifest } from './support/manifests.ts'
import { serialOf } from './support/material.ts'
import { authorities, certificates, Rig } from './support/rig.ts'

const [ns, other] = ['e2e-cli', 'e2e-cli-other']
const bin = fileURLToPath(new URL('../../bin/', import.meta.url))
const page = readFileSync(fileURLToPath(new URL('../../docs/cli.md', import.meta.url)), 'utf8')

const rbac = (kind: string, name: string, fields: Record<string, unknown>): Manifest => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind,
  metadata: { name, namespace: ns },
  ...fields,
})
const binding = (name: string, role: { kind: string; name: string }, subject: Record<string, string>): Manifest =>
  rbac('RoleBinding', name, { roleRef: { apiGroup: 'rbac.authorization.k8s.io', ...role }, subjects: [subject] })

let rig: Rig
let folder: string
/** Kubeconfigs by person. */
const people = new Map<string, string>()

const dbtls = (person: string, ...args: string[]): Promise<Output> =>
  run(join(bin, 'dbtls'), args, {
    cwd: folder,
    env: { ...process.env, KUBECONFIG: people.get(person) ?? person },
  })

/** One that is expected to do what it is asked. */
const done = async (person: string, ...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await dbtls(person, ...args)
  expect({ args, code, stderr }).toMatchObject({ args, code: 0 })
  return stdout
}

/** One that is expected to be refused: the exit code, and one sentence without a trace of the program. */
const refused = async (exit: number, person: string, ...args: string[]): Promise<string> => {
  const { code, stderr } = await dbtls(person, ...args)
  expect({ args, code, stderr }).toMatchObject({ args, code: exit })
  expect(stderr).not.toMatch(/^ +at |node:internal|Error:/m)
  return stderr
}

const serialNow = async (name: string): Promise<string> => {
  const { status } = await rig.ready(ns, certificates, name)
  return status?.serialNumber ?? ''
}

beforeAll(async () => {
  const plane = sharedControlPlane()
  rig = await Rig.start(plane, { release: 'e2e-cli-operator' }, [ns, other])
  folder = plane.tempDir('cli')
  people.set('alice', plane.kubeconfigOfUser('alice', ns))
  people.set('bob', plane.kubeconfigOfUser('bob', ns))
  people.set('nobody', plane.kubeconfigOfUser('bob', other))
  await rig.operator()
  await rig.apply(
    authority(ns, 'ca', { crl: {}, subject: { commonName: 'CLI CA', organizations: ['Acme'] } }),
    authority(ns, 'listless'),
    certificate(ns, 'orders', { dnsNames: ['orders.db.svc', 'localhost'], ipAddresses: ['127.0.0.1'] }),
    certificate(ns, 'app', { role: 'Client', subject: { commonName: 'app' } }),
    certificate(ns, 'quiet', { authorityRef: { name: 'listless' } }),
    certificate(other, 'lonely'),
    binding('edit', { kind: 'ClusterRole', name: 'edit' }, { kind: 'User', name: 'alice' }),
    binding('view', { kind: 'ClusterRole', name: 'view' }, { kind: 'User', name: 'bob' }),
  )
  for (const name of ['orders', 'app', 'quiet']) await rig.ready(ns, certificates, name)
  await eventually('the roles to be those of the chart, too', async () => {
    const mays = await Promise.all([
      dbtls('alice', 'ledger', 'list', '--authority', `${ns}/ca`),
      dbtls('bob', 'status'),
    ])
    return mays.every(({ code }) => code === 0)
  })
})
afterAll(() => rig.stop())

describe('status and ledger list', () => {
  it('show a namespace to whoever may view it', async () => {
    expect(await done('bob', 'status')).toMatch(
      /KIND\/NAME[^]*CertificateAuthority\/ca +Ready +revocation list in \d+ days[^]*DatabaseCertificate\/orders +Ready[^]*5 of 5 ready\n$/,
    )
    expect(await done('bob', 'status', 'dbcert/orders', '-n', ns)).toContain(`DatabaseCertificate:  ${ns}/orders`)
    expect(await done('bob', 'ledger', 'list', '--authority', 'ca')).toMatch(/app +CN=app[^]*certificates: \d+ valid/)
  })
  it('tell exit code 1 where something is not Ready, and why', async () => {
    const { code, stderr } = await dbtls(rig.plane.adminKubeconfig, 'status', '-n', other)
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^stalled +DatabaseCertificate e2e-cli-other\/lonely: AuthorityNotFound/),
    ])
  })
  it.each([
    ['json', (text: string): unknown => JSON.parse(text)],
    ['yaml', (text: string): unknown => parse(text)],
  ] as const)('print %s', async (form, read) => {
    const status = read(await done('bob', 'status', '--output', form))
    expect(status).toMatchObject({
      ready: true,
      items: expect.arrayContaining([expect.objectContaining({ name: 'app', state: 'Ready' })]) as unknown,
    })
    const serial = await serialNow('app')
    const list = read(await done('bob', 'ledger', 'list', '--common-name', 'app', '-o', form))
    expect(list).toMatchObject({
      items: [{ serialNumber: serial, state: 'Valid', issuedFor: { namespace: ns, name: 'app' } }],
    })
    const shown = read(await done('bob', 'ledger', 'show', serial, '-o', form))
    expect(shown).toMatchObject({
      serialNumber: serial,
      certificate: expect.stringContaining('BEGIN CERTIFICATE') as string,
    })
    const inspected = read(await done('alice', 'inspect', `${ns}/app-tls`, '-o', form))
    expect(inspected).toMatchObject({ items: [{ source: `Secret ${ns}/app-tls` }] })
    expect(JSON.stringify(inspected)).not.toContain('PRIVATE KEY')
    const verified = read(await done('alice', 'verify', `${ns}/app-tls`, '-o', form))
    expect(verified).toEqual({
      source: `Secret ${ns}/app-tls`,
      ok: true,
      verified: ['chain', 'key', 'names'],
      problems: [],
    })
  })
  it('take all namespaces from an administrator alone', async () => {
    expect((await dbtls(rig.plane.adminKubeconfig, 'status', 'dbcert', '-A')).stdout).toMatch(
      new RegExp(`NAMESPACE[^]*${other} +DatabaseCertificate/lonely +Stalled[^]*${ns} +DatabaseCertificate/orders`),
    )
    expect(await refused(1, 'bob', 'status', '-A')).toMatch(
      /User "bob" cannot list resource "[a-z]+" in API group "dbtls.dev" at the cluster scope/,
    )
    expect(await refused(1, 'bob', 'ledger', 'list', '-A')).toContain('cannot list resource "issuedcertificates"')
  })
})

describe('renew', () => {
  it('waits until the new serial number is delivered', async () => {
    const before = await serialNow('orders')
    const out = await done('alice', 'renew', 'orders', '--wait')
    const [, told] = /^renewed +DatabaseCertificate e2e-cli\/orders: serial ([0-9A-F]+), until /m.exec(out) ?? []
    expect(told).not.toBe(before)
    expect(serialOf(await rig.secret(ns, 'orders-tls'))).toBe(told)
  })
  it('renews those of an authority, and all, no other', async () => {
    const quiet = await serialNow('quiet')
    expect(await done('alice', 'renew', '--authority', 'ca', '--wait')).toMatch(/renewed[^]*renewed/)
    expect(await serialNow('quiet')).toBe(quiet)
    const out = await done('alice', 'renew', '--all', '--wait', '--per-second', '100')
    expect(out.match(/^renewed /gm)).toHaveLength(3)
    expect(await serialNow('quiet')).not.toBe(quiet)
  })
  it('says at the end of its time which it still waits for, and so does revoke', async () => {
    const [operator] = rig.operators
    const serial = await serialNow('app')
    operator?.sigstop()
    try {
      const { code, stdout, stderr } = await dbtls('alice', 'renew', 'app', '--wait', '--timeout', '1')
      expect([code, stdout]).toEqual([1, `asked for  DatabaseCertificate ${ns}/app\n`])
      expect(stderr).toBe(`not yet    DatabaseCertificate ${ns}/app: the operator has not come to it\n`)
      const held = ['--certificate', 'app', '--reason', 'certificateHold', '--wait', '--timeout', '1']
      expect(await refused(1, 'alice', 'revoke', ...held)).toBe(
        'not yet    the revocation list of CertificateAuthority ca does not say so\n',
      )
    } finally {
      operator?.sigcont()
    }
    await done('alice', 'revoke', serial, '--authority', 'ca', '--unhold', '--wait')
    await done('alice', 'renew', 'app', '--wait')
  })
})

describe('revoke', () => {
  const listed = async (): Promise<string[]> => {
    const map = await rig.api.get<CustomThing & { data: Record<string, string> }>('configmaps', ns, 'ca-crl')
    writeFileSync(join(folder, 'now.crl'), map.data['ca.crl'] ?? '')
    const { stdout } = await run('openssl', ['crl', '-in', join(folder, 'now.crl'), '-noout', '-text'])
    return [...stdout.matchAll(/Serial Number: ([0-9A-F]+)/g)].map(([, serial = '']) => serial)
  }
  it('by serial number waits until the list has it; what was in use is issued anew', async () => {
    const serial = await serialNow('orders')
    const out = await done(
      'alice',
      'revoke',
      serial.toLowerCase(),
      '--authority',
      'ca',
      '--reason',
      'keyCompromise',
      '--wait',
    )
    expect(out).toMatch(
      new RegExp(`^revoked +${serial} \\(${ns}/orders\\): keyCompromise\nlisted +revocation list \\d+ of`),
    )
    expect(await listed()).toContain(serial)
    await eventually('another certificate', async () => (await serialNow('orders')) !== serial)
    expect(await refused(1, 'alice', 'revoke', serial, '--authority', 'ca')).toContain(
      `Already revoked, serial number ${serial} (keyCompromise`,
    )
    expect(await refused(1, 'alice', 'revoke', serial, '--authority', 'ca', '--unhold')).toContain(
      'only certificateHold can be taken back',
    )
  })
  it('by name holds, and takes the hold back', async () => {
    const serial = await serialNow('app')
    await done('alice', 'revoke', '--certificate', `${ns}/app`, '--reason', 'certificateHold', '--wait')
    expect(await listed()).toContain(serial)
    expect(await done('bob', 'ledger', 'list', '--status', 'Revoked')).toContain(
      `${serial}   Revoked (certificateHold)`,
    )
    await done('alice', 'revoke', '--certificate', `${ns}/app`, '--unhold', '--wait')
    expect(await listed()).not.toContain(serial)
    expect(await serialNow('app')).toBe(serial)
  })
  it('says where nothing can be waited for, and what is not in the ledger', async () => {
    const { code, stderr } = await dbtls('alice', 'revoke', '--certificate', 'quiet', '--wait')
    expect([code, stderr]).toEqual([
      0,
      'note       CertificateAuthority listless makes no revocation list (spec.crl)\n',
    ])
    expect(await refused(1, 'alice', 'revoke', 'AB', '--authority', 'ca')).toContain(
      'serial number AB is not in the ledger',
    )
    expect(await refused(1, 'alice', 'revoke', 'AB', '--authority', 'no-ca')).toContain(
      `there is no CertificateAuthority ${ns}/no-ca`,
    )
  })
})

describe('inspect and verify', () => {
  it('show what a Secret and a file hold, and judge it', async () => {
    const serial = await serialNow('orders')
    const secret = await rig.secret(ns, 'orders-tls')
    expect(await done('alice', 'inspect', 'orders-tls', '-n', ns)).toMatch(
      new RegExp(`^Secret ${ns}/orders-tls\n[^]*Serial number: +${serial}[^]*tls.key: PEM, 1 private key`),
    )
    expect(await done('alice', 'inspect', `${ns}/ca-ca`)).toMatch(
      /tls.crt: PEM[^]*CA certificate[^]*Subject: +CN=CLI CA,O=Acme/,
    )
    mkdirSync(join(folder, 'mounted'), { recursive: true })
    for (const key of ['tls.crt', 'tls.key', 'ca.crt']) writeFileSync(join(folder, 'mounted', key), textOf(secret, key))
    expect(await done('nobody', 'inspect', './mounted/tls.crt')).toContain(`Serial number:  ${serial}`)
    expect(await done('nobody', 'verify', './mounted', '--name', 'orders.db.svc')).toBe(
      './mounted: verified: chain, key, names\n',
    )
    expect(await done('alice', 'verify', `${ns}/orders-tls`, '--name', '127.0.0.1')).toContain(
      'verified: chain, key, names',
    )
    expect(await refused(1, 'alice', 'verify', `${ns}/orders-tls`, '--name', 'elsewhere.db.svc')).toBe(
      `Secret ${ns}/orders-tls: the certificate is not for elsewhere.db.svc\n`,
    )
    expect(await refused(1, 'alice', 'inspect', `${ns}/missing`)).toContain(`there is no Secret ${ns}/missing`)
  })
  it('verify what a live server serves from the delivered Secret', async () => {
    const secret = await rig.secret(ns, 'orders-tls')
    const server = createServer({ cert: textOf(secret, 'tls.crt'), key: textOf(secret, 'tls.key') }, (socket) =>
      socket.end(),
    )
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as AddressInfo
      const socket = await new Promise<TLSSocket>((resolve, reject) => {
        const opened = connect({ port, host: '127.0.0.1', ca: textOf(secret, 'ca.crt') }, () => resolve(opened))
        opened.once('error', reject)
      })
      const served = socket.getPeerX509Certificate()?.toString() ?? ''
      socket.destroy()
      writeFileSync(join(folder, 'served.pem'), served)
      writeFileSync(join(folder, 'roots.pem'), textOf(secret, 'ca.crt'))
      expect(await done('nobody', 'verify', './served.pem', '--ca', 'roots.pem', '--name', 'localhost')).toContain(
        'verified: chain, names',
      )
    } finally {
      server.close()
    }
  })
  it('tell a revoked certificate from a good one by the list beside it', async () => {
    const mounted = join(folder, 'with-list')
    mkdirSync(mounted)
    const write = async (): Promise<void> => {
      const secret = await rig.secret(ns, 'app-tls')
      for (const key of ['tls.crt', 'tls.key', 'ca.crt']) writeFileSync(join(mounted, key), textOf(secret, key))
      const { data } = await rig.api.get<CustomThing & { data: Record<string, string> }>('configmaps', ns, 'ca-crl')
      writeFileSync(join(mounted, 'ca.crl'), data['ca.crl'] ?? '')
    }
    await write()
    expect(await done('nobody', 'verify', './with-list')).toContain('verified: chain, key, revocation')
    await done('alice', 'revoke', '--certificate', 'app', '--reason', 'certificateHold', '--wait')
    await write()
    expect(await refused(1, 'nobody', 'verify', './with-list')).toMatch(
      /^\.\/with-list: the certificate was revoked at .*\(certificateHold\)\n$/,
    )
    await done('alice', 'revoke', '--certificate', 'app', '--unhold', '--wait')
  })
})

describe('ledger export and import', () => {
  const openssl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run('openssl', args, { cwd: join(folder, 'exported') })
    expect({ args, code, stderr }).toMatchObject({ code: 0 })
    return stdout + stderr
  }
  it('hand a live CA to openssl ca, which goes on, and take back what it did', async () => {
    writeFileSync(join(folder, 'pass'), 'a passphrase of a test\n')
    const keyed = ['--authority', `${ns}/ca`, '--with-key', '--passphrase-file', 'pass']
    expect(await done('alice', 'ledger', 'export', '--openssl', 'exported', ...keyed)).toContain('private key included')
    const pass = ['-passin', 'file:../pass']
    await openssl(
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      'x.key',
      '-out',
      'x.csr',
      '-subj',
      '/CN=by-openssl',
    )
    await openssl('ca', '-batch', '-config', 'openssl.cnf', ...pass, '-in', 'x.csr', '-out', 'x.pem')
    await openssl('ca', '-config', 'openssl.cnf', ...pass, '-revoke', 'x.pem', '-crl_reason', 'superseded')
    await openssl('ca', '-config', 'openssl.cnf', ...pass, '-gencrl', '-out', 'x.crl')
    const [line = ''] = readFileSync(join(folder, 'exported/index.txt'), 'utf8')
      .split('\n')
      .filter((one) => one.endsWith('/CN=by-openssl'))
    const serial = line.split('\t')[3] ?? ''
    const refusal = await refused(1, 'alice', 'ledger', 'import', 'exported', '--authority', `${ns}/ca`)
    expect(refusal).toContain('User "alice" cannot create resource "issuedcertificates" in API group "dbtls.dev"')
    await done(rig.plane.adminKubeconfig, 'ledger', 'import', 'exported', '--authority', `${ns}/ca`)
    expect(await done('bob', 'ledger', 'show', serial)).toMatch(/State: +Revoked at .*reason superseded/)
    await eventually('the revocation on the list', async () => {
      const { data } = await rig.api.get<CustomThing & { data: Record<string, string> }>('configmaps', ns, 'ca-crl')
      writeFileSync(join(folder, 'after.crl'), data['ca.crl'] ?? '')
      return (await run('openssl', ['crl', '-in', join(folder, 'after.crl'), '-noout', '-text'])).stdout.includes(
        serial,
      )
    })
  })
  it('take a folder of openssl ca over into the cluster, where it signs', async () => {
    const manifest = await done(
      rig.plane.adminKubeconfig,
      ...['ledger', 'import', 'exported', '--authority', `${ns}/taken`, '--passphrase-file', 'pass'],
    )
    expect(parse(manifest)).toMatchObject({ kind: 'CertificateAuthority', metadata: { namespace: ns, name: 'taken' } })
    await rig.ready(ns, authorities, 'taken')
    await rig.apply(certificate(ns, 'by-taken', { authorityRef: { name: 'taken' } }))
    await rig.ready(ns, certificates, 'by-taken')
    expect(await done('alice', 'verify', `${ns}/by-taken-tls`)).toContain('verified: chain, key, names')
    const entries = (await rig.api.list<LedgerThing>('issuedcertificates', ns)).filter(
      ({ spec }) => spec.authorityRef.name === 'taken',
    )
    const lines = readFileSync(join(folder, 'exported/index.txt'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[3] ?? '')
    expect(entries.map(({ spec }) => spec.serialNumber)).toEqual(expect.arrayContaining(lines))
  })
})

describe('kubectl dbtls', () => {
  const kubectl = (...args: string[]): Promise<Output> =>
    run('kubectl', args, {
      env: {
        ...process.env,
        KUBECONFIG: people.get('bob'),
        PATH: `${bin}:${rig.plane.info.binaries}:${process.env['PATH']}`,
      },
    })
  it('is the same program', async () => {
    const { code, stdout } = await kubectl('dbtls', 'status', '-n', ns, 'dbcert')
    expect([code, stdout]).toEqual([0, expect.stringContaining('DatabaseCertificate/orders')])
    expect((await kubectl('dbtls', 'status', '--output', 'xml')).code).toBe(2)
    expect((await kubectl('plugin', 'list')).stdout).toContain(join(bin, 'kubectl-dbtls'))
  })
  it('is completed by kubectl', async () => {
    expect((await kubectl('__complete', 'dbtls', 'stat')).stdout).toBe('status\twhat is due, held and failing\n:4\n')
    expect((await kubectl('__complete', 'dbtls', 'ledger', '')).stdout).toMatch(/^list\t[^]*import\t.*\n:4\n$/)
    expect((await kubectl('__complete', 'dbtls', 'status', '--out')).stdout).toMatch(/^--output\t.*\n:4\n$/)
    expect((await kubectl('__complete', 'dbtls', 'inspect', '')).stdout).toBe(':0\n')
  })
})

describe('a person who cannot', () => {
  it.each([
    [['status'], 'cannot list resource "certificateauthorities"'],
    [['status', 'dbcert/orders'], 'cannot get resource "databasecertificates"'],
    [['ledger', 'list'], 'cannot list resource "issuedcertificates"'],
    [['ledger', 'show', 'AB'], 'cannot list resource "issuedcertificates"'],
    [['ledger', 'export', '--openssl', 'no', '--authority', 'ca'], 'cannot get resource "certificateauthorities"'],
    [['renew', 'orders'], 'cannot get resource "databasecertificates"'],
    [['renew', '--all'], 'cannot list resource "databasecertificates"'],
    [['revoke', 'AB', '--authority', 'ca'], 'cannot get resource "issuedcertificates"'],
    [['revoke', '--certificate', 'orders'], 'cannot get resource "databasecertificates"'],
    [['inspect', 'orders-tls', '-n', other], 'cannot get resource "secrets"'],
    [['verify', 'orders-tls', '-n', other], 'cannot get resource "secrets"'],
  ])('%j is told which right is missing', async (args, right) => {
    const said = await refused(1, 'nobody', ...args)
    expect(said).toContain(`dbtls ${args[0]}`)
    expect(said).toContain('the cluster forbids it:')
    expect(said).toContain(`User "bob" ${right}`)
    expect(said.trim().split('\n')).toHaveLength(1)
  })
  it('may look and not touch with the role view', async () => {
    const serial = await serialNow('orders')
    expect(await refused(1, 'bob', 'renew', 'orders')).toContain('cannot patch resource "databasecertificates"')
    expect(await refused(1, 'bob', 'revoke', '--certificate', 'orders')).toContain(
      'cannot update resource "issuedcertificates"',
    )
    expect(await refused(1, 'bob', 'inspect', `${ns}/orders-tls`)).toContain('cannot get resource "secrets"')
    expect(await serialNow('orders')).toBe(serial)
  })
  it('reaches no server, has no valid token or no such context, and is told so', async () => {
    const kubeconfig = readFileSync(people.get('alice') ?? '', 'utf8')
    const variant = (name: string, from: RegExp, to: string): string => {
      const file = join(folder, name)
      writeFileSync(file, kubeconfig.replace(from, to))
      return file
    }
    const closed = variant('closed', /127\.0\.0\.1:\d+/, '127.0.0.1:1')
    const expired = variant('expired', /"token":"[^"]*"/, '"token":"of-yesterday"')
    for (const args of [
      ['status'],
      ['renew', 'orders'],
      ['revoke', 'AB', '--authority', 'ca'],
      ['ledger', 'list'],
      ['inspect', `${ns}/orders-tls`],
    ]) {
      expect(await refused(1, closed, ...args)).toMatch(/the cluster does not answer: .*ECONNREFUSED/)
      expect(await refused(1, expired, ...args)).toContain(
        'does not accept the credentials of the kubeconfig; they may have expired',
      )
    }
    expect(await refused(1, 'alice', 'status', '--context', 'elsewhere')).toContain(
      'the kubeconfig has no context "elsewhere"; it has: test',
    )
    expect(await refused(1, '/nowhere/config', 'status')).toContain('cannot read /nowhere/config')
  })
})

describe('the rights that docs/cli.md lists', () => {
  interface Row {
    readonly verb: string
    readonly rights: readonly (readonly [verb: string, resource: string])[]
  }
  const [, section = ''] = page.split('\n## Rights\n')
  const rows: readonly Row[] = [...section.matchAll(/^\| (`.*?) +\| (`.*?) +\|$/gm)].map(
    ([, verb = '', cell = '']) => ({
      verb,
      rights: [...cell.matchAll(/`([a-z]+) ([a-z/]+)`/g)].map(
        ([, what = '', resource = '']) => [what, resource] as const,
      ),
    }),
  )
  const groupOf = (resource: string): string => (/^(secrets|configmaps)$/.test(resource) ? '' : 'dbtls.dev')

  /** Each with its exit code; together they use every right of the row. */
  const typed = (serial: string): Readonly<Record<string, readonly (readonly [number, ...string[]])[]>> => ({
    '`status`': [
      [0, 'status', '-n', ns],
      [0, 'status', 'dbca', '-n', ns],
    ],
    '`status dbcert/NAME`': [[0, 'status', 'dbcert/orders', '-n', ns]],
    '`ledger list`, `ledger show`': [
      [0, 'ledger', 'list', '--authority', `${ns}/ca`],
      [1, 'ledger', 'list', '--authority', `${ns}/none`],
      [0, 'ledger', 'show', serial, '--authority', `${ns}/ca`],
    ],
    '`renew NAME`': [
      [0, 'renew', 'orders', '-n', ns],
      [0, 'renew', `${ns}/orders`, '--wait'],
    ],
    '`renew --all`, `renew --authority`': [
      [0, 'renew', '--all', '-n', ns, '--wait'],
      [0, 'renew', '--authority', `${ns}/ca`, '-n', ns],
    ],
    '`revoke SERIAL`': [
      [0, 'revoke', serial, '--authority', `${ns}/ca`, '--reason', 'certificateHold'],
      [0, 'revoke', serial, '--authority', `${ns}/ca`, '--unhold', '--wait'],
      [1, 'revoke', 'AB', '--authority', `${ns}/ca`],
    ],
    '`revoke --certificate`': [
      [0, 'revoke', '--certificate', `${ns}/app`, '--reason', 'certificateHold'],
      [0, 'revoke', '--certificate', `${ns}/app`, '--unhold'],
    ],
    '`inspect SECRET`, `verify SECRET`': [
      [0, 'inspect', `${ns}/orders-tls`],
      [0, 'verify', `${ns}/orders-tls`],
    ],
    '`ledger export`': [
      [
        0,
        'ledger',
        'export',
        '--openssl',
        'by-right',
        '--authority',
        `${ns}/ca`,
        '--with-key',
        '--passphrase-file',
        'pass',
      ],
    ],
    '`ledger import`': [
      [0, 'ledger', 'import', 'by-right', '--authority', `${ns}/by-right`, '--passphrase-file', 'pass'],
      [0, 'ledger', 'import', 'by-right', '--authority', `${ns}/by-right`],
    ],
  })

  /** As somebody does with `openssl ca`, so that the next import has something to do. */
  const revokeOneIn = (file: string): void => {
    const lines = readFileSync(file, 'utf8').split('\n')
    const at = lines.findIndex((line) => line.startsWith('V'))
    const [, end, , ...rest] = (lines[at] ?? '').split('\t')
    lines[at] = ['R', end, '260101000000Z,superseded', ...rest].join('\t')
    writeFileSync(file, lines.join('\n'))
  }

  it('are those of every row that is tried here', () => {
    expect(rows.map(({ verb }) => verb)).toEqual(Object.keys(typed('')))
  })

  it.each(rows.map((row, at) => ({ ...row, at })))(
    '$verb needs all of them, and no other',
    async ({ verb, rights, at }) => {
      const name = `person-${at}`
      const rules = rights.map(([what, resource]) => ({
        apiGroups: [groupOf(resource)],
        resources: [resource],
        verbs: [what],
      }))
      await rig.apply(
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: ns } },
        rbac('Role', name, { rules }),
        binding(name, { kind: 'Role', name }, { kind: 'ServiceAccount', name, namespace: ns }),
      )
      const token = (await rig.plane.kubectlOk(['-n', ns, 'create', 'token', name])).trim()
      people.set(name, rig.plane.kubeconfigFor({ token }, ns))
      writeFileSync(join(folder, 'pass'), 'a passphrase of a test\n')
      for (const [code, ...args] of typed(await serialNow('app'))[verb] ?? []) {
        const answer = await dbtls(name, ...args)
        if (args[1] === 'import') revokeOneIn(join(folder, 'by-right/index.txt'))
        expect({ args, ...answer }).toMatchObject({ code })
        expect(answer.stderr).not.toContain('forbids')
      }
      const user = `system:serviceaccount:${ns}:${name}`
      const wanted = new Set(rights.map(([what, resource]) => `${what} ${groupOf(resource)}/${resource}`))
      expect(usedPermissions(rig.plane.auditLog(), { user })).toEqual(wanted)
    },
  )
})
