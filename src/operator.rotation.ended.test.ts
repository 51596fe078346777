/** A CA that ended while no operator was there, and the one that comes back. */
import { describe, expect, it } from 'vitest'
import {
  allVerify,
  ask,
  delivered,
  fingerprintOf,
  inPhase,
  noSoak,
  rotated,
  rotationOf,
  serialOf,
} from './operator.rotation.fixture.ts'
import type { Cluster, KubeObject } from './cluster/port.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { certificateAuthorities, type CertificateAuthority } from './resources/certificate-authority.ts'
import { findCondition, isReady } from './resources/conditions.ts'
import {
  authority,
  authorityReady,
  certificate,
  day,
  emptyCluster,
  getAuthority,
  intermediate,
  person,
  put,
  quiet,
  ready,
  start,
  until,
  writesOfRest,
} from './testing.ts'

const soaks = { trustSoak: '24h', dropSoak: '0s' }
const short = { duration: '30d', renewBefore: '10d' }

/**
 * A CA and a certificate, whose operator goes away for 40 days; `before` happens under its eyes, and `meanwhile` before another
 * one comes.
 */
const away = async (rotation: object, meanwhile: object = {}, before?: (cluster: Cluster) => Promise<unknown>) => {
  const { clock, cluster } = emptyCluster()
  const first = await start(cluster, clock)
  await put(cluster, authority({ ...short, rotation: { ...soaks, ...rotation } }))
  await authorityReady(cluster)
  await put(cluster, certificate({}, 'server'))
  await ready(cluster, 'server')
  await before?.(cluster)
  await quiet(first.operator)
  await first.stop()
  clock.setNow(clock.now() + 40 * day)
  const [fingerprint, serial] = [await fingerprintOf(cluster), await serialOf(cluster, 'server')]
  await ask(cluster, meanwhile)
  const second = await start(cluster, clock)
  return Object.assign(second, { clock, cluster, fingerprint, serial })
}

const publicKeyOf = async ({ cluster }: Awaited<ReturnType<typeof away>>): Promise<string | undefined> =>
  (await getAuthority(cluster)).status?.certificate?.publicKeyHash

/** The phases that it went through, by their events. */
const phasesOf = ({ events }: Awaited<ReturnType<typeof away>>): string[] =>
  events.flatMap(({ reason }) => (reason.startsWith('Rotation') ? [reason] : []))

it.each([
  ['that a rotation was asked for', {}, { trigger: 'one' }],
  ['that a rotation was asked for, held at every gate', {}, { trigger: 'one', holdAt: 'TrustBoth' }],
  [
    'that a rotation was asked for, outside of its windows',
    {},
    {
      trigger: 'one',
      windows: [{ cron: '0 3 29 2 *', duration: '1h' }],
    },
  ],
  ['that is compromised', { onTrigger: 'ReuseKey' }, { trigger: 'one', reason: 'Compromised' }],
  ['that gets a new key at its end', { onExpiry: 'NewKey' }, {}],
])('a CA that has ended, and %s, goes straight to Signing, with an event', async (_, rotation, meanwhile) => {
  const running = await away(rotation, meanwhile)
  const { cluster, clock, operator, fingerprint, serial, events } = running
  const key = await publicKeyOf(running)
  const trigger = 'trigger' in meanwhile ? meanwhile.trigger : ''
  const after = await until('the end of it', async () => {
    const found = await getAuthority(cluster)
    const { phase, finishedAt } = found.status?.rotation ?? {}
    return phase === 'Idle' && finishedAt !== undefined && found
  })
  await until('another certificate', async () => (await serialOf(cluster, 'server')) !== serial)
  await quiet(operator)
  expect(phasesOf(running)).toEqual([
    'RotationPrepared',
    'RotationSigning',
    'RotationDropSoak',
    'RotationDropped',
    'RotationEnded',
  ])
  const switched = events.find(({ reason }) => reason === 'RotationSigning')
  expect(switched?.note).toMatch(/^The CA ended at .*; the new one signs at once, without a time in which both/)
  expect(after.status?.rotation?.cause).toBe(trigger === '' ? 'Expiry' : 'Trigger')
  expect(after.status?.certificate?.fingerprint).not.toBe(fingerprint)
  expect(await publicKeyOf(running)).not.toBe(key)
  expect(findCondition(after.status?.conditions, 'Ready')?.status).toBe('True')
  const now = await delivered(cluster, 'server')
  expect(certificatesOf(now.bundle)).toHaveLength(1)
  allVerify([now], clock.now())
  expect(await writesOfRest(running)).toEqual([])
})

it.each([
  ['nobody asks for anything', {}, {}],
  ['the same key is asked for', { onTrigger: 'ReuseKey' }, { trigger: 'one' }],
])('a CA that has ended is renewed with its key where %s', async (_, rotation, meanwhile) => {
  const running = await away(rotation, meanwhile)
  const { cluster, fingerprint, operator } = running
  const key = await publicKeyOf(running)
  await until('another certificate of the CA', async () => (await fingerprintOf(cluster)) !== fingerprint)
  await authorityReady(cluster)
  await quiet(operator)
  expect(await publicKeyOf(running)).toBe(key)
  expect((await rotationOf(cluster)).phase).toBe('Idle')
  expect(phasesOf(running)).not.toContain('RotationPrepared')
})

it('does not wait for a rotation of the CA above it, which may wait for it', async () => {
  const { clock, cluster } = emptyCluster()
  const first = await start(cluster, clock)
  await put(cluster, authority({ maxPathLength: 1, rotation: noSoak }, 'root'))
  await put(cluster, intermediate({ ...short, rotation: noSoak }))
  await authorityReady(cluster)
  await put(cluster, certificate({}, 'server'))
  await ready(cluster, 'server')
  await quiet(first.operator)
  await first.stop()
  clock.setNow(clock.now() + 40 * day)
  const [root, ca] = [await fingerprintOf(cluster, 'root'), await fingerprintOf(cluster)]
  await ask(cluster, { trigger: 'one' }, 'root')
  await ask(cluster, { trigger: 'one' })
  const second = await start(cluster, clock)
  await rotated(cluster, 'one', 'root')
  await rotated(cluster, 'one')
  await quiet(second.operator)
  expect(await fingerprintOf(cluster, 'root')).not.toBe(root)
  expect(await fingerprintOf(cluster)).not.toBe(ca)
  const now = await delivered(cluster, 'server')
  expect(certificatesOf(now.bundle)).toHaveLength(1)
  allVerify([now], clock.now())
})

const held = { ...noSoak, holdAt: 'TrustBoth' }
const inMallory = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, namespace: 'mallory' },
})
const getMallorys = (cluster: Cluster): Promise<CertificateAuthority> =>
  cluster.get(certificateAuthorities, { namespace: 'mallory', name: 'theirs' })

/** Somebody rotates a CA below a root of his own, and says then that it hangs under one that never let him in. */
const stranger = async (cluster: Cluster): Promise<void> => {
  const theirs = (rotation: object, parent: object): Promise<unknown> =>
    put(cluster, inMallory(intermediate({ rotation }, 'theirs', parent)))
  const own = { name: 'root' }
  await put(cluster, inMallory(authority({ maxPathLength: 1 }, 'root')))
  await theirs(held, own)
  await until('it to be made', async () => isReady(await getMallorys(cluster)))
  await theirs({ ...held, trigger: 'one' }, own)
  await until('it to rotate', async () => (await getMallorys(cluster)).status?.rotation?.phase === 'TrustBoth')
  await theirs({ ...held, trigger: 'one' }, { name: 'ca', namespace: 'data' })
}

/** A CA below that rotates, and is kept by a finalizer from being gone. */
const goingBelow = async (cluster: Cluster): Promise<void> => {
  await rotatingBelow(cluster)
  const { metadata, ...below } = await getAuthority(cluster, 'below')
  const kept = { ...below, metadata: { ...metadata, finalizers: ['test.dev/held'] } }
  await cluster.update(certificateAuthorities, kept, person)
  await cluster.delete(certificateAuthorities, { namespace: 'data', name: 'below' })
}

const rotatingBelow = async (cluster: Cluster): Promise<void> => {
  await put(cluster, intermediate({ ...short, rotation: held }, 'below', { name: 'ca' }))
  await authorityReady(cluster, 'below')
  await ask(cluster, { trigger: 'one' }, 'below')
  await inPhase(cluster, 'TrustBoth', 'below')
}

it.each([
  ['a stranger', 'is compromised', stranger, {}, { trigger: 'one', reason: 'Compromised' }],
  ['a stranger', 'gets a new key at its end', stranger, { onExpiry: 'NewKey' }, {}],
  ['what is being deleted', 'is compromised', goingBelow, {}, { trigger: 'one', reason: 'Compromised' }],
  ['what is being deleted', 'gets a new key at its end', goingBelow, { onExpiry: 'NewKey' }, {}],
])(
  '%s that rotates below one that has ended, and %s, keeps no key alive',
  async (_, __, before, rotation, meanwhile) => {
    const running = await away(rotation, meanwhile, before)
    const { cluster } = running
    const key = await publicKeyOf(running)
    await until('the end of it', async () => {
      const { phase, finishedAt } = await rotationOf(cluster)
      return phase === 'Idle' && finishedAt !== undefined
    })
    expect(await publicKeyOf(running)).not.toBe(key)
    expect(phasesOf(running)).not.toContain('RotationTrustBoth')
    expect(
      running.events.filter(({ reason, regarding }) => reason === 'Renewed' && regarding.metadata.name === 'ca'),
    ).toEqual([])
  },
)

/** It was renewed with its key, and its own rotation waits for the other one. */
const keptAlive = async (running: Pick<Awaited<ReturnType<typeof away>>, 'cluster'>, key: unknown, other: string) => {
  const { cluster } = running
  await until('it to say why', async () =>
    (await rotationOf(cluster)).message?.includes(`CertificateAuthority data/${other} is rotating`),
  )
  const { certificate: made } = (await getAuthority(cluster)).status ?? {}
  expect(made?.publicKeyHash).toBe(key)
}

describe('one that has ended while a relative rotates is renewed first: that one may need it', () => {
  it('below it', async () => {
    const running = await away(noSoak, { trigger: 'one', reason: 'Compromised' }, rotatingBelow)
    const { cluster, fingerprint } = running
    const key = await publicKeyOf(running)
    await until('another certificate of the CA', async () => (await fingerprintOf(cluster)) !== fingerprint)
    await keptAlive(running, key, 'below')
    await ask(cluster, { abort: 'one' }, 'below')
    await rotated(cluster, 'one')
    expect(await publicKeyOf(running)).not.toBe(key)
  })

  it('above it', async () => {
    const { clock, cluster } = emptyCluster()
    const first = await start(cluster, clock)
    await put(cluster, authority({ maxPathLength: 1, rotation: held }, 'root'))
    await put(cluster, intermediate({ ...short, rotation: noSoak }))
    await authorityReady(cluster)
    await ask(cluster, { trigger: 'one' }, 'root')
    await inPhase(cluster, 'TrustBoth', 'root')
    await quiet(first.operator)
    await first.stop()
    clock.setNow(clock.now() + 40 * day)
    const { fingerprint, publicKeyHash } = (await getAuthority(cluster)).status?.certificate ?? {}
    await ask(cluster, { trigger: 'one' })
    await start(cluster, clock)
    await until('another certificate of the CA', async () => (await fingerprintOf(cluster)) !== fingerprint)
    await keptAlive({ cluster }, publicKeyHash, 'root')
    await ask(cluster, { holdAt: '' }, 'root')
    await rotated(cluster, 'one', 'root')
    await rotated(cluster, 'one')
    expect((await getAuthority(cluster)).status?.certificate?.publicKeyHash).not.toBe(publicKeyHash)
  })
})
