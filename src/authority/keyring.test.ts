import { describe, expect, it } from 'vitest'
import { ApiError } from '../cluster/errors.ts'
import type { ObjectKey } from '../cluster/port.ts'
import { rejection, stubContext } from '../control/testing.ts'
import { encryptPrivateKey } from '../pki/keys/keys.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import { makeRoot } from '../pki/testing.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Secret } from '../resources/core.ts'
import { Keyring } from './keyring.ts'
import { StoredAuthorityError } from './stored.ts'
import { trustHash } from './trust.ts'

const [root, other] = [await makeRoot({ commonName: 'root' }), await makeRoot({ commonName: 'other' })]
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const secretOf = (
  { certificate, key }: typeof root,
  keyPem = encodePem('PRIVATE KEY', key.pkcs8),
  roots = [certificate],
): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'ca-ca', namespace: 'data', uid: 's', resourceVersion: '1' },
  data: {
    'tls.crt': base64(encodePem('CERTIFICATE', certificate)),
    'tls.key': base64(keyPem),
    'ca.crt': base64(roots.map((der) => encodePem('CERTIFICATE', der)).join('')),
  },
})
const authority = ({ certificate } = root, spec: object = {}): CertificateAuthority =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { name: 'ca', namespace: 'data', uid: 'u' },
    spec: { source: { selfSigned: {} }, ...spec },
    status: {
      certificate: { fingerprint: parseCertificate(certificate).fingerprint },
      trustBundleHash: trustHash([certificate]),
    },
  }) as unknown as CertificateAuthority

const keyringOf = (live: Map<string, Secret>) => {
  let reads = 0
  const stub = stubContext({
    get: async (_: unknown, { name }: ObjectKey) => {
      reads += 1
      await Promise.resolve()
      const found = live.get(name)
      if (found === undefined) throw new ApiError({ status: 404, reason: 'NotFound', message: name })
      return found
    },
  })
  const cached = (version: string, name = 'ca-ca'): void =>
    void stub.stores.secrets.set(`data/${name}`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'data', resourceVersion: version },
    })
  return { keyring: new Keyring(stub.context), cached, reads: () => reads }
}

describe('the keyring', () => {
  it('reads a CA once, however many ask at a time, and then no more', async () => {
    const { keyring, reads } = keyringOf(new Map([['ca-ca', secretOf(root)]]))
    const [first, second] = await Promise.all([keyring.load(authority()), keyring.load(authority())])
    expect(second).toBe(first)
    expect(await keyring.load(authority())).toBe(first)
    expect(reads()).toBe(1)
    expect(Buffer.from(first.signer.spki)).toEqual(Buffer.from(root.key.spki))
    expect(first.chain).toEqual([])
    expect(first.trustHash).toBe(trustHash([root.certificate]))
  })

  it.each([
    { name: 'its Secret has another version', change: (set: (version: string) => void) => set('2'), of: authority() },
    { name: 'the CA reports another certificate', change: () => undefined, of: undefined },
  ])('reads again when $name', async ({ change, of }) => {
    const live = new Map([['ca-ca', secretOf(root)]])
    const { keyring, cached, reads } = keyringOf(live)
    cached('1')
    await keyring.load(authority())
    change((version) => cached(version))
    if (of === undefined) live.set('ca-ca', secretOf(other))
    const { certificate } = await keyring.load(of ?? authority(other))
    expect(reads()).toBe(2)
    expect(certificate.fingerprint).toBe(parseCertificate((of === undefined ? other : root).certificate).fingerprint)
  })

  it('reads again when the CA was made anew, and after it was told to forget', async () => {
    const { keyring, reads } = keyringOf(new Map([['ca-ca', secretOf(root)]]))
    await keyring.load(authority())
    const anew = { ...authority(), metadata: { ...authority().metadata, uid: 'v' } }
    await keyring.load(anew)
    expect(reads()).toBe(2)
    keyring.forget('data/ca')
    await keyring.load(anew)
    expect(reads()).toBe(3)
  })

  it('tries again what failed', async () => {
    const live = new Map<string, Secret>()
    const { keyring } = keyringOf(live)
    expect(await rejection(keyring.load(authority()))).toMatchObject({ message: 'its Secret "ca-ca" does not exist' })
    live.set('ca-ca', secretOf(root))
    expect((await keyring.load(authority())).certificate.isCa).toBe(true)
  })

  it('does not let a report of a moment ago spoil the one of now', async () => {
    const { keyring } = keyringOf(new Map([['ca-ca', secretOf(root)]]))
    const now = authority()
    const before = { ...now, status: { ...now.status, trustBundleHash: 'before' } } as CertificateAuthority
    const [stale, fresh] = await Promise.allSettled([keyring.load(before), keyring.load(now)])
    expect([stale.status, fresh.status]).toEqual(['rejected', 'fulfilled'])
  })

  it.each([
    { name: 'another certificate than reported', secret: secretOf(other), says: /does not hold the certificate/ },
    {
      name: 'other roots than reported',
      secret: secretOf(root, undefined, [root.certificate, other.certificate]),
      says: /does not hold the roots/,
    },
    { name: 'junk', secret: secretOf(root, 'junk'), says: /tls\.key/ },
  ])('does not sign with $name', async ({ secret, says }) => {
    const { keyring } = keyringOf(new Map([['ca-ca', secret]]))
    expect(String(await rejection(keyring.load(authority())))).toMatch(says)
  })

  it('opens an encrypted key, and again when the passphrase has another version', async () => {
    const sealed = encodePem(
      'ENCRYPTED PRIVATE KEY',
      await encryptPrivateKey(root.key.pkcs8, 'open sesame', {
        salt: Buffer.alloc(16),
        iv: Buffer.alloc(16),
        iterations: 1000,
      }),
    )
    const passphrase = (value: string): Secret => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'p', namespace: 'data', resourceVersion: '1' },
      data: { passphrase: base64(value) },
    })
    const live = new Map([
      ['ca-ca', secretOf(root, sealed)],
      ['p', passphrase('wrong\n')],
    ])
    const { keyring, cached } = keyringOf(live)
    const of = authority(root, { privateKey: { passphraseSecretRef: { name: 'p' } } })
    const error = await rejection(keyring.load(of))
    expect(error).toBeInstanceOf(StoredAuthorityError)
    expect(error).toMatchObject({ kind: 'PassphraseWrong' })
    live.set('p', passphrase('open sesame\n'))
    const first = await keyring.load(of)
    expect(await keyring.load(of)).toBe(first)
    cached('2', 'p')
    expect(await keyring.load(of)).not.toBe(first)
  })
})
