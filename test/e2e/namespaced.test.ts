import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureNamespace, selectRequests } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing, Thing } from './support/api.ts'
import { ledgerOf } from './support/ledger.ts'
import { authority, certificate } from './support/manifests.ts'
import { problemsOf } from './support/material.ts'
import { Rig, authorities, certificates } from './support/rig.ts'

const quickstart = fileURLToPath(new URL('../../examples/quickstart/', import.meta.url))
const release = 'e2e-namespaced'
const [first, second, outside] = ['data', 'e2e-ns-b', 'e2e-ns-outside'] as const

describe('an operator of listed namespaces', () => {
  let rig: Rig
  let since: number
  beforeAll(async () => {
    const plane = sharedControlPlane()
    await ensureNamespace(plane, outside)
    since = Date.now()
    rig = await Rig.start(plane, { release, namespaces: [first, second] }, [first, second, outside])
    await rig.operator()
  })
  afterAll(() => rig.stop())

  it('has no right on Secrets beyond them', async () => {
    interface Role extends Thing {
      readonly rules?: readonly { readonly resources?: readonly string[] }[]
    }
    const ofRelease = ['-l', `app.kubernetes.io/instance=${release}`]
    const { items } = await rig.plane.getJson<{ items: readonly Role[] }>(['clusterroles', ...ofRelease])
    expect(items.flatMap(({ rules = [] }) => rules.flatMap(({ resources = [] }) => resources))).not.toContain('secrets')
    const may = (namespace: string) =>
      rig.plane.kubectl(['--kubeconfig', rig.chart.kubeconfig, '-n', namespace, 'auth', 'can-i', 'get', 'secrets'])
    expect((await may(first)).stdout.trim()).toBe('yes')
    expect((await may(second)).stdout.trim()).toBe('yes')
    expect((await may(outside)).stdout.trim()).toBe('no')
  })

  it('passes the quickstart', async () => {
    await rig.plane.kubectlOk(['apply', '-f', quickstart])
    const kinds = 'certificateauthorities,databasecertificates'
    await rig.plane.kubectlOk(['-n', first, 'wait', '--for=condition=Ready', '--timeout=60s', '--all', kinds])
    const secret = await rig.secret(first, 'orders-mysql-tls')
    expect(await problemsOf(secret, undefined, Date.now())).toEqual([])
  })

  it('works in the other one, across the two where the CA names it, and nowhere else', async () => {
    await rig.apply(
      authority(second, 'ca', { allowedNamespaces: { from: 'Names', names: [first] } }),
      certificate(second, 'here'),
      certificate(first, 'across', { authorityRef: { name: 'ca', namespace: second } }),
      authority(outside, 'ca'),
      certificate(outside, 'nobody'),
    )
    await rig.ready(second, certificates, 'here')
    await rig.ready(first, certificates, 'across')
    const holders = (await ledgerOf(rig.api, second)).map(({ spec }) => spec.certificateRef?.name)
    expect(new Set(holders)).toEqual(new Set(['across', 'ca', 'here']))
    expect(holders).toHaveLength(3)
    await rig.quiet()
    for (const [plural, name] of [
      [authorities, 'ca'],
      [certificates, 'nobody'],
    ] as const)
      expect((await rig.api.get<CustomThing>(plural, outside, name)).status).toEqual({ observedGeneration: -1 })
    expect(await rig.api.list('secrets', outside)).toEqual([])
  })

  it('says why a CA that chooses namespaces by label cannot be used', async () => {
    await rig.apply(
      authority(second, 'selective', {
        allowedNamespaces: { from: 'Selector', selector: { matchLabels: { tier: 'gold' } } },
      }),
      certificate(first, 'selected', { authorityRef: { name: 'selective', namespace: second } }),
    )
    const { message } = await rig.refused(first, certificates, 'selected', 'AuthorityNotAllowed')
    expect(message).toContain('use spec.allowedNamespaces.names there')
  })

  it('asked for nothing outside of them', () => {
    const { user } = rig.chart
    const asked = selectRequests(rig.plane.auditLog(), { user, since })
    const places = new Set(asked.flatMap(({ objectRef }) => objectRef?.namespace ?? (objectRef ? ['(cluster)'] : [])))
    // The release's own namespace holds the Lease; kubectl auth can-i asked for what is cluster-wide.
    const own = [...places].filter((place) => place !== '(cluster)').toSorted()
    expect(own).toEqual([first, second, release].toSorted())
    const clusterWide = asked.filter(({ objectRef }) => objectRef !== undefined && objectRef.namespace === undefined)
    expect(clusterWide.filter(({ userAgent }) => userAgent?.startsWith('dbtls') === true)).toEqual([])
  })
})
