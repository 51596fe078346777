/** Secrets that hold one CA alone, in a rotation: their bytes stay until the switch, and nobody may wait for other ones. */
import { expect, it } from 'vitest'
import { ask, atRest, inPhase, rotated } from './operator.rotation.fixture.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { certificate, getSecret, put, ready, text, until } from './testing.ts'

it('goes on where a Secret holds one CA alone, which is the other one from the switch on', async () => {
  const { cluster } = await atRest({})
  const name = 'my-cluster-cluster-ca-cert'
  await put(cluster, certificate({ dnsNames: undefined, secret: { name, layout: 'Strimzi/cluster-ca-cert' } }, name))
  await ready(cluster, name)
  const held = async () => text(await getSecret(cluster, name), 'ca.crt')
  const former = await held()
  await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' })
  await inPhase(cluster, 'TrustBoth')
  expect(await held()).toBe(former)
  await ask(cluster, { holdAt: '' })
  await rotated(cluster, 'one')
  await until('the next one', async () => (await held()) !== former)
  expect(certificatesOf(await held())).toHaveLength(1)
})
