/** A bundle that is only trusted, and whose owner takes something out of it. */
import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { ask, inPhase, rotationOf } from './operator.rotation.fixture.ts'
import { certificatesOf, encodePem } from './pki/encoding/pem.ts'
import { type Authority, makeRoot } from './pki/testing.ts'
import { configMaps, secrets } from './resources/core.ts'
import {
  authority,
  authoritySays,
  configMapOf,
  emptyCluster,
  getAuthority,
  getConfigMap,
  getSecret,
  namespace,
  person,
  put,
  quiet,
  secretOf,
  start,
  until,
  writesOfRest,
} from './testing.ts'

const pem = (...all: readonly Authority[]): string =>
  all.map(({ certificate }) => encodePem('CERTIFICATE', certificate)).join('')
const give = (cluster: Cluster, ...all: readonly Authority[]) =>
  cluster.apply(configMaps, configMapOf('rds', { 'bundle.pem': pem(...all) }), person)

const hours = 3_600_000
const soak = { dropSoak: '24h' }
const targets = [{ kind: 'ConfigMap', name: 'trust', items: [{ key: 'ca.crt', content: 'TrustBundle' }] }]
const source = { trustOnly: { configMapRef: { name: 'rds', key: 'bundle.pem' } } }
const trusted = async (cluster: Cluster): Promise<string> =>
  (await getConfigMap(cluster, 'trust')).data?.['ca.crt'] ?? ''

/** A bundle of the first two of three roots, delivered. `rotation`: undefined where nobody says anything of it. */
const anchored = async (rotation: object | undefined = soak) => {
  const { clock, cluster } = emptyCluster()
  const make = (commonName: string) => makeRoot({ commonName, now: clock.now() })
  const [one, two, three] = [await make('one'), await make('two'), await make('three')]
  await give(cluster, one, two)
  const bundle = (...all: readonly Authority[]) =>
    until(`a bundle of ${all.length}`, async () => (await trusted(cluster)) === pem(...all)).catch(
      async (error: unknown) => {
        throw new Error(JSON.stringify([(await getAuthority(cluster)).status, (await trusted(cluster)).length]), {
          cause: error,
        })
      },
    )
  const finished = () =>
    until('the end of it', async () => {
      const { phase, finishedAt } = await rotationOf(cluster)
      return phase === 'Idle' && finishedAt !== undefined
    })
  const begin = async () => {
    await put(cluster, authority({ source, trustBundle: { targets }, ...(rotation && { rotation }) }))
    await authoritySays(cluster, 'Ready', '2 certificates are trusted')
    await until('the target', async () => (await trusted(cluster).catch(() => '')) === pem(one, two))
  }
  return { clock, cluster, one, two, three, bundle, finished, begin }
}

const running = async (rotation?: object) => {
  const world = await anchored(rotation)
  const operated = await start(world.cluster, world.clock)
  await world.begin()
  await quiet(operated.operator)
  return Object.assign(operated, world)
}

describe('a root that is taken out of a bundle', () => {
  it('stays trusted for dropSoak, without a write to consumers, and is then dropped', async () => {
    const world = await running()
    const { cluster, clock, events, one, two, bundle, finished } = world
    const before = (await getConfigMap(cluster, 'trust')).metadata.resourceVersion
    await give(cluster, two)
    const soaking = await inPhase(cluster, 'DropSoak')
    expect(soaking.status?.rotation).toMatchObject({ cause: 'Replaced', mode: 'NewKey' })
    await authoritySays(cluster, 'Ready', '1 of them was taken out of its source')
    await until('words', async () => (await rotationOf(cluster)).message?.includes('dropSoak of 24 h'))
    await clock.advance(23 * hours)
    await quiet(world.operator)
    expect((await getConfigMap(cluster, 'trust')).metadata.resourceVersion).toBe(before)
    await clock.advance(2 * hours)
    await finished()
    await bundle(two)
    expect(await trusted(cluster)).not.toContain(pem(one))
    await authoritySays(cluster, 'Ready', '1 certificate is trusted; nothing is signed by this authority.')
    expect((await rotationOf(cluster)).from).not.toBe((await rotationOf(cluster)).to)
    expect(
      certificatesOf(Buffer.from((await getSecret(cluster, 'ca-ca')).data?.['ca.crt'] ?? '', 'base64').toString()),
    ).toEqual(certificatesOf(pem(two)))
    const told = events.filter(({ reason }) => reason.startsWith('Rotation')).map(({ note }) => note)
    expect(told).toEqual([
      'Something was taken out of the bundle: it stays trusted until nothing needs it.',
      'What was taken out of the bundle and what was added to it are both trusted.',
      'Servers that show what hangs on what was taken out are waited for.',
      'No server in sight needs what was taken out of the bundle; it stays trusted for dropSoak.',
      'What was taken out of the bundle is trusted no more.',
      'What was taken out of the bundle is trusted no more.',
    ])
    await writesOfRest(world)
    expect(await writesOfRest(world)).toEqual([])
  })

  it('does not keep what is added with it, and nothing moves its place before', async () => {
    const { cluster, one, two, three, bundle } = await running({ ...soak, holdAt: 'DropSoak' })
    await give(cluster, three, two)
    await bundle(one, two, three)
    const { status } = await inPhase(cluster, 'DropSoak')
    expect(status?.trustBundleHash).not.toBe(status?.rotation?.to)
    await ask(cluster, { dropSoak: '0s' })
    await until('it to be held', async () => (await rotationOf(cluster)).message?.includes('Held at DropSoak'))
    await ask(cluster, { holdAt: '' })
    await bundle(three, two)
  })

  it('is not staged where no spec.rotation is given', async () => {
    const { cluster, two, bundle } = await running()
    await put(cluster, authority({ source, trustBundle: { targets }, rotation: undefined }, 'plain'))
    await authoritySays(cluster, 'Ready', '2 certificates', 'plain')
    await give(cluster, two)
    await authoritySays(cluster, 'Ready', '1 certificate is trusted', 'plain')
    expect((await getAuthority(cluster, 'plain')).status?.rotation).toBeUndefined()
    await expect(getSecret(cluster, 'plain-ca')).rejects.toThrow()
    await inPhase(cluster, 'DropSoak')
    await ask(cluster, { dropSoak: '0s' })
    await bundle(two)
  })

  it('waits for a window, and for nobody who adds', async () => {
    const windows = [{ cron: '0 3 * * *', duration: '1h', timeZone: 'UTC' }]
    const { cluster, clock, one, two, three, bundle } = await running({ dropSoak: '0s', windows })
    await give(cluster, three)
    await bundle(one, two, three)
    await until('words', async () => (await rotationOf(cluster)).message?.includes('when a maintenance window opens'))
    await clock.advance(2 * hours)
    expect(await trusted(cluster)).toBe(pem(one, two, three))
    await clock.advance(1.5 * hours)
    await bundle(three)
  })

  it.each(['TrustBoth', 'Signing', 'DropSoak'] as const)(
    'is back where it was when it is put back in %s',
    async (holdAt) => {
      const { cluster, events, one, two, bundle, finished } = await running({ ...soak, holdAt })
      await give(cluster, two)
      await inPhase(cluster, holdAt)
      await give(cluster, two, one)
      await finished()
      expect((await rotationOf(cluster)).cause).toBe('Abort')
      await bundle(two, one)
      expect(events.some(({ reason }) => reason === 'RotationTakenBack')).toBe(true)
    },
  )

  it('begins anew when more is taken out, and all of it stays trusted until then', async () => {
    const { cluster, clock, one, two, three, bundle, finished } = await running()
    await give(cluster, two, three)
    await inPhase(cluster, 'DropSoak')
    await bundle(one, two, three)
    const began = (await rotationOf(cluster)).startedAt
    await clock.advance(20 * hours)
    await give(cluster, three)
    await until('another beginning', async () => {
      const { startedAt, phase } = await rotationOf(cluster)
      return startedAt !== began && phase === 'DropSoak'
    })
    await clock.advance(20 * hours)
    await bundle(one, two, three)
    await clock.advance(5 * hours)
    await finished()
    await bundle(three)
  })

  it('follows what is added meanwhile at once', async () => {
    const { cluster, one, two, three, bundle } = await running()
    await give(cluster, two)
    await inPhase(cluster, 'DropSoak')
    await give(cluster, three, two)
    await bundle(one, two, three)
    expect((await rotationOf(cluster)).phase).toBe('DropSoak')
    await until('what remains to be known', async () => {
      const { spec, status } = await getAuthority(cluster)
      return spec.rotation !== undefined && status?.rotation?.to !== status?.trustBundleHash
    })
    await ask(cluster, { dropSoak: '0s' })
    await bundle(three, two)
  })

  it.each([
    [
      'from the beginning',
      (cluster: Cluster): Promise<unknown> => getAuthority(cluster),
      { reason: 'Compromised', dropOld: 'Now' },
    ],
    [
      'in the middle',
      (cluster: Cluster): Promise<unknown> => inPhase(cluster, 'DropSoak'),
      { reason: '', dropOld: 'AfterSoak' },
    ],
  ] as const)('goes at once where somebody wants that, %s', async (_, before, rotation) => {
    const { cluster, two, bundle, finished } = await running({ ...soak, ...rotation })
    await give(cluster, two)
    await before(cluster)
    await ask(cluster, { reason: 'Compromised', dropOld: 'Now' })
    await bundle(two)
    await finished()
  })

  it('goes with nothing left to do when it ends', async () => {
    const { clock, cluster } = emptyCluster()
    const short = await makeRoot({ commonName: 'short', now: clock.now(), duration: 2 * 24 * hours })
    const long = await makeRoot({ commonName: 'long', now: clock.now() })
    await give(cluster, short, long)
    await start(cluster, clock)
    await put(cluster, authority({ source, trustBundle: { targets }, rotation: { dropSoak: '90d' } }))
    await authoritySays(cluster, 'Ready', '2 certificates')
    await give(cluster, long)
    await inPhase(cluster, 'DropSoak')
    await clock.advance(3 * 24 * hours)
    await until('the end of it', async () => (await rotationOf(cluster)).phase === 'Idle')
    await until('one to be trusted', async () => (await trusted(cluster)) === pem(long))
  })

  it('is held while its source is broken, and while what is remembered was changed by somebody', async () => {
    const { cluster, one, two, three, bundle } = await running({ ...soak, holdAt: 'DropSoak' })
    await give(cluster, two, three)
    await inPhase(cluster, 'DropSoak')
    await cluster.apply(configMaps, configMapOf('rds', { 'bundle.pem': 'broken' }), person)
    await authoritySays(cluster, 'TrustBundleInvalid', 'stays in use')
    await ask(cluster, { holdAt: '', dropSoak: '0s' })
    await until('words', async () => (await rotationOf(cluster)).message?.includes('The next step was not taken'))
    expect(await trusted(cluster)).toBe(pem(one, two, three))
    await cluster.apply(secrets, secretOf('ca-ca', { 'ca.crt': pem(three) }), person)
    await give(cluster, two, three)
    await authoritySays(cluster, 'AuthoritySecretInvalid', 'somebody has changed it')
    await bundle(one, two, three)
  })

  it('is not remembered in a Secret of somebody else, which is said', async () => {
    const { clock, cluster, begin, two, bundle } = await anchored()
    await cluster.apply(secrets, secretOf('ca-ca', { mine: 'x' }), person)
    await start(cluster, clock)
    await begin()
    await authoritySays(cluster, 'Ready', 'what is taken out would be trusted no more at once')
    await give(cluster, two)
    await bundle(two)
  })

  it('answers a trigger in words, and begins nothing', async () => {
    const { cluster } = await running()
    await ask(cluster, { trigger: 'one' })
    await until('words', async () => (await rotationOf(cluster)).message?.includes('nothing is signed here'))
    expect((await rotationOf(cluster)).phase).toBe('Idle')
  })
})

describe('an operator that dies while a root is on its way out', () => {
  it('at any write leaves what the next one ends, and nothing is dropped that was not to be', async () => {
    const rested = async () => {
      const world = await anchored({ dropSoak: '0s' })
      const first = await start(world.cluster, world.clock)
      await world.begin()
      await quiet(first.operator)
      await first.stop()
      return world
    }
    const measured = await rested()
    const trial = await start(measured.cluster, measured.clock)
    await give(measured.cluster, measured.two, measured.three)
    await measured.finished()
    await measured.bundle(measured.two, measured.three)
    await quiet(trial.operator)
    const writes = trial.writes.length
    await trial.stop()
    expect(writes).toBeGreaterThan(10)
    for (let at = 1; at <= writes; at += 1)
      for (const when of ['before', 'after'] as const) {
        const { clock, cluster, two, three, finished, bundle } = await rested()
        const first = await start(cluster, clock)
        first.dieAt(at, when)
        await give(cluster, two, three)
        await until('the end of it', async () => first.dead || (await rotationOf(cluster)).finishedAt !== undefined)
        expect(await trusted(cluster), `${at} ${when}`).toContain(pem(two))
        await first.stop()
        const second = await start(cluster, clock)
        await finished()
        await bundle(two, three)
        await quiet(second.operator)
        await second.stop()
      }
  })

  it('two that both think they lead end it together', async () => {
    const world = await anchored({ dropSoak: '0s' })
    const { clock, cluster, two, three } = world
    const both = [await start(cluster, clock), await start(cluster, clock)]
    await world.begin()
    await give(cluster, two, three)
    await world.finished()
    await world.bundle(two, three)
    for (const { operator } of both) await quiet(operator)
    expect((await getAuthority(cluster)).metadata.namespace).toBe(namespace)
  })
})
