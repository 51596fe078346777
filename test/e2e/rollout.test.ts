/** Workloads of a profile on the real control plane. No kubelet runs here, so their pods are made Ready by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing, Thing } from './support/api.ts'
import type { Manifest } from './support/manifests.ts'
import { Page } from './support/page.ts'
import { Rig } from './support/rig.ts'

interface WorkloadThing extends Thing {
  readonly spec: {
    readonly template: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } }
  }
  readonly status?: { readonly readyReplicas?: number; readonly observedGeneration?: number }
}
interface PodThing extends Thing {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}
type ProfileThing = CustomThing & {
  readonly status?: {
    readonly reload?: {
      readonly message?: string
      readonly pending?: readonly { readonly name: string; readonly reason: string; readonly message: string }[]
    }
  }
}

const page = new Page('docs/reload.md')
/** Of the page's example. */
const namespace = 'data'
const mark = 'dbtls.dev/restarted-for'
/** As if its pods had been started with another certificate. */
const former = 'aaaaaaaaaaaaaaaa.'

const workload = (kind: 'StatefulSet' | 'Deployment', name: string, annotations: Record<string, string>): Manifest => ({
  ...{ apiVersion: 'apps/v1', kind, metadata: { name, namespace } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    ...(kind === 'StatefulSet'
      ? { serviceName: name }
      : { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }),
    template: {
      metadata: { labels: { app: name }, annotations },
      spec: { containers: [{ name: 'db', image: 'db' }], terminationGracePeriodSeconds: 0 },
    },
  },
})

describe('a rollout', () => {
  let rig: Rig
  const read = async <T>(...what: readonly string[]): Promise<T> =>
    JSON.parse(await rig.plane.kubectlOk(['-n', namespace, 'get', ...what, '-o', 'json'])) as T
  const live = (kind: string, name: string): Promise<WorkloadThing> => read(kind, name)
  const markOf = async (kind: string, name: string): Promise<string | undefined> =>
    (await live(kind, name)).spec.template.metadata.annotations?.[mark]
  const profile = (): Promise<ProfileThing> => rig.api.get<ProfileThing>('databasetlsprofiles', namespace, 'orders')
  const pending = async () => (await profile()).status?.reload?.pending ?? []

  /** What kubelets would do, for pods of one app, or all. */
  const makeReady = async (app?: string): Promise<void> => {
    const { items: pods } = await read<{ items: readonly PodThing[] }>('pods')
    for (const { metadata, status } of pods) {
      const isReady = status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true
      if (isReady || metadata.deletionTimestamp !== undefined) continue
      if (app !== undefined && metadata.labels?.['app'] !== app) continue
      const conditions = [
        { type: 'Ready', status: 'True', lastTransitionTime: new Date(Date.now() - 60_000).toISOString() },
      ]
      const patch = JSON.stringify({ status: { phase: 'Running', conditions } })
      // It may be replaced this very moment.
      await rig.plane.kubectl([
        ...['-n', namespace, 'patch', 'pod', metadata.name, '--subresource=status', '--type=merge', '-p', patch],
      ])
    }
  }
  const ready = (kind: string, name: string) =>
    eventually(
      `${kind} ${name} to be Ready`,
      async () => {
        await makeReady(name)
        return (await live(kind, name)).status?.readyReplicas === 2
      },
      { timeoutMs: 120_000, everyMs: 500 },
    )

  beforeAll(async () => {
    rig = await Rig.start(
      sharedControlPlane(),
      { release: 'e2e-rollout-operator', values: { rollout: { enabled: true } } },
      [namespace],
    )
    for (const [kind, name] of [
      ['StatefulSet', 'orders'],
      ['Deployment', 'orders-proxy'],
    ] as const) {
      await rig.apply(workload(kind, name, { [mark]: former }))
      await ready(kind, name)
    }
    await rig.operator()
    const [, example = ''] = page.blocks('yaml')
    await rig.plane.apply(example)
  })
  afterAll(async () => {
    await rig.plane.kubectl(['-n', namespace, 'delete', 'statefulset,deployment', '--all'])
    await rig.stop()
  })

  it('restarts the first workload, and the next only when every pod of it is Ready', async () => {
    await eventually(
      'the StatefulSet to be restarted',
      async () => (await markOf('StatefulSet', 'orders')) !== former,
      {
        timeoutMs: 120_000,
      },
    )
    await eventually('status to say so', async () => (await pending())[0]?.name === 'StatefulSet/orders', {
      timeoutMs: 90_000,
    })
    // Its pods are replaced one by one, and wait for somebody to make them Ready.
    await new Promise((resolve) => setTimeout(resolve, 12_000))
    expect(await markOf('Deployment', 'orders-proxy'), 'it waits for its turn').toBe(former)
    await ready('StatefulSet', 'orders')
    await eventually(
      'the Deployment to be restarted',
      async () => {
        await makeReady('orders')
        return (await markOf('Deployment', 'orders-proxy')) !== former
      },
      { timeoutMs: 120_000, everyMs: 500 },
    )
    await ready('Deployment', 'orders-proxy')
    await eventually(
      'nothing to be left',
      async () => {
        await makeReady()
        return (await pending()).length === 0
      },
      { timeoutMs: 120_000, everyMs: 500 },
    )
    expect(await markOf('StatefulSet', 'orders')).toMatch(/^[0-9a-f]{16}\.[0-9a-f]{16}$/)
    expect(await markOf('Deployment', 'orders-proxy')).toBe(await markOf('StatefulSet', 'orders'))
  })

  it('changes nothing at rest, nor when it is started again, and owns its annotation alone', async () => {
    await rig.quiet()
    const before = Date.now()
    for (const operator of rig.operators) await operator.stop()
    await rig.operator()
    await rig.quiet()
    const writes = rig.writes(before).filter(({ objectRef }) => objectRef?.apiGroup === 'apps')
    expect(writes).toEqual([])
    const text = await rig.plane.kubectlOk([
      ...['-n', namespace, 'get', 'statefulset', 'orders', '-o', 'json', '--show-managed-fields'],
    ])
    const { metadata } = JSON.parse(text) as {
      metadata: { managedFields: readonly { readonly manager: string; readonly fieldsV1: unknown }[] }
    }
    const own = metadata.managedFields.filter(({ manager }) => manager === 'dbtls.dev/rollout')
    expect(own.map(({ fieldsV1 }) => fieldsV1)).toEqual([
      { 'f:spec': { 'f:template': { 'f:metadata': { 'f:annotations': { [`f:${mark}`]: {} } } } } },
    ])
  })

  it('restarts them again for a renewed certificate', async () => {
    const earlier = await markOf('StatefulSet', 'orders')
    await rig.plane.kubectlOk([
      '-n',
      namespace,
      'annotate',
      'databasecertificate',
      'orders-server',
      'dbtls.dev/renew-trigger=1',
    ])
    await eventually(
      'the StatefulSet to be restarted',
      async () => (await markOf('StatefulSet', 'orders')) !== earlier,
      {
        timeoutMs: 120_000,
      },
    )
    await eventually(
      'all to be done',
      async () => {
        await makeReady()
        const marks = [await markOf('StatefulSet', 'orders'), await markOf('Deployment', 'orders-proxy')]
        return marks[0] === marks[1] && (await pending()).length === 0
      },
      { timeoutMs: 120_000, everyMs: 500 },
    )
  })
})

describe('an operator without the right', () => {
  it('says which value of the chart gives it', async () => {
    const rig = await Rig.start(sharedControlPlane(), { release: 'e2e-no-rollout-operator' }, ['e2e-no-rollout'])
    await rig.operator()
    const [, example = ''] = page.blocks('yaml')
    await rig.plane.apply(example.replaceAll(`namespace: ${namespace}`, 'namespace: e2e-no-rollout'))
    const { message } = await rig.refused('e2e-no-rollout', 'databasetlsprofiles', 'orders', 'ReloadRefused')
    expect(message).toContain('install the chart with rollout.enabled=true')
    await expect(rig.stop()).rejects.toThrow(/RBAC refused get/)
  })
})
