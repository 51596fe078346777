/** The corpus of odd and hostile requests: `dbtls sign` says of each what `spec.request` of a DatabaseCertificate says. */

import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodePem } from '../../pki/encoding/pem.ts'
import type { ParsedCertificate } from '../../pki/certificates/parse.ts'
import { byHandRows } from '../../pki/requests/request.corpus.der.fixture.ts'
import { type Corpus, handMadeWith, makeCorpus, policy } from '../../pki/requests/request.corpus.fixture.ts'
import { opensslRequests, opensslRows } from '../../pki/requests/request.corpus.openssl.fixture.ts'
import { now, opensslVersion } from '../../pki/testing.ts'
import { isReady } from '../../resources/conditions.ts'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { type Secret, secrets } from '../../resources/core.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import {
  authority,
  certificate,
  getCertificate,
  getSecret,
  leafOf,
  namespace,
  newCluster,
  person,
  put,
  start,
  until,
} from '../../testing.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { signOffline } from './offline.ts'
import { certificateFor, readRequest } from './request.ts'

let corpus: Corpus
let requests: ReturnType<typeof opensslRequests>
const base64 = (value: string | Uint8Array): string => Buffer.from(value).toString('base64')

beforeAll(async () => {
  corpus = await makeCorpus()
  requests = opensslRequests(corpus)
}, 120_000)
afterAll(() => requests.remove())

/** An operator with the CA of the corpus. */
const begin = async () => {
  const clock = new ManualClock(now)
  const cluster = newCluster(clock)
  await start(cluster, clock)
  const data = {
    'tls.crt': base64(encodePem('CERTIFICATE', corpus.root.certificate)),
    'tls.key': base64(encodePem('PRIVATE KEY', corpus.root.key.pkcs8)),
  }
  await cluster.apply(secrets, secretOf('corpus', data), person)
  await put(cluster, authority({ source: { secret: { name: 'corpus' } }, subject: undefined, policy }))
  await until('the CA', async () => isReady(await cluster.get(certificateAuthorities, { namespace, name: 'ca' })))
  return { clock, cluster }
}
type World = Awaited<ReturnType<typeof begin>>

const secretOf = (name: string, data: Record<string, string>): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  data,
})

/** Reason and sentence, or what the certificate says. */
type Said = readonly [string, string]

const factsOf = ({ subject, spki, subjectAlternativeNames, keyUsage, extendedKeyUsage }: ParsedCertificate): Said => [
  'signed',
  JSON.stringify([base64(subject), base64(spki), subjectAlternativeNames, keyUsage, extendedKeyUsage]),
]

const byVerb = async ({ cluster, clock }: World, bytes: Uint8Array): Promise<Said> => {
  const stdin = new PassThrough()
  stdin.end(bytes)
  try {
    const asked = await readRequest({ stdin } as unknown as Io, '-')
    const wish = certificateFor(asked, {
      authority: { namespace, name: 'ca' },
      namespace,
      name: 'x',
      role: undefined,
      usages: undefined,
      duration: undefined,
    })
    const target = { cluster, clock, namespace, scope: namespace, live: false, close: () => undefined }
    const verdict = await signOffline(target, wish, true)
    if (verdict.state !== 'refused') return factsOf(verdict.certificate)
    return [verdict.refusals[0]?.reason ?? '', verdict.refusals.map(({ message }) => message).join(' ')]
  } catch (error) {
    if (error instanceof CommandError)
      return ['RequestInvalid', error.message.replace(/^the request on stdin: /, 'WHERE: ')]
    throw error
  }
}

const byResource = async ({ cluster }: World, bytes: Uint8Array): Promise<Said> => {
  await cluster.apply(secrets, secretOf('csr', { 'tls.csr': base64(bytes) }), person)
  await put(cluster, certificate({ dnsNames: undefined, request: { secretRef: { name: 'csr' } } }))
  const found = await until('a verdict', async () => {
    const one = await getCertificate(cluster)
    return (isReady(one) || one.status?.conditions?.some(({ type }) => type === 'Stalled') === true) && one
  })
  if (isReady(found)) return factsOf(leafOf(await getSecret(cluster)))
  const { reason = '', message = '' } = found.status?.conditions?.find(({ type }) => type === 'Stalled') ?? {}
  return [reason, message.replace('Secret "csr" of spec.request.secretRef: ', 'WHERE: ')]
}

const agree = async (request: string | Uint8Array, stage: string): Promise<void> => {
  const bytes = Buffer.from(request)
  const world = await begin()
  const verb = await byVerb(world, bytes)
  // More than the verb reads, and more than a Secret holds.
  if (bytes.length > 262_144) return expect(verb).toEqual(['RequestInvalid', expect.stringContaining('262144 bytes')])
  // An empty key of a Secret counts as a missing one.
  if (bytes.length === 0) return expect(verb).toEqual(['RequestInvalid', expect.stringContaining('holds no PEM')])
  expect(verb).toEqual(await byResource(world, bytes))
  const tooLong = verb[1].includes('the ledger keeps at most')
  expect(verb[0] === 'signed').toBe(stage === 'signed' && !tooLong)
}

describe('a request', () => {
  it.each(byHandRows.map((row) => [row[0], row] as const))('by hand, with %s', (_, [, make, stage]) =>
    agree(make(handMadeWith(corpus), corpus), stage),
  )
  it.skipIf(opensslVersion === undefined).each(opensslRows.map((row) => [row[0], row] as const))(
    'by openssl, with %s',
    (_, [, asked, stage]) => agree(requests.made(asked), stage),
  )
})
