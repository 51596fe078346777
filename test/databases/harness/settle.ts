/** Has the operator make everything that a profile asks for, and gives the ConfigMap that stands for its mountPath. */
import { isDeepStrictEqual } from 'node:util'
import type { Cluster } from '../../../src/cluster/port.ts'
import { expand } from '../../../src/profile/expand.ts'
import type { Expansion, Known } from '../../../src/profile/expansion.ts'
import { sentence } from '../../../src/profile/findings.ts'
import { knownAuthority } from '../../../src/profile/known.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../../src/resources/certificate-authority.ts'
import { findCondition, isReady } from '../../../src/resources/conditions.ts'
import { configMaps } from '../../../src/resources/core.ts'
import { databaseCertificates } from '../../../src/resources/database-certificate.ts'
import { type DatabaseTLSProfile, databaseTLSProfiles } from '../../../src/resources/database-tls-profile.ts'
import type { AuthorityRef } from '../../../src/resources/fields.ts'
import { eventually } from '../../controlplane/harness/process.ts'

export interface Settled {
  readonly expansion: Expansion
  /** Key of the ConfigMap → text. */
  readonly files: Readonly<Record<string, string>>
}

/** Not until the profile is Ready: its servers may not be there yet. */
export const settle = async (cluster: Cluster, profile: DatabaseTLSProfile): Promise<Settled> => {
  const { name, namespace = 'default' } = profile.metadata
  const expansion = expand(profile, await knownOf(cluster, profile))
  if (expansion.refusals.length > 0) throw new Error(expansion.refusals.map(sentence).join(' '))
  const { configMap } = expansion
  if (configMap === undefined) throw new Error(`${name} has no ConfigMap`)
  await cluster.apply(databaseTLSProfiles, profile, { fieldManager: 'kubectl', force: true })
  const settled = (what: string, look: () => Promise<unknown>): Promise<unknown> =>
    eventually(what, async () => {
      if (await look()) return true
      const { status } = await cluster.get(databaseTLSProfiles, { namespace, name })
      throw new Error(findCondition(status?.conditions, 'Ready')?.message ?? 'the profile says nothing')
    })
  await settled(`ConfigMap ${configMap.name} to be that of ${profile.spec.mountPath}`, async () => {
    const found = await cluster.get(configMaps, { namespace, name: configMap.name })
    return isDeepStrictEqual(found.data, configMap.data)
  })
  for (const { name: trust } of expansion.trust)
    await settled(`ConfigMap ${trust}`, () => cluster.get(configMaps, { namespace, name: trust }))
  for (const one of expansion.certificates)
    await settled(`${one.name} to be Ready`, async () => {
      const found = await cluster.get(databaseCertificates, { namespace, name: one.name })
      return isReady(found) && found.status?.observedGeneration === found.metadata.generation
    })
  return { expansion, files: configMap.data }
}

const authorityOf = (cluster: Cluster, ref: AuthorityRef, namespace: string): Promise<CertificateAuthority> =>
  eventually(`authority ${ref.name} to be Ready`, async () => {
    const found = await cluster.get(certificateAuthorities, { namespace: ref.namespace ?? namespace, name: ref.name })
    return isReady(found) && found
  })

const knownOf = async (cluster: Cluster, { metadata, spec }: DatabaseTLSProfile): Promise<Known> => {
  const known = async (ref: AuthorityRef) =>
    knownAuthority(await authorityOf(cluster, ref, metadata.namespace ?? 'default'))
  const authority = await known(spec.authorityRef)
  const { clientAuthorityRef } = spec
  return clientAuthorityRef === undefined
    ? { authority }
    : { authority, clientAuthority: await known(clientAuthorityRef) }
}
