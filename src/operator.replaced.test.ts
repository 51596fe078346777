/** A CA that was brought along, and whose owner replaces key and certificate. */
import { describe, expect, it } from 'vitest'
import { marks } from './control/context.ts'
import type { Cluster } from './cluster/port.ts'
import { ask, inPhase, rotationOf } from './operator.rotation.fixture.ts'
import { encodePem } from './pki/encoding/pem.ts'
import { type Authority, makeRoot } from './pki/testing.ts'
import { secrets } from './resources/core.ts'
import {
  anotherCertificate,
  authority,
  authoritySays,
  certificate,
  day,
  fresh,
  getAuthority,
  getCertificate,
  getSecret,
  leafOf,
  messageOf,
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

const pem = (...ders: readonly Uint8Array[]): string => ders.map((der) => encodePem('CERTIFICATE', der)).join('')
const files = (root: Authority): Record<string, string> => ({
  'tls.crt': pem(root.certificate),
  'tls.key': encodePem('PRIVATE KEY', root.key.pkcs8),
})
const bring = (cluster: Cluster, root: Authority, more: Record<string, string> = {}) =>
  cluster.apply(secrets, secretOf('corp-ca', { ...files(root), ...more }), person)
const roots = (...all: readonly Authority[]): string => pem(...all.map(({ certificate: der }) => der))

const noSoak = { trustSoak: '0s', dropSoak: '0s' }

/** Under a CA of its owner, with a leaf. */
const owned = async (rotation: object = {}, spec: object = {}) => {
  const running = await fresh()
  const { cluster, clock, operator } = running
  const make = (commonName: string, more: object = {}) => makeRoot({ commonName, now: clock.now(), ...more })
  const [first, second, third] = [await make('Corp CA'), await make('New Corp CA'), await make('Third Corp CA')]
  await bring(cluster, first)
  await put(
    cluster,
    authority({ source: { secret: { name: 'corp-ca' } }, rotation: { ...noSoak, ...rotation }, ...spec }),
  )
  await authoritySays(cluster, 'Ready')
  await put(cluster, certificate())
  const { status } = await ready(cluster)
  await quiet(operator)
  const bundle = async (name = 'orders') => text(await getSecret(cluster, `${name}-tls`), 'ca.crt')
  const issuer = async (name = 'orders') => Buffer.from(leafOf(await getSecret(cluster, `${name}-tls`)).issuer)
  const isOf = async ({ signer }: Authority, name = 'orders') => (await issuer(name)).equals(signer.subject)
  const bundled = (what: string, ...all: readonly Authority[]) =>
    until(`the bundle of ${what}`, async () => (await bundle()) === roots(...all))
  const finished = () =>
    until('the end of the rotation', async () => {
      const { phase, finishedAt } = await rotationOf(cluster)
      return phase === 'Idle' && finishedAt !== undefined
    }).catch(async (error: unknown) => {
      throw new Error(JSON.stringify((await getAuthority(cluster)).status), { cause: error })
    })
  return { ...running, first, second, third, make, serial: status?.serialNumber, bundle, isOf, bundled, finished }
}

describe('a CA whose owner replaces it', () => {
  it('is trusted everywhere first, then signs, and the former one is dropped last', async () => {
    const { cluster, events, first, second, serial, bundled, finished, isOf } = await owned({ holdAt: 'TrustBoth' })
    await bring(cluster, second)
    const held = await inPhase(cluster, 'TrustBoth')
    expect(held.status?.rotation?.cause).toBe('Replaced')
    expect(held.status?.certificate?.subject).toContain('Corp CA')
    await bundled('both', first, second)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    expect(events.filter(({ reason }) => reason === 'AuthorityReplaced').map(({ note }) => note)[0]).toContain(
      'Its owner has replaced "CN=Corp CA,O=Acme" by "CN=New Corp CA,O=Acme".',
    )
    await authoritySays(cluster, 'Ready', 'until then nothing is signed but what would end')
    await ask(cluster, { holdAt: 'Signing' })
    await anotherCertificate(cluster, serial)
    expect(await isOf(second)).toBe(true)
    await bundled('both, the new one first', second, first)
    await ask(cluster, { holdAt: '' })
    await finished()
    await bundled('the new one', second)
    expect((await getAuthority(cluster)).status?.certificate?.subject).toContain('New Corp CA')
    await authoritySays(cluster, 'Ready', '"CN=New Corp CA,O=Acme" can sign')
  })

  it.each(['', 'TrustBoth'] as const)('is told that abort does nothing (held at %j)', async (holdAt) => {
    const running = await owned({ holdAt })
    const { cluster, events, second, operator } = running
    if (holdAt !== '') await bring(cluster, second)
    if (holdAt !== '') await inPhase(cluster, holdAt)
    await ask(cluster, { abort: 'no' })
    await until('an answer', async () => events.some(({ note }) => note.startsWith('spec.rotation.abort does nothing')))
    await quiet(operator)
    expect(await rotationOf(cluster)).toMatchObject({ phase: holdAt === '' ? 'Idle' : holdAt, abort: 'no' })
    expect(await writesOfRest(running)).toEqual([])
    expect(events.filter(({ note }) => note.startsWith('spec.rotation.abort'))).toHaveLength(1)
  })

  it('waits for no soak where its owner had both trusted beforehand', async () => {
    const { cluster, first, second, serial, bundled, finished, isOf } = await owned({
      trustSoak: '24h',
      dropSoak: '24h',
    })
    await bring(cluster, first, { 'ca.crt': roots(first, second) })
    await bundled('both', first, second)
    await bring(cluster, second, { 'ca.crt': roots(second, first) })
    await anotherCertificate(cluster, serial)
    expect(await isOf(second)).toBe(true)
    await finished()
    await bundled('both, as its owner says', second, first)
    await bring(cluster, second)
    await bundled('the new one', second)
  })

  it('waits for no soak either where its owner then takes the former one out of trust before the end', async () => {
    const { cluster, first, second, serial, bundled, finished } = await owned({ trustSoak: '24h', dropSoak: '24h' })
    await bring(cluster, first, { 'ca.crt': roots(first, second) })
    await bundled('both', first, second)
    await ask(cluster, { holdAt: 'Signing' })
    await bring(cluster, second, { 'ca.crt': roots(second, first) })
    await anotherCertificate(cluster, serial)
    await bring(cluster, second)
    await until(
      'it to be taken up',
      async () => text(await getSecret(cluster, 'ca-ca'), 'tls-ca.crt') === roots(second),
    )
    await bundled('both, as long as that is under way', second, first)
    await ask(cluster, { holdAt: '' })
    await finished()
    await bundled('the new one', second)
  })

  it('keeps the Secret of its owner as it is, and no key in its own', async () => {
    const { cluster, first, second, finished } = await owned()
    await bring(cluster, second)
    const before = await getSecret(cluster, 'corp-ca')
    await finished()
    expect(await getSecret(cluster, 'corp-ca')).toEqual(before)
    const ours = await getSecret(cluster, 'ca-ca')
    expect(Object.keys(ours.data ?? {}).toSorted()).toEqual(['ca.crt', 'tls-ca.crt', 'tls.crt'])
    const held = Object.values(ours.data ?? {}).map((value) => Buffer.from(value, 'base64').toString())
    expect(held.join('')).not.toContain('PRIVATE KEY')
    expect(held.join('')).not.toContain(pem(first.certificate))
    expect(ours.metadata.annotations?.[marks.private]).toBe('true')
  })

  it('writes nothing at rest, before and after', async () => {
    const running = await owned()
    expect(await writesOfRest(running)).toEqual([])
    await bring(running.cluster, running.second)
    await running.finished()
    await quiet(running.operator)
    expect(await writesOfRest(running)).toEqual([])
  })

  it('lets a new certificate wait until it signs', async () => {
    const { cluster, second, isOf, operator } = await owned({ holdAt: 'TrustBoth' })
    await bring(cluster, second)
    await inPhase(cluster, 'TrustBoth')
    await put(cluster, certificate({}, 'later'))
    await until('a word', async () => (await messageOf(cluster, 'later')).includes('its key is gone'))
    await quiet(operator)
    await expect(getSecret(cluster, 'later-tls')).rejects.toThrow()
    await ask(cluster, { holdAt: '' })
    await ready(cluster, 'later')
    expect(await isOf(second, 'later')).toBe(true)
  })

  it('signs before the switch what would end, aloud', async () => {
    const running = await owned({ holdAt: 'TrustBoth' })
    const { cluster, clock, events, first, second, serial, bundle, isOf, finished } = running
    await bring(cluster, second)
    await inPhase(cluster, 'TrustBoth')
    const { status } = await getCertificate(cluster)
    const end = Date.parse(status?.notAfter ?? '')
    clock.setNow(end - 20 * day)
    await put(cluster, certificate({}, 'later'))
    await until('a word', async () => (await messageOf(cluster, 'later')).includes('its key is gone'))
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    clock.setNow(end - day)
    await clock.advance(12 * 3_600_000)
    await anotherCertificate(cluster, serial)
    expect(await isOf(second)).toBe(true)
    expect(await bundle()).toBe(roots(first, second))
    expect(events.filter(({ reason }) => reason === 'SignedEarly')).toHaveLength(1)
    const early = (await getCertificate(cluster)).status?.serialNumber
    await ask(cluster, { holdAt: '' })
    await finished()
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(early)
    expect(await bundle()).toBe(roots(second))
  })

  it.each([
    ['TrustBoth', 'has not signed'],
    ['Signing', 'signs already'],
    ['DropSoak', 'has signed everything'],
  ] as const)('in %s is given up when its owner brings the former one back, although it %s', async (...[phase]) => {
    const { cluster, first, second, third, bundled, finished, isOf } = await owned({ holdAt: phase })
    await bring(cluster, second)
    await inPhase(cluster, phase)
    await bring(cluster, first)
    await ask(cluster, { holdAt: '' })
    await finished()
    expect((await rotationOf(cluster)).cause).toBe('Abort')
    await bundled('the former one', first)
    expect(await isOf(first)).toBe(true)
    await bring(cluster, third)
    await until('the third', async () => isOf(third))
    await bundled('the third', third)
  })

  it.each(['TrustBoth', 'Signing', 'DropSoak'] as const)(
    'replaced once more in %s begins anew, and nothing that was trusted is forgotten meanwhile',
    async (phase) => {
      const { cluster, first, second, third, bundle, bundled, finished, isOf } = await owned({ holdAt: phase })
      await bring(cluster, second)
      await inPhase(cluster, phase)
      await ask(cluster, { holdAt: 'TrustBoth' })
      await bring(cluster, third)
      await until('the third to be trusted', async () => (await bundle()).includes(roots(third)))
      expect((await rotationOf(cluster)).phase).toBe('TrustBoth')
      // In DropSoak nothing hangs on the first one any more.
      for (const one of phase === 'DropSoak' ? [second] : [first, second]) expect(await bundle()).toContain(roots(one))
      await ask(cluster, { holdAt: '' })
      await finished()
      await bundled('the third', third)
      expect(await isOf(third)).toBe(true)
    },
  )

  it('renewed with the same key by its owner is delivered at once, without a rotation', async () => {
    const { cluster, clock, first, serial, bundled, operator } = await owned()
    const later = await makeRoot({ commonName: 'Corp CA', now: clock.now() + 1000, key: first.key })
    await bring(cluster, later)
    await bundled('the renewed one', later)
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    expect((await rotationOf(cluster)).phase).toBe('Idle')
  })

  it('that has ended signs again at once when its owner replaces it', async () => {
    const { cluster, clock, bundled, isOf, make } = await owned({ trustSoak: '24h', dropSoak: '0s' })
    clock.setNow(Date.parse((await getAuthority(cluster)).status?.certificate?.notAfter ?? '') + day)
    const another = await make('New Corp CA')
    await bring(cluster, another)
    await until('the new one', async () => isOf(another))
    await bundled('the new one', another)
  })

  it('is told that its rotation is the business of its owner', async () => {
    const { cluster } = await owned()
    await ask(cluster, { trigger: '1' })
    await until('a word', async () =>
      (await rotationOf(cluster)).message?.includes('key of this CA is that of its owner'),
    )
  })

  it('cannot be used in mid-rotation without what is remembered of it, and goes on when that is back', async () => {
    const { cluster, second, finished, bundled } = await owned({ holdAt: 'TrustBoth' })
    await bring(cluster, second)
    await inPhase(cluster, 'TrustBoth')
    const kept = await getSecret(cluster, 'ca-ca')
    await cluster.delete(secrets, { namespace, name: 'ca-ca' })
    await authoritySays(cluster, 'AuthoritySecretMissing', 'Secret "ca-ca"')
    const { name, labels = {}, annotations = {} } = kept.metadata
    await cluster.apply(
      secrets,
      { ...kept, metadata: { name, namespace, labels, annotations } },
      { fieldManager: 'restore', force: true },
    )
    await ask(cluster, { holdAt: '' })
    await finished()
    await bundled('the new one', second)
  })
})
