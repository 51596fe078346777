import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, run } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import { verifyWithAll, verifyWithJava } from '../oracles/oracles.ts'
import type { CustomThing, SecretThing } from './support/api.ts'
import { bytesOf, textOf } from './support/api.ts'
import { entriesFor } from './support/ledger.ts'
import { certificate, everyItem, opaqueSecret } from './support/manifests.ts'
import { leafOf, problemsOf, serialOf } from './support/material.ts'
import { Rig, certificates } from './support/rig.ts'

const quickstart = fileURLToPath(new URL('../../examples/quickstart/', import.meta.url))
const ns = 'data'

describe('the quickstart on a cluster', () => {
  let rig: Rig
  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-quickstart' }, [ns])
    await rig.operator()
    await rig.plane.kubectlOk(['apply', '-f', quickstart])
    const kinds = 'certificateauthorities,databasecertificates'
    await rig.plane.kubectlOk(['-n', ns, 'wait', '--for=condition=Ready', '--timeout=60s', '--all', kinds])
  })
  afterAll(() => rig.stop())

  const written = async (name: string): Promise<{ dir: string; secret: SecretThing }> => {
    const secret = await rig.secret(ns, name)
    const dir = join(rig.plane.tempDir('secret'), name)
    mkdirSync(dir)
    for (const key of Object.keys(secret.data ?? {})) writeFileSync(join(dir, key), bytesOf(secret, key))
    return { dir, secret }
  }

  it.each([
    { name: 'orders-mysql-tls', dnsName: 'orders-mysql.data.svc' },
    { name: 'reports-tls', password: 'change-me-please' },
  ])('delivers what openssl, Go, Python and Java accept: $name', async ({ name, ...options }) => {
    const { dir } = await written(name)
    for (const verdict of await verifyWithAll(dir, options)) {
      if (verdict.skipped !== undefined) continue
      // Python's cryptography knows the Web's profile alone, in which a client is never told by its common name.
      const problems = verdict.problems.filter(
        (one) => 'dnsName' in options || !one.includes('2.5.29.17: Certificate is missing'),
      )
      expect(problems, verdict.oracle).toEqual([])
    }
  })

  it('delivers keystores that Java loads and keytool lists under the password published beside them', async () => {
    const { dir, secret } = await written('orders-app-tls')
    const password = textOf(secret, 'password')
    const verdict = await verifyWithJava(dir, { password })
    if (verdict.skipped !== undefined) return
    expect(verdict.problems).toEqual([])
    const aliases = { 'keystore.p12': 'mysqlclient', 'keystore.jks': 'mysqlclient', 'truststore.p12': 'mysqlcacert' }
    for (const [file, alias] of Object.entries(aliases)) {
      const args = ['-list', '-keystore', join(dir, file), '-storepass:env', 'STORE_PASSWORD']
      const { stdout, code } = await run('keytool', args, { env: { ...process.env, STORE_PASSWORD: password } })
      expect(stdout).toContain(alias)
      expect(code).toBe(0)
    }
  })

  it('shows people what they ask for: columns, short names, the category pki', async () => {
    const columns = await rig.plane.kubectlOk(['-n', ns, 'get', 'dbcert'])
    expect(
      columns
        .split('\n')[0]
        ?.split(/ {2,}/)
        .map((title) => title.trim()),
    ).toEqual(expect.arrayContaining(['NAME', 'READY', 'AUTHORITY', 'SECRET', 'NOTAFTER', 'AGE']))
    expect(columns).toMatch(/^orders-mysql +True +Issued +orders-ca +orders-mysql-tls/m)
    const everything = await rig.plane.kubectlOk(['-n', ns, 'get', 'pki', '-o', 'name'])
    for (const name of [
      'certificateauthority.dbtls.dev/orders-ca',
      'databasecertificate.dbtls.dev/orders-mysql',
      'issuedcertificate.dbtls.dev/orders-ca-',
    ])
      expect(everything).toContain(name)
  })

  it('has one ledger entry for each certificate, and one event', async () => {
    for (const name of ['orders-mysql', 'orders-app', 'reports']) {
      const { status } = await rig.api.get<CustomThing>(certificates, ns, name)
      const entries = await entriesFor(rig.api, ns, name)
      expect(entries.map(({ spec }) => spec.serialNumber)).toEqual([status?.serialNumber])
      await eventually('the event', async () => {
        const text = await rig.plane.kubectlOk(['-n', ns, 'events', '--for', `databasecertificate/${name}`])
        return text.split('\n').filter((line) => line.includes('Issued')).length === 1
      })
    }
  })
})

describe('a change in Git', () => {
  const name = 'rolling'
  const secretName = `${name}-tls`
  const home = 'e2e-changes'
  const base = {
    keystore: { passwordSecretRef: { name: 'word' } },
    secret: { type: 'Opaque', items: everyItem, labels: { team: 'orders' } },
    authorityRef: { name: 'orders-ca' },
  }
  let rig: Rig
  let spec: Record<string, unknown> & { secret?: Record<string, unknown> } = base

  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-changes-operator' }, [home])
    await rig.operator()
    await rig.apply(
      {
        ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'CertificateAuthority' },
        metadata: { name: 'orders-ca', namespace: home },
        spec: { source: { selfSigned: {} }, subject: { commonName: 'Orders CA' } },
      },
      opaqueSecret(home, 'word', { password: 'first-password' }),
      certificate(home, name, spec),
    )
    await rig.ready(home, certificates, name)
  })
  afterAll(() => rig.stop())

  const withSpec = (change: Record<string, unknown>, secret: Record<string, unknown> = {}) => {
    spec = { ...spec, ...change, secret: { ...spec.secret, ...secret } }
    return rig.apply(certificate(home, name, spec))
  }
  const itemsWith = (key: string, change: Record<string, unknown>) =>
    everyItem.map((item) => (item.key === key ? { ...item, ...change } : item))

  interface Row {
    readonly what: string
    readonly change: () => Promise<unknown>
    readonly shows: (secret: SecretThing) => boolean
    readonly issues: boolean
    readonly password?: string
  }

  it.each<Row>([
    {
      what: 'renewTrigger',
      change: () => withSpec({ renewTrigger: '2026-03' }),
      shows: (secret) => secret.metadata.annotations?.['dbtls.dev/renew-trigger'] === '2026-03',
      issues: true,
    },
    {
      what: 'another DNS name',
      change: () => withSpec({ dnsNames: ['rolling.db.svc', 'second.db.svc'] }),
      shows: (secret) => leafOf(secret).subjectAltName?.includes('DNS:second.db.svc') === true,
      issues: true,
    },
    {
      what: 'another key algorithm',
      change: () => withSpec({ privateKey: { algorithm: 'ECDSA', size: 384 } }),
      shows: (secret) => leafOf(secret).publicKey.asymmetricKeyDetails?.namedCurve === 'secp384r1',
      issues: true,
    },
    {
      what: 'another password in the referenced Secret',
      change: () => rig.api.patch('secrets', home, 'word', { stringData: { password: 'second-password' } }),
      shows: (secret) => textOf(secret, 'password') === 'second-password',
      issues: false,
      password: 'second-password',
    },
    {
      what: 'another alias',
      change: () => withSpec({}, { items: itemsWith('keystore.jks', { alias: 'renamed' }) }),
      shows: (secret) => bytesOf(secret, 'keystore.jks').includes('renamed'),
      issues: false,
    },
    {
      what: 'another PKCS#12 profile',
      change: () => withSpec({ keystore: { ...base.keystore, pkcs12Profile: 'LegacyDES' } }),
      // The object identifier of pbeWithSHAAnd3-KeyTripleDES-CBC.
      shows: (secret) => bytesOf(secret, 'keystore.p12').includes(Buffer.from('060a2a864886f70d010c0103', 'hex')),
      issues: false,
    },
    {
      what: 'another item',
      change: () => withSpec({}, { items: [...everyItem, { key: 'extra.pem', content: 'Certificate' }] }),
      shows: (secret) => secret.data?.['extra.pem'] !== undefined,
      issues: false,
    },
    {
      what: 'an item less',
      change: () => withSpec({}, { items: everyItem }),
      shows: (secret) => secret.data?.['extra.pem'] === undefined,
      issues: false,
    },
    {
      what: 'other labels on the Secret',
      change: () => withSpec({}, { labels: { tier: 'gold' } }),
      shows: ({ metadata }) => metadata.labels?.['tier'] === 'gold' && metadata.labels['team'] === undefined,
      issues: false,
    },
    {
      what: 'another renewal window',
      change: () => withSpec({ renewBefore: '10d' }),
      shows: () => true,
      issues: false,
    },
  ])('$what rolls exactly what it must', async ({ what, change, shows, issues, password }) => {
    const before = await rig.secret(home, secretName)
    const entries = (await entriesFor(rig.api, home, name)).length
    await change()
    const after = await rig.secretUntil(`the Secret to show ${what}`, home, secretName, shows)
    const { status } = await rig.ready(home, certificates, name)
    expect(serialOf(after) === serialOf(before)).toBe(!issues)
    expect(status?.serialNumber).toBe(serialOf(after))
    expect((await entriesFor(rig.api, home, name)).length - entries).toBe(issues ? 1 : 0)
    expect(await problemsOf(after, password ?? textOf(after, 'password'), Date.now())).toEqual([])
  })

  it('is no reason to write the Secret again when it changes nothing of it', async () => {
    await rig.quiet()
    const before = await rig.secret(home, secretName)
    await withSpec({ renewBefore: '11d' })
    await rig.ready(home, certificates, name)
    await rig.quiet()
    expect((await rig.secret(home, secretName)).metadata.resourceVersion).toBe(before.metadata.resourceVersion)
  })

  it('removes the Secret with its certificate, unless it is to be retained', async () => {
    await rig.apply(
      certificate(home, 'going', { authorityRef: { name: 'orders-ca' } }),
      certificate(home, 'staying', { authorityRef: { name: 'orders-ca' }, secret: { deletionPolicy: 'Retain' } }),
    )
    await rig.ready(home, certificates, 'going')
    await rig.ready(home, certificates, 'staying')
    await rig.api.delete(certificates, home, 'going')
    await rig.api.delete(certificates, home, 'staying')
    await eventually('the Secret to go', async () => (await rig.api.find('secrets', home, 'going-tls')) === undefined)
    const kept = await rig.secret(home, 'staying-tls')
    expect(await problemsOf(kept, undefined, Date.now())).toEqual([])
  })
})
