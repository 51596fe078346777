import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureNamespace, eventually, selectRequests } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing, SecretThing } from './support/api.ts'
import { textOf } from './support/api.ts'
import { entriesFor, ledgerOf } from './support/ledger.ts'
import type { Manifest } from './support/manifests.ts'
import { authority, certificate, opaqueSecret, yamlOf } from './support/manifests.ts'
import { problemsOf, serialOf } from './support/material.ts'
import { Rig, authorities, certificates } from './support/rig.ts'

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
    what: 'a field for a later version: request',
    name: 'requested',
    good: certificate(ns, 'requested', { secret: opaque }),
    bad: () =>
      rig.apply(
        certificate(ns, 'requested', {
          request: { inline: '-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n' },
          secret: opaque,
        }),
      ),
    reason: 'NotImplemented',
    says: 'spec.request',
    cure: () => rig.apply(certificate(ns, 'requested', { secret: opaque })),
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

  it('says of a profile that this version does nothing with it', async () => {
    await rig.apply({
      apiVersion: 'dbtls.dev/v1alpha1',
      kind: 'DatabaseTLSProfile',
      metadata: { namespace: ns, name: 'profile' },
      spec: { engine: 'MySQL', authorityRef: { name: 'ca' } },
    })
    await rig.refused(ns, 'databasetlsprofiles', 'profile', 'NotImplemented')
  })
})

describe('a CA in trouble', () => {
  const home = 'e2e-bad-ca'
  beforeAll(async () => {
    await ensureNamespace(rig.plane, home)
    await rig.apply(authority(home, 'ca'), certificate(home, 'leaf'))
    await rig.ready(home, certificates, 'leaf')
  })
  afterAll(async () => {
    await rig.plane.kubectl(['delete', 'namespace', home])
  })

  const restored = (secret: SecretThing) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    type: secret.type,
    metadata: {
      name: secret.metadata.name,
      namespace: home,
      labels: secret.metadata.labels,
      annotations: secret.metadata.annotations,
    },
    data: secret.data,
  })
  const asksForRenewal = (trigger: string) => rig.apply(certificate(home, 'leaf', { renewTrigger: trigger }))

  it.each(['tls.key', 'tls.crt', 'ca.crt'])(
    'whose Secret has a truncated %s signs and overwrites nothing',
    async (key) => {
      const good = await rig.secret(home, 'ca-ca')
      const leaf = await rig.secret(home, 'leaf-tls')
      const cut = Buffer.from(textOf(good, key).slice(0, 60)).toString('base64')
      const broken = (await rig.api.patch('secrets', home, 'ca-ca', { data: { [key]: cut } })) as SecretThing
      const { message } = await rig.refused(home, authorities, 'ca', 'AuthoritySecretInvalid')
      expect(message).toContain(key)
      expect(await rig.ready(home, certificates, 'leaf')).toBeDefined()
      await asksForRenewal(`while ${key} is cut`)
      await rig.refused(home, certificates, 'leaf', 'AuthorityNotReady')
      await rig.quiet()
      expect((await rig.secret(home, 'ca-ca')).metadata.resourceVersion).toBe(broken.metadata.resourceVersion)
      expect((await rig.secret(home, 'leaf-tls')).metadata.resourceVersion).toBe(leaf.metadata.resourceVersion)

      await rig.api.patch('secrets', home, 'ca-ca', { data: good.data })
      await rig.ready(home, authorities, 'ca')
      await rig.ready(home, certificates, 'leaf')
      expect(serialOf(await rig.secret(home, 'leaf-tls'))).not.toBe(serialOf(leaf))
    },
  )

  it('whose Secret is deleted makes no new key, and goes on when the Secret is restored', async () => {
    const good = await rig.secret(home, 'ca-ca')
    const leaf = await rig.secret(home, 'leaf-tls')
    await rig.api.delete('secrets', home, 'ca-ca')
    const { message } = await rig.refused(home, authorities, 'ca', 'AuthoritySecretMissing')
    expect(message).toContain('Restore it from a backup')
    await rig.quiet()
    expect(await rig.api.find('secrets', home, 'ca-ca')).toBeUndefined()
    expect((await rig.secret(home, 'leaf-tls')).data).toEqual(leaf.data)
    await rig.api.create('secrets', home, restored(good))
    await rig.ready(home, authorities, 'ca')
    expect((await rig.secret(home, 'ca-ca')).data).toEqual(good.data)
  })

  it('whose Secret holds another CA does not switch', async () => {
    const good = await rig.secret(home, 'ca-ca')
    await rig.apply(authority(home, 'other'))
    await rig.ready(home, authorities, 'other')
    const foreign = await rig.secret(home, 'other-ca')
    await rig.api.patch('secrets', home, 'ca-ca', { data: foreign.data })
    await rig.refused(home, authorities, 'ca', 'AuthoritySecretInvalid')
    await rig.api.patch('secrets', home, 'ca-ca', { data: good.data })
    await rig.ready(home, authorities, 'ca')
  })

  it('under path length 0 is not signed', async () => {
    const under = { source: { intermediate: { authorityRef: { name: 'last' } } } }
    await rig.apply(authority(home, 'last', { maxPathLength: 0 }), authority(home, 'below', under))
    const { message } = await rig.refused(home, authorities, 'below', 'RequestInvalid')
    expect(message).toContain('path length 0')
    await rig.apply(authority(home, 'last', { maxPathLength: 1 }))
    await rig.ready(home, authorities, 'below')
  })

  it('without its passphrase, with a wrong one, and with a new one beside the old', async () => {
    const spec = { privateKey: { passphraseSecretRef: { name: 'phrase' } } }
    await rig.apply(authority(home, 'locked', spec))
    const missing = await rig.refused(home, authorities, 'locked', 'PassphraseNotFound')
    expect(missing.message).toContain('"phrase" of spec.privateKey.passphraseSecretRef does not exist')
    await rig.apply(opaqueSecret(home, 'phrase', { passphrase: 'the first phrase' }))
    await rig.ready(home, authorities, 'locked')
    const first = await rig.secret(home, 'locked-ca')
    expect(textOf(first, 'tls.key')).toContain('BEGIN ENCRYPTED PRIVATE KEY')
    await rig.apply(certificate(home, 'locked-leaf', { authorityRef: { name: 'locked' } }))
    await rig.ready(home, certificates, 'locked-leaf')

    await rig.api.patch('secrets', home, 'phrase', { stringData: { passphrase: 'another phrase' } })
    const wrong = await rig.refused(home, authorities, 'locked', 'PassphraseWrong')
    expect(wrong.message).toContain('.previous')
    expect((await rig.secret(home, 'locked-ca')).data).toEqual(first.data)
    await rig.ready(home, certificates, 'locked-leaf')

    await rig.api.patch('secrets', home, 'phrase', { stringData: { 'passphrase.previous': 'the first phrase' } })
    await rig.ready(home, authorities, 'locked')
    const second = await rig.secretUntil(
      'the key under the new phrase',
      home,
      'locked-ca',
      (secret) => textOf(secret, 'tls.key') !== textOf(first, 'tls.key'),
    )
    expect(textOf(second, 'tls.crt')).toBe(textOf(first, 'tls.crt'))
    await rig.api.patch('secrets', home, 'phrase', { data: { 'passphrase.previous': null } })
    await rig.apply(certificate(home, 'locked-leaf', { authorityRef: { name: 'locked' }, renewTrigger: 'again' }))
    await rig.ready(home, certificates, 'locked-leaf')
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
    await eventually('several attempts', async () => attempts() >= 4, { timeoutMs: 30_000 })
    expect(await entriesFor(rig.api, ns, 'unwelcome')).toHaveLength(1)
    await rig.plane.kubectlOk(['delete', policies, name])
    const { status } = await rig.ready(ns, certificates, 'unwelcome', 60_000)
    const entries = await entriesFor(rig.api, ns, 'unwelcome')
    expect(entries.map(({ spec }) => spec.serialNumber)).toEqual([status?.serialNumber])
  })
})

describe('garbage in a manifest', () => {
  it.each<{ readonly what: string; readonly manifest: Manifest; readonly field: string }>([
    {
      what: 'a newline in a DNS name',
      manifest: certificate(ns, 'g', { dnsNames: ['a.db\nDNS:b.db'] }),
      field: 'spec.dnsNames[0]',
    },
    {
      what: 'two names in one',
      manifest: certificate(ns, 'g', { dnsNames: ['a.db,IP:10.0.0.1'] }),
      field: 'spec.dnsNames[0]',
    },
    {
      what: 'a wildcard in the middle',
      manifest: certificate(ns, 'g', { dnsNames: ['a.*.db'] }),
      field: 'spec.dnsNames[0]',
    },
    {
      what: 'no IP address',
      manifest: certificate(ns, 'g', { ipAddresses: ['10.0.0.256'] }),
      field: 'spec.ipAddresses[0]',
    },
    {
      what: 'a common name of 65 characters',
      manifest: certificate(ns, 'g', { subject: { commonName: 'x'.repeat(65) } }),
      field: 'spec.subject.commonName',
    },
    { what: 'an endless duration', manifest: certificate(ns, 'g', { duration: '1e999h' }), field: 'spec.duration' },
    { what: 'a negative duration', manifest: certificate(ns, 'g', { duration: '-5h' }), field: 'spec.duration' },
    {
      what: 'renewal before issuance',
      manifest: certificate(ns, 'g', { duration: '1h', renewBefore: '2h' }),
      field: 'spec.renewBefore',
    },
    {
      what: 'role and usages',
      manifest: certificate(ns, 'g', { role: 'Client', usages: ['clientAuth'] }),
      field: 'spec.usages',
    },
    {
      what: 'a size that no key has',
      manifest: certificate(ns, 'g', { privateKey: { algorithm: 'RSA', size: 1024 } }),
      field: 'spec.privateKey.size',
    },
    { what: 'no name at all', manifest: certificate(ns, 'g', { dnsNames: [] }), field: 'spec' },
    {
      what: 'a path as a key',
      manifest: certificate(ns, 'g', { secret: { ...opaque, items: [{ key: '../x', content: 'Certificate' }] } }),
      field: 'spec.secret.items[0].key',
    },
    {
      what: "another controller's annotation",
      manifest: certificate(ns, 'g', { secret: { annotations: { 'argocd.argoproj.io/sync-options': 'Prune=false' } } }),
      field: 'spec.secret.annotations',
    },
    {
      what: 'two sources of a CA',
      manifest: authority(ns, 'g', { source: { selfSigned: {}, intermediate: { authorityRef: { name: 'ca' } } } }),
      field: 'spec.source',
    },
  ])('$what is refused by the API server, with the field named', async ({ manifest, field }) => {
    const text = await rig.refusalOf(manifest)
    expect(text).toContain(`${field}: `)
    expect(text).not.toMatch(/no such key|evaluating rule|runtime error/)
  })
})
