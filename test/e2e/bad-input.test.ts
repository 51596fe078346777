import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, selectRequests } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing } from './support/api.ts'
import { textOf } from './support/api.ts'
import { entriesFor, ledgerOf } from './support/ledger.ts'
import type { Manifest } from './support/manifests.ts'
import { authority, certificate, opaqueSecret, yamlOf } from './support/manifests.ts'
import { problemsOf, serialOf } from './support/material.ts'
import { Rig, certificates } from './support/rig.ts'

const ns = 'e2e-bad'
const elsewhere = 'e2e-bad-elsewhere'
const opaque = { type: 'Opaque' }
const withStore = { ...opaque, items: [{ key: 'keystore.p12', content: 'PKCS12Keystore' }] }

/** Large enough that 64 copies of it are more than a Secret holds. */
const manyNames = Array.from({ length: 200 }, (_, at) => `${'n'.repeat(60)}.${'m'.repeat(60)}.host-${at}.db.svc`)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start(sharedControlPlane(), { release: 'e2e-bad-operator' }, [ns, elsewhere])
  await rig.operator()
  await rig.apply(authority(ns, 'ca'), certificate(ns, 'bystander'))
  await rig.ready(ns, certificates, 'bystander')
})
afterAll(() => rig.stop())

/** A bad object must not stop others from being renewed. */
const bystanderRenews = async (): Promise<void> => {
  const before = await rig.secret(ns, 'bystander-tls')
  await rig.apply(certificate(ns, 'bystander', { renewTrigger: `${Date.now()}` }))
  const after = await rig.secretUntil(
    'the bystander to be renewed',
    ns,
    'bystander-tls',
    (secret) => secret.metadata.resourceVersion !== before.metadata.resourceVersion,
  )
  expect(serialOf(after)).not.toBe(serialOf(before))
}

interface Row {
  readonly what: string
  /** Applied first, and Ready, so that there is something to lose; absent: the certificate is bad from the start. */
  readonly good?: Manifest
  readonly bad: () => Promise<unknown>
  readonly name: string
  readonly reason: string
  readonly says: string | RegExp
  /** What makes it Ready; absent: nothing but another name would. */
  readonly cure?: () => Promise<unknown>
  /** The Secret that must stay as it was, where it is not the good certificate's. */
  readonly untouched?: string
}

const rows: readonly Row[] = [
  {
    what: 'a CA that does not exist, then does',
    name: 'orphan',
    bad: () => rig.apply(certificate(ns, 'orphan', { authorityRef: { name: 'later' } })),
    reason: 'AuthorityNotFound',
    says: 'CertificateAuthority e2e-bad/later of spec.authorityRef does not exist',
    cure: () => rig.apply(authority(ns, 'later')),
  },
  {
    what: 'a CA of another namespace that does not allow this one, then does',
    name: 'stranger',
    bad: () =>
      rig.apply(
        authority(elsewhere, 'foreign'),
        certificate(ns, 'stranger', { authorityRef: { name: 'foreign', namespace: elsewhere } }),
      ),
    reason: 'AuthorityNotAllowed',
    says: 'spec.allowedNamespaces',
    cure: () => rig.apply(authority(elsewhere, 'foreign', { allowedNamespaces: { from: 'Names', names: [ns] } })),
  },
  {
    what: 'a CA that allows namespaces by a label this one gets later',
    name: 'labelled',
    bad: () =>
      rig.apply(
        authority(elsewhere, 'selective', {
          allowedNamespaces: { from: 'Selector', selector: { matchLabels: { tier: 'gold' } } },
        }),
        certificate(ns, 'labelled', { authorityRef: { name: 'selective', namespace: elsewhere } }),
      ),
    reason: 'AuthorityNotAllowed',
    says: 'the labels of "e2e-bad" do not match',
    cure: () => rig.plane.kubectlOk(['label', 'namespace', ns, 'tier=gold']),
  },
  {
    what: 'a password Secret that is missing, then created',
    name: 'wordless',
    bad: () =>
      rig.apply(
        certificate(ns, 'wordless', { keystore: { passwordSecretRef: { name: 'late-word' } }, secret: withStore }),
      ),
    reason: 'PasswordSecretNotFound',
    says: 'Secret "late-word" of spec.keystore.passwordSecretRef does not exist in namespace "e2e-bad"; create it',
    cure: () => rig.apply(opaqueSecret(ns, 'late-word', { password: 'long enough' })),
  },
  {
    what: 'a password that gets too short',
    name: 'short-word',
    good: certificate(ns, 'short-word', { keystore: { passwordSecretRef: { name: 'word' } }, secret: withStore }),
    bad: () => rig.api.patch('secrets', ns, 'word', { stringData: { password: 'four' } }),
    reason: 'PasswordInvalid',
    says: 'spec.keystore.passwordSecretRef cannot be used',
    cure: () => rig.api.patch('secrets', ns, 'word', { stringData: { password: 'long enough again' } }),
  },
  {
    what: 'a Secret of somebody else in the way, then offered',
    name: 'taker',
    bad: async () => {
      await rig.apply(opaqueSecret(ns, 'theirs', { 'their-key': 'their value' }))
      await rig.apply(certificate(ns, 'taker', { secret: { ...opaque, name: 'theirs' } }))
    },
    untouched: 'theirs',
    reason: 'SecretInTheWay',
    says: 'dbtls.dev/adopt: "true"',
    cure: () => rig.plane.kubectlOk(['-n', ns, 'annotate', 'secret', 'theirs', 'dbtls.dev/adopt=true']),
  },
  {
    what: 'the Secret of another certificate',
    name: 'second-owner',
    bad: () => rig.apply(certificate(ns, 'second-owner', { secret: { name: 'bystander-tls' } })),
    untouched: 'bystander-tls',
    reason: 'SecretInTheWay',
    says: 'belongs to DatabaseCertificate/bystander',
  },
  {
    what: 'the Secret of a CA',
    name: 'thief',
    bad: () => rig.apply(certificate(ns, 'thief', { secret: { name: 'ca-ca' } })),
    untouched: 'ca-ca',
    reason: 'SecretInTheWay',
    says: 'belongs to CertificateAuthority/ca',
  },
  {
    what: 'a Secret made immutable by somebody, when it is to be renewed',
    name: 'frozen',
    good: certificate(ns, 'frozen'),
    bad: async () => {
      await rig.api.patch('secrets', ns, 'frozen-tls', { immutable: true })
      await rig.apply(certificate(ns, 'frozen', { renewTrigger: 'now' }))
    },
    reason: 'SecretImmutable',
    says: 'Delete it to have it made anew',
    cure: () => rig.api.delete('secrets', ns, 'frozen-tls'),
  },
  {
    what: 'another type for a Secret that exists',
    name: 'retyped',
    good: certificate(ns, 'retyped'),
    bad: () => rig.apply(certificate(ns, 'retyped', { secret: opaque })),
    reason: 'SecretTypeChanged',
    says: 'Delete the Secret to have it made anew',
    cure: () => rig.api.delete('secrets', ns, 'retyped-tls'),
  },
  {
    what: 'more than a Secret holds',
    name: 'huge',
    good: certificate(ns, 'huge', { secret: opaque }),
    bad: () =>
      rig.apply(
        certificate(ns, 'huge', {
          dnsNames: manyNames,
          secret: {
            ...opaque,
            items: Array.from({ length: 64 }, (_, at) => ({ key: `chain-${at}`, content: 'ChainThenKey' })),
          },
        }),
      ),
    reason: 'SecretTooLarge',
    says: 'Kubernetes takes at most 1048576',
    cure: () => rig.apply(certificate(ns, 'huge', { secret: opaque })),
  },
  {
    what: 'a request that is none',
    name: 'requested',
    good: certificate(ns, 'requested', { secret: opaque }),
    bad: () =>
      rig.apply(
        certificate(ns, 'requested', {
          request: { inline: '-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n' },
          secret: opaque,
        }),
      ),
    reason: 'RequestInvalid',
    says: 'spec.request',
    cure: () => rig.apply(certificate(ns, 'requested', { secret: opaque })),
  },
  {
    what: 'a layout whose operator looks for another Secret',
    name: 'laid-out',
    good: certificate(ns, 'laid-out', { secret: opaque }),
    bad: () => rig.apply(certificate(ns, 'laid-out', { secret: { ...opaque, layout: 'TiDBOperatorV1/component' } })),
    reason: 'RequestInvalid',
    says: 'spec.secret.layout: with layout TiDBOperatorV1/component the operator looks for a Secret named',
    cure: () => rig.apply(certificate(ns, 'laid-out', { secret: opaque })),
  },
]

describe('a certificate that cannot be had', () => {
  it.each(rows)('$what', async ({ name, good, bad, reason, says, cure, untouched }) => {
    if (good !== undefined) {
      if (name === 'short-word') await rig.apply(opaqueSecret(ns, 'word', { password: 'long enough' }))
      await rig.apply(good)
      await rig.ready(ns, certificates, name)
    }
    const kept = untouched ?? (good === undefined ? undefined : `${name}-tls`)
    const before = kept === undefined || untouched === 'theirs' ? undefined : await rig.secret(ns, kept)
    await bad()
    const { message } = await rig.refused(ns, certificates, name, reason)
    expect(message).toMatch(says)
    const stalled = rig.condition(await rig.api.get<CustomThing>(certificates, ns, name), 'Stalled')
    expect(stalled).toMatchObject({ status: 'True', reason })
    if (before !== undefined && kept !== undefined) expect((await rig.secret(ns, kept)).data).toEqual(before.data)
    if (untouched === 'theirs') expect(Object.keys((await rig.secret(ns, untouched)).data ?? {})).toEqual(['their-key'])
    const recorded = (await ledgerOf(rig.api, ns)).length
    await bystanderRenews()
    // Only the bystander's: what cannot be delivered is not signed.
    expect((await ledgerOf(rig.api, ns)).length - recorded).toBe(1)
    if (cure === undefined) return
    await cure()
    await rig.ready(ns, certificates, name)
  })

  it('keeps the keys of others in a Secret it was offered', async () => {
    const secret = await rig.secret(ns, 'theirs')
    expect(textOf(secret, 'their-key')).toBe('their value')
    expect(await problemsOf(secret, undefined, Date.now())).toEqual([])
  })

  it('says of a profile which field is wrong, and makes what is not concerned', async () => {
    await rig.apply({
      apiVersion: 'dbtls.dev/v1alpha1',
      kind: 'DatabaseTLSProfile',
      metadata: { namespace: ns, name: 'profile' },
      spec: {
        engine: 'MySQL',
        version: '99',
        authorityRef: { name: 'ca' },
        topology: { services: ['mysql'] },
        clients: [{ name: 'app', username: 'x'.repeat(100) }, { name: 'good' }],
      },
    })
    const { message } = await rig.refused(ns, 'databasetlsprofiles', 'profile', 'ProfileInvalid')
    expect(message).toContain('spec.version: MySQL 99 is not known here')
    expect(message).toContain('spec.clients[0].username')
    for (const name of ['profile-server', 'profile-good']) await rig.ready(ns, certificates, name)
    await rig.api.delete('databasetlsprofiles', ns, 'profile')
  })
})

describe('a cluster that refuses the Secret', () => {
  const name = 'e2e-bad-no-secrets'
  const policies = 'validatingadmissionpolicies,validatingadmissionpolicybindings'
  const refusing = [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [
            { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['secrets'] },
          ],
        },
        validations: [
          { expression: "object.metadata.name != 'unwelcome-tls'", message: 'not here', reason: 'Forbidden' },
        ],
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ]
  afterAll(async () => {
    await rig.plane.kubectl(['delete', policies, name])
  })

  it('is told of, and costs one ledger entry however often it is tried', async () => {
    await rig.plane.apply(yamlOf(...refusing))
    await eventually('the policy to be in force', async () => {
      const probe = yamlOf(opaqueSecret(ns, 'unwelcome-tls', { a: 'b' }))
      return (await rig.plane.kubectl(['apply', '--dry-run=server', '-f', '-'], probe)).code !== 0
    })
    await rig.apply(certificate(ns, 'unwelcome'))
    const { message } = await rig.refused(ns, certificates, 'unwelcome', 'WriteFailed')
    expect(message).toContain('not here')
    await bystanderRenews()
    const attempts = () =>
      selectRequests(rig.plane.auditLog(), { user: rig.chart.user }).filter(
        ({ objectRef, verb }) => verb === 'patch' && objectRef?.name === 'unwelcome-tls',
      ).length
    await eventually('several attempts', async () => attempts() >= 4, { timeoutMs: 90_000 })
    expect(await entriesFor(rig.api, ns, 'unwelcome')).toHaveLength(1)
    await rig.plane.kubectlOk(['delete', policies, name])
    const { status } = await rig.ready(ns, certificates, 'unwelcome', 60_000)
    const entries = await entriesFor(rig.api, ns, 'unwelcome')
    expect(entries.map(({ spec }) => spec.serialNumber)).toEqual([status?.serialNumber])
  })
})
