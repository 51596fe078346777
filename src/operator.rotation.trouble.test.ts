/** What people do to a CA in the middle of its rotation, besides what a rotation is for. */

import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { ask, atRest, delivered, inPhase, noSoak, rotated, rotationOf } from './operator.rotation.fixture.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { secrets } from './resources/core.ts'
import {
  authority,
  authorityReady,
  authoritySays,
  certificate,
  fresh,
  getAuthority,
  getSecret,
  namespace,
  person,
  put,
  quiet,
  ready,
  secretOf,
  text,
  until,
  writesOfRest,
} from './testing.ts'

const phases = ['TrustBoth', 'Signing'] as const
const trustedRoots = async (cluster: Cluster): Promise<number> =>
  (await delivered(cluster, 'server')).bundle.split('BEGIN CERTIFICATE').length - 1

describe.each(phases)('in %s', (phase) => {
  it('a CA that is deleted and applied again goes on where it was', async () => {
    const running = await atRest()
    const { cluster, operator } = running
    await ask(cluster, { trigger: 'one', holdAt: phase })
    const { spec, metadata } = await inPhase(cluster, phase)
    const { to } = await rotationOf(cluster)
    await until('both to be delivered', async () => (await trustedRoots(cluster)) === 2)
    await cluster.delete(certificateAuthorities, { namespace, name: 'ca' })
    await until('it to be gone', async () => {
      const { items } = await cluster.list(certificateAuthorities, { namespace })
      return items.length === 0
    })
    await quiet(operator)
    expect(await trustedRoots(cluster)).toBe(2)
    await put(cluster, {
      ...authority(),
      metadata: { name: 'ca', namespace: metadata.namespace ?? namespace },
      spec,
    } as never)
    await inPhase(cluster, phase)
    await authorityReady(cluster)
    expect((await rotationOf(cluster)).to).toBe(to)
    await ask(cluster, { holdAt: '' })
    await until('its end', async () => (await rotationOf(cluster)).finishedAt !== undefined)
    await ready(cluster, 'server')
    expect((await getAuthority(cluster)).status?.certificate?.fingerprint).toBe(to)
    await quiet(operator)
    expect(await trustedRoots(cluster)).toBe(1)
    expect(await writesOfRest(running)).toEqual([])
  })

  it('a status that says no more than the phase is completed', async () => {
    const { cluster } = await atRest()
    await ask(cluster, { trigger: 'one', holdAt: phase })
    await inPhase(cluster, phase)
    const found = await getAuthority(cluster)
    const { to } = await rotationOf(cluster)
    await cluster.updateStatus(
      certificateAuthorities,
      { ...found, status: { ...found.status, rotation: { phase, trigger: 'one' } } },
      person,
    )
    await until('it to be completed', async () => (await rotationOf(cluster)).to === to)
    await ask(cluster, { holdAt: '' })
    await rotated(cluster, 'one')
  })

  it('a passphrase that is changed encrypts both keys, and one that is lost stalls the CA until it is back', async () => {
    const { cluster, operator } = await fresh()
    const passphrase = (data: Record<string, string>) => cluster.apply(secrets, secretOf('p', data), person)
    await passphrase({ passphrase: 'the first one' })
    await put(cluster, authority({ privateKey: { passphraseSecretRef: { name: 'p' } }, rotation: noSoak }))
    await authorityReady(cluster)
    await put(cluster, certificate({}, 'server'))
    await ready(cluster, 'server')
    await ask(cluster, { trigger: 'one', holdAt: phase })
    await inPhase(cluster, phase)
    await passphrase({ passphrase: 'the second one', 'passphrase.previous': 'the first one' })
    const keys = phase === 'TrustBoth' ? ['tls.key', 'next.key'] : ['tls.key', 'former.key']
    const all = async () => {
      const secret = await getSecret(cluster, 'ca-ca')
      return keys.map((key) => text(secret, key))
    }
    const before = await all()
    await until('both keys to be encrypted anew', async () => (await all()).every((key, at) => key !== before[at]))
    await quiet(operator)
    await passphrase({ passphrase: 'the second one', 'passphrase.previous': '' })
    await authorityReady(cluster)
    for (const key of await all()) expect(key).toContain('ENCRYPTED PRIVATE KEY')
    await passphrase({ passphrase: 'a wrong one', 'passphrase.previous': '' })
    await authoritySays(cluster, 'PassphraseWrong')
    await ask(cluster, { holdAt: '' })
    await until('a word', async () => (await rotationOf(cluster)).message?.includes('The next step was not taken'))
    expect((await rotationOf(cluster)).phase).toBe(phase)
    await passphrase({ passphrase: 'the second one', 'passphrase.previous': '' })
    await rotated(cluster, 'one')
  })

  it.each([
    ['taken away', { enabled: true }, { enabled: false }],
    ['asked for', { enabled: false }, { enabled: true }],
  ] as const)('revocation lists that are %s do not keep it', async (_, crl, other) => {
    const { cluster, operator } = await atRest({ crl })
    await ask(cluster, { trigger: 'one', holdAt: phase })
    const { spec } = await inPhase(cluster, phase)
    await put(cluster, { ...authority(), spec: { ...spec, crl: { ...spec.crl, ...other } } } as never)
    await quiet(operator)
    await ask(cluster, { holdAt: '' })
    await rotated(cluster, 'one')
    await ready(cluster, 'server')
  })
})

describe('a rotation', () => {
  it('says no key, and nothing that is PEM, in events and status', async () => {
    const { cluster, events, operator } = await atRest({ crl: { enabled: true } }, { reason: 'Compromised' })
    await ask(cluster, { trigger: 'one' })
    await rotated(cluster, 'one')
    await ask(cluster, { trigger: 'two', holdAt: 'Signing' })
    await inPhase(cluster, 'Signing')
    await ask(cluster, { abort: 'no', holdAt: '', reason: '' })
    await until('its end', async () => (await rotationOf(cluster)).phase === 'Idle')
    await quiet(operator)
    const said = JSON.stringify([
      events.map(({ note, reason }) => [note, reason]),
      (await getAuthority(cluster)).status,
    ])
    expect(said).not.toMatch(/BEGIN|PRIVATE|MII[A-Za-z0-9+/]{20}/)
    expect(events.length).toBeGreaterThan(10)
  })
})
