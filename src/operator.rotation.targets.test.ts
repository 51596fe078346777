/** The new CA signs nothing before every ConfigMap that people read trust from has it. */
import { expect, it } from 'vitest'
import { ApiError } from './cluster/errors.ts'
import type { Cluster } from './cluster/port.ts'
import { withVerbs } from './faults.fixture.ts'
import { ask, inPhase, noSoak, rotated, rotationOf, serialOf } from './operator.rotation.fixture.ts'
import {
  authority,
  authorityReady,
  certificate,
  fresh,
  getConfigMap,
  pass,
  profile,
  profileReady,
  put,
  quiet,
  ready,
  until,
} from './testing.ts'

const items = [{ key: 'ca.crt', content: 'TrustBundle' }]

it.each([
  { of: 'the trust bundle', name: 'roots', targets: [{ kind: 'ConfigMap', name: 'roots', items }] },
  { of: 'a profile', name: 'orders-server-ca', targets: [] },
])('a ConfigMap of $of that cannot be written is waited for, and named', async ({ name, targets }) => {
  let refuses = false
  const { clock, cluster, operator } = await fresh((port) =>
    withVerbs(port, {
      apply: ((...args: Parameters<Cluster['apply']>) => {
        if (refuses && args[1].kind === 'ConfigMap' && args[1].metadata.name === name)
          return Promise.reject(new ApiError({ status: 403, reason: 'Forbidden', message: 'quota' }))
        return port.apply(...args)
      }) as Cluster['apply'],
    }),
  )
  await put(cluster, authority({ rotation: noSoak, ...(targets.length === 0 ? {} : { trustBundle: { targets } }) }))
  await authorityReady(cluster)
  await put(cluster, certificate({}, 'server'))
  await ready(cluster, 'server')
  await put(cluster, profile({ clientAuthorityRef: { name: 'ca' } }))
  await profileReady(cluster)
  const before = await until('the ConfigMap', () => getConfigMap(cluster, name).catch(() => undefined))
  const serial = await serialOf(cluster, 'server')

  refuses = true
  await ask(cluster, { trigger: 'one' })
  await inPhase(cluster, 'TrustBoth')
  await until('it to be named', async () => (await rotationOf(cluster)).message?.includes(`ConfigMap data/${name} (`))
  await quiet(operator)
  expect(await rotationOf(cluster)).toMatchObject({ phase: 'TrustBoth', pending: { consumers: 1 } })
  expect(await serialOf(cluster, 'server')).toBe(serial)
  expect((await getConfigMap(cluster, name)).data).toEqual(before.data)

  refuses = false
  // A try that was under way when time passed waits for its next turn.
  await until('the rotation to end', async () => {
    await pass(clock, 0)
    await quiet(operator)
    return (await rotationOf(cluster)).phase === 'Idle'
  })
  await rotated(cluster, 'one')
  expect((await getConfigMap(cluster, name)).data).not.toEqual(before.data)
})
