/** The rights that docs/cli.md lists: somebody with these and nothing else can do what they are for, and the audit log shows all used. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { must, usedPermissions } from '../controlplane/harness/index.ts'
import { binding, rbac, useCli } from './support/cli.ts'

const cli = useCli('e2e-cli-rights')
const { dbtls, ns, other, people, refused, serialNow } = cli
/** A profile, for what is done to one. */
const billing = {
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'DatabaseTLSProfile',
  metadata: { name: 'billing', namespace: ns },
  spec: { engine: 'PostgreSQL', authorityRef: { name: 'ca' }, topology: { services: ['billing'] } },
}
const page = readFileSync(fileURLToPath(new URL('../../docs/cli.md', import.meta.url)), 'utf8')

beforeAll(async () => {
  await cli.rig.apply(billing)
  await serialNow('billing-server')
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
    [['rotate', 'ca'], 'cannot get resource "certificateauthorities"'],
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
    expect(await refused(1, 'bob', 'rotate', 'ca')).toContain('cannot update resource "certificateauthorities"')
    expect(await refused(1, 'bob', 'revoke', '--certificate', 'orders')).toContain(
      'cannot update resource "issuedcertificates"',
    )
    expect(await refused(1, 'bob', 'inspect', `${ns}/orders-tls`)).toContain('cannot get resource "secrets"')
    expect(await serialNow('orders')).toBe(serial)
  })
  it('reaches no server, has no valid token or no such context, and is told so', async () => {
    const kubeconfig = readFileSync(people.get('alice') ?? '', 'utf8')
    const variant = (name: string, from: RegExp, to: string): string => {
      const file = join(cli.folder, name)
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
  const groupOf = (resource: string): string => (/^(secrets|configmaps|namespaces)$/.test(resource) ? '' : 'dbtls.dev')

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
    '`renew --profile`': [[0, 'renew', '--profile', `${ns}/billing`]],
    '`rotate`': [
      [0, 'rotate', `${ns}/ca`, '--hold', 'TrustBoth'],
      [0, 'rotate', `${ns}/ca`, '--release'],
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
    '`sign`': [
      [0, 'sign', '-f', 'good.csr', '--authority', `${ns}/ca`, '--dry-run'],
      [0, 'sign', '-f', 'good.csr', '--authority', `${ns}/ca`],
      // Made, judged by the operator, and taken away.
      [1, 'sign', '-f', 'bad.csr', '--authority', `${ns}/ca`],
    ],
  })

  const request = async (name: string, ...extensions: readonly string[]): Promise<void> => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`]
    const args = ['req', '-new', ...key, '-subj', `/CN=${name}.db.svc`, '-out', `${name}.csr`]
    await must('openssl', [...args, ...extensions.flatMap((one) => ['-addext', one])], { cwd: cli.folder })
  }

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
      await cli.rig.apply(
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: ns } },
        rbac(ns, 'Role', name, { rules }),
        binding(ns, name, { kind: 'Role', name }, { kind: 'ServiceAccount', name, namespace: ns }),
      )
      const token = (await cli.rig.plane.kubectlOk(['-n', ns, 'create', 'token', name])).trim()
      people.set(name, cli.rig.plane.kubeconfigFor({ token }, ns))
      writeFileSync(join(cli.folder, 'pass'), 'a passphrase of a test\n')
      await request('good')
      await request('bad', 'basicConstraints=critical,CA:TRUE')
      for (const [code, ...args] of typed(await serialNow('app'))[verb] ?? []) {
        const answer = await dbtls(name, ...args)
        if (args[1] === 'import') revokeOneIn(join(cli.folder, 'by-right/index.txt'))
        expect({ args, ...answer }).toMatchObject({ code })
        expect(answer.stderr).not.toContain('forbids')
      }
      const user = `system:serviceaccount:${ns}:${name}`
      // That one is asked for by admission, in the API server itself.
      const asked = rights.filter(([what]) => what !== 'use')
      const wanted = new Set(asked.map(([what, resource]) => `${what} ${groupOf(resource)}/${resource}`))
      expect(usedPermissions(cli.rig.plane.auditLog(), { user })).toEqual(wanted)
    },
  )
})
