/** `dbtls verify --endpoint`: what a live server serves, and whether it takes the client certificate at hand. */

import { addressesOf, type Endpoint, formatEndpoint, parseEndpoint } from '../../database/connect/address.ts'
import type { DialectName } from '../../database/connect/dialects/table.ts'
import { FaultError } from '../../database/connect/fault.ts'
import { probe } from '../../database/connect/probe.ts'
import type { ClientCertificate, Sight } from '../../database/connect/sight.ts'
import { definitions } from '../../database/engines/index.ts'
import { fingerprintOf } from '../../material/aliases.ts'
import { CertificateError, equal, parseCertificate, type ParsedCertificate } from '../../pki/certificates/parse.ts'
import { encodeCertificates, encodePem } from '../../pki/encoding/pem.ts'
import { formatDistinguishedName, NameError } from '../../pki/names/names.ts'
import type { Clock } from '../../runtime/clock.ts'
import { inParallel } from '../shared/in-parallel.ts'
import { UsageError } from '../shared/options.ts'

export interface LiveWish {
  readonly endpoint: Endpoint
  readonly dialect: DialectName
}

/** Undefined where neither is given. Throws UsageError. */
export const liveWish = (engine: string | undefined, endpoint: string | undefined): LiveWish | undefined => {
  if (engine === undefined && endpoint === undefined) return undefined
  if (engine === undefined || endpoint === undefined)
    throw new UsageError('--engine and --endpoint belong together: which server is asked, and what it speaks')
  const found = Object.values(definitions).find(({ engine: name }) => name.toLowerCase() === engine.toLowerCase())
  if (found === undefined)
    throw new UsageError(`--engine "${engine}" is not known; it is one of ${Object.keys(definitions).join(', ')}`)
  const where = parseEndpoint(endpoint)
  if (where === undefined)
    throw new UsageError(`--endpoint is HOST:PORT, with an IPv6 address in brackets, not "${endpoint}"`)
  return { endpoint: where, dialect: found.dialect }
}

/** What is in the Secret, as far as a server has to do with it. */
export interface Held {
  readonly leaf?: ParsedCertificate | undefined
  /** PKCS#8 of the leaf's key. */
  readonly privateKey?: Uint8Array | undefined
  /** Every other certificate in it, and those of --ca. */
  readonly authorities: readonly ParsedCertificate[]
}

/** A certificate above a server's own; one that cannot be read has its fingerprint alone. */
export interface Above {
  readonly fingerprint: string
  readonly subject?: string
  readonly notAfter?: string
}

export interface LiveFinding {
  readonly address: string
  readonly tlsVersion?: string
  readonly served?: {
    readonly serialNumber: string
    readonly fingerprint: string
    readonly subject: string
    readonly issuer: string
    readonly names: readonly string[]
    readonly notBefore: string
    readonly notAfter: string
    /** What the server sent above it, in its order. */
    readonly chain: readonly Above[]
  }
  /** Absent where the server does not say. */
  readonly asksForCertificate?: boolean
  /** Present where none could be offered: whether the server lets nobody in without. */
  readonly requiresCertificate?: boolean
  /** Names of the CAs that the server says it trusts for clients; many name none. */
  readonly trusts: readonly string[]
  /** Present where the certificate in the Secret was offered. */
  readonly takesCertificate?: boolean
  readonly problems: readonly string[]
}

/** Each server behind the endpoint's name. `name`: what clients verify; default the endpoint's host. */
export const lookAtLive = async (
  wish: LiveWish,
  held: Held,
  options: { readonly name?: string | undefined; readonly clock: Clock },
): Promise<LiveFinding[]> => {
  const { endpoint, dialect } = wish
  const { clock, name: serverName = endpoint.host } = options
  const addresses = await addressesOf(endpoint).catch((error: unknown) => {
    if (error instanceof FaultError) return error
    throw error
  })
  if (addresses instanceof FaultError)
    return [{ address: formatEndpoint(endpoint), trusts: [], problems: [addresses.message] }]
  const roots = held.authorities.filter(({ isCa }) => isCa).map(({ der }) => der)
  const certificate = offered(held)
  const findings = new Map<string, LiveFinding>()
  await inParallel(addresses, 8, async (address) => {
    const target = { address, port: endpoint.port, dialect, serverName, ...(roots.length === 0 ? {} : { roots }) }
    const sight = await probe(target, { clock, certificate })
    findings.set(address, findingOf(address, endpoint.port, { ...held, isClient: certificate !== undefined }, sight))
  })
  return addresses.flatMap((address) => findings.get(address) ?? [])
}

/** A certificate for clients, with the CAs between it and its root. */
const offered = ({ leaf, privateKey, authorities }: Held): ClientCertificate | undefined => {
  if (leaf === undefined || privateKey === undefined || leaf.isCa) return undefined
  const usages = leaf.extendedKeyUsage
  if (usages.length > 0 && !usages.includes('clientAuth')) return undefined
  const between = authorities.filter(({ subject, issuer }) => !equal(subject, issuer))
  const chain = encodeCertificates([leaf, ...between].map(({ der }) => der))
  return { chain, key: encodePem('PRIVATE KEY', privateKey) }
}

type Asked = Held & {
  /** There was a certificate to offer. */
  readonly isClient: boolean
}

const findingOf = (address: string, port: number, held: Asked, sight: Sight): LiveFinding => {
  const { served, tlsVersion, requested, offered: sent } = sight
  const requires = served === undefined || held.isClient ? {} : { requiresCertificate: sight.outcome === 'Refused' }
  const taken = sent && sight.outcome !== 'Unclear' ? { takesCertificate: sight.outcome === 'Accepted' } : {}
  return {
    address: formatEndpoint({ host: address, port }),
    ...(tlsVersion === undefined ? {} : { tlsVersion }),
    ...(served === undefined
      ? {}
      : {
          served: {
            ...{ serialNumber: served.serialNumber, fingerprint: served.fingerprint, subject: served.subject },
            ...{ issuer: served.issuer, names: served.names },
            ...{ notBefore: date(served.notBefore), notAfter: date(served.notAfter) },
            chain: served.chain.slice(1).map(aboveOf),
          },
        }),
    ...(requested === undefined ? {} : { asksForCertificate: requested }),
    ...requires,
    trusts: sight.acceptableIssuers.map(nameOf),
    ...taken,
    problems: problemsOf(held, sight),
  }
}

const date = (instant: number): string => new Date(instant).toISOString()

const aboveOf = (der: Uint8Array): Above => {
  const fingerprint = fingerprintOf(der)
  try {
    const { subject, notAfter } = parseCertificate(der)
    return { fingerprint, subject: nameOf(subject), notAfter: date(notAfter) }
  } catch (error) {
    if (error instanceof CertificateError) return { fingerprint }
    throw error
  }
}

const nameOf = (der: Uint8Array): string => {
  try {
    return formatDistinguishedName(der)
  } catch (error) {
    if (error instanceof NameError) return 'a name that cannot be read'
    throw error
  }
}

const problemsOf = ({ leaf, isClient }: Asked, sight: Sight): string[] => {
  const { served, fault, alert, problems, offered: sent, outcome } = sight
  if (fault !== undefined) return [fault.message]
  if (served === undefined) return ['the server shows no certificate that can be read']
  const how = alert === undefined ? 'by hanging up' : `with TLS alert ${alert}`
  return [
    ...(problems ?? ['there is no CA to verify the served certificate with: name a file with --ca']).map(
      (problem) => `the served certificate (${served.serialNumber}): ${problem}`,
    ),
    ...(leaf?.extendedKeyUsage.includes('serverAuth') === true && leaf.fingerprint !== served.fingerprint
      ? [`the server serves ${served.serialNumber}, and not ${leaf.serialNumber} as it is here: it has not loaded it`]
      : []),
    ...(outcome === 'Refused' && sent ? [`the server refuses this certificate as a client's, ${how}`] : []),
    // Without a client's certificate at hand that is no fault of what is at hand.
    ...(outcome === 'Refused' && !sent && isClient
      ? [`the server wants a client certificate, was not sent this one, and refuses us ${how}`]
      : []),
  ]
}

/** For people: one line. */
export const liveLine = (finding: LiveFinding): string => {
  const { served, tlsVersion, asksForCertificate: asks, takesCertificate: takes } = finding
  const serves = `serves ${served?.serialNumber ?? ''} "${served?.subject ?? ''}" until ${served?.notAfter ?? ''}`
  const wants = finding.requiresCertificate === true ? 'takes no client without a certificate' : undefined
  const clients = asks === false ? 'asks clients for no certificate' : (wants ?? 'asks clients for a certificate')
  const trusts = finding.trusts.length === 0 ? '' : ` of ${finding.trusts.map((name) => `"${name}"`).join(', ')}`
  const own = takes === true ? ', and takes this one' : ''
  return `${finding.address}: ${serves} over ${tlsVersion ?? 'TLS'}; ${clients}${trusts}${own}`
}
