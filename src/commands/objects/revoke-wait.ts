/** Waiting for a revocation list that says what the ledger says. */

import { ifFound } from '../../cluster/errors.ts'
import { factsOf } from '../../ledger/facts.ts'
import { decodePem } from '../../pki/encoding/pem.ts'
import { type ParsedRevocationList, parseRevocationList } from '../../pki/revocation/revocation-list.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { configMaps } from '../../resources/core.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'
import type { Io } from '../shared/io.ts'
import { writeLine, writeProblem } from '../shared/present.ts'
import type { Target } from '../shared/target.ts'
import { lookUntil } from '../shared/wait.ts'

interface Key {
  readonly namespace: string
  readonly name: string
}

interface Awaited {
  readonly entries: readonly IssuedCertificate[]
  /** Otherwise they were taken off hold. */
  readonly revoked: boolean
  readonly timeoutMs: number
}

/** The exit code: 0 also where the authority makes no list, because then there is nothing to wait for. */
export const untilListed = async (
  target: Target,
  io: Io,
  authority: Key,
  { entries, revoked, timeoutMs }: Awaited,
): Promise<number> => {
  const { cluster, clock } = target
  const signer = await listMaker(target, authority)
  if (signer === undefined) {
    writeProblem(io, `note       CertificateAuthority ${authority.name} makes no revocation list (spec.crl)`)
    return 0
  }
  const former = entries.filter((entry) => isOfFormerKey(entry, signer))
  for (const { spec } of former)
    writeProblem(
      io,
      `not listed ${spec.serialNumber} was signed by a former key of CertificateAuthority ${authority.name}, which signs no list any more: take that CA out of trust`,
    )
  const serials = entries.filter((entry) => !former.includes(entry)).map(({ spec }) => spec.serialNumber)
  if (serials.length === 0) return 1
  const found = await lookUntil(clock, timeoutMs, async () => {
    const list = await presentList(cluster, authority)
    const listed = new Set(list?.revoked.map(({ serialNumber }) => serialNumber))
    if (list === undefined || !serials.every((serial) => listed.has(serial) === revoked)) return false
    writeLine(io, `listed     revocation list ${list.number ?? ''} of CertificateAuthority ${authority.name} says so`)
    return true
  })
  if (found) return former.length === 0 ? 0 : 1
  writeProblem(io, `not yet    the revocation list of CertificateAuthority ${authority.name} does not say so`)
  return 1
}

const listMaker = async ({ cluster }: Target, authority: Key): Promise<CertificateAuthority | undefined> => {
  const found = await ifFound(cluster.get(certificateAuthorities, authority))
  return found?.spec.crl?.enabled === true ? found : undefined
}

/** By the key identifier, as lists are made; what names none is on the list of the present key. */
const isOfFormerKey = (entry: IssuedCertificate, { status }: CertificateAuthority): boolean => {
  const keyId = factsOf(entry.spec.certificate)?.authorityKeyId
  const present = status?.certificate?.subjectKeyId ?? ''
  return keyId !== undefined && present !== '' && keyId !== present
}

const presentList = async (
  cluster: Target['cluster'],
  { namespace, name }: Key,
): Promise<ParsedRevocationList | undefined> => {
  const map = await ifFound(cluster.get(configMaps, { namespace, name: `${name}-crl` }))
  const [block] = decodePem(map?.data?.['ca.crl'] ?? '')
  return block === undefined ? undefined : parseRevocationList(block.der)
}
