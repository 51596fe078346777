import { describe, expect, it } from 'vitest'
import type { Cluster, KubeObject } from './cluster/port.ts'
import { dataHash } from './material/hash.ts'
import { certificatesOf, encodePem } from './pki/encoding/pem.ts'
import { makeIntermediate, makeRoot } from './pki/testing.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { secrets, type Secret } from './resources/core.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import {
  anotherCertificate,
  authority,
  authorityReady,
  authorityStalled,
  base64,
  certificate,
  emptyCluster,
  fresh,
  getAuthority,
  getCertificate,
  getSecret,
  issuedOnce,
  leafOf,
  namespace,
  put,
  quiet,
  ready,
  secretOf,
  somebody,
  stalled,
  start,
  text,
  until,
} from './testing.ts'

const change = (cluster: Cluster, name: string, edit: (secret: Secret) => Partial<Secret>) =>
  getSecret(cluster, name).then((secret) => cluster.update(secrets, { ...secret, ...edit(secret) }, somebody))
const gone = (cluster: Cluster, name: string) =>
  until(`${name} to go`, async () => {
    const { items } = await cluster.list(secrets, { namespace })
    return items.every(({ metadata }) => metadata.name !== name)
  })

describe('the Secret of a certificate', () => {
  it('goes with it', async () => {
    const { cluster } = await issuedOnce()
    await cluster.delete(databaseCertificates, { namespace, name: 'orders' })
    await gone(cluster, 'orders-tls')
  })

  it('stays where it is to be retained, and is found again', async () => {
    const spec = { secret: { name: 'orders-tls', deletionPolicy: 'Retain' } }
    const { cluster, operator, serial } = await issuedOnce(spec)
    await cluster.delete(databaseCertificates, { namespace, name: 'orders' })
    await quiet(operator)
    expect(leafOf(await getSecret(cluster)).serialNumber).toBe(serial)
    await put(cluster, certificate(spec))
    expect((await ready(cluster)).status?.serialNumber).toBe(serial)
  })

  it('follows a change of the policy', async () => {
    const { cluster } = await issuedOnce()
    await put(cluster, certificate({ secret: { name: 'orders-tls', deletionPolicy: 'Retain' } }))
    await ready(cluster)
    expect((await getSecret(cluster)).metadata.ownerReferences ?? []).toEqual([])
  })

  it('is made under a new name when the name changes', async () => {
    const { cluster } = await issuedOnce()
    await put(cluster, certificate({ secret: { name: 'other-tls' } }))
    const { status } = await ready(cluster)
    expect(leafOf(await getSecret(cluster, 'other-tls')).serialNumber).toBe(status?.serialNumber)
  })

  it('keeps the password that was generated for it', async () => {
    const secret = { name: 'orders-tls', items: [{ key: 'keystore.p12', content: 'PKCS12Keystore' }], type: 'Opaque' }
    const { cluster, anotherSerial } = await issuedOnce({ secret })
    const password = text(await getSecret(cluster), 'keystore-password')
    expect(password).toHaveLength(32)
    await put(cluster, certificate({ secret, renewTrigger: '1' }))
    await anotherSerial()
    expect(text(await getSecret(cluster), 'keystore-password')).toBe(password)
  })

  it('is taken over when its owner offers it, with what else is in it', async () => {
    const { clock, cluster } = emptyCluster()
    const old = { 'tls.crt': 'old', 'tls.key': 'old', 'their.key': 'stays' }
    const theirs = secretOf('orders-tls', old, { type: 'kubernetes.io/tls' })
    await cluster.create(secrets, theirs, somebody)
    await start(cluster, clock)
    await put(cluster, authority())
    await put(cluster, certificate())
    expect((await stalled(cluster)).reason).toBe('SecretInTheWay')
    await change(cluster, 'orders-tls', ({ metadata }) => ({
      metadata: { ...metadata, annotations: { 'dbtls.dev/adopt': 'true' } },
    }))
    const { status } = await ready(cluster)
    const secret = await getSecret(cluster)
    expect(leafOf(secret).serialNumber).toBe(status?.serialNumber)
    expect(text(secret, 'their.key')).toBe('stays')
  })

  it('belongs to one certificate alone', async () => {
    const { cluster, serial } = await issuedOnce()
    await put(cluster, certificate({ secret: { name: 'orders-tls' } }, 'second'))
    expect((await stalled(cluster, 'second')).message).toContain('DatabaseCertificate/orders')
    expect(leafOf(await getSecret(cluster)).serialNumber).toBe(serial)
  })

  it.each([
    { name: 'by its uid', restored: false },
    { name: 'by the reference to its owner, when it was restored from a backup', restored: true },
  ])('is known without its annotations $name', async ({ restored }) => {
    const { cluster, clock, stop, serial } = await issuedOnce()
    await stop()
    const { apiVersion, kind, type = '', data = {}, metadata } = await getSecret(cluster)
    const kept = restored ? { ownerReferences: metadata.ownerReferences ?? [] } : {}
    const bare = { apiVersion, kind, type, data, metadata: { name: 'orders-tls', namespace, ...kept } }
    if (restored) await cluster.delete(secrets, { namespace, name: 'orders-tls' })
    await (restored ? cluster.create(secrets, bare, somebody) : cluster.update(secrets, bare, somebody))
    await start(cluster, clock)
    await until('the mark of its owner', async () => {
      const { items } = await cluster.list(secrets, { namespace })
      const found = items.find((secret) => secret.metadata.name === 'orders-tls')
      return found?.metadata.annotations?.['dbtls.dev/owner'] === 'DatabaseCertificate/orders'
    })
    expect((await ready(cluster)).status?.serialNumber).toBe(serial)
  })

  it('gets back the annotations that tell a change of trigger and duration', async () => {
    const { cluster, operator, anotherSerial, serial } = await issuedOnce()
    await change(cluster, 'orders-tls', ({ metadata }) => {
      const {
        'dbtls.dev/renew-trigger': _,
        'dbtls.dev/requested-duration': __,
        ...annotations
      } = metadata.annotations ?? {}
      return { metadata: { ...metadata, annotations } }
    })
    await until('the annotations', async () => {
      const { metadata } = await getSecret(cluster)
      return metadata.annotations?.['dbtls.dev/requested-duration'] !== undefined
    })
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    await put(cluster, certificate({ renewTrigger: '1' }))
    await anotherSerial()
  })

  const nested = `-----BEGIN CERTIFICATE-----\n${Buffer.alloc(6000, Buffer.from([0x30, 0x82])).toString('base64')}\n-----END CERTIFICATE-----\n`
  it.each([
    { name: 'most of a megabyte of junk', junk: '-----BEGIN '.repeat(60_000) },
    { name: 'deeply nested DER', junk: nested },
    { name: 'DER that is no certificate', junk: '\u0030\u0003\u0002\u0001\u0001' },
    { name: 'the pair of another CA', junk: undefined },
  ])('is mended when it holds $name', async ({ junk }) => {
    const { cluster, serial } = await issuedOnce()
    const stranger = await makeRoot({ commonName: 'ca of tests' })
    const child = await makeIntermediate(stranger, 'orders', 0)
    const crt = junk ?? encodePem('CERTIFICATE', child.certificate)
    const key = junk === undefined ? encodePem('PRIVATE KEY', child.key.pkcs8) : junk.slice(0, 100)
    await change(cluster, 'orders-tls', ({ data }) => ({
      data: { ...data, 'tls.crt': base64(crt), 'tls.key': base64(key) },
    }))
    const mended = await anotherCertificate(cluster, serial)
    expect(leafOf(await getSecret(cluster)).serialNumber).toBe(mended.status?.serialNumber)
  })
})

describe('the namespaces that may use a CA', () => {
  const elsewhere = (): KubeObject => {
    const own = certificate({ authorityRef: { name: 'ca', namespace } })
    return { ...own, metadata: { ...own.metadata, namespace: 'other' } }
  }
  const reasonIn = async (cluster: Cluster) =>
    (await cluster.get(databaseCertificates, { namespace: 'other', name: 'orders' })).status?.conditions?.find(
      ({ type }) => type === 'Ready',
    )?.reason

  it('may be changed at any time, and what was issued stays', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority())
    await put(cluster, elsewhere())
    await until('no', async () => (await reasonIn(cluster)) === 'AuthorityNotAllowed')
    await put(cluster, authority({ allowedNamespaces: { from: 'Names', names: ['other'] } }))
    await until('yes', async () => (await reasonIn(cluster)) === 'Issued')
    const kept = await cluster.get(secrets, { namespace: 'other', name: 'orders-tls' })
    await put(cluster, authority({ allowedNamespaces: { from: 'Same' } }))
    await until('no again', async () => (await reasonIn(cluster)) === 'AuthorityNotAllowed')
    expect(await cluster.get(secrets, { namespace: 'other', name: 'orders-tls' })).toEqual(kept)
  })
})

describe('the key of a CA', () => {
  it('is found again when the CA is deleted and applied again', async () => {
    const { cluster, serial } = await issuedOnce()
    const before = await getAuthority(cluster)
    await cluster.delete(certificateAuthorities, { namespace, name: 'ca' })
    expect((await stalled(cluster)).reason).toBe('AuthorityNotFound')
    await put(cluster, authority())
    const after = await authorityReady(cluster)
    expect(after.status?.certificate?.fingerprint).toBe(before.status?.certificate?.fingerprint)
    expect((await ready(cluster)).status?.serialNumber).toBe(serial)
  })

  it.each([
    { name: 'is not taken from somebody who forged the mark of its owner', adopt: undefined, ready: false },
    { name: 'is taken where a person vouches for it', adopt: 'true', ready: true },
  ])('$name', async ({ adopt, ready: works }) => {
    const { clock, cluster } = emptyCluster()
    const planted = await makeRoot({ commonName: 'ca of tests', now: clock.now() })
    const pem = base64(encodePem('CERTIFICATE', planted.certificate))
    await cluster.create(
      secrets,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: 'ca-ca',
          namespace,
          annotations: {
            'dbtls.dev/owner': 'CertificateAuthority/ca',
            ...(adopt === undefined ? {} : { 'dbtls.dev/adopt': adopt }),
          },
        },
        type: 'kubernetes.io/tls',
        data: { 'tls.crt': pem, 'tls.key': base64(encodePem('PRIVATE KEY', planted.key.pkcs8)), 'ca.crt': pem },
      },
      somebody,
    )
    await start(cluster, clock)
    await put(cluster, authority({ subject: { commonName: 'ca of tests', organizations: ['Acme'] } }))
    const said = await until('a verdict', async () => (await getAuthority(cluster)).status?.conditions?.[0])
    expect(said.reason).toBe(works ? 'Ready' : 'SecretInTheWay')
  })

  it('does not vouch for roots that somebody wrote beside it', async () => {
    const { cluster, operator, serial } = await issuedOnce()
    const stranger = await makeRoot({ commonName: 'stranger' })
    const good = text(await getSecret(cluster, 'ca-ca'), 'ca.crt')
    await change(cluster, 'ca-ca', ({ data, metadata }) => {
      const forged = { ...data, 'ca.crt': base64(`${good}${encodePem('CERTIFICATE', stranger.certificate)}`) }
      const hash = dataHash(new Map(Object.entries(forged).map(([key, value]) => [key, Buffer.from(value, 'base64')])))
      return {
        data: forged,
        metadata: { ...metadata, annotations: { ...metadata.annotations, 'dbtls.dev/data-hash': hash } },
      }
    })
    await until('the old root alone', async () => text(await getSecret(cluster, 'ca-ca'), 'ca.crt') === good)
    await quiet(operator)
    await put(cluster, certificate({ renewTrigger: '1' }))
    await until('a renewed one', async () => (await getCertificate(cluster)).status?.serialNumber !== serial)
    expect(certificatesOf(text(await getSecret(cluster), 'ca.crt'))).toHaveLength(1)
  })

  it.each([
    { name: 'nothing', edit: () => ({ data: { 'tls.crt': '', 'tls.key': '' } }) },
    { name: 'junk', edit: ({ data }: Secret) => ({ data: { ...data, 'tls.crt': base64('junk') } }) },
    { name: 'no key', edit: ({ data }: Secret) => ({ data: { ...data, 'tls.key': base64('junk') } }) },
  ])('signs nothing and is not overwritten while its Secret holds $name', async ({ edit }) => {
    const { cluster, operator, serial } = await issuedOnce()
    const good = await getSecret(cluster, 'ca-ca')
    const bad = await change(cluster, 'ca-ca', edit)
    const said = await authorityStalled(cluster)
    expect(said.reason).toBe('AuthoritySecretInvalid')
    await put(cluster, certificate({ renewTrigger: '1' }))
    await quiet(operator)
    expect((await getSecret(cluster, 'ca-ca')).data).toEqual(bad.data)
    expect(leafOf(await getSecret(cluster)).serialNumber).toBe(serial)
    await change(cluster, 'ca-ca', () => ({ data: good.data ?? {} }))
    await anotherCertificate(cluster, serial)
  })

  it('is not replaced by a new one when its Secret is lost', async () => {
    const { cluster, operator } = await issuedOnce()
    await cluster.delete(secrets, { namespace, name: 'ca-ca' })
    const said = await authorityStalled(cluster)
    expect(said.reason).toBe('AuthoritySecretMissing')
    await quiet(operator)
    await expect(getSecret(cluster, 'ca-ca')).rejects.toThrow()
  })
})
