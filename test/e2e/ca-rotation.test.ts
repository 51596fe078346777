import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, run } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CertificateAuthority } from '../../src/resources/certificate-authority.ts'
import { type CustomThing, textOf } from './support/api.ts'
import { ledgerOf, ledgerProblems } from './support/ledger.ts'
import { authority, certificate } from './support/manifests.ts'
import { certificatesIn } from './support/material.ts'
import { Recorder, type Version } from './support/recorder.ts'
import { Rig, authorities, certificates } from './support/rig.ts'

type Rotation = NonNullable<NonNullable<CertificateAuthority['status']>['rotation']>
type AuthorityThing = CustomThing & { readonly status?: CertificateAuthority['status'] }

const ns = 'e2e-ca-rotation'
const soaks = { trustSoak: '1s', dropSoak: '1s' }

describe('the rotation of a CA', () => {
  let rig: Rig
  let recorder: Recorder
  const see = (name = 'ca') => rig.api.get<AuthorityThing>(authorities, ns, name)
  const rotationOf = async (name = 'ca'): Promise<Rotation> => (await see(name)).status?.rotation ?? { phase: 'Idle' }
  /** As a person does: the whole manifest, with other fields of rotation. */
  const ask = (rotation: object, spec: object = {}, name = 'ca') =>
    rig.apply(authority(ns, name, { ...spec, rotation: { ...soaks, ...rotation } }))
  const until = (what: string, holds: (rotation: Rotation) => boolean, name = 'ca') =>
    eventually(
      what,
      async () => {
        const rotation = await rotationOf(name)
        return holds(rotation) && rotation
      },
      { timeoutMs: 120_000 },
    ).catch(async (error: unknown) => {
      throw new Error(`${what}: status is ${JSON.stringify((await see(name)).status, null, 1)}`, { cause: error })
    })
  const ended = (trigger: string, name = 'ca') =>
    until(
      `rotation ${trigger}`,
      (one) => one.phase === 'Idle' && one.trigger === trigger && one.finishedAt !== undefined,
      name,
    )
  const fingerprintOf = async (name = 'ca') => (await see(name)).status?.certificate?.fingerprint

  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-ca-rotation-operator' }, [ns])
    await rig.operator()
    recorder = new Recorder(rig.api, ns)
    await ask({})
    await rig.apply(
      certificate(ns, 'server', { role: 'Peer' }),
      certificate(ns, 'client', { role: 'Client', subject: { commonName: 'app' }, dnsNames: [] }),
    )
    for (const name of ['server', 'client']) await rig.ready(ns, certificates, name)
  })
  afterAll(async () => {
    await recorder.stop()
    await rig.stop()
  })

  /** Whoever holds one version of a Secret trusts whoever holds a version of another one of the same time. */
  const strangers = (): string[] => {
    const names = [...new Set(recorder.versions.map(({ secret }) => secret.metadata.name))]
    const latest = new Map<string, Version>()
    return recorder.versions.flatMap((version) => {
      latest.set(version.secret.metadata.name, version)
      return names.flatMap((one) => names.flatMap((other) => problemOf(latest.get(one), latest.get(other)) ?? []))
    })
  }

  const problemOf = (of: Version | undefined, to: Version | undefined): string | undefined => {
    if (of === undefined || to === undefined) return undefined
    const [leaf, ...above] = certificatesIn(textOf(of.secret, 'tls.crt'))
    const roots = certificatesIn(textOf(to.secret, 'ca.crt'))
    const last = above.at(-1) ?? leaf
    if (last !== undefined && roots.some((root) => last.checkIssued(root) && last.verify(root.publicKey)))
      return undefined
    return `${of.secret.metadata.name} ${of.serial} is not trusted by ${to.secret.metadata.name} version ${to.secret.metadata.resourceVersion}`
  }

  const verifiesByOpenssl = async (): Promise<void> => {
    const folder = rig.plane.tempDir('rotation')
    for (const name of ['server', 'client']) {
      const secret = await rig.secret(ns, `${name}-tls`)
      writeFileSync(join(folder, 'leaf.pem'), textOf(secret, 'tls.crt'))
      writeFileSync(join(folder, 'ca.pem'), textOf(secret, 'ca.crt'))
      const { code, stderr } = await run('openssl', [
        'verify',
        '-CAfile',
        join(folder, 'ca.pem'),
        join(folder, 'leaf.pem'),
      ])
      expect(code, stderr).toBe(0)
    }
  }

  it('is held and released by kubectl apply, and writes each Secret three times', async () => {
    const names = ['server-tls', 'client-tls']
    const countOf = () => names.map((name) => recorder.of(name).length)
    const [before, from] = [countOf(), await fingerprintOf()]
    await ask({ trigger: 'one', holdAt: 'TrustBoth' })
    await until(
      'it to be held',
      ({ phase, message }) => phase === 'TrustBoth' && message?.includes('Held at TrustBoth') === true,
    )
    expect(certificatesIn(textOf(await rig.secret(ns, 'client-tls'), 'ca.crt'))).toHaveLength(2)
    await verifiesByOpenssl()
    await ask({ trigger: 'one', holdAt: 'Signing' })
    await until(
      'it to be held',
      ({ phase, message }) => phase === 'Signing' && message?.includes('Held at Signing') === true,
    )
    await verifiesByOpenssl()
    await ask({ trigger: 'one' })
    const { to } = await ended('one')
    expect([from, to]).toEqual([(await rotationOf()).from, await fingerprintOf()])
    await rig.quiet()
    expect(countOf()).toEqual(before.map((count) => count + 3))
    await verifiesByOpenssl()
    expect(await recorder.problems()).toEqual([])
    expect(strangers()).toEqual([])
    // At rest nothing is written.
    const since = Date.now()
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect(rig.writes(since).map(({ requestURI }) => requestURI)).toEqual([])
  })

  it.each(['TrustBoth', 'Signing'] as const)('is taken back from %s', async (phase) => {
    const from = await fingerprintOf()
    const trigger = `for ${phase}`
    await ask({ trigger, holdAt: phase })
    await until(`it to be in ${phase}`, (one) => one.phase === phase && one.message?.includes('Held at') === true)
    await ask({ trigger, abort: trigger })
    await until('it to be taken back', (one) => one.phase === 'Idle' && one.cause === 'Abort' && one.abort === trigger)
    expect(await fingerprintOf()).toBe(from)
    await rig.quiet()
    for (const name of ['server', 'client']) {
      await rig.ready(ns, certificates, name)
      expect(certificatesIn(textOf(await rig.secret(ns, `${name}-tls`), 'ca.crt'))).toHaveLength(1)
    }
    await verifiesByOpenssl()
    expect(strangers()).toEqual([])
  })

  it('goes on where it was when the operator is killed, and another one takes its place', async () => {
    const [first] = rig.operators
    await ask({ trigger: 'killed', holdAt: 'Signing' })
    await until('it to be held', ({ phase }) => phase === 'Signing')
    first?.sigkill()
    await first?.exited
    await rig.operator({ podName: 'second' })
    await ask({ trigger: 'killed' })
    await ended('killed')
    await rig.quiet()
    await verifiesByOpenssl()
    expect(strangers()).toEqual([])
  })

  it('revokes what a compromised CA has signed, and the CA', async () => {
    const crl = { crl: { enabled: true } }
    const former = (await see()).status?.certificate?.serialNumber
    const { serialNumber } = (await rig.ready(ns, certificates, 'server')).status as { serialNumber?: string }
    await ask({ trigger: 'stolen', reason: 'Compromised' }, crl)
    await ended('stolen')
    const entries = await ledgerOf(rig.api, ns)
    const reasonOf = (serial: string | undefined) =>
      entries.find(({ spec }) => spec.serialNumber === serial)?.spec.revocation?.reason
    expect([reasonOf(serialNumber), reasonOf(former)]).toEqual(['superseded', 'cACompromise'])
    await rig.quiet()
    expect(ledgerProblems(entries, recorder.serials())).toEqual([])
  })

  it('carries an intermediate and its certificates, and does not wait for a namespace that is being deleted', async () => {
    const doomed = 'e2e-ca-rotation-doomed'
    await rig.plane.kubectlOk(['create', 'namespace', doomed])
    const all = { allowedNamespaces: { from: 'All' }, maxPathLength: 1 }
    await ask({}, all, 'root')
    await rig.apply(
      authority(ns, 'below', { source: { intermediate: { authorityRef: { name: 'root' } } } }),
      certificate(ns, 'deep', { authorityRef: { name: 'below' }, role: 'Peer' }),
      certificate(doomed, 'away', { authorityRef: { name: 'root', namespace: ns } }),
    )
    await rig.ready(ns, certificates, 'deep')
    await rig.ready(doomed, certificates, 'away')
    await rig.api.patch(certificates, doomed, 'away', { metadata: { finalizers: ['example.com/held'] } })
    await rig.plane.kubectlOk(['delete', 'namespace', doomed, '--wait=false'])
    await ask({ trigger: 'root' }, all, 'root')
    await ended('root', 'root')
    await rig.quiet()
    const [deep] = [await rig.secret(ns, 'deep-tls')]
    const [root] = certificatesIn(textOf(deep, 'ca.crt'))
    const [leaf, above] = certificatesIn(textOf(deep, 'tls.crt'))
    expect(certificatesIn(textOf(deep, 'ca.crt'))).toHaveLength(1)
    expect(root !== undefined && above?.verify(root.publicKey)).toBe(true)
    expect(above !== undefined && leaf?.verify(above.publicKey)).toBe(true)
    await rig.api.patch(certificates, doomed, 'away', { metadata: { finalizers: null } })
  })
})
