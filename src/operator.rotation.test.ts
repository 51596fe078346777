import { describe, expect, it } from 'vitest'
import {
  allVerify,
  ask,
  atRest,
  delivered,
  inPhase,
  rotated,
  rotationOf,
  verifies,
} from './operator.rotation.fixture.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { getAuthority, getSecret, leafOf, quiet, ready, until, writesOfRest } from './testing.ts'

const serials = async (cluster: Parameters<typeof getSecret>[0]) => ({
  server: leafOf(await getSecret(cluster, 'server-tls')).serialNumber,
  client: leafOf(await getSecret(cluster, 'client-tls')).serialNumber,
})
const bundleOf = async (cluster: Parameters<typeof getSecret>[0], name: string): Promise<number> =>
  certificatesOf((await delivered(cluster, name)).bundle).length

describe('a rotation to a new key', () => {
  it('goes through every phase, writes each Secret three times, and then nothing more', async () => {
    const running = await atRest()
    const { cluster, clock, operator, written, events } = running
    const first = await getAuthority(cluster)
    const before = await serials(cluster)
    const old = await delivered(cluster, 'server')

    await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' })
    await inPhase(cluster, 'TrustBoth')
    await until(
      'both to be trusted',
      async () => (await bundleOf(cluster, 'server')) === 2 && (await bundleOf(cluster, 'client')) === 2,
    )
    await quiet(operator)
    expect(await serials(cluster)).toEqual(before)
    const both = [await delivered(cluster, 'server'), await delivered(cluster, 'client')]
    allVerify([old, ...both], clock.now())

    await ask(cluster, { holdAt: 'Signing' })
    await inPhase(cluster, 'Signing')
    const signing = [...both]
    await until('all to be replaced', async () => {
      signing.push(await delivered(cluster, 'server'), await delivered(cluster, 'client'))
      const now = await serials(cluster)
      return now.server !== before.server && now.client !== before.client
    })
    await quiet(operator)
    signing.push(await delivered(cluster, 'server'), await delivered(cluster, 'client'))
    allVerify([...new Map(signing.map((one) => [JSON.stringify(one), one])).values()], clock.now())

    await ask(cluster, { holdAt: 'DropSoak' })
    await inPhase(cluster, 'DropSoak')
    await ask(cluster, { holdAt: '' })
    const after = await rotated(cluster, 'one')
    expect(after.status?.certificate?.publicKeyHash).not.toBe(first.status?.certificate?.publicKeyHash)
    expect(after.status?.certificate?.subject).toBe(first.status?.certificate?.subject)
    expect(after.status?.rotation).toMatchObject({
      ...{ phase: 'Idle', mode: 'NewKey', cause: 'Trigger', from: first.status?.certificate?.fingerprint },
      to: after.status?.certificate?.fingerprint,
    })
    await quiet(operator)
    for (const name of ['server', 'client']) {
      expect(written.filter((one) => one === `${name}-tls`)).toHaveLength(3)
      expect(await bundleOf(cluster, name)).toBe(1)
      await ready(cluster, name)
    }
    const dropped = await delivered(cluster, 'server')
    expect(verifies(dropped, dropped, clock.now())).toBe(true)
    expect(verifies(old, dropped, clock.now())).toBe(false)
    expect(Object.keys((await getSecret(cluster, 'ca-ca')).data ?? {}).toSorted()).toEqual([
      'ca.crt',
      'tls.crt',
      'tls.key',
    ])
    // Five steps; at two of them keys go, and are emptied first.
    expect(written.filter((one) => one === 'ca-ca')).toHaveLength(7)
    expect(events.filter(({ reason }) => reason.startsWith('Rotation')).map(({ reason }) => reason)).toEqual([
      'RotationPrepared',
      'RotationTrustBoth',
      'RotationSigning',
      'RotationDropSoak',
      'RotationDropped',
      'RotationEnded',
    ])
    expect(await writesOfRest(running)).toEqual([])
    expect((await rotationOf(cluster)).phase).toBe('Idle')
  })
})
