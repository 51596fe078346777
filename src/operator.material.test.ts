/** One CA takes the place of another in its Secret, step by step, and certificates keep what they hang under meanwhile. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseCertificate } from './pki/certificates/parse.ts'
import { certificatesOf, decodePem } from './pki/encoding/pem.ts'
import { type ParsedRevocationList, parseRevocationList } from './pki/revocation/revocation-list.ts'
import { begin, keysOf, pemsOf, type Process, stepNames, take } from './rotating.fixture.ts'
import {
  authority,
  certificate,
  entriesOf,
  getCertificate,
  getConfigMap,
  getSecret,
  intermediate,
  leafOf,
  namespace,
  revoke,
  text,
} from './testing.ts'

const shapes = [
  { name: 'a root', objects: [authority()], changesTrust: true },
  {
    name: 'an intermediate',
    objects: [authority({ maxPathLength: 1 }, 'root'), intermediate()],
    changesTrust: false,
  },
]

describe.each(shapes)('the material of $name', ({ objects, changesTrust }) => {
  it('goes through its stages, and the certificate with it in three writes', async () => {
    const process = await begin(...objects, certificate())
    const { cluster } = process
    const [first] = await pemsOf(process, 'tls.crt', 'ca-ca')
    const serial = (await getCertificate(cluster)).status?.serialNumber
    const trusted: string[][] = []
    const versions = new Set<string | undefined>()
    const look = async (): Promise<void> => {
      versions.add((await getSecret(cluster)).metadata.resourceVersion)
      trusted.push(await pemsOf(process, 'ca.crt'))
    }
    await look()
    const keys: string[][] = []
    for (const name of stepNames) {
      process.waiting.add(`${namespace}/orders`)
      await take(process, name)
      keys.push(await keysOf(process))
      await look()
      // What waits for its turn is as it should be, and nothing is written for it.
      expect(await process.settle()).toEqual([])
      process.waiting.clear()
      await process.settle()
      await look()
      expect(await process.settle()).toEqual([])
    }
    const plain = ['ca.crt', 'tls.crt', 'tls.key']
    const [next, former] = [
      ['next.crt', 'next.key'],
      ['former.crt', 'former.key'],
    ].map((more) => [...plain, ...more].toSorted())
    expect(keys).toEqual([next, next, former, former, plain])
    const [last] = await pemsOf(process, 'tls.crt', 'ca-ca')
    expect(last).not.toBe(first)
    const after = await getCertificate(cluster)
    expect(after.status?.serialNumber).not.toBe(serial)
    expect(leafOf(await getSecret(cluster)).serialNumber).toBe(after.status?.serialNumber)
    if (changesTrust) {
      const order = trusted.map((set) => set.map((one) => (one === first ? 'a' : one === last ? 'b' : '?')).join(''))
      // Each twice: while it waits, and when it has had its turn.
      expect(order).toEqual(['a', 'a', 'a', 'ab', 'ab', 'ab', 'ba', 'b', 'b', 'b', 'b'])
      expect(versions.size).toBe(1 + 3)
    } else {
      expect(new Set(trusted.map(String)).size).toBe(1)
      expect(versions.size).toBe(1 + 1)
    }
  })
})

describe('a Secret with the private key of its CA', () => {
  it('has that CA for the first of its roots in every stage, also while its certificate waits', async () => {
    const items = [
      { key: 'tls.crt', content: 'CertificateChain' },
      { key: 'tls.key', content: 'PrivateKey' },
      { key: 'ca.crt', content: 'TrustBundle' },
      { key: 'ca.key', content: 'AuthorityPrivateKey' },
    ]
    const exporting = certificate({ secret: { name: 'orders-tls', items } })
    const alone = certificate({ secret: { name: 'alone-tls', items: items.slice(2) } }, 'alone')
    const process = await begin(authority({ allowKeyExport: true }), exporting, alone)
    const look = async (): Promise<void> => {
      for (const name of ['orders-tls', 'alone-tls']) {
        const secret = await getSecret(process.cluster, name)
        const [root] = certificatesOf(text(secret, 'ca.crt'))
        expect(new X509Certificate(root ?? '').checkPrivateKey(createPrivateKey(text(secret, 'ca.key')))).toBe(true)
      }
      expect(await process.settle()).toEqual([])
    }
    await look()
    for (const step of stepNames) {
      process.waiting.add(`${namespace}/orders`)
      await take(process, step)
      await look()
      if (step === 'publish') continue
      process.waiting.clear()
      await process.settle()
      await look()
    }
  })
})

describe('revocation lists in a rotation', () => {
  const listing = certificate({
    secret: {
      name: 'orders-tls',
      items: [
        { key: 'tls.crt', content: 'Certificate' },
        { key: 'tls.key', content: 'PrivateKey' },
        { key: 'ca.crt', content: 'TrustBundle' },
        { key: 'ca.crl', content: 'RevocationList' },
      ],
    },
  })
  const listsIn = (pem: string): ParsedRevocationList[] => decodePem(pem).map(({ der }) => parseRevocationList(der))
  const keyIdOf = ({ authorityKeyId }: ParsedRevocationList): string =>
    Buffer.from(authorityKeyId ?? []).toString('hex')
  const serialsOf = ({ revoked }: ParsedRevocationList): string[] => revoked.map(({ serialNumber }) => serialNumber)
  const mapOf = async ({ cluster }: Process): Promise<Record<string, string>> =>
    (await getConfigMap(cluster, 'ca-crl')).data ?? {}

  it('are made once more before the key of the former CA is gone', async () => {
    const process = await begin(authority({ crl: { enabled: true } }), certificate())
    const first = process.authority().status?.certificate?.subjectKeyId ?? ''
    const { serialNumber = '' } = (await getCertificate(process.cluster)).status ?? {}
    await take(process, 'prepare', 'publish', 'switch', 'drop')
    await revoke(process.cluster, serialNumber, { reason: 'keyCompromise' })
    await take(process, 'finish')
    const [last] = listsIn((await mapOf(process))[`former-${first}.crl`] ?? '')
    expect(serialsOf(last as ParsedRevocationList)).toEqual([serialNumber])
  })

  it('are there for both CAs, and the last one of the former for as long as anything hangs on it', async () => {
    const process = await begin(authority({ crl: { enabled: true } }), listing, certificate({}, 'victim'))
    const { cluster } = process
    const first = process.authority().status?.certificate?.subjectKeyId ?? ''
    const before = (await getCertificate(cluster, 'victim')).status?.serialNumber ?? ''
    await revoke(cluster, before, { reason: 'keyCompromise' })
    await process.settle()
    const numbers = new Map<string, { number: bigint; fingerprint: string }>()
    const counts: number[] = []
    const late = (await getCertificate(cluster, 'victim')).status?.serialNumber ?? ''
    for (const step of [undefined, ...stepNames]) {
      if (step === 'switch') for (const name of ['orders', 'victim']) process.waiting.add(`${namespace}/${name}`)
      if (step !== undefined) await take(process, step)
      if (step === 'switch') {
        // Revoked when another CA signs already: it stands on the list of the one that signed it.
        process.waiting.clear()
        await revoke(cluster, late, { reason: 'keyCompromise' })
        await process.settle()
      }
      const delivered = listsIn(text(await getSecret(cluster), 'ca.crl'))
      const published = listsIn(Object.values(await mapOf(process)).join(''))
      counts.push(delivered.length)
      expect(keyIdOf(delivered[0] as ParsedRevocationList)).toBe(process.authority().status?.certificate?.subjectKeyId)
      for (const list of published) {
        const known = numbers.get(keyIdOf(list))
        const { number = 0n, fingerprint } = list
        if (known !== undefined && known.fingerprint !== fingerprint) expect(number > known.number).toBe(true)
        numbers.set(keyIdOf(list), { number, fingerprint })
        expect(serialsOf(list).includes(before)).toBe(keyIdOf(list) === first)
      }
      expect(new Set(published.map(keyIdOf)).size).toBe(published.length)
      expect(await process.settle()).toEqual([])
    }
    expect(counts).toEqual([1, 2, 2, 2, 2, 2])
    const [last] = listsIn((await mapOf(process))[`former-${first}.crl`] ?? '')
    expect(serialsOf(last as ParsedRevocationList).toSorted()).toEqual([before, late].toSorted())
    const ends = (await entriesOf(cluster))
      .map(({ spec }) => parseCertificate(certificatesOf(spec.certificate)[0] as Uint8Array))
      .filter((one) => !one.isCa && Buffer.from(one.authorityKeyId ?? []).toString('hex') === first)
      .map(({ notAfter }) => notAfter)
    expect(last?.nextUpdate).toBe(Math.max(...ends))
    // In the Secret it goes with the next list: that it is superfluous is not worth a write.
    const { status } = await getCertificate(cluster, 'victim')
    await revoke(cluster, status?.serialNumber, { reason: 'keyCompromise' })
    await process.settle()
    expect(listsIn(text(await getSecret(cluster), 'ca.crl'))).toHaveLength(1)
    expect(Object.keys(await mapOf(process)).toSorted()).toEqual(['ca.crl', `former-${first}.crl`])
  })
})
