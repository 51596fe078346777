/**
 * What both halves of the corpus of requests share: a CA with name constraints and a policy, and the way of a request
 * through reading, judging, planning, signing and the policy. Not imported by the program.
 */

import { expect } from 'vitest'
import { issueCertificate, IssueError } from '../certificates/certificate.ts'
import { ascii, contextPrimitive, sequence } from '../encoding/der.ts'
import type { KeyPair } from '../keys/keys.ts'
import { constraintViolations } from '../constraints/check.ts'
import { nameConstraints } from '../constraints/name-constraints.ts'
import { parseDistinguishedName } from '../names/names.ts'
import { policyViolations, type SigningPolicy } from '../policy/policy.ts'
import { extension, makeRequest, type RequestChanges } from './request.fixture.ts'
import { requestPlan } from './plan.ts'
import { requestProblems } from './problems.ts'
import { type CertificateRequest, parseRequest, RequestError } from './request.ts'
import { type Authority, day, generate, makeRoot, now, randomSerial } from '../testing.ts'

const constraints = nameConstraints({
  permitted: {
    dnsDomains: ['data.svc', 'example.com'],
    ipRanges: ['10.0.0.0/8'],
    emailAddresses: ['example.com'],
    uriDomains: ['cluster.local'],
  },
  excluded: { dnsDomains: ['bad.data.svc'], ipRanges: ['10.9.0.0/16'] },
})

export const policy: SigningPolicy = {
  subject: {
    countries: 'Optional',
    organizations: 'Match',
    organizationalUnits: 'Optional',
    commonName: 'Supplied',
    emailAddress: 'Optional',
  },
  allowedDNSNames: ['*.data.svc', 'db.example.com'],
  allowedIPRanges: ['10.1.0.0/16', '10.9.0.0/16'],
  allowedURIs: ['spiffe://cluster.local/ns/data/*'],
  allowedEmailAddresses: ['dba@example.com'],
  privateKey: { algorithms: ['ECDSA', 'Ed25519', 'RSA'], minRSASize: 2048 },
}

export interface Corpus {
  readonly root: Authority
  readonly keys: { readonly ec: KeyPair; readonly rsa: KeyPair; readonly ed: KeyPair }
}

export const makeCorpus = async (): Promise<Corpus> => ({
  root: await makeRoot({ nameConstraints: constraints }),
  keys: {
    ec: await generate(),
    rsa: await generate({ algorithm: 'RSA', size: 2048 }),
    ed: await generate({ algorithm: 'Ed25519' }),
  },
})

export const acme = parseDistinguishedName('CN=orders,O=Acme')
export const named = (...names: Uint8Array[]): Uint8Array => extension('2.5.29.17', sequence(...names))
export const dns = (name: string): Uint8Array => contextPrimitive(2, ascii(name))
export const good = named(dns('orders.data.svc'))

export type HandMade = (changes?: RequestChanges, key?: keyof Corpus['keys']) => Uint8Array

/** Requests by hand with the keys of a corpus. */
export const handMadeWith =
  ({ keys }: Corpus): HandMade =>
  (changes = {}, key = 'ec') =>
    makeRequest(keys[key], { subject: acme, extensions: [good], ...changes })

/** Where a request ends: it cannot be read, is refused as it is, breaks the CA's name constraints or policy, or is signed. */
export type Stage = 'unreadable' | 'refused' | 'constraints' | 'policy' | 'signed'

/** `detail`: part of the sentence, or the names of the certificate. */
export type Row<Input> = readonly [what: string, input: Input, stage: Stage, detail: string]

export const titled = <Input>(rows: readonly Row<Input>[]) => rows.map((row) => [row[0], row[2], row] as const)

const readOrNot = (input: string | Uint8Array): CertificateRequest | string => {
  try {
    return parseRequest(input)
  } catch (error) {
    if (error instanceof RequestError) return error.message
    throw error
  }
}

/** Does what a signer of requests does. */
const judge = async ({ root }: Corpus, input: string | Uint8Array): Promise<readonly [Stage, string]> => {
  const request = readOrNot(input)
  if (typeof request === 'string') return ['unreadable', request]
  const problems = requestProblems(request, { authorityKeys: [root.signer.spki] })
  if (problems.length > 0) return ['refused', problems.join(' ')]
  const plan = requestPlan({ request, signer: root.signer, duration: 90 * day, now, serialNumber: randomSerial() })
  const { subject, subjectAlternativeNames: names } = plan
  const outside = constraintViolations(root.signer.nameConstraints ?? [], { subject, names }, { closed: true })
  if (outside.length > 0) {
    await expect(issueCertificate(plan, root.signer)).rejects.toThrow(IssueError)
    return ['constraints', outside.join(' ')]
  }
  const certificate = await issueCertificate(plan, root.signer)
  expect(Buffer.from(certificate.spki).equals(request.spki)).toBe(true)
  expect(Buffer.from(certificate.subject).equals(request.subject)).toBe(true)
  expect(certificate).toMatchObject({ isCa: false, extendedKeyUsage: ['serverAuth'], otherAlternativeNames: 0 })
  const violations = policyViolations(policy, root.signer.subject, certificate)
  if (violations.length > 0) return ['policy', violations.join(' ')]
  return ['signed', certificate.subjectAlternativeNames.map(({ type, value }) => `${type}:${value}`).join(' ')]
}

export const check = async (
  corpus: Corpus,
  input: string | Uint8Array,
  stage: Stage,
  detail: string,
): Promise<void> => {
  const [found, sentence] = await judge(corpus, input)
  expect(`${found}: ${sentence}`).toMatch(new RegExp(`^${stage}: `))
  if (stage === 'signed') return expect(sentence).toBe(detail)
  expect(sentence).toContain(detail)
  // A sentence is for a status: it ends, and holds no line break.
  expect(sentence).toMatch(/^[A-Z"p][^\n\0]*\.$/)
}
