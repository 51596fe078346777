import { describe, expect, it } from 'vitest'
import { ApiError } from './cluster/errors.ts'
import type { Cluster, KubeObject } from './cluster/port.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import { findCondition } from './resources/conditions.ts'
import { secrets, type Secret } from './resources/core.ts'
import {
  authority,
  authoritySays,
  certificate,
  fresh,
  getCertificate,
  getSecret,
  issuedOnce,
  messageOf,
  namespace,
  person,
  put,
  quiet,
  ready,
  somebody,
  stalled,
  start,
  text,
  until,
  writesAtRest,
} from './testing.ts'

const leaf = [
  { key: 'tls.crt', content: 'Certificate' },
  { key: 'tls.key', content: 'PrivateKey' },
]
const exported = (key = 'ca.key') => ({ key, content: 'AuthorityPrivateKey' })
const items = [...leaf, exported()]
const holding = { secret: { name: 'orders-tls', items } }
const allowed = { allowKeyExport: true }
const takenBack = { allowKeyExport: false }
/** Stalls for another reason: the password of the store is not there. */
const withoutPassword = (others: readonly object[]) => ({
  keystore: { passwordSecretRef: { name: 'missing', key: 'password' } },
  secret: { name: 'orders-tls', items: [...others, { key: 'store.p12', content: 'PKCS12Keystore' }] },
})
const held = (spec: object): KubeObject => {
  const object = authority(spec)
  return { ...object, metadata: { ...object.metadata, annotations: { 'dbtls.dev/hold': 'for a restore' } } }
}

const gone = (cluster: Cluster, key = 'ca.key', name = 'orders-tls') =>
  until(`${key} of ${name} to go`, async () => {
    const secret = await getSecret(cluster, name)
    return text(secret, key) === '' && secret
  })
const says = (cluster: Cluster, words: string) =>
  until(`the certificate to say ${words}`, async () => (await messageOf(cluster)).includes(words))
const patched = async (cluster: Cluster, change: (secret: Secret) => Secret) =>
  cluster.update(secrets, change(await getSecret(cluster)), { fieldManager: 'somebody' })

/** Refuses writes of the Secret while it is told to. */
const refusing = () => {
  const state = { refuses: false, times: 0 }
  const around = (cluster: Cluster): Cluster =>
    new Proxy(cluster, {
      get: (target, verb) => {
        if (verb === 'apply')
          return (...args: Parameters<Cluster['apply']>) => {
            const refused = state.refuses && args[0].plural === 'secrets' && args[1].metadata.name === 'orders-tls'
            if (!refused) return target.apply(...args)
            state.times += 1
            // Some say it in other words each time.
            const message = `the webhook says no (request ${state.times})`
            return Promise.reject(new ApiError({ status: 403, reason: 'Forbidden', message }))
          }
        const found: unknown = Reflect.get(target, verb)
        return typeof found === 'function' ? (found.bind(target) as unknown) : found
      },
    })
  return { state, around }
}

describe("the CA's own key, when the CA takes its permission back", () => {
  it.each<{ readonly when: string; readonly change: KubeObject; readonly ends: 'Ready' | 'Stalled' }>([
    {
      when: 'another Secret is asked for',
      change: certificate({ secret: { name: 'other-tls', items } }),
      ends: 'Ready',
    },
    {
      when: 'another CA is named that does not exist',
      change: certificate({ ...holding, authorityRef: { name: 'nope' } }),
      ends: 'Stalled',
    },
    { when: 'the password is missing', change: certificate(withoutPassword(items)), ends: 'Stalled' },
    { when: 'the CA is held', change: held(allowed), ends: 'Ready' },
  ])('goes although $when, and the rest stays', async ({ change, ends }) => {
    const { cluster, operator } = await issuedOnce(holding, allowed)
    const before = await getSecret(cluster)
    await put(cluster, change)
    await (ends === 'Ready' ? ready(cluster) : stalled(cluster))
    await quiet(operator)
    await put(cluster, change.kind === 'CertificateAuthority' ? held(takenBack) : authority(takenBack))
    const after = await gone(cluster)
    for (const key of ['tls.crt', 'tls.key']) expect(text(after, key)).toBe(text(before, key))
  })

  it('goes from a Secret that outlived its certificate', async () => {
    const { cluster, operator } = await issuedOnce({ secret: { ...holding.secret, deletionPolicy: 'Retain' } }, allowed)
    await cluster.delete(databaseCertificates, { namespace, name: 'orders' })
    await quiet(operator)
    expect(text(await getSecret(cluster), 'ca.key')).not.toBe('')
    await put(cluster, authority(takenBack))
    await gone(cluster)
  })

  it('goes from a Secret without a certificate while the CA is held, and the certificate says so', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority(allowed))

    await put(cluster, certificate({ secret: { name: 'orders-tls', items: [exported()] } }))
    await ready(cluster)
    await put(cluster, held(allowed))
    await authoritySays(cluster, 'Held')
    await put(cluster, held(takenBack))
    await gone(cluster)
    expect(await stalled(cluster)).toMatchObject({ reason: 'KeyExportNotAllowed' })
  })

  it('leaves an empty value where the type of the Secret insists on the key', async () => {
    const both = [{ key: 'tls.crt', content: 'AuthorityCertificate' }, exported('tls.key')]
    const { cluster, events } = await issuedOnce({ secret: { name: 'orders-tls', items: both } }, allowed)
    const before = await getSecret(cluster)
    expect(before.type).toBe('kubernetes.io/tls')
    await put(cluster, authority(takenBack))
    const after = await gone(cluster, 'tls.key')
    expect(after.data?.['tls.key']).toBe('')
    expect(text(after, 'tls.crt')).toBe(text(before, 'tls.crt'))
    expect(await stalled(cluster)).toMatchObject({ reason: 'KeyExportNotAllowed' })
    expect(events.some(({ reason }) => reason === 'KeyWithdrawn')).toBe(true)
    await put(cluster, authority(allowed))
    await ready(cluster)
    await until(
      'the key to come back',
      async () => text(await getSecret(cluster), 'tls.key') === text(before, 'tls.key'),
    )
  })

  it('takes nothing else: a certificate under a key that is not asked for any more stays until another is written', async () => {
    const { cluster, operator } = await issuedOnce(holding, allowed)
    const before = await getSecret(cluster)
    const renamed = [{ key: 'server.crt', content: 'Certificate' }, ...items.slice(1)]
    await put(cluster, certificate(withoutPassword(renamed)))
    await stalled(cluster)
    await quiet(operator)
    await put(cluster, authority(takenBack))
    expect(text(await gone(cluster), 'tls.crt')).toBe(text(before, 'tls.crt'))
  })

  it('goes also where somebody else has written the same value', async () => {
    const { cluster, operator } = await issuedOnce(holding, allowed)
    const { data } = await getSecret(cluster)
    const same = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'orders-tls', namespace },
      data: { 'ca.key': data?.['ca.key'] ?? '' },
    }
    await cluster.apply(secrets, same, somebody)
    await quiet(operator)
    await put(cluster, authority(takenBack))
    await gone(cluster)
  })

  it('goes after a restart in which it was taken back, although the certificate asks for another Secret', async () => {
    const { cluster, clock, stop } = await issuedOnce(holding, allowed)
    await stop()
    await put(cluster, certificate({ secret: { name: 'other-tls', items } }))
    await put(cluster, authority(takenBack))
    await start(cluster, clock)
    await gone(cluster)
  })

  it('tells of a refusal in status and in an event, not again and again, and goes when it may', async () => {
    const { state, around } = refusing()
    const { cluster, clock, events, operator } = await fresh(around)
    await put(cluster, authority(allowed))
    await put(cluster, certificate(holding))
    await ready(cluster)
    state.refuses = true
    await put(cluster, authority(takenBack))
    await says(cluster, 'Could not take the private key of CertificateAuthority "ca" out of Secret "orders-tls"')
    expect(await stalled(cluster)).toMatchObject({ reason: 'KeyExportNotAllowed' })
    expect(await messageOf(cluster)).toContain('the webhook says no')
    await quiet(operator)
    await clock.advance(240_000)
    await quiet(operator)
    expect(state.times).toBe(1)
    const told = events.filter(({ action, reason }) => action === 'Withdraw' && reason === 'WriteFailed')
    expect(told.map(({ type, regarding }) => `${type} ${regarding.kind}`)).toEqual(['Warning CertificateAuthority'])
    state.refuses = false
    await clock.advance(3_600_000)
    await gone(cluster)
    await until('the certificate to say no more of it', async () => !(await messageOf(cluster)).includes('Could not'))
  })

  it('says that it is still in a Secret that is immutable', async () => {
    const { cluster, operator } = await issuedOnce(holding, allowed)
    await patched(cluster, (secret) => ({ ...secret, immutable: true }))
    await stalled(cluster)
    await quiet(operator)
    await put(cluster, authority(takenBack))
    await says(cluster, 'Could not take the private key')
    expect(findCondition((await getCertificate(cluster)).status?.conditions, 'Ready')?.reason).toBe('SecretImmutable')
    expect(await messageOf(cluster)).toContain('the Secret is immutable')
  })

  it('leaves the copy that somebody made of the Secret alone', async () => {
    const { cluster, operator } = await issuedOnce(holding, allowed)
    const { metadata, ...rest } = await getSecret(cluster)
    const { labels = {}, annotations = {} } = metadata
    await cluster.apply(secrets, { ...rest, metadata: { name: 'copy', namespace, labels, annotations } }, person)
    await quiet(operator)
    await put(cluster, authority(takenBack))
    await gone(cluster)
    await quiet(operator)
    expect(text(await getSecret(cluster, 'copy'), 'ca.key')).not.toBe('')
  })
})

describe('a mark that somebody else has put on a Secret', () => {
  it('does not cost a CA its key', async () => {
    const { cluster, operator } = await issuedOnce({}, takenBack)
    const own = await getSecret(cluster, 'ca-ca')
    const annotations = { ...own.metadata.annotations, 'dbtls.dev/authority-key': 'data/ca-ca orders ca tls.key' }
    await cluster.update(secrets, { ...own, metadata: { ...own.metadata, annotations } }, { fieldManager: 'somebody' })
    await quiet(operator)
    expect(text(await getSecret(cluster, 'ca-ca'), 'tls.key')).toBe(text(own, 'tls.key'))
  })
})

describe("the CA's own key, when no item asks for it any more", () => {
  it.each([
    { what: 'item was renamed', others: [...leaf, exported('ca2.key')] },
    { what: 'item was removed', others: leaf },
  ])('goes when its $what, although the certificate stalls', async ({ others }) => {
    const { cluster } = await issuedOnce(holding, allowed)
    const before = await getSecret(cluster)
    await put(cluster, certificate(withoutPassword(others)))
    expect(text(await gone(cluster), 'tls.key')).toBe(text(before, 'tls.key'))
    expect(await stalled(cluster)).toMatchObject({ reason: 'PasswordSecretNotFound' })
  })

  it('goes from the former Secret when the new one is there', async () => {
    const { cluster } = await issuedOnce(holding, allowed)
    await put(cluster, certificate({ secret: { name: 'other-tls', items } }))
    await gone(cluster)
    expect(text(await getSecret(cluster, 'other-tls'), 'ca.key')).not.toBe('')
  })

  it('is moved to another key in one write', async () => {
    const { cluster, operator, writes } = await issuedOnce(holding, allowed)
    const before = text(await getSecret(cluster), 'ca.key')
    const from = writes.length
    await put(cluster, certificate({ secret: { name: 'orders-tls', items: [...leaf, exported('ca2.key')] } }))
    const after = await gone(cluster)
    expect(text(after, 'ca2.key')).toBe(before)
    await ready(cluster)
    await quiet(operator)
    expect(writes.slice(from).filter(({ plural }) => plural === 'secrets')).toHaveLength(1)
  })

  it('is marked again in a Secret whose mark somebody removed, and then goes', async () => {
    const { cluster } = await issuedOnce(holding, allowed)
    await patched(cluster, (secret) => {
      const { ['dbtls.dev/authority-key']: mark, ...annotations } = secret.metadata.annotations ?? {}
      expect(mark).toBe('data/orders-tls orders ca ca.key')
      return { ...secret, metadata: { ...secret.metadata, annotations } }
    })
    await until('the mark', async () => (await getSecret(cluster)).metadata.annotations?.['dbtls.dev/authority-key'])
    await put(cluster, authority(takenBack))
    await gone(cluster)
  })

  it.each([
    { state: 'it is allowed', spec: allowed },
    { state: 'it was taken back', spec: takenBack },
  ])('nothing is written at rest while $state', async ({ spec }) => {
    const running = await issuedOnce(holding, allowed)
    await put(running.cluster, authority(spec))
    if (!spec.allowKeyExport) {
      await gone(running.cluster)
      await stalled(running.cluster)
    }
    await quiet(running.operator)
    expect(await writesAtRest(running)).toEqual([])
  })
})
