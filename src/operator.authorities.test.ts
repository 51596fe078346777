import { describe, expect, it } from 'vitest'
import { ApiError } from './cluster/errors.ts'
import type { Cluster } from './cluster/port.ts'
import { interrupted } from './faults.fixture.ts'
import { issueCertificate } from './pki/certificates/certificate.ts'
import { certificatesOf, encodePem } from './pki/encoding/pem.ts'
import { parseCertificate } from './pki/certificates/parse.ts'
import { authorityPlan } from './pki/certificates/plans.ts'
import { makeRoot, randomSerial } from './pki/testing.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { isReady } from './resources/conditions.ts'
import { secrets, type Secret } from './resources/core.ts'
import { issuedCertificates } from './resources/issued-certificate.ts'
import {
  authority,
  authoritySays,
  base64,
  certificate,
  emptyCluster,
  fresh,
  getAuthority,
  getCertificate,
  getSecret,
  intermediate,
  issuedOnce,
  leafOf,
  namespace,
  put,
  quiet,
  ready,
  secretOf,
  somebody,
  start,
  text,
  until,
} from './testing.ts'

const passphrase = (data: Record<string, string>): Secret => secretOf('p', data)

describe('the Secret of a CA', () => {
  it.each([
    { name: 'a new root', spec: {} },
    { name: 'an intermediate', spec: { source: { intermediate: { authorityRef: { name: 'root' } } } } },
  ])('costs $name one entry of the ledger however often it is refused', async ({ spec }) => {
    const { clock, cluster } = emptyCluster()
    let left = 0
    const refusing = interrupted(
      cluster,
      'apply',
      'secrets',
      ({ metadata }) => {
        if (metadata.name !== 'ca-ca' || left === 0) return Promise.resolve()
        left -= 1
        return Promise.reject(new ApiError({ status: 403, reason: 'Forbidden', message: 'exceeded quota' }))
      },
      100,
    )
    await start(refusing, clock)
    await put(cluster, authority({ maxPathLength: 1 }, 'root'))
    await until('the root', async () => isReady(await getAuthority(cluster, 'root')))
    left = 3
    await put(cluster, authority({ ...spec, maxPathLength: 0 }))
    await until('three refusals', async () => {
      await clock.advance(60_000)
      return (await getAuthority(cluster)).status?.failedAttempts === 3
    })
    expect((await getAuthority(cluster)).status?.lastFailure?.message).toContain('exceeded quota')
    await clock.advance(3_600_000)
    const { status } = await until('the CA', async () => {
      const found = await getAuthority(cluster)
      return isReady(found) && found
    })
    const own = (await cluster.list(issuedCertificates, { namespace })).items.filter(
      ({ spec: { certificateRef } }) => certificateRef?.name === 'ca',
    )
    expect(own.map(({ spec: { serialNumber } }) => serialNumber)).toEqual([status?.certificate?.serialNumber])
  })

  it('is left alone when somebody else made it', async () => {
    const { clock, cluster } = emptyCluster()
    const foreign = secretOf('ca-ca', { theirs: 'x' }, { type: 'Opaque' })
    const { metadata } = await cluster.create(secrets, foreign, somebody)
    await start(cluster, clock)
    await put(cluster, authority())
    await authoritySays(cluster, 'SecretInTheWay')
    expect((await getSecret(cluster, 'ca-ca')).metadata.resourceVersion).toBe(metadata.resourceVersion)
  })

  it('is not used with a certificate that a stranger has signed for its key', async () => {
    const { cluster, clock, operator } = await issuedOnce()
    const stranger = await makeRoot({ commonName: 'stranger', now: clock.now() })
    const [der] = certificatesOf(text(await getSecret(cluster, 'ca-ca'), 'tls.crt'))
    const own = parseCertificate(der as Uint8Array)
    const plan = authorityPlan({
      signer: stranger.signer,
      selfSigned: false,
      subject: own.subject,
      spki: own.spki,
      duration: 3_600_000_000,
      now: clock.now(),
      serialNumber: randomSerial(),
    })
    const crossed = encodePem('CERTIFICATE', (await issueCertificate(plan, stranger.signer)).der)
    const secret = await getSecret(cluster, 'ca-ca')
    const trust = encodePem('CERTIFICATE', stranger.certificate)
    const data = { ...secret.data, 'tls.crt': base64(crossed), 'ca.crt': base64(trust) }
    await cluster.update(secrets, { ...secret, data }, somebody)
    await authoritySays(cluster, 'AuthoritySecretInvalid')
    await quiet(operator)
    expect((await getSecret(cluster, 'ca-ca')).data).toEqual(data)
    expect(text(await getSecret(cluster), 'ca.crt')).not.toBe(trust)
  })
})

describe('a passphrase', () => {
  it('encrypts the key, is changed with the old one beside it, and stops all signing while it is wrong', async () => {
    const { cluster, operator } = await fresh()
    await put(cluster, authority({ privateKey: { algorithm: 'ECDSA', passphraseSecretRef: { name: 'p' } } }))
    await authoritySays(cluster, 'PassphraseNotFound')
    await cluster.apply(secrets, passphrase({ passphrase: 'one' }), somebody)
    await authoritySays(cluster, 'Ready')
    const first = text(await getSecret(cluster, 'ca-ca'), 'tls.key')
    expect(first).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    const { fingerprint } = (await getAuthority(cluster)).status?.certificate ?? {}

    await cluster.apply(secrets, passphrase({ passphrase: 'two' }), somebody)
    await authoritySays(cluster, 'PassphraseWrong')
    await put(cluster, certificate())
    await quiet(operator)
    await expect(getSecret(cluster)).rejects.toThrow()
    expect(text(await getSecret(cluster, 'ca-ca'), 'tls.key')).toBe(first)

    await cluster.apply(secrets, passphrase({ passphrase: 'two', 'passphrase.previous': 'one' }), somebody)
    await ready(cluster)
    await until('the key under the new one', async () => text(await getSecret(cluster, 'ca-ca'), 'tls.key') !== first)
    await cluster.apply(secrets, passphrase({ passphrase: 'two' }), somebody)
    await quiet(operator)
    const after = await getAuthority(cluster)
    expect(isReady(after)).toBe(true)
    expect(after.status?.certificate?.fingerprint).toBe(fingerprint)
  })
})

describe('an intermediate', () => {
  it('waits until its parent can sign, and says so', async () => {
    const { cluster } = await fresh()
    const root = { privateKey: { algorithm: 'ECDSA', passphraseSecretRef: { name: 'p' } } }
    await put(cluster, authority(root, 'root'))
    await authoritySays(cluster, 'PassphraseNotFound', '', 'root')
    await put(cluster, intermediate())
    expect((await authoritySays(cluster, 'AuthorityNotReady')).message).toContain('data/root')
    await cluster.apply(secrets, passphrase({ passphrase: 'one' }), somebody)
    await authoritySays(cluster, 'Ready')
  })

  it('goes on signing while its parent is in trouble or gone', async () => {
    const { cluster, operator } = await fresh()
    await put(cluster, authority({}, 'root'))
    await put(cluster, intermediate())
    await authoritySays(cluster, 'Ready')
    await cluster.delete(certificateAuthorities, { namespace, name: 'root' })
    await quiet(operator)
    await put(cluster, certificate())
    expect(leafOf(await getSecret(cluster, (await ready(cluster)).spec.secret.name)).issuer).toBeDefined()
    expect(isReady(await getAuthority(cluster))).toBe(true)
  })

  it('cannot be its own parent', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority({ source: { intermediate: { authorityRef: { name: 'ca' } } } }))
    await authoritySays(cluster, 'AuthorityNotAllowed')
  })
})

describe('name constraints', () => {
  const constrained = (...dnsDomains: string[]) => ({ nameConstraints: { permitted: { dnsDomains } } })
  const own = async (cluster: Cluster, name = 'ca') =>
    parseCertificate(certificatesOf(text(await getSecret(cluster, `${name}-ca`), 'tls.crt'))[0] as Uint8Array)

  it('are signed in with the same key when they change, and hold for what is signed', async () => {
    const { cluster } = await issuedOnce({}, constrained('data.svc'))
    const before = await own(cluster)
    expect(before.nameConstraints?.permitted.dnsDomains).toEqual(['data.svc'])
    expect(before.nameConstraints?.excluded.ipRanges).toEqual(['0.0.0.0/0', '::/0'])
    await put(cluster, certificate({ dnsNames: ['orders.web.svc'] }, 'web'))
    await until('the refusal', async () => {
      const { status } = await getCertificate(cluster, 'web')
      return status?.conditions?.some(({ message }) => message.includes('name constraints'))
    })
    await put(cluster, authority(constrained('svc')))
    await ready(cluster, 'web')
    const after = await own(cluster)
    expect(after.nameConstraints?.permitted.dnsDomains).toEqual(['svc'])
    expect(Buffer.from(after.spki).equals(before.spki)).toBe(true)
  })

  it('of a root hold below its intermediates, too', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority(constrained('data.svc'), 'root'))
    await put(cluster, intermediate(constrained('svc')))
    await authoritySays(cluster, 'NameConstraintViolation')
    await put(cluster, intermediate())
    await authoritySays(cluster, 'Ready')
    await put(cluster, certificate({ dnsNames: ['orders.web.svc'] }, 'web'))
    await put(cluster, certificate())
    await ready(cluster)
    await until('the refusal', async () => {
      const { status } = await getCertificate(cluster, 'web')
      return status?.conditions?.some(({ message }) => message.includes('name constraints'))
    })
  })
})

describe('what the authority above publishes and allows', () => {
  it('stands in the certificate of an intermediate, which lives no longer than the policy says', async () => {
    const { cluster } = await fresh()
    const policy = { subject: { commonName: 'Supplied' }, maxDuration: '100d' }
    const root = (url: string) => authority({ publish: { url }, policy }, 'root')
    await put(cluster, root('http://one.example'))
    await put(cluster, intermediate())
    const urlsOf = async () => {
      const der = certificatesOf(text(await getSecret(cluster, 'ca-ca'), 'tls.crt'))[0] as Uint8Array
      const { caIssuers, notAfter, notBefore } = parseCertificate(der)
      expect(notAfter - notBefore).toBe(100 * 24 * 3_600_000)
      return caIssuers
    }
    await authoritySays(cluster, 'Ready')
    const keyId = (await getAuthority(cluster, 'root')).status?.certificate?.subjectKeyId
    expect(await urlsOf()).toEqual([`http://one.example/ca/data/root/${keyId}.cer`])
    await put(cluster, root('http://two.example'))
    await until('the other address', async () => (await urlsOf())[0] === `http://two.example/ca/data/root/${keyId}.cer`)
  })
})
