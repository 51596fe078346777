/** `dbtls verify`: would a database and its clients take what is in a Secret, and does it keep to what was asked for? */

import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { shapedItems } from '../../database/layouts/shape.ts'
import { recoverMaterial } from '../../material/recover.ts'
import { normaliseGeneralName, sameGeneralName } from '../../pki/names/general-names.ts'
import { parseCertificate, type ParsedCertificate } from '../../pki/certificates/parse.ts'
import { certificatesOf, PemError } from '../../pki/encoding/pem.ts'
import type { GeneralName } from '../../pki/plan.ts'
import type { DatabaseCertificateSpec } from '../../resources/database-certificate.ts'
import { type Instant, systemClock } from '../../runtime/clock.ts'
import { CommandError } from '../shared/failures.ts'
import { givenPassword, inspect } from '../inspect/inspect.ts'
import { type Part, readPart } from '../inspect/contents.ts'
import { passwordParts, type Source, sourceUsage, withSources } from '../inspect/source.ts'
import type { Main } from '../shared/io.ts'
import { readBounded } from '../ledger/folder.ts'
import { parseArguments, UsageError } from '../shared/options.ts'
import { outputFlags, outputForm, outputUsage, writeValue, writeLine, writeProblem } from '../shared/present.ts'
import { targetFlags, targetUsage } from '../shared/target.ts'
import { certificatesIn, isStore, meantBy } from './contents.ts'
import { type Held, liveLine, liveWish, lookAtLive } from './live.ts'
import { revocationProblems } from './revocation.ts'
import { type Verification, verifyItems } from './secret.ts'

const usage = `usage: dbtls verify SECRET|DIR [options]

Verifies what a Secret or a folder holds, as a database would use it: the chain up to a CA that it trusts, validity, that key and
certificate belong together, that keystores open and hold the same, the names, and a revocation list where there is one.
A Secret of a DatabaseCertificate is held to its spec: all its keys are there, and all its names are in the certificate.

${sourceUsage}
  --name HOST               the certificate must be good for this host name or address; may be given several times; of CAs
                            alone, that of the live server
  --ca FILE                 trust these CAs (PEM), besides those in the Secret
  --password-file FILE      opens keystores and encrypted keys
  --endpoint HOST:PORT      ask the live server as well what it serves, and whether it takes this certificate from a client;
                            every address behind the name is asked, under the first --name, or under HOST
  --engine ENGINE           what that server is, as MySQL: it decides how a connection begins
${targetUsage}${outputUsage}  --help                    this text

Examples:
  dbtls verify data/orders-tls
  dbtls verify /etc/postgresql/tls --name orders.data.svc
  dbtls verify orders-tls --state .dbtls/state -n data --output json
  dbtls verify data/orders-app-tls --engine MySQL --endpoint orders-mysql.data.svc:3306

Exit codes: 0 it verifies, 1 it does not (each reason on stderr), 2 wrong usage.
`

const flags = {
  name: { type: 'string', multiple: true },
  ca: { type: 'string' },
  'password-file': { type: 'string' },
  engine: { type: 'string' },
  endpoint: { type: 'string' },
  ...targetFlags,
  ...outputFlags,
} as const

interface Wanted {
  readonly names: readonly string[]
  /** A server is asked as well: where there is no certificate here, they are its names. */
  readonly live: boolean
  readonly roots: readonly ParsedCertificate[]
  readonly passwords: readonly string[]
  readonly now: Instant
}

export const main: Main = async (args, io) => {
  const parsed = parseArguments('verify', usage, flags, args, io)
  if (typeof parsed === 'number') return parsed
  const { values, words } = parsed
  return withSources('verify', words, values, io, async ({ now, read }) => {
    const wish = liveWish(values.engine, values.endpoint)
    const form = outputForm(values.output)
    const [word, ...more] = words
    if (word === undefined || more.length > 0) throw new UsageError('name one Secret or folder')
    const roots = values.ca === undefined ? [] : await readRoots(values.ca)
    const passwords = await givenPassword(io, values['password-file'])
    const source = await read(word)
    const { verified, problems, held } = await verify(source, {
      ...{ names: values.name ?? [], live: wish !== undefined },
      ...{ roots, passwords, now },
    })
    const live =
      wish === undefined ? [] : await lookAtLive(wish, held, { name: values.name?.[0], clock: systemClock() })
    const ok = problems.length === 0 && live.every((finding) => finding.problems.length === 0)
    const endpoints = wish === undefined ? {} : { endpoints: live }
    if (form !== 'table') writeValue(io, form, { source: source.title, ok, verified, problems, ...endpoints })
    else if (problems.length === 0) writeLine(io, `${source.title}: verified: ${verified.join(', ')}`)
    if (form === 'table') for (const finding of live) if (finding.served !== undefined) writeLine(io, liveLine(finding))
    for (const problem of problems) writeProblem(io, `${source.title}: ${problem}`)
    for (const { address, problems: found } of live)
      for (const problem of found) writeProblem(io, `${address}: ${problem}`)
    return ok ? 0 : 1
  })
}

const mostRootBytes = 1024 * 1024

const readRoots = async (file: string): Promise<ParsedCertificate[]> => {
  const text = await readBounded(file, mostRootBytes)
  if (text === undefined) throw new CommandError(`${file} of --ca: there is no such file`)
  try {
    const roots = certificatesOf(text).map(parseCertificate)
    if (roots.length > 0) return roots
  } catch (error) {
    if (error instanceof PemError) throw new CommandError(`${file} of --ca: ${error.message}`, { cause: error })
    throw new CommandError(`${file} of --ca holds a certificate that cannot be read`, { cause: error })
  }
  throw new CommandError(`${file} of --ca holds no PEM certificate`)
}

const verify = async (source: Source, wanted: Wanted): Promise<Verification & { readonly held: Held }> => {
  const { parts: data, certificate } = source
  const { parts } = await inspect(source, wanted.passwords)
  const meant = meantBy(parts, data)
  const items = certificate === undefined ? meant.items : shapedItems(certificate.spec)
  const password = await openingPassword(source, parts, wanted.passwords)
  const { certificate: der, privateKey } = await recoverMaterial(items, data, password)
  if (der === undefined && meant.roots.length === 0 && items.length === 0)
    return {
      ...{ verified: [], problems: [...meant.problems, 'there is no certificate in it'] },
      held: { authorities: wanted.roots },
    }
  const leaf = der && parseCertificate(der)
  const roots = [...wanted.roots, ...(certificate === undefined ? meant.roots : [])]
  const authorities = [
    ...parts.flatMap((part) => certificatesIn(part, data.get(part.name) ?? new Uint8Array())),
    ...roots,
  ]
  const settings = { password, now: wanted.now, roots, intermediates: meant.intermediates }
  const found = await verifyItems(items, data, settings)
  const verified = new Set(found.verified)
  // Of a Secret with a spec, its keys alone speak; what else is in it is somebody else's.
  const problems = [...(certificate === undefined ? meant.problems : []), ...found.problems]
  if (leaf !== undefined && problems.length === 0 && !verified.has('chain'))
    problems.push('it holds no CA to verify the chain with: name a file that does with --ca')
  if (leaf === undefined)
    problems.push(...validityProblems(roots, wanted), ...(wanted.live ? [] : nobody(wanted.names)))
  else {
    problems.push(...nameProblems(leaf, wanted.names, certificate?.spec))
    if (wanted.names.length > 0 || certificate !== undefined) verified.add('names')
    const revoked = revocationProblems(leaf, listsOf(source, parts), authorities, wanted.now)
    if (revoked !== undefined) verified.add('revocation')
    problems.push(...(revoked ?? []))
  }
  if (verified.size === 0 && leaf === undefined) verified.add('trust')
  return {
    ...{ verified: problems.length > 0 ? [] : [...verified], problems: [...new Set(problems)] },
    held: { leaf, privateKey, authorities },
  }
}

/** The first that opens what is sealed in it. */
const openingPassword = async (
  { parts: data, passwords }: Source,
  parts: readonly Part[],
  given: readonly string[],
): Promise<string | undefined> => {
  const candidates = [...new Set([...passwords, ...passwordParts(data).values(), ...given])]
  const sealed = parts.find(({ contents }) => contents.some((one) => one.type === 'privateKey' && one.encrypted))
  const [name] = sealed === undefined ? parts.filter(isStore).map((part) => part.name) : [sealed.name]
  if (name === undefined) return candidates[0]
  for (const candidate of candidates) {
    const { contents } = await readPart(name, data.get(name) ?? new Uint8Array(), [candidate])
    if (contents.every(({ type }) => type !== 'unreadable')) return candidate
  }
  return candidates[0]
}

const listsOf = ({ parts: data }: Source, parts: readonly Part[]): ReadonlyMap<string, Uint8Array> => {
  const names = parts.filter(({ contents }) => contents.some(({ type }) => type === 'revocationList'))
  return new Map(names.map(({ name }) => [name, data.get(name) ?? new Uint8Array()]))
}

/** Of a truststore without a certificate of its own. */
const validityProblems = (roots: readonly ParsedCertificate[], { now }: Wanted): string[] =>
  roots.some(({ notBefore, notAfter }) => now >= notBefore && now <= notAfter) || roots.length === 0
    ? []
    : ['no CA in it is valid now']

const nobody = (names: readonly string[]): string[] =>
  names.map((name) => `there is no certificate in it that could be good for ${name}`)

const nameProblems = (
  leaf: ParsedCertificate,
  hosts: readonly string[],
  spec: DatabaseCertificateSpec | undefined,
): string[] => {
  const x509 = new X509Certificate(leaf.der)
  // The common name is no host name to today's clients.
  const isFor = (host: string): boolean =>
    (isIP(host) === 0 ? x509.checkHost(host, { subject: 'never' }) : x509.checkIP(host)) !== undefined
  return [
    ...hosts.filter((host) => !isFor(host)).map((host) => `the certificate is not for ${host}`),
    ...namesOf(spec)
      .filter((name) => !leaf.subjectAlternativeNames.some((other) => sameGeneralName(name, other)))
      .map(({ type, value }) => `the certificate lacks the name ${type}:${value} of the spec`),
  ]
}

/** A request brings its own names. */
const namesOf = (spec: DatabaseCertificateSpec | undefined): GeneralName[] => {
  if (spec === undefined || spec.request !== undefined) return []
  const { dnsNames = [], ipAddresses = [], uris = [], emailAddresses = [] } = spec
  const all: GeneralName[] = [
    ...dnsNames.map((value) => ({ type: 'DNS', value }) as const),
    ...ipAddresses.map((value) => ({ type: 'IP', value }) as const),
    ...uris.map((value) => ({ type: 'URI', value }) as const),
    ...emailAddresses.map((value) => ({ type: 'Email', value }) as const),
  ]
  return all.map(normaliseGeneralName)
}
