/** Samples of every shape that the program issues. Tools of other people judge them; see judges.ts. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { issueCertificate } from '../../src/pki/certificates/certificate.ts'
import { distinguishedName, emptyName } from '../../src/pki/names/names.ts'
import { nameConstraints } from '../../src/pki/constraints/name-constraints.ts'
import { parseCertificate } from '../../src/pki/certificates/parse.ts'
import { encodePem } from '../../src/pki/encoding/pem.ts'
import type { CertificatePlan, GeneralName, KeyAlgorithm } from '../../src/pki/plan.ts'
import type { LeafRequest, Role } from '../../src/pki/certificates/plans.ts'
import { requestPlan } from '../../src/pki/requests/plan.ts'
import { parseRequest } from '../../src/pki/requests/request.ts'
import { serialNumber } from '../../src/pki/certificates/plans.ts'
import { makeRequest } from '../../src/pki/requests/request.fixture.ts'
import type { RevocationReason } from '../../src/pki/revocation/revocation-list.ts'
import { type Authority, day, host, makeAuthority, makeList, newKey, now, p256, planLeaf } from './forge.ts'

export type Purpose = 'server' | 'client'

export interface Sample {
  readonly name: string
  /** Leaf first, root last; a root alone is both. */
  readonly chain: readonly Uint8Array[]
  readonly lists: readonly Uint8Array[]
  readonly purposes: readonly Purpose[]
  /** What the leaf should be. */
  readonly plan?: CertificatePlan
}

const purposesOf: Record<Role, readonly Purpose[]> = {
  Server: ['server'],
  Client: ['client'],
  Peer: ['server', 'client'],
}

export interface LeafOptions extends Partial<LeafRequest> {
  readonly algorithm?: KeyAlgorithm
  readonly role?: Role
  readonly lists?: readonly Uint8Array[]
}

/** A leaf under `authority`, issued by the program. */
export const leafSample = async (
  name: string,
  authority: Authority,
  { algorithm = p256, role = 'Server', lists = [], ...changes }: LeafOptions = {},
): Promise<Sample> => {
  const plan = planLeaf(authority, await newKey(algorithm), role, changes)
  const leaf = (await issueCertificate(plan, authority.signer)).der
  return { name, chain: [leaf, ...authority.chain], lists, purposes: purposesOf[role], plan }
}

const rootSample = (name: string, { chain }: Authority): Sample => ({ name, chain, lists: [], purposes: [] })

const rsa = (size: 2048 | 3072 | 4096): KeyAlgorithm => ({ algorithm: 'RSA', size })
const ec = (size: 256 | 384 | 521): KeyAlgorithm => ({ algorithm: 'ECDSA', size })

const algorithms: readonly (readonly [string, KeyAlgorithm])[] = [
  ['RSA 2048', rsa(2048)],
  ['P-256', ec(256)],
  ['P-384', ec(384)],
  ['Ed25519', { algorithm: 'Ed25519' }],
]

const everyName: readonly GeneralName[] = [
  { type: 'DNS', value: host },
  { type: 'DNS', value: `*.${host}` },
  { type: 'IP', value: '10.96.0.7' },
  { type: 'IP', value: 'fd00::7' },
  { type: 'URI', value: 'spiffe://cluster.local/ns/data/sa/orders' },
  { type: 'Email', value: 'dba@example.com' },
]

const locations = {
  crlDistributionPoints: ['http://pki.data.svc/ca/data/orders-ca.crl'],
  caIssuers: ['http://pki.data.svc/ca/data/orders-ca.cer'],
}

/** Under `signer`, from a request that names what it wants. */
const requested = async (authority: Authority): Promise<Sample> => {
  const request = parseRequest(makeRequest(await newKey(), { subject: distinguishedName({ commonName: host }) }))
  const span = { duration: 90 * day, now, serialNumber: serialNumber(new Uint8Array(16).fill(0x5a)) }
  const plan = requestPlan({ signer: authority.signer, request, ...span })
  const leaf = (await issueCertificate(plan, authority.signer)).der
  return { name: 'leaf of a request', chain: [leaf, ...authority.chain], lists: [], purposes: ['server'], plan }
}

const chains = async (): Promise<Sample[]> => {
  const root = await makeAuthority({ pathLength: 1 })
  const intermediate = await makeAuthority({ under: root, pathLength: 0, locations })
  const constrained = await makeAuthority({
    nameConstraints: nameConstraints({
      permitted: { dnsDomains: ['data.svc'], ipRanges: ['10.0.0.0/8'] },
      excluded: { ipRanges: ['::/0'], uriDomains: ['elsewhere.example'] },
    }),
  })
  const long = await makeAuthority({ duration: 36_500 * day })
  return [
    rootSample('root with name constraints', constrained),
    rootSample('root beyond 2050', long),
    rootSample('intermediate', intermediate),
    await leafSample('leaf within name constraints', constrained, {
      names: [
        { type: 'DNS', value: host },
        { type: 'IP', value: '10.1.2.3' },
      ],
    }),
    await leafSample('leaf beyond 2050', long, { duration: 36_000 * day }),
    await leafSample('leaf below an intermediate', intermediate, { role: 'Peer' }),
    await leafSample('leaf with every kind of name', root, { role: 'Peer', names: everyName }),
    await leafSample('leaf without a subject', root, { subject: emptyName }),
    await leafSample('leaf with locations', intermediate, locations),
    await leafSample('client without alternative names', root, {
      role: 'Client',
      names: [],
      subject: distinguishedName({ commonName: 'app', organizationalUnits: ['Orders'] }),
    }),
    await requested(root),
  ]
}

/** Every key signs leaves of every key, for each of the roles in turn. */
const keys = async (): Promise<Sample[]> => {
  const samples: Sample[] = []
  const roles: readonly Role[] = ['Server', 'Client', 'Peer']
  for (const [ca, algorithm] of [...algorithms, ['RSA 4096', rsa(4096)] as const]) {
    const root = await makeAuthority({ algorithm, pathLength: 0 })
    samples.push(rootSample(`root ${ca}`, root))
    for (const [index, [name, leaf]] of algorithms.entries()) {
      const role = roles[(index + samples.length) % roles.length] ?? 'Server'
      samples.push(await leafSample(`${role} ${name} by ${ca}`, root, { algorithm: leaf, role }))
    }
  }
  return samples
}

const lists = async (): Promise<Sample[]> => {
  const root = await makeAuthority({ pathLength: 1 })
  const intermediate = await makeAuthority({ under: root, pathLength: 0 })
  const ed25519 = await makeAuthority({ algorithm: { algorithm: 'Ed25519' } })
  const rsaRoot = await makeAuthority({ algorithm: rsa(2048), duration: 36_500 * day })
  const entry = (serial: string, reason?: RevocationReason, more = {}) => ({
    serialNumber: serial,
    revokedAt: now - day,
    ...(reason === undefined ? {} : { reason }),
    ...more,
  })
  const revoked = [
    entry('0F'),
    entry('80', 'keyCompromise', { invalidityTime: now - 2 * day }),
    entry('7F'.repeat(20), 'superseded'),
    entry('4F0C', 'cessationOfOperation'),
    entry('4F0D', 'affiliationChanged'),
    entry('4F0E', 'privilegeWithdrawn'),
  ]
  return [
    await leafSample('list without entries', root, { lists: [await makeList(root)] }),
    await leafSample('list with entries', root, { lists: [await makeList(root, { revoked })] }),
    await leafSample('list with a hold', root, {
      lists: [await makeList(root, { revoked: [entry('4F0F', 'certificateHold')] })],
    }),
    await leafSample('list with the largest number', root, {
      lists: [await makeList(root, { number: (1n << 159n) - 1n })],
    }),
    await leafSample('list of an Ed25519 CA', ed25519, { lists: [await makeList(ed25519, { revoked })] }),
    await leafSample('list beyond 2050', rsaRoot, {
      lists: [
        await makeList(rsaRoot, {
          nextUpdate: Date.UTC(2051, 0, 1),
          revoked: [entry('0F', 'superseded', { invalidityTime: Date.UTC(2050, 5, 1) })],
        }),
      ],
    }),
    await leafSample('lists of every CA of a chain', intermediate, {
      lists: [await makeList(intermediate, { revoked }), await makeList(root)],
    }),
  ]
}

export const goodSamples = async (): Promise<Sample[]> => [...(await chains()), ...(await keys()), ...(await lists())]

/** One folder each, as the programs of other languages read them. */
export const writeSamples = (folder: string, samples: readonly Sample[]): void => {
  for (const { name, chain, lists: found, purposes } of samples) {
    const at = join(folder, folderOf(name))
    mkdirSync(at, { recursive: true })
    const write = (file: string, label: string, ders: readonly Uint8Array[]): void =>
      writeFileSync(join(at, file), ders.map((der) => encodePem(label, der)).join(''))
    write('chain.pem', 'CERTIFICATE', chain)
    write('leaf.pem', 'CERTIFICATE', chain.slice(0, 1))
    write('intermediates.pem', 'CERTIFICATE', chain.slice(1, -1))
    write('root.pem', 'CERTIFICATE', chain.slice(-1))
    for (const [index, issuer] of chain.slice(1).entries()) write(`issuer-${index}.pem`, 'CERTIFICATE', [issuer])
    if (found.length > 0) write('lists.pem', 'X509 CRL', found)
    writeFileSync(join(at, 'purposes'), purposes.join(' '))
  }
}

export const folderOf = (name: string): string => name.replaceAll(' ', '-')

export const serialOf = (der: Uint8Array): string => parseCertificate(der).serialNumber
