/** What is said about an object that is migrated, one sentence each. */

import { type Field, fieldOf, isAbove, type Members, own, pathsIn } from './fields.ts'

export interface Note {
  /** `Certificate data/orders` */
  readonly about: string
  /** Empty where the object as a whole is meant. */
  readonly field: string
  readonly message: string
}

/** What is never anybody's wish: the API server writes it. */
const machine =
  /^(apiVersion|kind|metadata\.(uid|resourceVersion|generation|creationTimestamp|managedFields|selfLink)\b)/

/** A sentence for every field that is set and is not carried over as it is; the mapping says the rest. */
export const fieldNotes = (about: string, object: Members, fields: readonly Field[]): Note[] => {
  const told = new Set<string>()
  return pathsIn(object).flatMap((path) => {
    if (machine.test(path)) return []
    const field = fieldOf(fields, path)
    if (field === undefined && isAbove(fields, path)) return []
    if (field === undefined)
      return [{ about, field: path, message: 'dbtls does not know this field of cert-manager; it is not carried over' }]
    if (field.note === undefined || field.path === 'status' || told.has(field.path)) return []
    told.add(field.path)
    return [{ about, field: field.path, message: field.note }]
  })
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** Labels by which tools know what they applied: on what is written here they would claim it. */
const ofTools =
  /^(app\.kubernetes\.io\/managed-by|helm\.sh\/|argocd\.argoproj\.io\/|kustomize\.toolkit\.fluxcd\.io\/|helm\.toolkit\.fluxcd\.io\/)/

/** Labels to carry over, and what is said about the rest of the metadata. */
export const readMetadata = (
  about: string,
  object: Members,
): { readonly labels: Readonly<Record<string, string>>; readonly notes: readonly Note[] } => {
  const notes: Note[] = []
  const given = textsIn(own(object, 'metadata', 'labels'))
  const left = Object.keys(given).filter((name) => ofTools.test(name))
  if (left.length > 0)
    notes.push({
      about,
      field: 'metadata.labels',
      message: `${left.join(', ')} left out: by them a tool knows what it has applied`,
    })
  const annotations = Object.keys(textsIn(own(object, 'metadata', 'annotations'))).filter(
    (name) => name !== lastApplied,
  )
  if (annotations.length > 0)
    notes.push({ about, field: 'metadata.annotations', message: `${annotations.join(', ')} left out` })
  const owners = own(object, 'metadata', 'ownerReferences')
  for (const owner of Array.isArray(owners) ? owners : []) {
    const [kind, name] = [own(owner, 'kind'), own(owner, 'name')].map((one) => (typeof one === 'string' ? one : '?'))
    notes.push({
      about,
      field: 'metadata.ownerReferences',
      message: `${kind} ${name} has made it and would make it again: have that one ask cert-manager for nothing any more first (of an Ingress or Gateway, remove its cert-manager.io annotations)`,
    })
  }
  return { labels: Object.fromEntries(Object.entries(given).filter(([name]) => !left.includes(name))), notes }
}

/** Of a map of texts those members that are texts. */
export const textsIn = (value: unknown): Record<string, string> =>
  typeof value !== 'object' || value === null || Array.isArray(value)
    ? {}
    : Object.fromEntries(
        Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
      )
