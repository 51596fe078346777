/** Which change makes which DatabaseCertificate be looked at again. */

import { isDeepStrictEqual } from 'node:util'
import { sameForLeaves } from '../authority/wakes.ts'
import type { Change } from '../cluster/cache/informer.ts'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import { type Enqueue, priorityOf } from '../control/wakes.ts'
import { listNumberOf } from '../resources/crl-number.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { otherHolders } from './rivals.ts'

export const wakeCertificates = (caches: Caches, enqueue: Enqueue): void => {
  const { authorities, certificates, configMaps, namespaces, secrets } = caches
  const wake = (objects: readonly KubeObject[]): void => {
    for (const object of objects) enqueue(keyOf(object), { priority: 'normal' })
  }
  certificates.onChange((change) => {
    enqueue(change.key, priorityOf(change))
    wake(rivals(caches, change))
    wake(heirs(caches, change))
  })
  authorities.onChange(({ before, after, initial, key }) => {
    if (initial) return
    if (listNumberOf(before?.status?.crl) !== listNumberOf(after?.status?.crl))
      wake(certificates.store.by('revocationList', key))
    if (!sameForLeaves(before, after)) wake(certificates.store.by('authority', key))
  })
  secrets.onChange(({ initial, key }) => {
    if (!initial) wake(certificates.store.by('secret', key))
  })
  configMaps.onChange(({ initial, key }) => {
    if (!initial) wake(certificates.store.by('configMap', key))
  })
  namespaces?.onChange(({ before, after, initial }) => {
    const namespace = (after ?? before)?.metadata.name
    if (initial || namespace === undefined || isDeepStrictEqual(before?.metadata.labels, after?.metadata.labels)) return
    wake(certificates.store.by('namespace', namespace))
  })
}

/** Those that are to write the Secret which a certificate has left for another one. */
const heirs = ({ certificates }: Caches, { before, after }: Change<DatabaseCertificate>): readonly KubeObject[] =>
  before === undefined || after === undefined || before.spec.secret.name === after.spec.secret.name
    ? []
    : certificates.store.by('secret', `${before.metadata.namespace}/${before.spec.secret.name}`)

/** Of a certificate that comes or goes under a CA that gives each common name to one alone. */
const rivals = (caches: Caches, { before, after, initial }: Change<DatabaseCertificate>): readonly KubeObject[] => {
  if (initial || before?.status?.serialNumber === after?.status?.serialNumber) return []
  return [before, after].flatMap((certificate) => {
    const serial = certificate?.status?.serialNumber
    return certificate === undefined || serial === undefined ? [] : otherHolders({ caches }, certificate, serial)
  })
}
