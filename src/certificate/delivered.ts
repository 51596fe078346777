/** The Secret that was written for a certificate, for whoever else reads it. */

import type { Cluster } from '../cluster/port.ts'
import { marks } from '../control/context.ts'
import { readSecret } from '../control/secrets.ts'
import type { Secret } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { ownerOf } from './outputs.ts'

/** Undefined where there is none. One of that name may be somebody else's: then nothing in it is looked at. */
export const readDelivered = async (
  cluster: Cluster,
  certificate: DatabaseCertificate,
  signal: AbortSignal,
): Promise<Secret | undefined> => {
  const { namespace = 'default' } = certificate.metadata
  const secret = await readSecret(cluster, { namespace, name: certificate.spec.secret.name }, signal)
  return secret?.metadata.annotations?.[marks.owner] === ownerOf(certificate) ? secret : undefined
}
