/** The Secret of a rotating CA is deleted or replaced by somebody: never used, said, and gone on with when it is restored. */
import { describe, expect, it } from 'vitest'
import { fieldManager } from './control/context.ts'
import type { Cluster } from './cluster/port.ts'
import { ask, atRest, delivered, inPhase, rotated, rotationOf } from './operator.rotation.fixture.ts'
import { encodePem } from './pki/encoding/pem.ts'
import { makeRoot } from './pki/testing.ts'
import { type Secret, secrets } from './resources/core.ts'
import { authoritySays, certificate, getSecret, namespace, put, quiet, ready, until } from './testing.ts'

const holds = ['TrustBoth', 'Signing', 'DropSoak'] as const

const rotating = async (phase: (typeof holds)[number]) => {
  const running = await atRest({}, { holdAt: phase })
  await ask(running.cluster, { trigger: '1' })
  await inPhase(running.cluster, phase)
  // In Signing all certificates move first.
  await until('the phase to be held', async () => (await rotationOf(running.cluster)).message?.includes('Held at'))
  await quiet(running.operator)
  return { ...running, whole: await getSecret(running.cluster, 'ca-ca') }
}

/** With its marks, without the versions of before, and by somebody who owns from then on what he has put back. */
const restore = (cluster: Cluster, { metadata, ...secret }: Secret): Promise<Secret> => {
  const { name, labels = {}, annotations = {} } = metadata
  const object = { ...secret, metadata: { name, namespace, labels, annotations } }
  return cluster.apply(secrets, object, { fieldManager: 'backup-tool', force: true })
}

const goesOn = async (cluster: Cluster): Promise<void> => {
  await until('nothing to be amiss', async () => !(await rotationOf(cluster)).message?.includes('was not taken'))
  await ask(cluster, { holdAt: '' })
  await rotated(cluster, '1')
  const { data = {} } = await getSecret(cluster, 'ca-ca')
  expect(Object.keys(data).toSorted()).toEqual(['ca.crt', 'tls.crt', 'tls.key'])
  await ready(cluster, 'later')
  await authoritySays(cluster, 'Ready')
}

describe('the Secret of a CA', () => {
  it.each(holds)('deleted in %s stalls it until it is restored', async (phase) => {
    const { cluster, operator, whole } = await rotating(phase)
    const before = await delivered(cluster, 'server')
    await cluster.delete(secrets, { namespace, name: 'ca-ca' })
    await authoritySays(cluster, 'AuthoritySecretMissing', 'Restore')
    await put(cluster, certificate({}, 'later'))
    await quiet(operator)
    await expect(getSecret(cluster, 'later-tls')).rejects.toThrow()
    await expect(getSecret(cluster, 'ca-ca')).rejects.toThrow()
    expect(await delivered(cluster, 'server')).toEqual(before)
    expect((await rotationOf(cluster)).phase).toBe(phase)
    await restore(cluster, whole)
    await goesOn(cluster)
  })

  it.each(holds)('replaced by another CA in %s stalls it until it is restored', async (phase) => {
    const { cluster, clock, operator, whole } = await rotating(phase)
    const before = await delivered(cluster, 'server')
    const other = await makeRoot({ commonName: 'ca of tests', now: clock.now() })
    const pem = encodePem('CERTIFICATE', other.certificate)
    const data = Object.fromEntries(
      Object.entries({ 'tls.crt': pem, 'ca.crt': pem, 'tls.key': encodePem('PRIVATE KEY', other.key.pkcs8) }).map(
        ([key, value]) => [key, Buffer.from(value).toString('base64')],
      ),
    )
    const { annotations = {} } = whole.metadata
    const swapped = { ...whole, metadata: { name: 'ca-ca', namespace, annotations }, data: { ...whole.data, ...data } }
    await cluster.apply(secrets, swapped, { fieldManager, force: true })
    await authoritySays(cluster, 'AuthoritySecretInvalid')
    await put(cluster, certificate({}, 'later'))
    await quiet(operator)
    await expect(getSecret(cluster, 'later-tls')).rejects.toThrow()
    expect(await delivered(cluster, 'server')).toEqual(before)
    expect((await rotationOf(cluster)).phase).toBe(phase)
    await restore(cluster, whole)
    await goesOn(cluster)
  })
})
