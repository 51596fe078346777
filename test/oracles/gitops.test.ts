/**
 * What GitOps tools make of our objects, as the operator leaves them in each state: Argo CD's health checks of deploy/argocd, run by the
 * interpreter that Argo CD has, and kstatus, by which Flux, kustomize-controller and helm --wait judge.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Cluster, KubeObject } from '../../src/cluster/port.ts'
import { certificateAuthorities } from '../../src/resources/certificate-authority.ts'
import { databaseCertificates } from '../../src/resources/database-certificate.ts'
import { issuedCertificates } from '../../src/resources/issued-certificate.ts'
import { kinds } from '../../src/resources/kinds.ts'
import {
  authority,
  authorityReady,
  authorityStalled,
  certificate,
  day,
  emptyCluster,
  entriesOf,
  fresh,
  getAuthority,
  getCertificate,
  getProfile,
  intermediate,
  pass,
  person,
  profile,
  profileReady,
  put,
  ready,
  stalled,
  until,
} from '../../src/testing.ts'
import { must } from '../controlplane/harness/process.ts'
import { goProgram } from './tools.ts'

const judge = await goProgram('gitops')
if (judge === undefined) console.warn("Argo CD's Lua and kstatus: skipped, their modules are not to be had")

const file = fileURLToPath(new URL('../../deploy/argocd/argocd-cm.yaml', import.meta.url))
const { data: checks } = parse(readFileSync(file, 'utf8')) as { readonly data: Readonly<Record<string, string>> }
const keyOf = (kind: string): string => `resource.customizations.health.dbtls.dev_${kind}`

interface Verdict {
  readonly status: string
  readonly message: string
}
const judged = async (object: KubeObject): Promise<{ readonly health: Verdict; readonly kstatus: Verdict }> => {
  const question = { script: checks[keyOf(object.kind)], object }
  const { stdout } = await must(judge ?? '', [], { stdin: `${JSON.stringify(question)}\n` })
  return JSON.parse(stdout) as { readonly health: Verdict; readonly kstatus: Verdict }
}
/** `Healthy/Current`, and what a person reads in Argo CD. */
const verdictOf = async (object: KubeObject): Promise<readonly [both: string, message: string]> => {
  const { health, kstatus } = await judged(object)
  return [`${health.status}/${kstatus.status}`, health.message]
}

it('stands in argocd-cm for every kind, and for nothing else', () => {
  expect(Object.keys(checks).toSorted()).toEqual(kinds.map(({ resource }) => keyOf(resource.kind)).toSorted())
})

const hold = (cluster: Cluster, text: string | undefined): Promise<unknown> => {
  const { metadata, ...rest } = authority()
  const annotations = text === undefined ? {} : { 'dbtls.dev/hold': text }
  return cluster.apply(certificateAuthorities, { ...rest, metadata: { ...metadata, annotations } } as never, person)
}

describe.skipIf(judge === undefined)('seen by Argo CD and by kstatus,', () => {
  it.each([authority(), certificate(), profile()])(
    'a new $kind is under way before anybody has looked at it',
    async (object) => {
      const { cluster } = emptyCluster()
      await put(cluster, object)
      const stored = {
        CertificateAuthority: getAuthority,
        DatabaseCertificate: getCertificate,
        DatabaseTLSProfile: getProfile,
      }[object.kind]
      expect(await verdictOf((await stored?.(cluster)) as KubeObject)).toEqual([
        'Progressing/InProgress',
        'dbtls has not looked at it yet.',
      ])
    },
  )

  it('a CA, a certificate and a profile are well when they are Ready, also where their servers are not up yet', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority())
    await put(cluster, certificate({}, 'alone'))
    await put(cluster, profile())
    expect(await verdictOf(await authorityReady(cluster))).toEqual([
      'Healthy/Current',
      expect.stringMatching(/^Signed a new certificate|is valid until/) as string,
    ])
    expect((await verdictOf(await ready(cluster, 'alone')))[0]).toBe('Healthy/Current')
    expect((await verdictOf(await profileReady(cluster)))[0]).toBe('Healthy/Current')
  })

  it('a change is under way until it was looked at', async () => {
    const { cluster, stop } = await fresh()
    await put(cluster, authority())
    await put(cluster, certificate())
    await ready(cluster)
    await stop()
    await put(cluster, certificate({ dnsNames: ['another.data.svc'] }))
    expect((await verdictOf(await getCertificate(cluster)))[0]).toBe('Progressing/InProgress')
  })

  it('what only a change can help has failed, with the reason', async () => {
    const { cluster } = await fresh()
    await put(cluster, certificate())
    await stalled(cluster)
    expect(await verdictOf(await getCertificate(cluster))).toEqual([
      'Degraded/Failed',
      expect.stringMatching(/^AuthorityNotFound: .*"?ca"?/) as string,
    ])
    await put(cluster, intermediate({}, 'below', { name: 'nowhere' }))
    await authorityStalled(cluster, 'below')
    expect((await verdictOf(await getAuthority(cluster, 'below')))[0]).toBe('Degraded/Failed')
    await put(cluster, profile({ authorityRef: { name: 'nowhere' } }))
    const failed = await until('the profile to stall', async () => {
      const seen = await getProfile(cluster)
      return seen.status?.conditions?.some(({ type }) => type === 'Stalled') && seen
    })
    expect((await verdictOf(failed))[0]).toBe('Degraded/Failed')
  })

  it('what waits for another is under way', async () => {
    const { cluster } = await fresh()
    await put(cluster, intermediate({}, 'ca', { name: 'nowhere' }))
    await authorityStalled(cluster)
    await put(cluster, certificate())
    const waiting = await until('the certificate to wait', async () => {
      const seen = await getCertificate(cluster)
      return seen.status?.conditions?.some(({ type }) => type === 'Reconciling') && seen
    })
    expect(await verdictOf(waiting)).toEqual([
      'Progressing/InProgress',
      expect.stringContaining('AuthorityNotReady: ') as string,
    ])
  })

  it('a CA on hold is suspended, and well again afterwards', async () => {
    const { cluster } = await fresh()
    await hold(cluster, 'audit')
    await authorityStalled(cluster)
    expect(await verdictOf(await getAuthority(cluster))).toEqual([
      'Suspended/Failed',
      expect.stringMatching(/^Held: .*"audit"/) as string,
    ])
    await hold(cluster, undefined)
    expect((await verdictOf(await authorityReady(cluster)))[0]).toBe('Healthy/Current')
  })

  it('a rotation holds no sync up, and is told with its phase', async () => {
    const { cluster } = await fresh()
    const rotation = { trigger: 'once', holdAt: 'TrustBoth', trustSoak: '5s', dropSoak: '5s' }
    await put(cluster, authority({ rotation: { ...rotation, trigger: '' } }))
    await authorityReady(cluster)
    await put(cluster, certificate())
    await ready(cluster)
    await put(cluster, authority({ rotation }))
    const held = await until('the rotation to be held', async () => {
      const seen = await getAuthority(cluster)
      return seen.status?.rotation?.phase === 'TrustBoth' && seen
    })
    expect(await verdictOf(held)).toEqual([
      'Healthy/Current',
      expect.stringContaining(' Rotation: TrustBoth, held there. ') as string,
    ])
  })

  it('an entry of the ledger is well, also when it is revoked or has expired', async () => {
    const { cluster, clock } = await fresh()
    await put(cluster, authority())
    await put(cluster, certificate({ duration: '1d' }))
    await ready(cluster)
    const [entry] = await entriesOf(cluster, 'orders')
    if (entry === undefined) throw new Error('no entry')
    expect(await verdictOf(entry)).toEqual(['Healthy/Current', 'Valid'])
    const revoked = { ...entry, spec: { ...entry.spec, revocation: { reason: 'superseded' } } } as KubeObject
    expect((await verdictOf({ ...revoked, status: {} } as KubeObject))[0]).toBe('Progressing/Current')
    const { apiVersion, kind, metadata, spec } = revoked as typeof entry
    const named = { namespace: metadata.namespace ?? '', name: metadata.name }
    await cluster.apply(
      issuedCertificates,
      { apiVersion, kind, metadata: named, spec: { revocation: spec.revocation } } as never,
      person,
    )
    const marked = await until('the mark', async () => {
      const seen = await cluster.get(issuedCertificates, named)
      return seen.status?.state === 'Revoked' && seen
    })
    expect(await verdictOf(marked)).toEqual(['Healthy/Current', 'Revoked'])
    await pass(clock, 2 * day)
    expect(
      (await verdictOf(await cluster.get(databaseCertificates, { namespace: 'data', name: 'orders' })))[0],
    ).toMatch(/^(Healthy\/Current|Progressing\/InProgress)$/)
  })
})
