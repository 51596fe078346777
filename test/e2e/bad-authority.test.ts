import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { SecretThing } from './support/api.ts'
import { textOf } from './support/api.ts'
import { authority, certificate, opaqueSecret } from './support/manifests.ts'
import { serialOf } from './support/material.ts'
import { Rig, authorities, certificates } from './support/rig.ts'

const home = 'e2e-bad-ca'

describe('a CA in trouble', () => {
  let rig: Rig
  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-bad-ca-operator' }, [home])
    await rig.operator()
    await rig.apply(authority(home, 'ca'), certificate(home, 'leaf'))
    await rig.ready(home, certificates, 'leaf')
  })
  afterAll(() => rig.stop())

  const restored = (secret: SecretThing) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    type: secret.type,
    metadata: {
      name: secret.metadata.name,
      namespace: home,
      labels: secret.metadata.labels,
      annotations: secret.metadata.annotations,
    },
    data: secret.data,
  })
  const asksForRenewal = (trigger: string) => rig.apply(certificate(home, 'leaf', { renewTrigger: trigger }))

  it.each(['tls.key', 'tls.crt', 'ca.crt'])(
    'whose Secret has a truncated %s signs and overwrites nothing',
    async (key) => {
      const good = await rig.secret(home, 'ca-ca')
      const leaf = await rig.secret(home, 'leaf-tls')
      const cut = Buffer.from(textOf(good, key).slice(0, 60)).toString('base64')
      const broken = (await rig.api.patch('secrets', home, 'ca-ca', { data: { [key]: cut } })) as SecretThing
      const { message } = await rig.refused(home, authorities, 'ca', 'AuthoritySecretInvalid')
      expect(message).toContain(key)
      expect(await rig.ready(home, certificates, 'leaf')).toBeDefined()
      await asksForRenewal(`while ${key} is cut`)
      await rig.refused(home, certificates, 'leaf', 'AuthorityNotReady')
      await rig.quiet()
      expect((await rig.secret(home, 'ca-ca')).metadata.resourceVersion).toBe(broken.metadata.resourceVersion)
      expect((await rig.secret(home, 'leaf-tls')).metadata.resourceVersion).toBe(leaf.metadata.resourceVersion)

      await rig.api.patch('secrets', home, 'ca-ca', { data: good.data })
      await rig.ready(home, authorities, 'ca')
      await rig.ready(home, certificates, 'leaf')
      expect(serialOf(await rig.secret(home, 'leaf-tls'))).not.toBe(serialOf(leaf))
    },
  )

  it('whose Secret is deleted makes no new key, and goes on when the Secret is restored', async () => {
    const good = await rig.secret(home, 'ca-ca')
    const leaf = await rig.secret(home, 'leaf-tls')
    await rig.api.delete('secrets', home, 'ca-ca')
    const { message } = await rig.refused(home, authorities, 'ca', 'AuthoritySecretMissing')
    expect(message).toContain('Restore it from a backup')
    await rig.quiet()
    expect(await rig.api.find('secrets', home, 'ca-ca')).toBeUndefined()
    expect((await rig.secret(home, 'leaf-tls')).data).toEqual(leaf.data)
    await rig.api.create('secrets', home, restored(good))
    await rig.ready(home, authorities, 'ca')
    expect((await rig.secret(home, 'ca-ca')).data).toEqual(good.data)
  })

  it('whose Secret holds another CA does not switch', async () => {
    const good = await rig.secret(home, 'ca-ca')
    await rig.apply(authority(home, 'other'))
    await rig.ready(home, authorities, 'other')
    const foreign = await rig.secret(home, 'other-ca')
    await rig.api.patch('secrets', home, 'ca-ca', { data: foreign.data })
    await rig.refused(home, authorities, 'ca', 'AuthoritySecretInvalid')
    await rig.api.patch('secrets', home, 'ca-ca', { data: good.data })
    await rig.ready(home, authorities, 'ca')
  })

  it('under path length 0 is not signed', async () => {
    const under = { source: { intermediate: { authorityRef: { name: 'last' } } } }
    await rig.apply(authority(home, 'last', { maxPathLength: 0 }), authority(home, 'below', under))
    const { message } = await rig.refused(home, authorities, 'below', 'RequestInvalid')
    expect(message).toContain('path length 0')
    await rig.apply(authority(home, 'last', { maxPathLength: 1 }))
    await rig.ready(home, authorities, 'below')
  })

  it('without its passphrase, with a wrong one, and with a new one beside the old', async () => {
    const spec = { privateKey: { passphraseSecretRef: { name: 'phrase' } } }
    await rig.apply(authority(home, 'locked', spec))
    const missing = await rig.refused(home, authorities, 'locked', 'PassphraseNotFound')
    expect(missing.message).toContain('"phrase" of spec.privateKey.passphraseSecretRef does not exist')
    await rig.apply(opaqueSecret(home, 'phrase', { passphrase: 'the first phrase' }))
    await rig.ready(home, authorities, 'locked')
    const first = await rig.secret(home, 'locked-ca')
    expect(textOf(first, 'tls.key')).toContain('BEGIN ENCRYPTED PRIVATE KEY')
    await rig.apply(certificate(home, 'locked-leaf', { authorityRef: { name: 'locked' } }))
    await rig.ready(home, certificates, 'locked-leaf')

    await rig.api.patch('secrets', home, 'phrase', { stringData: { passphrase: 'another phrase' } })
    const wrong = await rig.refused(home, authorities, 'locked', 'PassphraseWrong')
    expect(wrong.message).toContain('.previous')
    expect((await rig.secret(home, 'locked-ca')).data).toEqual(first.data)
    await rig.ready(home, certificates, 'locked-leaf')

    await rig.api.patch('secrets', home, 'phrase', { stringData: { 'passphrase.previous': 'the first phrase' } })
    await rig.ready(home, authorities, 'locked')
    const second = await rig.secretUntil(
      'the key under the new phrase',
      home,
      'locked-ca',
      (secret) => textOf(secret, 'tls.key') !== textOf(first, 'tls.key'),
    )
    expect(textOf(second, 'tls.crt')).toBe(textOf(first, 'tls.crt'))
    await rig.api.patch('secrets', home, 'phrase', { data: { 'passphrase.previous': null } })
    await rig.apply(certificate(home, 'locked-leaf', { authorityRef: { name: 'locked' }, renewTrigger: 'again' }))
    await rig.ready(home, certificates, 'locked-leaf')
  })
})
