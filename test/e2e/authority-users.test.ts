import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { eventually } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { Manifest } from './support/manifests.ts'
import { authority, certificate, yamlOf } from './support/manifests.ts'
import { authorities, certificates, Rig } from './support/rig.ts'

interface Binding {
  readonly kind: string
  readonly spec: { readonly matchResources?: unknown }
}

const chart = fileURLToPath(new URL('../../charts/dbtls/', import.meta.url))
const page = readFileSync(fileURLToPath(new URL('../../docs/authority-users.md', import.meta.url)), 'utf8')
const [forAll = '', forOne = '', ...others] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml)

const [home, tenant, other, release] = ['pki', 'e2e-use-tenant', 'e2e-use-other', 'e2e-use'] as const

/** What a tenant may do besides: everything with kinds of dbtls, and nothing elsewhere. */
const tenantRights = (namespace: string, users: readonly string[]): Manifest[] => [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'tenant', namespace },
    rules: [
      {
        apiGroups: ['dbtls.dev'],
        resources: ['databasecertificates', 'databasetlsprofiles', 'certificateauthorities'],
        verbs: ['get', 'create', 'update', 'patch'],
      },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'tenant', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'tenant' },
    subjects: users.map((name) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name })),
  },
]
const of = (name: string, more: Record<string, unknown> = {}): Manifest =>
  certificate(tenant, name, { authorityRef: { name: 'orders-ca', namespace: home }, ...more })
const profile = (name: string, more: Record<string, unknown> = {}): Manifest => ({
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'DatabaseTLSProfile',
  metadata: { name, namespace: tenant },
  spec: { engine: 'MySQL', authorityRef: { name: 'orders-ca', namespace: home }, ...more },
})
const intermediate = (name: string, more: Record<string, unknown> = {}): Manifest =>
  authority(tenant, name, {
    source: { intermediate: { authorityRef: { name: 'orders-ca', namespace: home } } },
    ...more,
  })
const withTarget = (name: string, ...targets: readonly Record<string, unknown>[]): Manifest =>
  authority(tenant, name, {
    trustBundle: {
      targets: targets.map((target) => ({
        kind: 'ConfigMap',
        name: `${name}-trust`,
        items: [{ key: 'ca.crt', content: 'TrustBundle' }],
        ...target,
      })),
    },
  })

describe('the right to use a CA', () => {
  let rig: Rig
  const kubeconfigs = new Map<string, string>()
  const as = (user: string, manifest: Manifest, ...flags: readonly string[]) =>
    rig.plane.kubectl(
      ['--kubeconfig', kubeconfigs.get(user) ?? '', 'apply', '--server-side', '--force-conflicts', ...flags, '-f', '-'],
      yamlOf(manifest),
    )
  const passes = async (user: string, manifest: Manifest, ...flags: readonly string[]): Promise<void> => {
    expect(await as(user, manifest, ...flags)).toMatchObject({ code: 0 })
  }
  const refused = async (user: string, manifest: Manifest, ...flags: readonly string[]): Promise<string> => {
    const { code, stderr } = await as(user, manifest, ...flags)
    expect({ code, stderr }).not.toMatchObject({ code: 0 })
    expect(stderr).toContain('(Forbidden)')
    return stderr
  }
  const words = (name: string, user: string): string =>
    `user "${user}" may not use CertificateAuthority ${home}/${name}: that takes the verb "use" on it, as a Role in its namespace gives it`

  beforeAll(async () => {
    const plane = sharedControlPlane()
    rig = await Rig.start(plane, { release }, [home, tenant, other])
    for (const user of ['alice', 'bob']) kubeconfigs.set(user, plane.kubeconfigOfUser(user))
    const open = { allowedNamespaces: { from: 'All' }, maxPathLength: 1 }
    await rig.apply(
      authority(home, 'orders-ca', open),
      authority(home, 'corp-ca', open),
      authority(tenant, 'ca'),
      ...tenantRights(tenant, ['alice', 'bob']),
    )
    await rig.operator()
    // A policy takes effect some seconds after it was made.
    await eventually('the policies to be in force', async () => {
      const answers = await Promise.all([
        as('bob', of('probe'), '--dry-run=server'),
        as('bob', profile('probe'), '--dry-run=server'),
        as('bob', intermediate('probe'), '--dry-run=server'),
      ])
      return answers.every(({ code }) => code !== 0)
    })
  })
  afterAll(() => rig.stop())

  it('is asked of whoever creates a certificate, a profile or an intermediate', async () => {
    for (const make of [of, profile, intermediate]) {
      expect(await refused('bob', make('mine'))).toContain(words('orders-ca', 'bob'))
      expect(await refused('bob', make('mine'), '--dry-run=server')).toContain(words('orders-ca', 'bob'))
    }
    expect(page).toContain(words('corp-ca', 'bob'))
    expect(others).toEqual([])
    const { code, stderr } = await rig.plane.kubectl(
      ['--kubeconfig', kubeconfigs.get('bob') ?? '', 'create', '--dry-run=server', '-f', '-'],
      yamlOf(of('mine')),
    )
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(words('orders-ca', 'bob')) as string,
    })
  })

  it('is asked for a CA of one’s own namespace, too', async () => {
    expect(await refused('bob', certificate(tenant, 'here'))).toContain(`CertificateAuthority ${tenant}/ca`)
  })

  it('is given for all CAs of a namespace as the page says', async () => {
    await rig.plane.apply(forAll.replace('name: dbtls-authority-user', `name: ${release}-authority-user`))
    await eventually('the right', async () => (await as('alice', of('alices'), '--dry-run=server')).code === 0)
    await passes('alice', of('alices'))
    await passes('alice', profile('alices'))
    await passes('alice', intermediate('alices', { maxPathLength: 0 }))
    await rig.ready(tenant, certificates, 'alices')
    await rig.ready(tenant, authorities, 'alices')
    const corp = { name: 'corp-ca', namespace: home }
    await passes('alice', of('alices', { authorityRef: corp }))
    await passes('alice', of('alices'))
  })

  it('is given for one of them as the page says', async () => {
    await rig.plane.apply(forOne)
    await eventually('the right', async () => (await as('bob', of('bobs'), '--dry-run=server')).code === 0)
    await passes('bob', of('bobs'))
    const corp = { name: 'corp-ca', namespace: home }
    expect(await refused('bob', of('bobs', { authorityRef: corp }))).toContain(words('corp-ca', 'bob'))
    expect(await refused('bob', profile('bobs', { clientAuthorityRef: corp }))).toContain(words('corp-ca', 'bob'))
    await passes('bob', profile('bobs'))
  })

  it('is not asked for an update that changes neither the CA nor what is certified', async () => {
    await rig.apply(of('shared', { authorityRef: { name: 'corp-ca', namespace: home } }))
    await rig.ready(tenant, certificates, 'shared')
    const corp = { authorityRef: { name: 'corp-ca', namespace: home } }
    const labelled = of('shared', corp)
    await passes('bob', { ...labelled, metadata: { ...labelled.metadata, labels: { team: 'bobs' } } })
    await passes('bob', of('shared', { ...corp, duration: '30d', renewTrigger: '1' }))
    await rig.ready(tenant, certificates, 'shared')
    expect(await refused('bob', of('shared', { ...corp, dnsNames: ['victim.pki.svc'] }))).toContain(
      words('corp-ca', 'bob'),
    )
    expect(await refused('bob', of('shared', { ...corp, subject: { commonName: 'root' } }))).toContain('corp-ca')
    // Nor may he have the CA's own key put where he can read it.
    const items = [{ key: 'ca.key', content: 'AuthorityPrivateKey' }]
    expect(await refused('bob', of('shared', { ...corp, secret: { items } }))).toContain('corp-ca')
    expect(await refused('bob', of('shared', { ...corp, secret: { layout: 'CloudNativePG/ca-key' } }))).toContain(
      'corp',
    )
    await passes('bob', of('shared', { ...corp, duration: '30d', secret: { layout: 'CloudNativePG' } }))
  })

  it('lets nobody borrow the operator’s right to write into other namespaces', async () => {
    await passes('bob', withTarget('trusty', {}, { kind: 'Secret' }))
    await passes('bob', withTarget('trusty', { namespaces: { from: 'Names', names: [tenant] } }))
    const needs = [
      { from: 'All' },
      { from: 'Selector', selector: {} },
      { from: 'Names', names: [tenant, other] },
      { from: 'Names', names: ['kube-system'] },
    ]
    for (const namespaces of needs)
      expect(await refused('bob', withTarget('trusty', { namespaces }))).toContain('user "bob" may not have')
    const many = { from: 'Names', names: Array.from({ length: 256 }, (_, at) => `n${at}`) }
    expect(await refused('bob', withTarget('trusty', { namespaces: many }))).toContain('more than sixteen')
    await rig.plane.kubectlOk(['-n', other, 'create', 'role', 'maps', '--verb=create', '--resource=configmaps'])
    await rig.plane.kubectlOk(['-n', other, 'create', 'rolebinding', 'maps', '--role=maps', '--user=bob'])
    const there = { namespaces: { from: 'Names', names: [other] } }
    await eventually('the right', async () => (await as('bob', withTarget('trusty', there))).code === 0)
    expect(await refused('bob', withTarget('trusty', { ...there, kind: 'Secret' }))).toContain(
      'user "bob" may not have',
    )
    // Whoever has the right for every namespace is asked once, whatever he names.
    const names = { from: 'Names', names: Array.from({ length: 16 }, (_, at) => `n${at}`) }
    const admin = withTarget(
      'wide',
      { namespaces: { from: 'All' } },
      { kind: 'Secret', namespaces: many },
      { name: 'x', namespaces: names },
    )
    await rig.plane.kubectlOk(['apply', '--server-side', '--dry-run=server', '-f', '-'], yamlOf(admin))
  })

  it('leaves deletion to whoever may delete', async () => {
    await rig.plane.kubectlOk(['-n', tenant, 'delete', 'dbcert', 'bobs', '--cascade=foreground', '--timeout=30s'])
  })

  it('is asked only in the namespaces of an operator of listed ones, and not at all where it is switched off', async () => {
    const render = async (...values: readonly string[]): Promise<string> =>
      rig.plane.helmOk(['template', 'x', chart, '--set', values.join(',')])
    const listed = await render('namespaces={orders,billing}')
    const bindings = parseAllDocuments(listed)
      .map((document) => document.toJS() as Binding | null)
      .filter((one) => one?.kind === 'ValidatingAdmissionPolicyBinding')
    const chosen = [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['orders', 'billing'] }]
    expect(bindings).toHaveLength(3)
    for (const one of bindings)
      expect(one?.spec.matchResources).toEqual({ namespaceSelector: { matchExpressions: chosen } })
    expect(await render('authorityPolicy.enabled=false')).not.toMatch(/ValidatingAdmissionPolicy|authority-user/)
  })
})
