import { X509Certificate } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureNamespace, eventually } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import { readPkcs12 } from '../../src/material/pkcs12-reader.ts'
import type { CustomThing, SecretThing, Thing } from './support/api.ts'
import { authority } from './support/manifests.ts'
import { Page, typeOn } from './support/page.ts'
import { Rig, authorities } from './support/rig.ts'

interface MapThing extends Thing {
  readonly data?: Readonly<Record<string, string>>
  readonly binaryData?: Readonly<Record<string, string>>
}

const page = new Page('docs/trust-targets.md')
const [example = ''] = page.blocks('yaml')

/** Of the page's example. */
const home = 'data'
const [shop, plain, late] = ['e2e-trust-shop', 'e2e-trust-plain', 'e2e-trust-late'] as const
/** The garbage collector needs at most so long for a child whose owner is in another namespace: six seconds were seen. */
const collectedWithinMs = 10_000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe('trust targets', () => {
  let rig: Rig
  const label = (name: string, value: string | null) =>
    rig.plane.kubectlOk(['label', 'namespace', name, value === null ? 'uses-database-' : `uses-database=${value}`])
  const map = (namespace: string): Promise<MapThing | undefined> =>
    rig.api.find('configmaps', namespace, 'orders-trust')
  const mapIn = (namespace: string): Promise<MapThing> =>
    eventually(`the bundle in ${namespace}`, async () => (await map(namespace)) ?? false)
  const goneFrom = (namespace: string) =>
    eventually(`the bundle to leave ${namespace}`, async () => (await map(namespace)) === undefined)
  const rootOf = async (): Promise<string> =>
    Buffer.from((await rig.secret(home, 'orders-ca-ca')).data?.['ca.crt'] ?? '', 'base64').toString()

  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-trust-operator' }, [home, shop, plain])
    await label(shop, 'orders')
    await rig.operator()
    await rig.plane.apply(example)
    await rig.ready(home, authorities, 'orders-ca')
  })
  afterAll(async () => {
    await rig.plane.kubectl(['delete', 'namespace', '--ignore-not-found', late])
    await rig.stop()
  })

  it('are written as the page says, and nowhere else', async () => {
    const { data, binaryData } = await mapIn(shop)
    expect(data).toEqual({ 'ca.crt': await rootOf() })
    const store = await readPkcs12(Buffer.from(binaryData?.['truststore.p12'] ?? '', 'base64'), 'changeit')
    expect(store.trusted.map(({ alias }) => alias)).toEqual(['orders'])
    expect(new X509Certificate(Buffer.from(store.trusted[0]?.certificate ?? [])).subject).toBe('CN=Orders CA')
    const kept = await eventually('the Secret', async () => rig.api.find<SecretThing>('secrets', home, 'orders-trust'))
    expect(Object.keys(kept?.data ?? {})).toEqual(['truststore.jks'])
    expect([await map(plain), await map(home)]).toEqual([undefined, undefined])
    const { status } = await eventually('the count', async () => {
      const thing = await rig.api.get<CustomThing & { status?: { trustTargets?: { current?: number } } }>(
        authorities,
        home,
        'orders-ca',
      )
      return thing.status?.trustTargets?.current === 2 && thing
    })
    expect(status?.trustTargets).toMatchObject({ wanted: 2, current: 2 })
    const selected = await rig.plane.kubectlOk([
      ...['get', 'configmaps,secrets', '-A', '-o', 'name', '-l', 'dbtls.dev/trust-of=data.orders-ca'],
    ])
    expect(selected.trim().split('\n').toSorted()).toEqual(['configmap/orders-trust', 'secret/orders-trust'])
  })

  const withJava = spawnSync('keytool', ['-help']).error === undefined
  if (!withJava) console.warn('keytool is not on the PATH: the truststore is not shown to Java')
  it('are looked at with the commands of the page', async () => {
    const folder = rig.plane.tempDir('trust')
    const steps = page.steps()
    expect(steps).toHaveLength(4)
    for (const { command, shows } of steps) {
      if (command.startsWith('keytool') && !withJava) continue
      const { code, stdout, stderr } = await typeOn(rig.plane, folder, command.replace('-n shop ', `-n ${shop} `))
      expect(code, `${command}\n${stderr}`).toBe(0)
      if (command.startsWith('keytool')) expect(stdout).toMatch(/^orders, .*trustedCertEntry/m)
      else if (command.includes('-l ')) expect(stdout).toMatch(/configmap\/orders-trust[^]*secret\/orders-trust/)
      else expect(stdout.replace(/"observed":"[^"]*"/, '"observed":"…"')).toBe(shows.join('\n'))
    }
  })

  it('are not taken by the garbage collector', async () => {
    const before = await mapIn(shop)
    expect(before.metadata.ownerReferences ?? []).toEqual([])
    await pause(collectedWithinMs)
    expect((await mapIn(shop)).metadata).toEqual(before.metadata)
  })

  it('are put right when somebody changes or deletes them, and keep what somebody adds', async () => {
    const root = await rootOf()
    await rig.api.patch('configmaps', shop, 'orders-trust', { data: { 'ca.crt': 'evil', more: 'theirs' } })
    const mended = await eventually('the repair', async () => {
      const seen = await map(shop)
      return seen?.data?.['ca.crt'] === root && seen
    })
    expect(mended.data?.['more']).toBe('theirs')
    await rig.api.patch('configmaps', shop, 'orders-trust', { data: { more: null } })
    await rig.api.delete('configmaps', shop, 'orders-trust')
    await eventually('a new one', async () => {
      const seen = await map(shop)
      return seen !== undefined && seen.metadata.uid !== mended.metadata.uid
    })
  })

  it('follow namespaces that come and change', async () => {
    await ensureNamespace(rig.plane, late)
    await label(late, 'orders')
    await mapIn(late)
    await label(late, null)
    await goneFrom(late)
  })

  it('leave an object of somebody else alone until it is offered, and give it back', async () => {
    const foreign = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'orders-trust', namespace: plain },
      data: { theirs: 'x' },
    }
    const made = await rig.api.create('configmaps', plain, foreign)
    await label(plain, 'orders')
    await eventually('the CA to say so', async () => {
      const { status } = await rig.api.get<CustomThing & { status?: { trustTargets?: { message?: string } } }>(
        authorities,
        home,
        'orders-ca',
      )
      return status?.trustTargets?.message?.includes(`ConfigMap "${plain}/orders-trust" exists`) === true
    })
    expect((await mapIn(plain)).metadata.resourceVersion).toBe(made.metadata.resourceVersion)
    await rig.api.patch('configmaps', plain, 'orders-trust', {
      metadata: { annotations: { 'dbtls.dev/adopt': 'true' } },
    })
    await eventually('the adoption', async () => (await map(plain))?.data?.['ca.crt'] !== undefined)
    await label(plain, null)
    const left = await eventually('our keys to go', async () => {
      const seen = await map(plain)
      return seen?.data?.['ca.crt'] === undefined && seen
    })
    expect(left).toMatchObject({ data: foreign.data, metadata: { uid: made.metadata.uid } })
    expect(left.binaryData).toBeUndefined()
    expect(left.metadata.labels).toBeUndefined()
    expect(left.metadata.annotations).toEqual({ 'dbtls.dev/adopt': 'true' })
  })

  it('wait for a namespace that does not exist, and leave one that ends to itself', async () => {
    await rig.plane.kubectl(['delete', 'namespace', '--timeout=60s', late])
    await rig.apply(
      authority(shop, 'waiting', {
        trustBundle: {
          targets: [
            {
              kind: 'ConfigMap',
              name: 'orders-trust',
              namespaces: { from: 'Names', names: [late] },
              items: [{ key: 'ca.crt', content: 'TrustBundle' }],
            },
          ],
        },
      }),
    )
    await eventually('the CA to say so', async () => {
      const { status } = await rig.api.get<CustomThing & { status?: { trustTargets?: { message?: string } } }>(
        authorities,
        shop,
        'waiting',
      )
      return status?.trustTargets?.message?.includes(`namespace "${late}" does not exist`) === true
    })
    await ensureNamespace(rig.plane, late)
    await mapIn(late)
    await rig.plane.kubectlOk(['delete', 'namespace', '--timeout=60s', late])
    await rig.api.delete(authorities, shop, 'waiting')
  })

  it('go with their CA, also when it went while no operator ran', async () => {
    await mapIn(shop)
    await rig.quiet()
    for (const operator of rig.operators) await operator.stop()
    await rig.api.delete(authorities, home, 'orders-ca')
    await pause(1000)
    expect(await map(shop)).toBeDefined()
    await rig.operator()
    await goneFrom(shop)
    await eventually(
      'the Secret to go',
      async () => (await rig.api.find('secrets', home, 'orders-trust')) === undefined,
    )
    expect(await rig.api.find('secrets', home, 'orders-ca-ca')).toBeDefined()
  })
})
