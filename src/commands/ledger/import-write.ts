/** Writes an import piece by piece. Each piece looks at what is there, so that an interrupted import goes on where it was. */

import { isAlreadyExists, isConflict } from '../../cluster/errors.ts'
import type { Cluster } from '../../cluster/port.ts'
import { marks } from '../../control/context.ts'
import { toTimestamp } from '../../control/schedule.ts'
import { readSecret } from '../../control/secrets.ts'
import { merge, type Taken } from '../../ledger/openssl/import.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { secrets, type Secret } from '../../resources/core.ts'
import { listNumberFields, listNumberOf } from '../../resources/crl-number.ts'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'
import { inParallel } from '../shared/in-parallel.ts'
import { findAuthority, type Key } from './entries.ts'
import { heldBecause } from './import-objects.ts'
import { CommandError } from '../shared/failures.ts'
import { fieldManager } from '../objects/renew.ts'

/** Rejects with CommandError where a Secret of that name says something else. */
export const createSecret = async (
  cluster: Cluster,
  secret: Secret,
  same: (there: Secret) => boolean,
): Promise<void> => {
  const { namespace, name } = secret.metadata
  const there = await readSecret(cluster, { namespace, name })
  if (there === undefined) await cluster.create(secrets, secret, { fieldManager, metadataOnly: true })
  else if (!same(there))
    throw new CommandError(
      `Secret ${namespace}/${name} exists and holds something else: choose another name with --authority`,
    )
}

/** Held: it signs nothing and makes no key until `release`. */
export const createHeld = async (cluster: Cluster, authority: CertificateAuthority): Promise<CertificateAuthority> =>
  cluster.create(
    certificateAuthorities,
    {
      ...authority,
      metadata: {
        ...authority.metadata,
        annotations: { ...authority.metadata.annotations, [marks.hold]: heldBecause },
      },
    },
    { fieldManager },
  )

export const isHalfImported = ({ metadata }: CertificateAuthority): boolean =>
  metadata.annotations?.[marks.hold] === heldBecause

export const release = (cluster: Cluster, key: Key): Promise<void> =>
  changed(cluster, key, async (authority) => {
    const { [marks.hold]: _, ...annotations } = authority.metadata.annotations ?? {}
    await cluster.update(
      certificateAuthorities,
      { ...authority, metadata: { ...authority.metadata, annotations } },
      { fieldManager, metadataOnly: true },
    )
  })

/** Of the last list, so that the next one is one higher; never lower than what is known. */
export const raiseRevocationListNumber = (
  cluster: Cluster,
  key: Key,
  last: { readonly number: bigint; readonly entries: number; readonly now: number },
): Promise<void> =>
  changed(cluster, key, async (authority) => {
    const { apiVersion, kind, metadata, status } = authority
    if ((listNumberOf(status?.crl) ?? -1n) >= last.number) return
    const { namespace, name, uid, resourceVersion } = metadata
    // Due at once: what was made so far was made elsewhere.
    const due = toTimestamp(last.now)
    const crl = { ...listNumberFields(last.number), entries: last.entries, thisUpdate: due, nextUpdate: due }
    await cluster.updateStatus(
      certificateAuthorities,
      {
        apiVersion,
        kind,
        metadata: { namespace, name, uid, resourceVersion },
        status: { ...status, crl },
      } as unknown as CertificateAuthority,
      { fieldManager, metadataOnly: true },
    )
  })

const attempts = 10

/** An operator may write at the same moment. */
const changed = async (
  cluster: Cluster,
  key: Key,
  change: (authority: CertificateAuthority) => Promise<void>,
): Promise<void> => {
  for (let left = attempts; ; left -= 1) {
    const authority = await findAuthority(cluster, key)
    if (authority === undefined)
      throw new CommandError(`CertificateAuthority ${key.namespace}/${key.name} was deleted meanwhile`)
    try {
      return await change(authority)
    } catch (error) {
      if (!isConflict(error) || left === 0) throw error
    }
  }
}

export interface Merged {
  readonly create: readonly IssuedCertificate[]
  readonly revoke: readonly IssuedCertificate[]
  /** In the ledger already. */
  readonly unchanged: number
  /** Sentences; nothing may be written while there are any. */
  readonly refused: readonly string[]
}

export const mergeAll = (taken: readonly Taken[], present: readonly IssuedCertificate[]): Merged => {
  const bySerial = new Map(present.map((entry) => [entry.spec.serialNumber, entry]))
  const create: IssuedCertificate[] = []
  const revoke: IssuedCertificate[] = []
  const refused: string[] = []
  for (const { entry, number } of taken) {
    const there = bySerial.get(entry.spec.serialNumber)
    const found = merge(entry, there)
    if (found.action === 'create') create.push(entry)
    else if (found.action === 'refuse')
      refused.push(`line ${number}: serial number ${entry.spec.serialNumber}: ${found.why}`)
    else if (found.action === 'revoke' && there !== undefined)
      revoke.push({ ...there, spec: { ...there.spec, revocation: entry.spec.revocation } })
  }
  return { create, revoke, refused, unchanged: taken.length - create.length - revoke.length - refused.length }
}

const width = 16

export const writeEntries = async (
  cluster: Cluster,
  { create, revoke }: Pick<Merged, 'create' | 'revoke'>,
  progress: (done: number) => void,
): Promise<void> => {
  let done = 0
  const attempt = async (entry: IssuedCertificate, write: () => Promise<unknown>): Promise<void> => {
    try {
      await write()
    } catch (error) {
      if (!isAlreadyExists(error) && !isConflict(error)) throw error
      throw new CommandError(
        `serial number ${entry.spec.serialNumber} was changed meanwhile; give the same command again, it goes on where it was`,
        { cause: error },
      )
    }
    done += 1
    progress(done)
  }
  const options = { fieldManager, metadataOnly: true }
  // What is revoked first: if this ends half-way, nothing else may be missing from a list.
  const ordered = create.toSorted(
    (a, b) => Number(b.spec.revocation !== undefined) - Number(a.spec.revocation !== undefined),
  )
  await inParallel(revoke, width, (entry) => attempt(entry, () => cluster.update(issuedCertificates, entry, options)))
  await inParallel(ordered, width, (entry) => attempt(entry, () => cluster.create(issuedCertificates, entry, options)))
}
