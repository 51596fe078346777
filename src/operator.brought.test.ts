import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { issueCertificate } from './pki/certificates/certificate.ts'
import { makeAuthority } from './pki/imports/import.fixture.ts'
import { encryptPrivateKey } from './pki/keys/keys.ts'
import { decodePem, encodePem } from './pki/encoding/pem.ts'
import { parseRevocationList, type ParsedRevocationList } from './pki/revocation/revocation-list.ts'
import { authorityPlan } from './pki/certificates/plans.ts'
import { nameConstraints } from './pki/constraints/name-constraints.ts'
import { type Authority, makeIntermediate, makeRoot, opensslVersion, randomSerial } from './pki/testing.ts'
import { configMaps, secrets } from './resources/core.ts'
import { ManualClock } from './runtime/manual-clock.ts'
import {
  authority,
  authoritySays,
  certificate,
  configMapOf,
  day,
  fresh,
  getAuthority,
  getCertificate,
  getSecret,
  intermediate,
  leafOf,
  namespace,
  newCluster,
  pass,
  person,
  put,
  quiet,
  ready,
  revoke,
  secretOf,
  stalled,
  start,
  text,
  until,
} from './testing.ts'

const pem = (...ders: readonly Uint8Array[]): string => ders.map((der) => encodePem('CERTIFICATE', der)).join('')
/** The list in a PEM. */
const listIn = (list: string): ParsedRevocationList => parseRevocationList(decodePem(list)[0]?.der ?? new Uint8Array())
const keyPem = ({ key }: Authority): string => encodePem('PRIVATE KEY', key.pkcs8)

const files = (root: Authority): Record<string, string> => ({
  'tls.crt': pem(root.certificate),
  'tls.key': keyPem(root),
})
const fill = (cluster: Cluster, data: Record<string, string>, name = 'corp-ca') =>
  cluster.apply(secrets, secretOf(name, data), person)
const bringing = (source: object = {}) => ({
  source: { secret: { name: 'corp-ca', ...source } },
  rotation: { trustSoak: '0s', dropSoak: '0s' },
})

const begin = async (data: Record<string, string> | undefined, source: object = {}) => {
  const running = await fresh()
  if (data !== undefined) await fill(running.cluster, data)
  await put(running.cluster, authority(bringing(source)))
  return running
}
const rootAt = (clock: ManualClock, commonName = 'Corp CA', more: object = {}): Promise<Authority> =>
  makeRoot({ commonName, now: clock.now(), ...more })

/** An authority in the Secret and a leaf under it. */
const signing = async (spec: object = {}) => {
  const running = await begin(undefined)
  if (Object.keys(spec).length > 0) await put(running.cluster, authority({ ...bringing(), ...spec }))
  const root = await rootAt(running.clock)
  await authoritySays(running.cluster, 'SecretNotFound')
  await fill(running.cluster, files(root))
  await authoritySays(running.cluster, 'Ready')
  await put(running.cluster, certificate())
  const { status } = await ready(running.cluster)
  await quiet(running.operator)
  return { ...running, root, serial: status?.serialNumber, leaf: await getSecret(running.cluster) }
}

const renewed = async (root: Authority, now: number, more: object = {}): Promise<Uint8Array> => {
  const { signer, key } = root
  const plan = authorityPlan({
    signer: { ...signer, notBefore: -Infinity, notAfter: Infinity },
    selfSigned: true,
    subject: signer.subject,
    spki: key.spki,
    duration: 5000 * day,
    now,
    serialNumber: randomSerial(),
    ...more,
  })
  const { der } = await issueCertificate(plan, {
    ...signer,
    notBefore: -Infinity,
    notAfter: Infinity,
    pathLength: undefined,
  })
  return der
}

describe('a CA in a Secret of the user', () => {
  it('signs as soon as the Secret is there, and the Secret stays as it was', async () => {
    const { cluster, root, leaf, writes } = await signing()
    expect(Buffer.from(leafOf(leaf).issuer).equals(root.signer.subject)).toBe(true)
    expect(text(leaf, 'ca.crt')).toBe(pem(root.certificate))
    const theirs = await getSecret(cluster, 'corp-ca')
    expect(theirs.metadata.annotations).toBeUndefined()
    expect(theirs.metadata.labels).toBeUndefined()
    expect(theirs.metadata.ownerReferences).toBeUndefined()
    // That of the leaf, and the certificates that are remembered of the CA.
    expect(writes.filter(({ plural }) => plural === 'secrets')).toHaveLength(2)
    expect(Object.keys((await getSecret(cluster, 'ca-ca')).data ?? {})).not.toContain('tls.key')
  })

  it('brings its chain along, in any order and from other keys', async () => {
    const { cluster, clock } = await fresh()
    const root = await rootAt(clock)
    const middle = await makeIntermediate(root, 'Policy CA', undefined, clock.now())
    const issuing = await makeIntermediate(middle, 'Issuing CA', undefined, clock.now())
    const chain = pem(root.certificate, middle.certificate)
    await fill(cluster, { cert: pem(issuing.certificate), key: keyPem(issuing), 'ca.pem': chain })
    const source = { certificateKey: 'cert', privateKeyKey: 'key', chainKey: 'ca.pem' }
    await put(cluster, authority(bringing(source)))
    await put(cluster, certificate())
    await ready(cluster)
    const secret = await getSecret(cluster)
    expect(text(secret, 'tls.crt').endsWith(pem(issuing.certificate, middle.certificate))).toBe(true)
    expect(text(secret, 'ca.crt')).toBe(pem(root.certificate))
  })

  it('is opened with its passphrase, and says when that is missing or wrong', async () => {
    const clock = new ManualClock()
    const root = await rootAt(clock)
    const parameters = { salt: new Uint8Array(16), iv: new Uint8Array(16), iterations: 1000 }
    const encrypted = encodePem('ENCRYPTED PRIVATE KEY', await encryptPrivateKey(root.key.pkcs8, 'right', parameters))
    const { cluster } = await begin({ ...files(root), 'tls.key': encrypted })
    await authoritySays(cluster, 'PassphraseNotFound', 'spec.source.secret.passphraseSecretRef')
    await put(cluster, authority(bringing({ passphraseSecretRef: { name: 'p' } })))
    await authoritySays(cluster, 'PassphraseNotFound', 'Secret "p"')
    await fill(cluster, { passphrase: 'wrong' }, 'p')
    await authoritySays(cluster, 'PassphraseWrong')
    await fill(cluster, { passphrase: 'right' }, 'p')
    await authoritySays(cluster, 'Ready')
  })

  it('is followed when its certificate is renewed with the same key: leaves stay, with the new root beside them', async () => {
    const { cluster, clock, operator, root, serial } = await signing()
    const later = await renewed(root, clock.now())
    await fill(cluster, { ...files(root), 'tls.crt': pem(later) })
    await until('the new root', async () => text(await getSecret(cluster), 'ca.crt') === pem(later))
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
  })

  it('is followed to another key, aloud, and what the former one signed is issued anew', async () => {
    const { cluster, clock, events, serial } = await signing()
    const other = await rootAt(clock, 'New Corp CA')
    await fill(cluster, files(other))
    await until('another leaf', async () => (await getCertificate(cluster)).status?.serialNumber !== serial)
    await ready(cluster)
    expect(Buffer.from(leafOf(await getSecret(cluster)).issuer).equals(other.signer.subject)).toBe(true)
    const note = events.find(({ reason }) => reason === 'AuthorityReplaced')?.note
    expect(note).toContain('by "CN=New Corp CA,O=Acme"')
    expect(note).toContain('instead of')
  })

  it('keeps the last list of its former key beside its own while something of that key lives', async () => {
    const { cluster, clock, root, serial } = await signing({ crl: { duration: '10d', renewBefore: '3d' } })
    const lists = async () => (await cluster.get(configMaps, { namespace, name: 'ca-crl' })).data ?? {}
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    const last = await until('the revocation', async () => {
      const { 'ca.crl': list = '' } = await lists()
      return listIn(list).revoked.some(({ serialNumber }) => serialNumber === serial) && list
    })
    await until('another leaf', async () => (await getCertificate(cluster)).status?.serialNumber !== serial)
    await ready(cluster)
    await fill(cluster, files(await rootAt(clock, 'New Corp CA')))
    const former = `former-${Buffer.from(root.signer.subjectKeyId).toString('hex')}.crl`
    const both = await until('both lists', async () => {
      const found = await lists()
      return found['ca.crl'] !== last && Object.hasOwn(found, former) && found
    })
    expect(both[former]).toBe(last)
    expect(listIn(both['ca.crl'] ?? '').revoked).toEqual([])
    expect(listIn(both['ca.crl'] ?? '').number).toBeGreaterThan(listIn(last).number ?? 0n)
    // The next ones carry it along.
    await pass(clock, 30 * day)
    const later = await until('the next list', async () => {
      const found = await lists()
      return found['ca.crl'] !== both['ca.crl'] && found
    })
    expect(later[former]).toBe(last)
    await pass(clock, 70 * day)
    await until('only the present one', async () => Object.keys(await lists()).join(' ') === 'ca.crl')
  })

  it('is trusted beside its successor while its certificate stands in the chain', async () => {
    const { cluster, clock, root } = await signing()
    const other = await rootAt(clock, 'New Corp CA')
    await fill(cluster, { ...files(other), 'ca.crt': pem(root.certificate, other.certificate) })
    const both = pem(other.certificate, root.certificate)
    await until('both roots', async () => text(await getSecret(cluster), 'ca.crt') === both)
  })

  const broken: readonly {
    name: string
    change: (root: Authority, other: Authority) => Record<string, string>
    reason: string
    says: string
  }[] = [
    {
      name: 'the key of another CA',
      change: (root, other) => ({ ...files(root), 'tls.key': keyPem(other) }),
      reason: 'AuthoritySecretInvalid',
      says: 'does not belong to',
    },
    {
      name: 'the certificate of another CA',
      change: (root, other) => ({ ...files(root), 'tls.crt': pem(other.certificate) }),
      reason: 'AuthoritySecretInvalid',
      says: 'does not belong to',
    },
    {
      name: 'a cut key',
      change: (root) => ({ ...files(root), 'tls.key': keyPem(root).slice(0, 60) }),
      reason: 'AuthoritySecretInvalid',
      says: 'no END line',
    },
    {
      name: 'no key',
      change: (root) => ({ 'tls.crt': pem(root.certificate), 'tls.key': '' }),
      reason: 'SecretNotFound',
      says: 'has no key "tls.key"',
    },
  ]
  it.each(broken)(
    'signs nothing with $name, leaves its leaves alone, and goes on when it is mended',
    async ({ change, reason, says }) => {
      const { cluster, clock, operator, root, serial, leaf } = await signing()
      await fill(cluster, change(root, await rootAt(clock, 'Other CA')))
      const { message } = await authoritySays(cluster, reason, says)
      expect(message).not.toMatch(/[A-Za-z0-9+/]{40}/)
      await put(cluster, certificate({}, 'later'))
      await quiet(operator)
      await expect(getSecret(cluster, 'later-tls')).rejects.toThrow()
      expect((await getSecret(cluster)).metadata.resourceVersion).toBe(leaf.metadata.resourceVersion)
      expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
      await fill(cluster, files(root))
      await ready(cluster, 'later')
      expect((await getSecret(cluster)).metadata.resourceVersion).toBe(leaf.metadata.resourceVersion)
    },
  )

  it('says so when its Secret is deleted, and leaves its leaves alone', async () => {
    const { cluster, operator, leaf } = await signing()
    await cluster.delete(secrets, { namespace, name: 'corp-ca' })
    await authoritySays(cluster, 'SecretNotFound')
    await quiet(operator)
    expect((await getSecret(cluster)).metadata.resourceVersion).toBe(leaf.metadata.resourceVersion)
  })

  it('warns before it ends, signs shorter leaves to its end, and nothing afterwards', async () => {
    const { cluster, clock, operator, events } = await begin(undefined)
    const root = await rootAt(clock, 'Short CA', { duration: 30 * day })
    await fill(cluster, files(root))
    await authoritySays(cluster, 'Ready')
    await put(cluster, certificate({ duration: '90d' }))
    await ready(cluster)
    const leaf = await getSecret(cluster)
    expect(leafOf(leaf).notAfter).toBe(root.signer.notAfter)
    await pass(clock, 21 * day)
    await authoritySays(cluster, 'Ready', 'Bring a renewed certificate')
    expect(events.some(({ reason }) => reason === 'AuthorityExpiring')).toBe(true)
    await quiet(operator)
    const kept = (await getSecret(cluster)).metadata.resourceVersion
    await pass(clock, 10 * day)
    await authoritySays(cluster, 'AuthorityExpired', '"CN=Short CA,O=Acme" expired at')
    await quiet(operator)
    expect((await getSecret(cluster)).metadata.resourceVersion).toBe(kept)
  })

  it('signs from the moment on at which it becomes valid', async () => {
    const { cluster, clock } = await begin(undefined)
    const root = await rootAt(clock, 'Next CA', { now: clock.now() + 2 * day })
    await fill(cluster, files(root))
    await authoritySays(cluster, 'AuthorityNotYetValid')
    await pass(clock, 3 * day)
    await authoritySays(cluster, 'Ready')
  })

  it('does not take name constraints that its certificate has not', async () => {
    const { cluster } = await begin(undefined)
    await put(cluster, authority({ ...bringing(), nameConstraints: { permitted: { dnsDomains: ['data.svc'] } } }))
    await authoritySays(cluster, 'RequestInvalid', 'spec.nameConstraints')
  })

  it('is refused where another CertificateAuthority has its key in the same Secret', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority({}, 'own'))
    await until('the first one', async () => (await getAuthority(cluster, 'own')).status?.certificate !== undefined)
    await put(cluster, authority({ source: { secret: { name: 'own-ca' } } }))
    await authoritySays(cluster, 'AuthoritySecretShared', 'CertificateAuthority data/own')
  })

  it('signs an intermediate, which is signed anew when another key takes its place', async () => {
    const { cluster, clock } = await signing()
    await put(cluster, intermediate({}, 'under', { name: 'ca' }))
    const issuer = () =>
      until('the intermediate', async () => {
        const found = await getAuthority(cluster, 'under')
        return found.status?.certificate?.fingerprint
      })
    const first = await issuer()
    await fill(cluster, files(await rootAt(clock, 'New Corp CA')))
    await until('another certificate of the same key', async () => (await issuer()) !== first)
  })
})

describe.skipIf(opensslVersion === undefined)('a CA that openssl made', () => {
  it('signs in its traditional form with text around it and without key usage', async () => {
    const made = makeAuthority({ extensions: ['basicConstraints = critical,CA:TRUE'] })
    const clock = new ManualClock()
    clock.setNow(Date.now() + 3_600_000)
    const cluster = newCluster(clock)
    await start(cluster, clock)
    await fill(cluster, { 'tls.crt': `My CA\r\n${made.certificate}`, 'tls.key': made.key })
    await put(cluster, authority(bringing()))
    await authoritySays(cluster, 'Ready', 'has no key usage')
    await put(cluster, certificate())
    await ready(cluster)
  })
})

describe('a trust anchor', () => {
  const anchored = async (source: object) => {
    const running = await fresh()
    await put(running.cluster, authority({ source: { trustOnly: source } }))
    return running
  }
  const target = { targets: [{ kind: 'ConfigMap', name: 'trust', items: [{ key: 'ca.crt', content: 'TrustBundle' }] }] }
  const trusted = async (cluster: Cluster) =>
    (await cluster.get(configMaps, { namespace, name: 'trust' })).data?.['ca.crt']

  it('follows its ConfigMap, and its bundle is delivered', async () => {
    const clock = new ManualClock()
    const [one, two] = [await rootAt(clock, 'one'), await rootAt(clock, 'two')]
    const { cluster } = await anchored({ configMapRef: { name: 'rds', key: 'bundle.pem' } })
    await authoritySays(cluster, 'ConfigMapNotFound', 'ConfigMap "rds"')
    await cluster.apply(configMaps, configMapOf('rds', { 'bundle.pem': `# all\n${pem(one.certificate)}` }), person)
    await authoritySays(cluster, 'Ready', '1 certificate is trusted')
    await put(
      cluster,
      authority({ source: { trustOnly: { configMapRef: { name: 'rds', key: 'bundle.pem' } } }, trustBundle: target }),
    )
    await until('the target', async () => (await trusted(cluster).catch(() => '')) === pem(one.certificate))
    await cluster.apply(configMaps, configMapOf('rds', { 'bundle.pem': pem(two.certificate, one.certificate) }), person)
    await authoritySays(cluster, 'Ready', '2 certificates are trusted')
    await until('both', async () => (await trusted(cluster)) === pem(two.certificate, one.certificate))
    const { status } = await getAuthority(cluster)
    expect(status?.certificate).toBeUndefined()
    expect(status?.trustBundleHash).toHaveLength(64)
    expect((await cluster.get(configMaps, { namespace, name: 'rds' })).metadata.annotations).toBeUndefined()

    await cluster.apply(configMaps, configMapOf('rds', { 'bundle.pem': 'broken' }), person)
    await authoritySays(cluster, 'TrustBundleInvalid', 'stays in use')
    expect(await trusted(cluster)).toBe(pem(two.certificate, one.certificate))
  })

  it('takes its bundle from a Secret', async () => {
    const { cluster } = await anchored({ secretRef: { name: 'rds' } })
    await authoritySays(cluster, 'SecretNotFound')
    await fill(cluster, { 'ca.crt': pem((await rootAt(new ManualClock())).certificate) }, 'rds')
    await authoritySays(cluster, 'Ready')
  })

  it('signs nothing, and a certificate that names it is told so', async () => {
    const inline = pem((await rootAt(new ManualClock())).certificate)
    const { cluster } = await anchored({ inline })
    await authoritySays(cluster, 'Ready')
    await put(cluster, certificate())
    const told = await stalled(cluster)
    expect(told).toMatchObject({ reason: 'AuthorityNotAllowed' })
    expect(told.message).toContain('signs nothing')
  })

  it('drops a root that ends while it looks on, with a warning, and keeps the last ones', async () => {
    const clock = new ManualClock()
    const short = await rootAt(clock, 'short', { duration: 10 * day })
    const long = await rootAt(clock, 'long', { duration: 100 * day })
    const running = await anchored({ inline: pem(short.certificate, long.certificate) })
    const { cluster, events } = running
    await authoritySays(cluster, 'Ready', '2 certificates')
    await pass(running.clock, 11 * day)
    await authoritySays(cluster, 'Ready', 'Left out, because it has expired: "CN=short,O=Acme"')
    expect(events.filter(({ reason }) => reason === 'TrustExpired')).toHaveLength(1)
    const { status } = await getAuthority(cluster)
    await pass(running.clock, 100 * day)
    await authoritySays(cluster, 'TrustExpired', 'stays in use')
    expect((await getAuthority(cluster)).status?.trustBundleHash).toBe(status?.trustBundleHash)
  })
})

describe('name constraints of a CA in a Secret of the user, which permit DNS names alone,', () => {
  const constraints = { nameConstraints: nameConstraints({ permitted: { dnsDomains: ['data.svc'] } }) }
  const withAddress = { ipAddresses: ['192.0.2.1'] }
  const constrained = async () => {
    const running = await begin(undefined)
    await fill(running.cluster, files(await rootAt(running.clock, 'Corp CA', constraints)))
    await authoritySays(running.cluster, 'Ready')
    return running
  }

  it.each<[string, object, string]>([
    ['addresses', withAddress, 'IP address "192.0.2.1"'],
    ['URIs', { uris: ['spiffe://bank.example/admin'] }, 'URI "spiffe://bank.example/admin"'],
    ['mailboxes', { emailAddresses: ['root@bank.example'] }, 'email address "root@bank.example"'],
    [
      'mailboxes in the subject',
      { subject: { emailAddress: 'root@bank.example' } },
      'emailAddress "root@bank.example"',
    ],
  ])('let it sign no %s', async (_, spec, says) => {
    const { cluster } = await constrained()
    await put(cluster, certificate(spec))
    const { reason, message } = await stalled(cluster)
    expect(reason).toBe('NameConstraintViolation')
    expect(message).toContain(says)
    expect(message).toContain('they permit only DNS')
    await put(cluster, certificate())
    await ready(cluster)
  })

  it('hold for what an intermediate signs, and for what it says it may', async () => {
    const { cluster } = await constrained()
    await put(cluster, intermediate({}, 'below', { name: 'ca' }))
    await put(cluster, certificate({ ...withAddress, authorityRef: { name: 'below' } }))
    expect((await stalled(cluster)).reason).toBe('NameConstraintViolation')
    const permitted = { dnsDomains: ['a.data.svc'], ipRanges: ['0.0.0.0/0'], uriDomains: ['.com'] }
    await put(cluster, intermediate({ nameConstraints: { permitted } }, 'wider', { name: 'ca' }))
    const { message } = await authoritySays(cluster, 'NameConstraintViolation', '', 'wider')
    expect(message).toContain('"0.0.0.0/0"')
    expect(message).toContain('".com"')
    expect(message).not.toContain('"a.data.svc"')
  })

  it('leave what was signed without regard to them in use, say so, and refuse its renewal', async () => {
    const running = await begin(undefined)
    const { cluster, clock } = running
    const root = await rootAt(clock)
    await fill(cluster, files(root))
    await put(cluster, certificate(withAddress))
    const { status } = await ready(cluster)
    const before = text(await getSecret(cluster), 'tls.crt')
    await fill(cluster, { ...files(root), 'tls.crt': pem(await renewed(root, clock.now(), constraints)) })
    const noted = await until('the note', async () => {
      const { conditions = [] } = (await getCertificate(cluster)).status ?? {}
      const found = conditions.find(({ type }) => type === 'Ready')
      return found?.status === 'True' && found.message.includes('IP address "192.0.2.1"') && found.message
    })
    expect(noted).toContain('stays in use until its renewal')
    await put(cluster, certificate({ ...withAddress, renewTrigger: '1' }))
    const { reason, message } = await stalled(cluster)
    expect(reason).toBe('NameConstraintViolation')
    expect(message).toContain('The Secret stays as it is.')
    expect(text(await getSecret(cluster), 'tls.crt')).toBe(before)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(status?.serialNumber)
  })
})
