/** Has the operator make everything that a profile asks for, and gives the ConfigMap that stands for its mountPath. */
import type { Cluster } from '../../../src/cluster/port.ts'
import { expand, type Expansion, type Known } from '../../../src/profile/expand.ts'
import { sentence } from '../../../src/profile/findings.ts'
import { knownAuthority } from '../../../src/profile/known.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../../src/resources/certificate-authority.ts'
import { isReady } from '../../../src/resources/conditions.ts'
import { configMaps } from '../../../src/resources/core.ts'
import { databaseCertificates } from '../../../src/resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../../../src/resources/database-tls-profile.ts'
import type { AuthorityRef } from '../../../src/resources/fields.ts'
import { eventually } from '../../controlplane/harness/process.ts'

const person = { fieldManager: 'kubectl', force: true }

export interface Settled {
  readonly expansion: Expansion
  /** Key of the ConfigMap → text. */
  readonly files: Readonly<Record<string, string>>
}

export const settle = async (cluster: Cluster, profile: DatabaseTLSProfile): Promise<Settled> => {
  const { namespace = 'default' } = profile.metadata
  const expansion = expand(profile, await knownOf(cluster, profile))
  if (expansion.refusals.length > 0) throw new Error(expansion.refusals.map(sentence).join(' '))
  for (const { authorityRef, name, items } of expansion.trust) {
    const target = { kind: 'ConfigMap', name, items }
    const { apiVersion, kind, metadata, spec } = await authorityOf(cluster, authorityRef, namespace)
    const object = { apiVersion, kind, metadata: { name: metadata.name, namespace: metadata.namespace } }
    await cluster.apply(
      certificateAuthorities,
      { ...object, spec: { ...spec, trustBundle: { targets: [target] } } } as unknown as CertificateAuthority,
      person,
    )
    await eventually(`ConfigMap ${name}`, () => cluster.get(configMaps, { namespace, name }))
  }
  for (const { name, spec } of expansion.certificates)
    await cluster.apply(
      databaseCertificates,
      {
        ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate', metadata: { name, namespace }, spec },
      },
      person,
    )
  for (const { name } of expansion.certificates)
    await eventually(`${name} to be Ready`, async () => {
      const found = await cluster.get(databaseCertificates, { namespace, name })
      return isReady(found) && found.status?.observedGeneration === found.metadata.generation
    })
  return { expansion, files: expansion.configMap?.data ?? {} }
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
