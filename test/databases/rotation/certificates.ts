/** The certificates of a fleet, as the objects have them. */
import { marks } from '../../../src/control/context.ts'
import { isReady } from '../../../src/resources/conditions.ts'
import { type DatabaseCertificate, databaseCertificates } from '../../../src/resources/database-certificate.ts'
import { eventually } from '../../controlplane/harness/process.ts'
import type { Site } from './site.ts'

/** Name → serial number, upper-case hex. */
export const serialsOf = async ({ cluster, namespace }: Site): Promise<ReadonlyMap<string, string>> => {
  const { items } = await cluster.list(databaseCertificates, { namespace })
  return new Map(items.map(({ metadata, status }) => [metadata.name, status?.serialNumber ?? '']))
}

/** Has certificates issued anew, all or those of these names; answers when the Secrets have them. */
export const renew = async (site: Site, ...names: readonly string[]): Promise<void> => {
  const before = await serialsOf(site)
  const { cluster, namespace } = site
  const chosen = [...before].filter(([name]) => names.length === 0 || names.includes(name))
  for (const [name] of chosen) {
    const metadata = { name, namespace, annotations: { [marks.renewTrigger]: String(performance.now()) } }
    const marked = { apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate', metadata }
    const writer = { fieldManager: 'dbtls.dev/cli', force: true }
    await cluster.apply(databaseCertificates, marked as unknown as DatabaseCertificate, writer)
  }
  for (const [name, serial] of chosen)
    await eventually(`${name} to be renewed`, async () => {
      const found = await cluster.get(databaseCertificates, { namespace, name })
      return isReady(found) && found.status?.serialNumber !== serial
    })
}
