import { describe, expect, it } from 'vitest'
import { keyOf, type Cluster } from './cluster/port.ts'
import { marks } from './control/context.ts'
import { ask, atRest, delivered, inPhase, rotated, rotationOf } from './operator.rotation.fixture.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { namespaces, secrets } from './resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from './resources/database-certificate.ts'
import { issuedCertificates } from './resources/issued-certificate.ts'
import { isReady } from './resources/conditions.ts'
import {
  certificate,
  entriesOf,
  getAuthority,
  getConfigMap,
  getSecret,
  leafOf,
  namespace,
  person,
  put,
  quiet,
  ready,
  revoke,
  somebody,
  until,
  writesOfRest,
} from './testing.ts'

const countOf = (pem: string | undefined): number => certificatesOf(pem ?? '').length
const messageSays = (cluster: Cluster, words: string) =>
  until(`the rotation to say ${words}`, async () => (await rotationOf(cluster)).message?.includes(words))

describe('a rotation waits for', () => {
  it('the ConfigMaps and Secrets of the trust bundle', async () => {
    const items = [{ key: 'ca.crt', content: 'TrustBundle' }]
    const targets = [{ kind: 'ConfigMap', name: 'roots', items }]
    const running = await atRest({ trustBundle: { targets } })
    const { cluster, operator } = running
    await until('the target', async () => countOf((await getConfigMap(cluster, 'roots')).data?.['ca.crt']) === 1)
    const map = await getConfigMap(cluster, 'roots')
    await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' })
    await until('both in it', async () => countOf((await getConfigMap(cluster, 'roots')).data?.['ca.crt']) === 2)
    await inPhase(cluster, 'TrustBoth')
    await ask(cluster, { holdAt: '' })
    await rotated(cluster, 'one')
    await quiet(operator)
    const after = await getConfigMap(cluster, 'roots')
    expect(countOf(after.data?.['ca.crt'])).toBe(1)
    expect(after.data?.['ca.crt']).not.toBe(map.data?.['ca.crt'])
    expect(await writesOfRest(running)).toEqual([])
  })

  it('one that cannot be written, which it names, while the others go on', async () => {
    const { cluster } = await atRest()
    const stuck = { items: [{ key: 'k', content: 'PKCS12Keystore' }] }
    const keystore = { passwordSecretRef: { name: 'p' } }
    await cluster.apply(
      secrets,
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'p', namespace }, stringData: { password: 'changeit' } },
      somebody,
    )
    await put(cluster, certificate({ secret: { name: 'stuck-tls', ...stuck }, keystore }, 'stuck'))
    await ready(cluster, 'stuck')
    await cluster.delete(secrets, { namespace, name: 'p' })
    await ask(cluster, { trigger: 'one' })
    await messageSays(cluster, 'DatabaseCertificate data/stuck (PasswordSecretNotFound:')
    expect(await rotationOf(cluster)).toMatchObject({ phase: 'TrustBoth', pending: { consumers: 1 } })
    await until('the others', async () => countOf((await delivered(cluster, 'server')).bundle) === 2)
    await cluster.apply(
      secrets,
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'p', namespace }, stringData: { password: 'changeit' } },
      somebody,
    )
    await rotated(cluster, 'one')
  })

  it('a certificate that was made in the middle of it', async () => {
    const { cluster } = await atRest()
    await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' })
    await inPhase(cluster, 'TrustBoth')
    await put(cluster, certificate({}, 'late'))
    await ready(cluster, 'late')
    expect(countOf((await delivered(cluster, 'late')).bundle)).toBe(2)
    const { serialNumber } = leafOf(await getSecret(cluster, 'late-tls'))
    await ask(cluster, { holdAt: 'Signing' })
    await inPhase(cluster, 'Signing')
    await until(
      'it to be replaced',
      async () => leafOf(await getSecret(cluster, 'late-tls')).serialNumber !== serialNumber,
    )
    await put(cluster, certificate({}, 'later'))
    await ready(cluster, 'later')
    const own = leafOf(await getSecret(cluster, 'later-tls')).serialNumber
    await ask(cluster, { holdAt: '' })
    await rotated(cluster, 'one')
    expect(leafOf(await getSecret(cluster, 'later-tls')).serialNumber).toBe(own)
    expect(countOf((await delivered(cluster, 'later')).bundle)).toBe(1)
  })

  it('what was signed for a request, until that is revoked', async () => {
    const { cluster } = await atRest()
    const [model] = await entriesOf(cluster, 'server')
    if (model === undefined) throw new Error('no entry')
    const { certificateRef: _, ...spec } = model.spec
    const serialNumber = 'ABCDEF0123456789'
    await cluster.create(
      issuedCertificates,
      {
        ...model,
        metadata: { name: `ca-${serialNumber.toLowerCase()}`, namespace },
        spec: { ...spec, serialNumber },
      },
      { fieldManager: 'dbtls' },
    )
    await ask(cluster, { trigger: 'one' })
    await messageSays(cluster, `certificate ${serialNumber}`)
    expect(await rotationOf(cluster)).toMatchObject({ phase: 'Signing', pending: { certificates: 1 } })
    await revoke(cluster, serialNumber, { reason: 'superseded' })
    await rotated(cluster, 'one')
  })
})

describe('a Secret that was kept when its DatabaseCertificate was deleted', () => {
  const kept = { name: 'kept-tls', deletionPolicy: 'Retain' }
  const orphan = async (policy: object = kept) => {
    const { cluster } = await atRest()
    await put(cluster, certificate({ secret: policy }, 'kept'))
    const { serialNumber = '' } = (await ready(cluster, 'kept')).status ?? {}
    await cluster.delete(databaseCertificates, { namespace, name: 'kept' })
    return { cluster, serialNumber }
  }

  it('keeps the next CA from signing: nobody can give it the new trust, and it is named with the way out', async () => {
    const { cluster, serialNumber } = await orphan()
    await ask(cluster, { trigger: 'one' })
    await messageSays(cluster, `Secret data/kept-tls (its DatabaseCertificate was deleted and the Secret kept`)
    await messageSays(cluster, `dbtls revoke ${serialNumber} --authority data/ca`)
    expect(await rotationOf(cluster)).toMatchObject({ phase: 'TrustBoth', pending: { consumers: 1 } })
    await revoke(cluster, serialNumber, { reason: 'superseded' })
    await rotated(cluster, 'one')
  })

  it('keeps the former CA from being dropped', async () => {
    const { cluster } = await atRest()
    await put(
      cluster,
      certificate({ secret: kept, rotation: { windows: [{ cron: '0 0 1 2 *', duration: '1m' }] } }, 'kept'),
    )
    await ready(cluster, 'kept')
    await ask(cluster, { trigger: 'one' })
    await messageSays(cluster, 'DatabaseCertificate data/kept')
    await inPhase(cluster, 'Signing')
    await cluster.delete(databaseCertificates, { namespace, name: 'kept' })
    await messageSays(cluster, 'Secret data/kept-tls (its DatabaseCertificate was deleted')
    expect(await rotationOf(cluster)).toMatchObject({ phase: 'Signing', pending: { certificates: 1 } })
    await cluster.delete(secrets, { namespace, name: 'kept-tls' })
    await rotated(cluster, 'one')
  })
})

describe('a namespace that is let in no more in mid-rotation', () => {
  const away = { namespace: 'away', name: 'app' }
  const narrowed = async () => {
    const { cluster } = await atRest({ allowedNamespaces: { from: 'All' } })
    const first = (await getAuthority(cluster)).status?.certificate?.fingerprint
    const { metadata, ...rest } = certificate({ authorityRef: { name: 'ca', namespace } }, 'app')
    await cluster.apply(
      databaseCertificates,
      { ...rest, metadata: { ...metadata, namespace: 'away' } } as DatabaseCertificate,
      person,
    )
    const at = () => cluster.get(databaseCertificates, away)
    await until('it', async () => isReady(await at()))
    await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' })
    await inPhase(cluster, 'TrustBoth')
    await messageSays(cluster, 'Held at TrustBoth')
    const { spec, metadata: of } = await getAuthority(cluster)
    const { allowedNamespaces: _all, ...narrow } = spec
    const applied = {
      apiVersion: 'dbtls.dev/v1alpha1',
      kind: 'CertificateAuthority',
      metadata: { name: 'ca', namespace: of.namespace },
    }
    await put(cluster, { ...applied, spec: { ...narrow, rotation: { ...spec.rotation, holdAt: '' } } } as never)
    await messageSays(cluster, 'DatabaseCertificate away/app (AuthorityNotAllowed:')
    expect(await rotationOf(cluster)).toMatchObject({ phase: 'Signing', pending: { certificates: 1 } })
    return { cluster, first, serialNumber: (await at()).status?.serialNumber ?? '' }
  }

  it('holds the drop by what it has, until that is revoked', async () => {
    const { cluster, serialNumber } = await narrowed()
    await revoke(cluster, serialNumber, { reason: 'superseded' })
    await rotated(cluster, 'one')
  })

  it('holds the drop by what it has, until its certificate is deleted', async () => {
    const { cluster } = await narrowed()
    await cluster.delete(databaseCertificates, away)
    await rotated(cluster, 'one')
  })

  it('does not keep a person from taking the rotation back, and is named where it trusts who is given up', async () => {
    const { cluster, first } = await narrowed()
    await ask(cluster, { abort: 'no' })
    const dropped = await inPhase(cluster, 'Dropped')
    expect(dropped.status?.certificate?.fingerprint).toBe(first)
    await messageSays(cluster, 'DatabaseCertificate away/app (AuthorityNotAllowed:')
    const { spec } = dropped
    const applied = {
      apiVersion: 'dbtls.dev/v1alpha1',
      kind: 'CertificateAuthority',
      metadata: { name: 'ca', namespace },
    }
    await put(cluster, { ...applied, spec: { ...spec, allowedNamespaces: { from: 'All' } } } as never)
    await inPhase(cluster, 'Idle')
    expect((await rotationOf(cluster)).cause).toBe('Abort')
  })
})

describe('a rotation does not wait for', () => {
  it('a certificate that was never made, or is gone', async () => {
    const { cluster } = await atRest()
    await put(
      cluster,
      certificate(
        {
          keystore: { passwordSecretRef: { name: 'none' } },
          secret: { name: 'x', items: [{ key: 'k', content: 'PKCS12Keystore' }] },
        },
        'never',
      ),
    )
    await put(cluster, certificate({}, 'gone'))
    await ready(cluster, 'gone')
    await cluster.delete(databaseCertificates, { namespace, name: 'gone' })
    await ask(cluster, { trigger: 'one' })
    await rotated(cluster, 'one')
  })

  it('a certificate in a namespace that is being deleted', async () => {
    const { cluster } = await atRest({ allowedNamespaces: { from: 'All' } })
    const doomed = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'doomed' } }
    await cluster.apply(namespaces, doomed as never, person).catch(() => undefined)
    const away = certificate(
      {
        authorityRef: { name: 'ca', namespace },
        keystore: { passwordSecretRef: { name: 'p' } },
        secret: { name: 'x', items: [{ key: 'k', content: 'PKCS12Keystore' }] },
      },
      'away',
    ) as unknown as DatabaseCertificate
    await cluster.apply(
      secrets,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'p', namespace: 'doomed' },
        stringData: { password: 'changeit' },
      },
      somebody,
    )
    await cluster.apply(databaseCertificates, { ...away, metadata: { name: 'away', namespace: 'doomed' } }, person)
    const at = () => cluster.get(databaseCertificates, { namespace: 'doomed', name: 'away' })
    await until('it', async () => isReady(await at()))
    await cluster.delete(secrets, { namespace: 'doomed', name: 'p' })
    await ask(cluster, { trigger: 'one' })
    await messageSays(cluster, 'doomed/away')
    const held = await at()
    await cluster.update(
      databaseCertificates,
      { ...held, metadata: { ...held.metadata, finalizers: ['test.dev/held'] } },
      person,
    )
    await cluster.delete(namespaces, { name: 'doomed' })
    await rotated(cluster, 'one')
    expect(keyOf(await at())).toBe('doomed/away')
  })
})

describe('a rotation is shown', () => {
  it('with an event for what is refused, and stays in its phase', async () => {
    const { cluster, events } = await atRest()
    await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' })
    await inPhase(cluster, 'TrustBoth')
    const say = async (stage: string): Promise<void> => {
      const { metadata, ...secret } = await getSecret(cluster, 'ca-ca')
      const annotations = { ...metadata.annotations, [marks.rotationStage]: stage }
      await cluster.update(secrets, { ...secret, metadata: { ...metadata, annotations } }, somebody)
    }
    await say('Switched')
    await ask(cluster, { holdAt: '' })
    await messageSays(cluster, 'The next step was not taken')
    expect((await rotationOf(cluster)).phase).toBe('TrustBoth')
    expect(events.some(({ reason, type }) => reason === 'RotationFailed' && type === 'Warning')).toBe(true)
    await say('Both')
    await rotated(cluster, 'one')
  })
})
