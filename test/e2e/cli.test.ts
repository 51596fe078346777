/** What the verbs do on a real API server, for people with the cluster's own roles `view` and `edit`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { eventually, run } from '../controlplane/harness/index.ts'
import type { CustomThing } from './support/api.ts'
import { textOf } from './support/api.ts'
import { useCli } from './support/cli.ts'
import { serialOf } from './support/material.ts'

const cli = useCli('e2e-cli')
const { dbtls, done, ns, other, refused, serialNow } = cli

describe('status and ledger list', () => {
  it('show a namespace to whoever may view it', async () => {
    expect(await done('bob', 'status')).toMatch(
      /KIND\/NAME[^]*CertificateAuthority\/ca +Ready +revocation list in \d+ days[^]*DatabaseCertificate\/orders +Ready[^]*5 of 5 ready\n$/,
    )
    expect(await done('bob', 'status', 'dbcert/orders', '-n', ns)).toContain(`DatabaseCertificate:  ${ns}/orders`)
    expect(await done('bob', 'ledger', 'list', '--authority', 'ca')).toMatch(/app +CN=app[^]*certificates: \d+ valid/)
  })
  it('tell exit code 1 where something is not Ready, and why', async () => {
    const { code, stderr } = await dbtls('admin', 'status', '-n', other)
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
    expect((await dbtls('admin', 'status', 'dbcert', '-A')).stdout).toMatch(
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
    expect(serialOf(await cli.rig.secret(ns, 'orders-tls'))).toBe(told)
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
    const [operator] = cli.rig.operators
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

describe('rotate', () => {
  it('holds and releases what no manifest names', async () => {
    expect(await done('alice', 'rotate', 'listless', '--hold', 'DropSoak')).toBe(
      `held       CertificateAuthority ${ns}/listless: no rotation of it goes past DropSoak until --release\n`,
    )
    expect(await done('alice', 'rotate', 'listless', '--release')).toMatch(/^released .*it was held at DropSoak\n$/)
  })
  it('leaves to whoever applies a manifest what it says', async () => {
    const { spec } = await cli.rig.api.get<CustomThing & { spec: object }>('certificateauthorities', ns, 'listless')
    const declared = {
      ...{
        apiVersion: 'dbtls.dev/v1alpha1',
        kind: 'CertificateAuthority',
        metadata: { name: 'listless', namespace: ns },
      },
      spec: { ...spec, rotation: { holdAt: 'Signing' } },
    }
    const apply = (text: string) =>
      cli.rig.plane.kubectlOk(['apply', '--server-side', '--field-manager=git', '--force-conflicts', '-f', '-'], text)
    await apply(JSON.stringify(declared))
    expect(await refused(1, 'alice', 'rotate', 'listless', '--release')).toBe(
      `dbtls rotate: spec.rotation.holdAt of CertificateAuthority ${ns}/listless is set by "git", which would set it back: change it there\n`,
    )
    await apply(JSON.stringify({ ...declared, spec }))
  })
  it('takes over what kubectl filled in, which nobody chose', async () => {
    const text = `apiVersion: dbtls.dev/v1alpha1
kind: CertificateAuthority
metadata: {name: by-hand, namespace: ${ns}}
spec: {source: {selfSigned: {}}, subject: {commonName: By hand}, rotation: {trustSoak: 1h}}
`
    await cli.rig.plane.kubectlOk(['apply', '-f', '-'], text)
    expect(await done('alice', 'rotate', 'by-hand', '--hold', 'Signing')).toMatch(/^held /)
    await cli.rig.plane.kubectlOk(['apply', '-f', '-'], text)
    expect(await done('alice', 'rotate', 'by-hand', '--release')).toMatch(/^released /)
    await cli.rig.plane.kubectlOk(['-n', ns, 'delete', 'certificateauthority', 'by-hand'])
  })
})

describe('revoke', () => {
  const listed = async (): Promise<string[]> => {
    const map = await cli.rig.api.get<CustomThing & { data: Record<string, string> }>('configmaps', ns, 'ca-crl')
    writeFileSync(join(cli.folder, 'now.crl'), map.data['ca.crl'] ?? '')
    const { stdout } = await run('openssl', ['crl', '-in', join(cli.folder, 'now.crl'), '-noout', '-text'])
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
    const secret = await cli.rig.secret(ns, 'orders-tls')
    expect(await done('alice', 'inspect', 'orders-tls', '-n', ns)).toMatch(
      new RegExp(`^Secret ${ns}/orders-tls\n[^]*Serial number: +${serial}[^]*tls.key: PEM, 1 private key`),
    )
    expect(await done('alice', 'inspect', `${ns}/ca-ca`)).toMatch(
      /tls.crt: PEM[^]*CA certificate[^]*Subject: +CN=CLI CA,O=Acme/,
    )
    mkdirSync(join(cli.folder, 'mounted'), { recursive: true })
    for (const key of ['tls.crt', 'tls.key', 'ca.crt'])
      writeFileSync(join(cli.folder, 'mounted', key), textOf(secret, key))
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
    const secret = await cli.rig.secret(ns, 'orders-tls')
    const pair = { cert: textOf(secret, 'tls.crt'), key: textOf(secret, 'tls.key'), ca: textOf(secret, 'ca.crt') }
    const server = createServer({ ...pair, requestCert: true, rejectUnauthorized: false }, (socket) => {
      socket.on('error', () => undefined)
      socket.resume()
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    try {
      const where = `127.0.0.1:${(server.address() as AddressInfo).port}`
      const live = ['--engine', 'Etcd', '--endpoint', where]
      expect(await done('alice', 'verify', `${ns}/orders-tls`, ...live)).toMatch(
        /: verified: chain, key, names\n127.*asks clients for a certificate/,
      )
      expect(await done('alice', 'verify', `${ns}/app-tls`, ...live)).toMatch(/takes this one\n$/)
      expect(await refused(1, 'alice', 'verify', `${ns}/quiet-tls`, ...live)).toContain('no trusted CA leads to it')
      await done('alice', 'renew', 'orders', '--wait')
      expect(await refused(1, 'alice', 'verify', `${ns}/orders-tls`, ...live)).toMatch(
        /serves [0-9A-F]+, and not [0-9A-F]+ as it is here/,
      )
    } finally {
      server.close()
    }
  })
  it('tell a revoked certificate from a good one by the list beside it', async () => {
    const mounted = join(cli.folder, 'with-list')
    mkdirSync(mounted)
    const write = async (): Promise<void> => {
      const secret = await cli.rig.secret(ns, 'app-tls')
      for (const key of ['tls.crt', 'tls.key', 'ca.crt']) writeFileSync(join(mounted, key), textOf(secret, key))
      const { data } = await cli.rig.api.get<CustomThing & { data: Record<string, string> }>('configmaps', ns, 'ca-crl')
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
