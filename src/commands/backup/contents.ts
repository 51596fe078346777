/** What a backup holds, and the proof that a file holds that and nothing else. Pure. */

import { z } from 'zod'
import { keyOf, type KubeObject } from '../../cluster/port.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import type { ConfigMap, Secret } from '../../resources/core.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'
import { admit } from '../../resources/validate.ts'
import { authorityKeyOf } from '../../certificate/rivals.ts'
import { idOf, isOwned, ownerOf, type Reference, referencesOf } from './belongings.ts'
import { BackupError } from './format.ts'

export interface BackupContents {
  /** Random; marks what a restore has made, so that the same restore can be given again. */
  readonly id: string
  /** RFC 3339. */
  readonly createdAt: string
  /** Version of dbtls. */
  readonly madeBy: string
  /** With uid, resourceVersion and generation as they were, which tell what referred to what. */
  readonly authorities: readonly CertificateAuthority[]
  readonly certificates: readonly DatabaseCertificate[]
  readonly ledger: readonly IssuedCertificate[]
  readonly secrets: readonly Secret[]
  readonly configMaps: readonly ConfigMap[]
  /** Were there, and are not in the backup (`--without-passphrases`). */
  readonly leftOut: readonly Reference[]
}

/** RFC 1123 subdomain and label, as Kubernetes names objects and namespaces. */
const name = z.string().regex(/^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
const namespace = z.string().regex(/^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
const texts = z.record(z.string(), z.string())

const objectMeta = z.strictObject({
  name,
  namespace,
  uid: z.string().min(1).max(64),
  resourceVersion: z.string().max(64).optional(),
  generation: z.int().min(0).optional(),
  creationTimestamp: z.string().max(40).optional(),
  labels: texts.optional(),
  annotations: texts.optional(),
  ownerReferences: z
    .array(
      z.looseObject({
        apiVersion: z.string().max(256),
        kind: z.string().max(256),
        name: z.string().max(256),
        uid: z.string().max(64),
      }),
    )
    .optional(),
})

const ours = (kind: string) =>
  z.strictObject({
    apiVersion: z.literal('dbtls.dev/v1alpha1'),
    kind: z.literal(kind),
    metadata: objectMeta,
    spec: z.looseObject({}),
    status: z.looseObject({}).optional(),
  })

const dataKey = z.string().regex(/^[-._a-zA-Z0-9]{1,253}$/)
const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/)
const secret = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Secret'),
  metadata: objectMeta,
  // Such a Secret would be a key to the cluster itself.
  type: z
    .string()
    .max(253)
    .regex(/^(?!kubernetes\.io\/service-account-token$|bootstrap\.kubernetes\.io\/)/)
    .optional(),
  data: z.record(dataKey, base64).optional(),
  immutable: z.boolean().optional(),
})
const configMap = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('ConfigMap'),
  metadata: objectMeta,
  data: z.record(dataKey, z.string()).optional(),
  binaryData: z.record(dataKey, base64).optional(),
  immutable: z.boolean().optional(),
})

const form = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16,64}$/),
  createdAt: z.iso.datetime(),
  madeBy: z.string().max(64),
  authorities: z.array(ours('CertificateAuthority')).min(1),
  certificates: z.array(ours('DatabaseCertificate')),
  ledger: z.array(ours('IssuedCertificate')),
  secrets: z.array(secret),
  configMaps: z.array(configMap),
  leftOut: z.array(
    z.strictObject({ kind: z.enum(['Secret', 'ConfigMap']), namespace, name, confidential: z.boolean() }),
  ),
})

const refused = (why: string): BackupError => new BackupError(`its contents are not those of a backup: ${why}`)

/**
 * Whoever knows the passphrase can seal anything: nothing is taken on trust that a restore would write with the rights of
 * the person who gives it. @throws BackupError for what no version of this program has written.
 */
export const asContents = (value: unknown): BackupContents => {
  refuseForged(value, '')
  const { data, error } = form.safeParse(value)
  if (data === undefined) {
    const [issue] = error.issues
    throw refused(`${(issue?.path ?? []).map(String).join('.')} ${issue?.message ?? ''}`.trim().slice(0, 300))
  }
  const contents = admitted(data as unknown as BackupContents)
  refuseStrangers(contents)
  return contents
}

const mostShown = 20

/** Under the rules of the present schemas, which the API server would ask as well. */
const admitted = (contents: BackupContents): BackupContents => {
  const problems: string[] = []
  const judge = <T extends KubeObject>(objects: readonly T[]): readonly T[] =>
    objects.map((object) => {
      const verdict = admit(object.kind, object)
      if ('object' in verdict) return verdict.object as T
      problems.push(...verdict.problems.map(({ field, message }) => `${idOf(object)}: ${field}: ${message}`))
      return object
    })
  const { authorities, certificates, ledger } = contents
  const judged = {
    ...contents,
    authorities: judge(authorities),
    certificates: judge(certificates),
    ledger: judge(ledger),
  }
  if (problems.length > 0) throw refused(problems.slice(0, mostShown).join('; '))
  return judged
}

/** JSON can name members that no object of Kubernetes has, and that mean something to JavaScript. */
const refuseForged = (value: unknown, path: string): void => {
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') throw refused(`${path} has a member __proto__`)
    refuseForged(member, path === '' ? key : `${path}.${key}`.slice(0, 200))
  }
}

const refuseStrangers = (contents: BackupContents): void => {
  const { authorities, certificates, ledger, secrets, configMaps } = contents
  const all = [...authorities, ...certificates, ...ledger, ...secrets, ...configMaps]
  unique(all.map(idOf), 'is there twice')
  unique(
    all.map(({ metadata: { uid = '' } }) => uid),
    'is the uid of two objects',
  )
  const known = new Set(authorities.map(keyOf))
  const strange = [
    ...certificates.filter((one) => !known.has(authorityKeyOf(one))),
    ...ledger.filter(({ metadata, spec }) => !known.has(`${metadata.namespace}/${spec.authorityRef.name}`)),
    ...strangersAmong(contents),
  ]
  if (strange[0] !== undefined) throw refused(`${idOf(strange[0])} belongs to none of its CertificateAuthorities`)
}

/** Of the Secrets and ConfigMaps: a restore writes none that nothing refers to. */
const strangersAmong = ({ authorities, certificates, secrets, configMaps }: BackupContents): KubeObject[] => {
  const holders = [...authorities, ...certificates]
  const owners = new Set(holders.map(ownerOf))
  const referred = new Set(holders.flatMap(referencesOf).map(idOfReference))
  return [...secrets, ...configMaps].filter((object) => !referred.has(idOf(object)) && !isOwned(object, owners))
}

export const idOfReference = ({ kind, namespace: where, name: which }: Reference): string => `${kind} ${where}/${which}`

const unique = (ids: readonly string[], what: string): void => {
  const seen = new Set<string>()
  for (const id of ids) {
    if (seen.has(id)) throw refused(`${id} ${what}`)
    seen.add(id)
  }
}
