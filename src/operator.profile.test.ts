import { describe, expect, it } from 'vitest'
import { clients, topology } from './profile/profile.fixture.ts'
import { configMaps, secrets } from './resources/core.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import { databaseTLSProfiles } from './resources/database-tls-profile.ts'
import { findCondition } from './resources/conditions.ts'
import { isNotFound } from './cluster/errors.ts'
import type { Cluster } from './cluster/port.ts'
import {
  getSecret,
  leafOf,
  namespace,
  profile,
  profileReady,
  profileSays,
  put,
  quiet,
  until,
  withAuthority,
  writesAtRest,
} from './testing.ts'

const namesOf = async (cluster: Cluster): Promise<string[]> =>
  (await cluster.list(databaseCertificates, { namespace })).items.map(({ metadata }) => metadata.name).toSorted()

/** As many as the figures are about. */
const manyClients = Array.from({ length: 20 }, (_, at) => ({ name: `app-${at}` }))

describe('a profile', () => {
  it('becomes certificates, a ConfigMap and a status, in two status writes', async () => {
    const running = await withAuthority()
    const { cluster, operator, writes, events } = running
    await quiet(operator)
    const before = writes.length
    await put(cluster, profile({ topology, clients: manyClients }))
    const { status } = await profileReady(cluster)
    await quiet(operator)
    const names = ['orders-server', ...manyClients.map(({ name }) => `orders-${name}`)]
    expect(await namesOf(cluster)).toEqual(names.toSorted())
    expect(status?.certificates?.map(({ name }) => name)).toEqual(names)
    const secret = await getSecret(cluster, 'orders-server-tls')
    expect(status?.certificates?.[0]).toMatchObject({
      secretName: 'orders-server-tls',
      role: 'Server',
      serialNumber: leafOf(secret).serialNumber,
    })
    const { data } = await cluster.get(configMaps, { namespace, name: 'orders-tls-config' })
    expect(data?.['accounts.sql']).toContain('app-19')
    expect(findCondition(status?.conditions, 'Ready')?.message).toContain('All 21 certificates are delivered.')
    const made = writes.slice(before)
    const count = (verb: string, plural: string) =>
      made.filter((one) => one.verb === verb && one.plural === plural).length
    expect(count('apply', 'databasecertificates')).toBe(21)
    expect(count('apply', 'configmaps')).toBe(1)
    expect(count('updateStatus', 'databasetlsprofiles')).toBe(2)
    expect(events.filter(({ reason }) => reason === 'Applied')).toHaveLength(1)
    expect(await writesAtRest(running)).toEqual([])
  })

  it('makes what is not refused, and says which field is wrong', async () => {
    const { cluster } = await withAuthority()
    await put(cluster, profile({ version: '99', clients: [{ name: 'long', username: 'x'.repeat(100) }, ...clients] }))
    const { message } = await profileSays(cluster, 'ProfileInvalid', 'spec.clients[0].username')
    expect(message).toContain('spec.version: MySQL 99 is not known here')
    expect(await namesOf(cluster)).toEqual(['orders-app', 'orders-report', 'orders-server'])
  })

  it('goes with all it made', async () => {
    const { cluster } = await withAuthority()
    await put(cluster, profile({ topology, clients }))
    await profileReady(cluster)
    await cluster.delete(databaseTLSProfiles, { namespace, name: 'orders' })
    const gone = (read: Promise<unknown>): Promise<boolean> => read.then(() => false, isNotFound)
    await until('all to go', async () => (await namesOf(cluster)).length === 0)
    await until('the Secret to go', () => gone(cluster.get(secrets, { namespace, name: 'orders-server-tls' })))
    await until('the ConfigMap to go', () => gone(cluster.get(configMaps, { namespace, name: 'orders-tls-config' })))
  })
})
