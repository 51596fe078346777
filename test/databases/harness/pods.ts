/** Which volumes the pods of a profile have: what docs and snippets say is mounted where. Pure. */
import { join } from 'node:path'
import type { Expansion } from '../../../src/profile/expansion.ts'
import { clientTrustName, serverTrustName } from '../../../src/profile/trust.ts'
import type { DatabaseTLSProfile } from '../../../src/resources/database-tls-profile.ts'

export interface Source {
  readonly kind: 'Secret' | 'ConfigMap'
  readonly name: string
  /** Below the mountPath of the pod; empty for that one itself. */
  readonly below: string
}

export interface PodPlan {
  /** `server`, `server-1` where each pod has its own certificate, or `client-app`. */
  readonly name: string
  readonly sources: readonly Source[]
}

export const podsOf = ({ metadata, spec }: DatabaseTLSProfile, { certificates }: Expansion): PodPlan[] => {
  const trust = (name: string, below: string): Source => ({ kind: 'ConfigMap', name, below })
  const secretOf = (object: string): string | undefined =>
    certificates.find(({ name }) => name === object)?.spec.secret.name
  const holder = { profile: metadata.name }
  const apart = spec.clientAuthorityRef !== undefined
  const managed = spec.engine === 'External'
  const components = new Set(
    certificates.map(({ part }) => part).filter((part) => part !== 'server' && part !== 'client'),
  )
  const suffixes = certificates
    .filter(({ part }) => part === 'server')
    .map(({ name }) => name.slice(`${metadata.name}-server`.length))
  const servers = suffixes.map((suffix): PodPlan => {
    const secret = (part: string): Source[] => {
      const found = secretOf(`${metadata.name}-${part}${suffix}`) ?? secretOf(`${metadata.name}-${part}`)
      return found === undefined ? [] : [{ kind: 'Secret', name: found, below: part === 'server' ? '' : part }]
    }
    const mounted = [...secret('server'), ...[...components].flatMap(secret)]
    return {
      name: `server${suffix}`,
      sources: apart ? [...mounted, trust(clientTrustName(holder), 'client-ca')] : mounted,
    }
  })
  const clients = (spec.clients ?? []).map(({ name }): PodPlan => {
    const own = secretOf(`${metadata.name}-${name}`)
    const sources: Source[] = own === undefined ? [] : [{ kind: 'Secret', name: own, below: '' }]
    if (apart) sources.push(trust(serverTrustName(holder), 'server-ca'))
    else if (managed) sources.push(trust(serverTrustName(holder), ''))
    return { name: `client-${name}`, sources }
  })
  return [...servers, ...clients]
}

/** Where a source of a pod stands on this machine. */
export const folderOf = (root: string, pod: PodPlan, source?: Source): string =>
  join(root, pod.name, source?.below ?? '')
