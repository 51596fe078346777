/** Reads what cert-manager has: from manifests, or from a cluster. */

import { readFile } from 'node:fs/promises'
import { parseAllDocuments } from 'yaml'
import { isForbidden, isNotFound } from '../../cluster/errors.ts'
import type { Cluster, KubeObject, Resource } from '../../cluster/port.ts'
import { readSecret } from '../../control/secrets.ts'
import type { Secret } from '../../resources/core.ts'
import { listManifests } from '../embedded/manifests.ts'
import { CommandError } from '../shared/failures.ts'
import { listAll } from '../shared/lists.ts'
import { isMembers, own } from './fields.ts'
import { certManagerGroup, type CertManagerKind, certManagerKinds, type Found, titleOf } from './inventory.ts'

export interface Reading {
  readonly found: readonly Found[]
  /** `namespace/name` → as far as they were among what was read, or may be read. */
  readonly secrets: ReadonlyMap<string, Secret>
  /** Title of a Certificate → names of its CertificateRequests, where a cluster was read that shows them. */
  readonly requests: ReadonlyMap<string, readonly string[]>
  /** What is of cert-manager and could not be taken, and what could not be read, one sentence each. */
  readonly problems: readonly string[]
}

const version = 'v1'

const isKind = (kind: unknown): kind is CertManagerKind => certManagerKinds.some((one) => one === kind)

interface Draft {
  readonly found: Map<string, Found>
  readonly secrets: Map<string, Secret>
  readonly problems: string[]
}

const emptyDraft = (): Draft => ({ found: new Map(), secrets: new Map(), problems: [] })

/** `namespace`: of objects that say none. Rejects with CommandError for what cannot be read. */
export const readFiles = async (
  paths: readonly string[],
  namespace: string,
  stdin: () => Promise<string>,
): Promise<Reading> => {
  const draft = emptyDraft()
  for (const path of paths) {
    if (path === '-') {
      takeText('stdin', await stdin(), namespace, draft)
      continue
    }
    const { files } = await listManifests([path])
    // What is not there is told by reading it.
    for (const file of files.length === 0 ? [path] : files)
      takeText(file, await readFile(file, 'utf8'), namespace, draft)
  }
  return finished(draft)
}

const finished = ({ found, secrets, problems }: Draft): Reading => ({
  found: [...found.values()],
  secrets,
  requests: new Map(),
  problems,
})

const takeText = (file: string, text: string, namespace: string, draft: Draft): void => {
  let values: unknown[]
  try {
    // Pretty errors would quote the file, and with it the keys of a Secret.
    const documents = parseAllDocuments(text, { prettyErrors: false, version: '1.2' })
    values = (Array.isArray(documents) ? documents : []).map((document) => {
      const [error] = document.errors
      if (error !== undefined) throw error
      return document.toJS({ maxAliasCount: 100 }) as unknown
    })
  } catch (error) {
    throw new CommandError(
      `${file} cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    )
  }
  for (const value of values) takeObject(file, value, namespace, draft)
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const takeObject = (file: string, value: unknown, namespace: string, draft: Draft): void => {
  if (!isMembers(value)) return
  const [apiVersion, kind] = [text(own(value, 'apiVersion')), text(own(value, 'kind'))]
  const items = own(value, 'items')
  if (kind.endsWith('List') && Array.isArray(items)) {
    // The items of a typed list need not say again what they are.
    const told = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -4) }
    for (const item of items) takeObject(file, isMembers(item) ? { ...told, ...item } : item, namespace, draft)
    return
  }
  const name = text(own(value, 'metadata', 'name'))
  const where = text(own(value, 'metadata', 'namespace')) || namespace
  if (apiVersion === 'v1' && kind === 'Secret') {
    if (name !== '') draft.secrets.set(`${where}/${name}`, value as unknown as Secret)
    return
  }
  const [group, served] = apiVersion.split('/')
  if (group !== certManagerGroup) {
    if (group === `policy.${certManagerGroup}`)
      draft.problems.push(
        `${file}: ${kind} ${name}: what a CA signs is said by its own spec.policy; approver-policy has no equivalent`,
      )
    return
  }
  if (!isKind(kind)) {
    draft.problems.push(`${file}: ${kind} ${name}: only ${certManagerKinds.join(', ')} are migrated`)
    return
  }
  const found = { kind, namespace: kind === 'ClusterIssuer' ? '' : where, name, object: value }
  const title = titleOf(found)
  if (name === '' || served !== version) {
    draft.problems.push(
      name === ''
        ? `${file}: a ${kind} without a name`
        : `${file}: ${title}: ${apiVersion} is read by no cert-manager of today; have it in ${certManagerGroup}/${version} (cmctl convert)`,
    )
    return
  }
  if (draft.found.has(title)) draft.problems.push(`${file}: ${title} was read before; this one is passed over`)
  else draft.found.set(title, found)
}

const resource = (kind: CertManagerKind | 'CertificateRequest', plural: string): Resource => ({
  group: certManagerGroup,
  version,
  plural,
  kind,
  namespaced: kind !== 'ClusterIssuer',
})

/** `namespace` undefined: all. Rejects with ApiError. */
export const readCluster = async (cluster: Cluster, namespace: string | undefined): Promise<Reading> => {
  const draft = emptyDraft()
  const take = (kind: CertManagerKind, objects: readonly KubeObject[]): void => {
    // Items of a list do not say what they are.
    for (const one of objects)
      takeObject('the cluster', { ...one, apiVersion: `${certManagerGroup}/${version}`, kind }, '', draft)
  }
  try {
    take('Certificate', await listAll(cluster, resource('Certificate', 'certificates'), { namespace }))
    take('Issuer', await listAll(cluster, resource('Issuer', 'issuers'), { namespace }))
  } catch (error) {
    if (isNotFound(error))
      throw new CommandError('the cluster does not know the kinds of cert-manager', { cause: error })
    throw error
  }
  try {
    take('ClusterIssuer', await listAll(cluster, resource('ClusterIssuer', 'clusterissuers')))
  } catch (error) {
    if (!isForbidden(error)) throw error
    draft.problems.push(`ClusterIssuers could not be read: ${error.message}`)
  }
  return { ...finished(draft), requests: await readRequests(cluster, namespace) }
}

const readRequests = async (cluster: Cluster, namespace: string | undefined): Promise<Reading['requests']> => {
  const requests = new Map<string, string[]>()
  try {
    const kind = resource('CertificateRequest', 'certificaterequests')
    for (const { metadata } of await listAll(cluster, kind, { namespace }))
      for (const owner of metadata.ownerReferences ?? []) {
        if (owner.kind !== 'Certificate') continue
        const title = titleOf({ kind: 'Certificate', namespace: metadata.namespace ?? '', name: owner.name })
        requests.set(title, [...(requests.get(title) ?? []), metadata.name])
      }
  } catch (error) {
    if (!isForbidden(error) && !isNotFound(error)) throw error
  }
  return requests
}

/** Those of `keys` (`namespace/name`) that are there and may be read; `refused` says why others may not. */
export const readSecrets = async (
  cluster: Cluster,
  keys: readonly string[],
): Promise<{ readonly secrets: ReadonlyMap<string, Secret>; readonly refused: string | undefined }> => {
  const secrets = new Map<string, Secret>()
  for (const key of keys) {
    const [namespace = '', name = ''] = key.split('/')
    try {
      const secret = await readSecret(cluster, { namespace, name })
      if (secret !== undefined) secrets.set(key, secret)
    } catch (error) {
      if (!isForbidden(error)) throw error
      return { secrets, refused: error.message }
    }
  }
  return { secrets, refused: undefined }
}
