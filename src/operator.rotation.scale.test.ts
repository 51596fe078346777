/** A rotation of many certificates by two operators that both think they lead: requests grow as the certificates do, and no faster. */
import { setTimeout as realSleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { withVerbs } from './faults.fixture.ts'
import { ask, noSoak, rotationOf } from './operator.rotation.fixture.ts'
import { isReady } from './resources/conditions.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import { authority, authorityReady, certificate, emptyCluster, getAuthority, put, quiet, start } from './testing.ts'

const verbs = ['get', 'list', 'create', 'apply', 'update', 'updateStatus', 'delete'] as const

/** Requests by verb and kind. */
const counting = (cluster: Cluster, requests: Map<string, number>): Cluster =>
  withVerbs(
    cluster,
    Object.fromEntries(
      verbs.map((verb) => [
        verb,
        (...args: unknown[]) => {
          const name = `${verb} ${(args[0] as { plural: string }).plural}`
          requests.set(name, (requests.get(name) ?? 0) + 1)
          return (cluster[verb] as (...all: unknown[]) => unknown).apply(cluster, args)
        },
      ]),
    ),
  )

const rotate = async (many: number): Promise<ReadonlyMap<string, number>> => {
  const { clock, cluster } = emptyCluster()
  const requests = new Map<string, number>()
  const operators = [await start(counting(cluster, requests), clock), await start(counting(cluster, requests), clock)]
  // As until() of testing.ts, which gives up too early for so many.
  const until = async (look: () => Promise<boolean>): Promise<void> => {
    while (!(await look())) {
      await realSleep(20)
      await clock.advance(50)
    }
  }
  const fingerprint = async () => (await getAuthority(cluster)).status?.certificate?.fingerprint
  const allOf = async (signer: string | undefined): Promise<boolean> => {
    const { items } = await cluster.list(databaseCertificates)
    return items.every((one) => isReady(one) && one.status?.authorityFingerprint === signer)
  }
  await put(cluster, authority({ rotation: { ...noSoak, maxParallel: 100 } }))
  await authorityReady(cluster)
  for (let at = 0; at < many; at += 1) await put(cluster, certificate({}, `c${at}`))
  const former = await fingerprint()
  await until(() => allOf(former))
  for (const { operator } of operators) await quiet(operator)
  requests.clear()
  await ask(cluster, { trigger: 'one' })
  await until(async () => (await rotationOf(cluster)).finishedAt !== undefined)
  expect(await fingerprint()).not.toBe(former)
  const next = await fingerprint()
  await until(() => allOf(next))
  for (const { operator } of operators) await quiet(operator)
  return requests
}

it('five hundred certificates cost each as many requests as a hundred', { timeout: 900_000 }, async () => {
  const [few, many] = [100, 500]
  const small = await rotate(few)
  const large = await rotate(many)
  const each = Object.fromEntries(
    [...large].map(([name, count]) => [name, { few: (small.get(name) ?? 0) / few, many: count / many }]),
  )
  console.log('requests for each certificate:', JSON.stringify(each))
  // Were it quadratic, it would be five times as many.
  for (const [name, { few: before, many: after }] of Object.entries(each))
    expect([name, after < 2 * before + 0.1]).toEqual([name, true])
  const written = (large.get('apply secrets') ?? 0) / many
  expect(written).toBeGreaterThanOrEqual(3)
})
