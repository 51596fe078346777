/** Secrets that hold one CA alone, in a rotation: nobody can wait for their readers, so they are named. */
import { expect, it } from 'vitest'
import { ask, atRest, inPhase, rotated, rotationOf } from './operator.rotation.fixture.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { certificate, getSecret, put, ready, text, until } from './testing.ts'

it('names what holds one CA alone before the switch, when it can still be held, and nothing that holds both', async () => {
  const items = [{ key: 'signer.crt', content: 'AuthorityCertificate' }]
  const targets = [
    { kind: 'Secret', name: 'lonely', items },
    { kind: 'Secret', name: 'both', items: [...items, { key: 'ca.crt', content: 'TrustBundle' }] },
  ]
  const { cluster } = await atRest({ trustBundle: { targets } })
  const name = 'my-cluster-cluster-ca-cert'
  await put(cluster, certificate({ dnsNames: undefined, secret: { name, layout: 'Strimzi/cluster-ca-cert' } }, name))
  await ready(cluster, name)
  const held = async () => text(await getSecret(cluster, name), 'ca.crt')
  const former = await held()
  await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' })
  await inPhase(cluster, 'TrustBoth')
  const said = await until('words', async () => {
    const { message = '' } = await rotationOf(cluster)
    return message.includes('Held at TrustBoth') && message
  })
  expect(said).toContain(
    `2 hold one CA alone, and the other one from the switch on: DatabaseCertificate data/${name} (Secret "${name}"), Secret "lonely" (spec.trustBundle.targets).`,
  )
  expect(await held()).toBe(former)
  await ask(cluster, { holdAt: '' })
  await rotated(cluster, 'one')
  await until('the next one', async () => (await held()) !== former)
  expect(certificatesOf(await held())).toHaveLength(1)
})
