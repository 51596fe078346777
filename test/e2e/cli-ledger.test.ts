/** The ledger of a live CA handed to openssl and back, and dbtls as a plugin of kubectl. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { eventually, type Output, run } from '../controlplane/harness/index.ts'
import type { CustomThing, LedgerThing } from './support/api.ts'
import { bin, useCli } from './support/cli.ts'
import { certificate } from './support/manifests.ts'
import { authorities, certificates } from './support/rig.ts'

const cli = useCli('e2e-cli-ledger')
const { done, ns, people, refused } = cli

describe('ledger export and import', () => {
  const openssl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run('openssl', args, { cwd: join(cli.folder, 'exported') })
    expect({ args, code, stderr }).toMatchObject({ code: 0 })
    return stdout + stderr
  }
  it('hand a live CA to openssl ca, which goes on, and take back what it did', async () => {
    writeFileSync(join(cli.folder, 'pass'), 'a passphrase of a test\n')
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
    const [line = ''] = readFileSync(join(cli.folder, 'exported/index.txt'), 'utf8')
      .split('\n')
      .filter((one) => one.endsWith('/CN=by-openssl'))
    const serial = line.split('\t')[3] ?? ''
    const refusal = await refused(1, 'alice', 'ledger', 'import', 'exported', '--authority', `${ns}/ca`)
    // The number of its lists comes first: a ledger without it would let one be used again.
    expect(refusal).toContain('User "alice" cannot update resource "certificateauthorities/status"')
    await done('admin', 'ledger', 'import', 'exported', '--authority', `${ns}/ca`)
    expect(await done('bob', 'ledger', 'show', serial)).toMatch(/State: +Revoked at .*reason superseded/)
    await eventually('the revocation on the list', async () => {
      const { data } = await cli.rig.api.get<CustomThing & { data: Record<string, string> }>('configmaps', ns, 'ca-crl')
      writeFileSync(join(cli.folder, 'after.crl'), data['ca.crl'] ?? '')
      return (await run('openssl', ['crl', '-in', join(cli.folder, 'after.crl'), '-noout', '-text'])).stdout.includes(
        serial,
      )
    })
  })
  it('take a cli.folder of openssl ca over into the cluster, where it signs', async () => {
    const manifest = await done(
      'admin',
      ...['ledger', 'import', 'exported', '--authority', `${ns}/taken`, '--passphrase-file', 'pass'],
    )
    expect(parse(manifest)).toMatchObject({ kind: 'CertificateAuthority', metadata: { namespace: ns, name: 'taken' } })
    await cli.rig.ready(ns, authorities, 'taken')
    await cli.rig.apply(certificate(ns, 'by-taken', { authorityRef: { name: 'taken' } }))
    await cli.rig.ready(ns, certificates, 'by-taken')
    expect(await done('alice', 'verify', `${ns}/by-taken-tls`)).toContain('verified: chain, key, names')
    const entries = (await cli.rig.api.list<LedgerThing>('issuedcertificates', ns)).filter(
      ({ spec }) => spec.authorityRef.name === 'taken',
    )
    const lines = readFileSync(join(cli.folder, 'exported/index.txt'), 'utf8')
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
        PATH: `${bin}:${cli.rig.plane.info.binaries}:${process.env['PATH']}`,
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
