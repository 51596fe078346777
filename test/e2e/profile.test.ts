/** A profile on a real control plane: applied by kubectl, waited for, looked at, changed, and gone with all it made. */
import { X509Certificate } from 'node:crypto'
import { cpSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { eventually, selectRequests } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing, Thing } from './support/api.ts'
import { textOf } from './support/api.ts'
import type { Manifest } from './support/manifests.ts'
import { authority, certificate } from './support/manifests.ts'
import { problemsOf } from './support/material.ts'
import { Page, typeOn } from './support/page.ts'
import { Rig, certificates } from './support/rig.ts'

const profiles = 'databasetlsprofiles'
const ns = 'e2e-profile'
const other = 'e2e-profile-going'
/** Of the page's example. */
const home = 'data'
const repository = fileURLToPath(new URL('../../', import.meta.url))
const page = new Page('docs/profiles.md')

interface MapThing extends Thing {
  readonly data?: Readonly<Record<string, string>>
}

interface ProfileThing extends CustomThing {
  readonly status?: CustomThing['status'] & {
    readonly certificates?: readonly {
      readonly name: string
      readonly secretName: string
      readonly serialNumber: string
    }[]
  }
}

const profile = (spec: Record<string, unknown> = {}, namespace = ns, name = 'orders'): Manifest => ({
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'DatabaseTLSProfile',
  metadata: { name, namespace },
  spec: { engine: 'MySQL', authorityRef: { name: 'ca' }, topology: { services: [name] }, ...spec },
})

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start(sharedControlPlane(), { release: 'e2e-profile-operator' }, [ns, other, home])
  await rig.operator()
  await rig.apply(authority(ns, 'ca'), authority(other, 'ca'))
})
afterAll(() => rig.stop())

const statusOf = async (name = 'orders') => (await rig.api.get<ProfileThing>(profiles, ns, name)).status
const mapOf = (name: string, namespace = ns) => rig.api.find<MapThing>('configmaps', namespace, name)

describe('the page of profiles', () => {
  it('is typed on a cluster and without one', async () => {
    const folder = rig.plane.tempDir('profiles')
    for (const name of ['bin', 'src', 'node_modules', 'package.json'])
      symlinkSync(join(repository, name), join(folder, name))
    cpSync(join(repository, 'examples'), join(folder, 'examples'), { recursive: true })
    const steps = page.steps()
    expect(steps).toHaveLength(6)
    for (const { command, shows } of steps) {
      const { code, stdout, stderr } = await typeOn(rig.plane, folder, command)
      expect(code, `${command}\n${stderr}`).toBe(0)
      if (shows.length > 0) expect(stdout.trimEnd().split('\n'), command).toEqual(shows)
      if (command.includes('accounts')) expect(stdout).toContain("'app'@'%' REQUIRE X509")
      if (command.startsWith('cat')) expect(stdout).toContain('## app')
    }
  })

  it('shows the profile of the example', () => {
    const [shown = ''] = page.blocks('yaml')
    const example = readFileSync(join(repository, 'examples/profile/20-mysql.yaml'), 'utf8')
    expect(parseAllDocuments(shown)[0]?.toJS()).toEqual(parseAllDocuments(example)[0]?.toJS())
  })

  it('shows what openssl and the names of the servers agree with', async () => {
    const secret = await rig.secret(home, 'orders-server-tls')
    expect(await problemsOf(secret, undefined, Date.now())).toEqual([])
    const leaf = new X509Certificate(textOf(secret, 'tls.crt'))
    for (const host of ['orders-mysql.data.svc', 'orders-mysql-2.orders-mysql-headless.data.svc.cluster.local'])
      expect(leaf.checkHost(host), host).toBeDefined()
  })
})

describe('a profile', () => {
  it('is Ready with everything in it, and status says which certificates', async () => {
    await rig.apply(profile({ clients: [{ name: 'app', java: true }, { name: 'report' }] }))
    await rig.plane.kubectlOk(['-n', ns, 'wait', 'dbtls/orders', '--for=condition=Ready', '--timeout=60s'])
    const status = await statusOf()
    expect(status?.certificates?.map(({ name }) => name)).toEqual(['orders-server', 'orders-app', 'orders-report'])
    for (const { secretName, serialNumber } of status?.certificates ?? []) {
      const secret = await rig.secret(ns, secretName)
      expect(new X509Certificate(textOf(secret, 'tls.crt')).serialNumber).toBe(serialNumber)
    }
    expect((await mapOf('orders-tls-config'))?.data?.['accounts.sql']).toContain("'app'@'%'")
    expect(await rig.plane.kubectlOk(['-n', ns, 'get', 'dbtls', 'orders'])).toMatch(
      /orders\s+True\s+Ready\s+MySQL\s+ca/,
    )
  })

  it('writes nothing at rest, and was told of in a few writes', async () => {
    await rig.quiet(5_000)
    const told = selectRequests(rig.plane.auditLog(), { user: rig.chart.user }).filter(
      ({ verb, objectRef }) => verb === 'update' && objectRef?.resource === profiles && objectRef.namespace === ns,
    )
    expect(told.length).toBeLessThanOrEqual(3)
    const since = Date.now()
    await new Promise((resolve) => setTimeout(resolve, 10_000))
    expect(rig.writes(since).map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([])
  }, 60_000)

  it('keeps what people add beside it, and puts back what it applied', async () => {
    const items = [{ key: 'extra.der', content: 'CertificateDER' }]
    const patch = { metadata: { labels: { team: 'orders' } }, spec: { dnsNames: ['evil.example.com'] } }
    const before = await rig.api.get<CustomThing>(certificates, ns, 'orders-server')
    await rig.api.patch(certificates, ns, 'orders-server', patch)
    await rig.plane.apply(
      JSON.stringify({
        apiVersion: 'dbtls.dev/v1alpha1',
        kind: 'DatabaseCertificate',
        metadata: { name: 'orders-server', namespace: ns },
        spec: { secret: { items } },
      }),
    )
    const secret = await rig.secretUntil('the item', ns, 'orders-server-tls', ({ data }) => 'extra.der' in (data ?? {}))
    expect(secret.data?.['tls.key']).toBeDefined()
    await eventually('the names to be put back', async () => {
      const { spec } = await rig.api.get<CustomThing>(certificates, ns, 'orders-server')
      return JSON.stringify(spec['dnsNames']) === JSON.stringify(before.spec['dnsNames'])
    })
    await rig.ready(ns, profiles, 'orders')
    const { metadata } = await rig.api.get<CustomThing>(certificates, ns, 'orders-server')
    expect(metadata.labels?.['team']).toBe('orders')
  })

  it('says whose certificate stands in its way, and goes on when it is gone', async () => {
    await rig.apply(certificate(ns, 'second-app'), profile({ clients: [{ name: 'app' }] }, ns, 'second'))
    const { message } = await rig.refused(ns, profiles, 'second', 'CertificateInTheWay')
    expect(message).toContain('DatabaseCertificate "second-app" was not made for this profile')
    await rig.ready(ns, certificates, 'second-server')
    await rig.api.delete(certificates, ns, 'second-app')
    await rig.ready(ns, profiles, 'second')
  })

  it('goes with certificates and ConfigMaps, and with Secrets as their policy says', async () => {
    await rig.api.patch(certificates, ns, 'orders-report', { spec: { secret: { deletionPolicy: 'Retain' } } })
    const unowned = ({ metadata }: Thing): boolean => (metadata.ownerReferences ?? []).length === 0
    await rig.secretUntil('the owner to go', ns, 'orders-report-tls', unowned)
    await rig.ready(ns, profiles, 'orders')
    await rig.plane.kubectlOk(['-n', ns, 'delete', 'dbtls', 'orders', '--timeout=60s'])
    for (const [plural, name] of [
      [certificates, 'orders-server'],
      [certificates, 'orders-app'],
      [certificates, 'orders-report'],
      ['configmaps', 'orders-tls-config'],
      ['secrets', 'orders-server-tls'],
      ['secrets', 'orders-app-tls'],
    ] as const)
      await eventually(`${name} to go`, async () => (await rig.api.find(plural, ns, name)) === undefined, {
        timeoutMs: 90_000,
      })
    expect((await rig.secret(ns, 'orders-report-tls')).data?.['tls.key']).toBeDefined()
  }, 120_000)

  it('is left alone in a namespace that goes', async () => {
    await rig.apply(profile({}, other))
    await rig.ready(other, profiles, 'orders')
    await rig.plane.kubectlOk(['delete', 'namespace', other, '--timeout=90s'])
    expect(rig.forbidden()).toEqual([])
  }, 120_000)
})
