/** docs/gitops.md and examples/gitops on a real API server: applied again and again as Argo CD and Flux do it, nothing differs, conflicts or is written. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { eventually, must, run, type Output } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing, Thing } from './support/api.ts'
import { yamlOf } from './support/manifests.ts'
import { Page, typeOn } from './support/page.ts'
import { authorities, certificates, Rig } from './support/rig.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const page = new Page('docs/gitops.md')
const folder = join(repository, 'examples/gitops')
const profiles = 'databasetlsprofiles'

interface Manifest {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: Readonly<Record<string, unknown>>
}
const manifests = readdirSync(folder).flatMap((file) =>
  parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => document.toJS() as Manifest),
)

interface Tool {
  readonly manager: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
/** The field managers of the two, and what each marks its objects with. */
const tools: readonly Tool[] = [
  {
    manager: 'argocd-controller',
    labels: { 'app.kubernetes.io/instance': 'shop' },
    annotations: { 'argocd.argoproj.io/tracking-id': 'shop:dbtls.dev/CertificateAuthority:shop/shop-ca' },
  },
  {
    manager: 'kustomize-controller',
    labels: { 'kustomize.toolkit.fluxcd.io/name': 'shop', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' },
    annotations: { 'kustomize.toolkit.fluxcd.io/checksum': 'abc' },
  },
]

/** What differs from the manifest in the live object, as a diff on the client sees it: objects may hold more, lists may not. */
const drift = (wanted: unknown, live: unknown, path = ''): string[] => {
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted))
    return isDeepStrictEqual(wanted, live) ? [] : [path]
  const members = (live ?? {}) as Readonly<Record<string, unknown>>
  return Object.entries(wanted).flatMap(([name, value]) => drift(value, members[name], `${path}.${name}`))
}

it.each([
  [{ a: [{ b: 1 }] }, { a: [{ b: 1, c: 2 }], d: 3 }, ['.a']],
  [{ a: { b: 1 } }, { a: { b: 1, c: 2 } }, []],
])('a default in a list is drift, one in an object is not: %j in %j', (wanted, live, seen) => {
  expect(drift(wanted, live)).toEqual(seen)
})

it('shows an Application and a Kustomization that sync, prune and wait', () => {
  const [application, kustomization, ...more] = page.blocks('yaml').map((text) => parse(text) as Manifest)
  expect(more).toEqual([])
  expect(application).toMatchObject({ kind: 'Application', spec: { syncPolicy: { automated: { prune: true } } } })
  expect(kustomization).toMatchObject({ kind: 'Kustomization', spec: { prune: true, wait: true } })
})

describe.each(tools)('in the hands of $manager', ({ manager, labels, annotations }) => {
  const ns = `e2e-${manager.split('-')[0]}-shop`
  /** As the repository has them, in a namespace of this test, with the marks of the tool. */
  const repositoryWith = (change: (manifest: Manifest) => Manifest = (manifest) => manifest): Manifest[] =>
    manifests.map((manifest) => {
      const { kind, metadata } = manifest
      const place = kind === 'Namespace' ? { name: ns } : { name: metadata.name, namespace: ns }
      const marked = { ...metadata, ...place, labels, annotations: { ...metadata.annotations, ...annotations } }
      return change({ ...manifest, metadata: marked })
    })

  let rig: Rig
  let committed = repositoryWith()
  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: `${ns}-operator` }, [ns])
    await rig.operator()
  })
  afterAll(() => rig.stop())

  const sync = (as = manager, ...more: readonly string[]): Promise<Output> =>
    rig.plane.kubectl(['apply', '--server-side', `--field-manager=${as}`, ...more, '-f', '-'], yamlOf(...committed))
  const commit = async (name: string, spec: Readonly<Record<string, unknown>>): Promise<void> => {
    committed = committed.map((one) => (one.metadata.name === name ? { ...one, spec: { ...one.spec, ...spec } } : one))
    expect(await sync()).toMatchObject({ code: 0, stderr: '' })
  }
  const versions = async (): Promise<string[]> =>
    (await live()).map(({ kind, metadata }) => `${kind}/${metadata.name} ${metadata.resourceVersion}`)
  const live = async (): Promise<Thing[]> => {
    const { items } = JSON.parse(await rig.plane.kubectlOk(['get', '-f', '-', '-o', 'json'], yamlOf(...committed))) as {
      readonly items: Thing[]
    }
    return items
  }
  const allReady = async (): Promise<void> => {
    await rig.ready(ns, authorities, 'shop-ca')
    await rig.ready(ns, certificates, 'reports')
    if (committed.some(({ metadata }) => metadata.name === 'orders')) await rig.ready(ns, profiles, 'orders')
    await rig.quiet()
  }
  const noDifference = async (as = manager): Promise<void> => {
    const diff = await rig.plane.kubectl(
      ['diff', '--server-side', `--field-manager=${as}`, '-f', '-'],
      yamlOf(...committed),
    )
    expect(diff).toMatchObject({ code: 0, stdout: '', stderr: '' })
    await noDrift()
  }
  /** Of what Git says alone: while statuses move, two reads differ in them. */
  const noDrift = async (): Promise<void> => {
    const objects = await live()
    expect(committed.flatMap((one, at) => drift(one, objects[at], one.kind))).toEqual([])
  }
  const rotation = async () =>
    (await rig.api.get<CustomThing & { status?: { rotation?: { phase: string } } }>(authorities, ns, 'shop-ca')).status
      ?.rotation?.phase

  it('is Ready after one sync, and the next ones change nothing', async () => {
    expect(await sync()).toMatchObject({ code: 0, stderr: '' })
    await allReady()
    const before = await versions()
    expect(before).toHaveLength(committed.length)
    for (const _ of [1, 2]) expect(await sync()).toMatchObject({ code: 0, stderr: '' })
    await noDifference()
    await rig.quiet()
    expect(await versions()).toEqual(before)
  })

  it('marks nothing that was made, so nothing of it is pruned', async () => {
    const made = (
      await Promise.all(
        ['secrets', 'configmaps', certificates, 'issuedcertificates'].map((plural) => rig.api.list(plural, ns)),
      )
    )
      .flat()
      .filter(
        ({ kind, metadata }) =>
          metadata.name !== 'kube-root-ca.crt' &&
          !committed.some((one) => one.kind === kind && one.metadata.name === metadata.name),
      )
    // Secrets of a CA, a server, a client and a certificate; three more certificates, entries for all, and ConfigMaps.
    expect(made.length).toBeGreaterThan(9)
    const marks = [...Object.keys(labels), ...Object.keys(annotations)]
    const marked = made.filter(({ metadata }) =>
      [...Object.keys(metadata.labels ?? {}), ...Object.keys(metadata.annotations ?? {})].some((key) =>
        marks.includes(key),
      ),
    )
    expect(marked.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual([])
  })

  it('renews by a commit, once', async () => {
    const before = await rig.api.get<CustomThing>(certificates, ns, 'reports')
    await commit('reports', { renewTrigger: '2' })
    const after = await eventually(
      'another certificate',
      async () => {
        const seen = await rig.api.get<CustomThing>(certificates, ns, 'reports')
        return rig.isReady(seen) && seen.status?.serialNumber !== before.status?.serialNumber && seen
      },
      { timeoutMs: 90_000 },
    )
    await allReady()
    const settled = await versions()
    expect(await sync()).toMatchObject({ code: 0, stderr: '' })
    await noDifference()
    expect(await versions()).toEqual(settled)
    expect((await rig.api.get<CustomThing>(certificates, ns, 'reports')).status?.serialNumber).toBe(
      after.status?.serialNumber,
    )
  })

  it('goes with what was made for it when a commit takes it out', async () => {
    committed = committed.filter(({ metadata }) => metadata.name !== 'orders')
    await rig.api.delete(profiles, ns, 'orders')
    await eventually('its certificates to go', async () => (await rig.api.list(certificates, ns)).length === 1, {
      timeoutMs: 90_000,
    })
    await rig.quiet()
  })

  // Without the profile, whose servers, which are not here, would have to load the next CA first.
  it('rotates by a commit, is held by it, and goes on by the next one', async () => {
    const before = await rig.api.get<CustomThing>(authorities, ns, 'shop-ca')
    // Its own window opens on Saturdays, and the rotation would wait for that; this one is never shut.
    await commit('reports', { rotation: { windows: [{ cron: '0 * * * *', duration: '1h' }] } })
    const given = committed.find(({ metadata }) => metadata.name === 'shop-ca')?.spec?.['rotation'] as object
    await commit('shop-ca', { rotation: { ...given, trigger: '2027-11', holdAt: 'TrustBoth' } })
    await eventually('the rotation to be held', async () => (await rotation()) === 'TrustBoth', { timeoutMs: 90_000 })
    await rig.quiet(4_000)
    await noDifference()
    const refused = await run(join(repository, 'bin/dbtls'), ['rotate', `${ns}/shop-ca`, '--release'], {
      env: { ...process.env, KUBECONFIG: rig.plane.adminKubeconfig },
    })
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(`is set by "${manager}"`)])
    await commit('shop-ca', { rotation: { ...given, trigger: '2027-11' } })
    await eventually(
      'the rotation to end',
      async () => {
        await noDrift()
        const { status } = await rig.api.get<CustomThing>(authorities, ns, 'shop-ca')
        return (
          (await rotation()) === 'Idle' &&
          status?.certificate?.serialNumber !== before.status?.certificate?.serialNumber
        )
      },
      { timeoutMs: 150_000, everyMs: 1000 },
    )
    await allReady()
    const settled = await versions()
    expect(await sync()).toMatchObject({ code: 0, stderr: '' })
    await rig.quiet()
    expect(await versions()).toEqual(settled)
  }, 400_000)

  it('conflicts with nobody who applies the same', async () => {
    const other = tools.find((tool) => tool.manager !== manager)?.manager ?? ''
    expect(await sync(other)).toMatchObject({ code: 0, stderr: '' })
    await rig.quiet()
    const settled = await versions()
    for (const as of [manager, other]) {
      expect(await sync(as)).toMatchObject({ code: 0, stderr: '' })
      await noDifference(as)
    }
    await rig.quiet()
    expect(await versions()).toEqual(settled)
  })
})

describe('the commands of the page', () => {
  let rig: Rig
  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-gitops-guide' }, ['shop', 'argocd'])
    await rig.operator()
  })
  afterAll(() => rig.stop())

  it('are typed, and the checks go beside what Argo CD has', async () => {
    const own = {
      'accounts.alice': 'apiKey',
      'resource.customizations.health.cert-manager.io_Certificate': 'return {}',
    }
    await rig.plane.kubectlOk(
      ['apply', '-f', '-'],
      yamlOf({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name: 'argocd-cm',
          namespace: 'argocd',
          labels: { 'app.kubernetes.io/name': 'argocd-cm', 'app.kubernetes.io/part-of': 'argocd' },
        },
        data: own,
      }),
    )
    const steps = page.steps()
    expect(steps).toHaveLength(4)
    for (const { command } of steps) {
      const { code, stdout, stderr } = await typeOn(rig.plane, repository, command)
      expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: '' })
      if (command.startsWith('kubectl diff')) expect(stdout).toBe('')
    }
    const { data } = await rig.api.get<Thing & { readonly data: object }>('configmaps', 'argocd', 'argocd-cm')
    expect(data).toMatchObject(own)
    expect(Object.keys(data)).toHaveLength(6)
  })

  it('leave a CA behind its manifest with the same key', async () => {
    const before = await rig.api.get<CustomThing>(authorities, 'shop', 'shop-ca')
    await rig.api.delete(authorities, 'shop', 'shop-ca')
    await eventually('it to go', async () => (await rig.api.find(authorities, 'shop', 'shop-ca')) === undefined)
    await must('sh', ['-c', 'exec kubectl apply --server-side -f examples/gitops'], {
      cwd: repository,
      env: {
        ...process.env,
        KUBECONFIG: rig.plane.adminKubeconfig,
        PATH: `${rig.plane.info.binaries}:${process.env['PATH']}`,
      },
    })
    const after = await rig.ready('shop', authorities, 'shop-ca')
    expect(after.status?.certificate).toEqual(before.status?.certificate)
  })
})
