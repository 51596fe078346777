/** Certificates of a profile that come back from a backup: the profile takes them in, and they are its own again. */
import { describe, expect, it } from 'vitest'
import type { Cluster, KubeObject } from '../../cluster/port.ts'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import {
  authority,
  emptyCluster,
  getCertificate,
  getSecret,
  namespace,
  newCluster,
  profile,
  profileReady,
  put,
  quiet,
  somebody,
  start,
  until,
  writesOfRest,
} from '../../testing.ts'
import { backedUp, restored } from './world.fixture.ts'

/** A list is replaced as a whole by the embedded cluster; test/e2e/restored-profile.test.ts has the items of a Secret. */
const short = { server: { duration: '40d' } }
const usual = {}

/** What a person has put beside what the profile asks for. */
const additions = {
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'DatabaseCertificate',
  metadata: { name: 'orders-server', namespace, labels: { team: 'a' }, annotations: { note: 'mine' } },
  spec: { renewTrigger: 'once', secret: { deletionPolicy: 'Retain', annotations: { mounted: 'here' } } },
} as unknown as KubeObject

const specOf = async (cluster: Cluster) => (await getCertificate(cluster, 'orders-server')).spec

/** A cluster into which the certificates of a profile were restored. */
const cameBack = async () => {
  const { clock: former, cluster: old } = emptyCluster()
  const before = await start(old, former)
  await put(old, authority())
  await put(old, profile(short))
  await profileReady(old)
  await old.apply(databaseCertificates, additions as never, somebody)
  await until('the annotation', async () => {
    const { annotations } = (await getSecret(old, 'orders-server-tls')).metadata
    return annotations?.['mounted'] === 'here'
  })
  await quiet(before.operator)
  const serial = (await getCertificate(old, 'orders-server')).status?.serialNumber
  const contents = await backedUp(old, former)
  await before.stop()
  const clock = new ManualClock(former.now() + 3_600_000)
  const cluster = newCluster(clock)
  expect(await restored(cluster, clock, contents)).toMatchObject({ code: 0, err: '' })
  const running = Object.assign(await start(cluster, clock), { cluster, clock })
  return { ...running, serial, contents }
}

const expectAdditions = async (cluster: Cluster): Promise<void> => {
  const { metadata, spec } = await getCertificate(cluster, 'orders-server')
  expect(metadata.labels).toMatchObject({ team: 'a' })
  expect(metadata.annotations).toMatchObject({ note: 'mine' })
  expect(spec).toMatchObject({ renewTrigger: 'once', secret: { deletionPolicy: 'Retain' } })
}

describe('the certificate of a profile that was restored', () => {
  it('loses what the profile comes to ask for no longer, and nothing that a person has added', async () => {
    const running = await cameBack()
    const { cluster, clock, contents } = running
    await put(cluster, profile(short))
    await profileReady(cluster)
    expect((await getCertificate(cluster, 'orders-server')).status?.serialNumber, 'as restored').toBe(running.serial)
    expect((await specOf(cluster)).duration).toBe('40d')
    expect(await restored(cluster, clock, contents)).toMatchObject({ code: 0, err: '' })
    await put(cluster, profile(usual))
    await until('the duration to go', async () => (await specOf(cluster)).duration !== '40d')
    await expectAdditions(cluster)
    expect((await specOf(cluster)).secret.annotations).toEqual({ mounted: 'here' })
    await profileReady(cluster)
    expect(await writesOfRest(running)).toEqual([])
  })

  it('loses what a profile that was changed meanwhile does not ask for', async () => {
    const { cluster } = await cameBack()
    await put(cluster, profile(usual))
    await profileReady(cluster)
    expect((await specOf(cluster)).duration).not.toBe('40d')
    await expectAdditions(cluster)
  })
})
