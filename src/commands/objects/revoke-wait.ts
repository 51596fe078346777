/** Waiting for a revocation list that says what the ledger says. */

import { ifFound, isNotFound } from '../../cluster/errors.ts'
import { decodePem } from '../../pki/encoding/pem.ts'
import { type ParsedRevocationList, parseRevocationList } from '../../pki/revocation/revocation-list.ts'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { configMaps } from '../../resources/core.ts'
import type { Io } from '../shared/io.ts'
import { writeLine, writeProblem } from '../shared/present.ts'
import type { Target } from '../shared/target.ts'
import { lookUntil } from '../shared/wait.ts'

interface Key {
  readonly namespace: string
  readonly name: string
}

/** The exit code: 0 also where the authority makes no list, because then there is nothing to wait for. */
export const untilListed = async (
  target: Target,
  io: Io,
  authority: Key,
  serials: readonly string[],
  revoked: boolean,
  timeoutMs: number,
): Promise<number> => {
  const { cluster, clock } = target
  if (!(await makesList(target, authority))) {
    writeProblem(io, `note       CertificateAuthority ${authority.name} makes no revocation list (spec.crl)`)
    return 0
  }
  const found = await lookUntil(clock, timeoutMs, async () => {
    const list = await presentList(cluster, authority)
    const listed = new Set(list?.revoked.map(({ serialNumber }) => serialNumber))
    if (list === undefined || !serials.every((serial) => listed.has(serial) === revoked)) return false
    writeLine(io, `listed     revocation list ${list.number ?? ''} of CertificateAuthority ${authority.name} says so`)
    return true
  })
  if (found) return 0
  writeProblem(io, `not yet    the revocation list of CertificateAuthority ${authority.name} does not say so`)
  return 1
}

const makesList = async ({ cluster }: Target, authority: Key): Promise<boolean> => {
  try {
    const { crl } = (await cluster.get(certificateAuthorities, authority)).spec
    return crl?.enabled === true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

const presentList = async (
  cluster: Target['cluster'],
  { namespace, name }: Key,
): Promise<ParsedRevocationList | undefined> => {
  const map = await ifFound(cluster.get(configMaps, { namespace, name: `${name}-crl` }))
  const [block] = decodePem(map?.data?.['ca.crl'] ?? '')
  return block === undefined ? undefined : parseRevocationList(block.der)
}
