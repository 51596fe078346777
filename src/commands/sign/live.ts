/**
 * Signing on a cluster: a DatabaseCertificate with `spec.request`, which the operator judges and signs, so that the key of the CA
 * stays where it is (docs/adr/0011-signing-requests-from-the-command-line.md).
 */

import { isDeepStrictEqual } from 'node:util'
import { ApiError, ifFound, isAlreadyExists } from '../../cluster/errors.ts'
import { dataOf, readSecret } from '../../control/secrets.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import { certificatesOf } from '../../pki/encoding/pem.ts'
import type { Reason } from '../../resources/reasons.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../resources/database-certificate.ts'
import { fieldManager } from '../objects/renew.ts'
import { CommandError } from '../shared/failures.ts'
import { readinessOf } from '../shared/readiness.ts'
import { apiErrorText, type Target } from '../shared/target.ts'
import { lookUntil } from '../shared/wait.ts'
import type { Refused, Signed } from './verdict.ts'

/** Rejects with CommandError where another object has the name, or where nothing came of it in time. */
export const signLive = async (
  { cluster, clock }: Pick<Target, 'cluster' | 'clock'>,
  wish: DatabaseCertificate,
  timeoutMs: number,
): Promise<Signed | Refused> => {
  const { made, created } = await makeOrFind(cluster, wish)
  const { namespace = 'default', name, uid } = made.metadata
  let verdict: Signed | Refused | undefined
  let last = ''
  await lookUntil(clock, timeoutMs, async () => {
    const present = await find(cluster, { namespace, name })
    if (present === undefined || present.metadata.uid !== uid)
      throw new CommandError(`${titleOf(made)} was deleted meanwhile; nothing is waited for any longer`)
    const { state, reason, message } = readinessOf(present)
    last = message
    if (state === 'Ready') verdict = await readSigned(cluster, present)
    if (state !== 'Stalled') return verdict !== undefined
    verdict = { state: 'refused', refusals: [{ reason: reason as Reason, message }] }
    if (created) await remove(cluster, present)
    return true
  })
  if (verdict !== undefined) return verdict
  throw new CommandError(
    `${titleOf(made)} is there, and not signed yet: ${last} Give the same command again to go on waiting, or delete it`,
  )
}

const titleOf = ({ metadata: { namespace, name } }: DatabaseCertificate): string =>
  `DatabaseCertificate ${namespace ?? 'default'}/${name}`

/** The same command again finds what it has made before. */
const makeOrFind = async (
  cluster: Target['cluster'],
  wish: DatabaseCertificate,
): Promise<{ readonly made: DatabaseCertificate; readonly created: boolean }> => {
  try {
    return { made: await cluster.create(databaseCertificates, wish, { fieldManager }), created: true }
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
  const { namespace = 'default', name } = wish.metadata
  const present = await find(cluster, { namespace, name })
  if (present !== undefined && isDeepStrictEqual(asks(present), asks(wish))) return { made: present, created: false }
  throw new CommandError(
    `${titleOf(wish)} has the key of this request and asks for something else: delete it, or make a request with another key`,
  )
}

const asks = ({ spec }: DatabaseCertificate) => ({
  authority: { ...spec.authorityRef },
  request: spec.request?.inline?.trim(),
  role: spec.role,
  usages: spec.usages ?? [],
  duration: spec.duration,
})

const find = async (
  cluster: Target['cluster'],
  key: { readonly namespace: string; readonly name: string },
): Promise<DatabaseCertificate | undefined> => {
  return ifFound(cluster.get(databaseCertificates, key))
}

/** What was refused has signed nothing, and nobody asked for an object that only says so. */
const remove = async (cluster: Target['cluster'], { metadata }: DatabaseCertificate): Promise<void> => {
  const { namespace = 'default', name, uid = '' } = metadata
  try {
    await cluster.delete(databaseCertificates, { namespace, name }, { uid })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
  }
}

/** Undefined while the Secret is not the one that the status speaks of. */
const readSigned = async (
  cluster: Target['cluster'],
  { metadata, spec, status }: DatabaseCertificate,
): Promise<Signed | undefined> => {
  const { namespace = 'default', name } = metadata
  const where = `Secret ${namespace}/${spec.secret.name}`
  const secret = await readSecret(cluster, { namespace, name: spec.secret.name }).catch((error: unknown) => {
    if (!(error instanceof ApiError)) throw error
    throw new CommandError(
      `certificate ${status?.serialNumber ?? ''} is signed, and in ${where}, which cannot be read: ${apiErrorText(error)}`,
      { cause: error },
    )
  })
  const text = secret === undefined ? undefined : dataOf(secret).get('tls.crt')
  const [leaf, ...chain] = text === undefined ? [] : certificatesOf(Buffer.from(text).toString('utf8'))
  if (leaf === undefined) return undefined
  const certificate = parseCertificate(leaf)
  if (certificate.serialNumber !== status?.serialNumber) return undefined
  return { state: 'signed', certificate, chain, holder: { namespace, name } }
}
