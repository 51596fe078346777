/** What the API server checks on the metadata of every object (apimachinery validation of ObjectMeta). */
import type { StatusCause } from '../errors.ts'
import type { Resource } from '../port.ts'
import type { JsonRecord } from './json.ts'
import { isRecord, member, textOf } from './json.ts'

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const qualifiedPart = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const annotationBytes = 256 * 1024

const isSubdomain = (text: string): boolean => text.length <= 253 && text.split('.').every((part) => label.test(part))
const isLabelName = (text: string): boolean => text.length <= 63 && label.test(text)

/** `name` or `prefix/name` of labels, annotations and finalizers. */
const isQualifiedName = (text: string): boolean => {
  const [first = '', second, ...more] = text.split('/')
  if (more.length > 0) return false
  const name = second ?? first
  if (second !== undefined && !isSubdomain(first)) return false
  return name.length <= 63 && qualifiedPart.test(name)
}

const isLabelValue = (text: string): boolean => text === '' || (text.length <= 63 && qualifiedPart.test(text))

const invalidValue = (field: string, value: unknown, must: string): StatusCause => ({
  reason: 'FieldValueInvalid',
  field,
  message: `Invalid value: ${JSON.stringify(value)}: ${must}`,
})

const subdomainRule =
  'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "-" or ".", and must start and end with an alphanumeric character'
const labelRule =
  'a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "-", and must start and end with an alphanumeric character'
const qualifiedRule =
  'name part must consist of alphanumeric characters, "-", "_" or ".", with an optional DNS subdomain prefix and "/"'

const nameCauses = (resource: Resource, metadata: JsonRecord): StatusCause[] => {
  const name = member(metadata, 'name')
  if (typeof name !== 'string' || name === '')
    return [
      {
        reason: 'FieldValueRequired',
        field: 'metadata.name',
        message: 'Required value: name or generateName is required',
      },
    ]
  if (resource.group === '' && resource.plural === 'namespaces')
    return isLabelName(name) ? [] : [invalidValue('metadata.name', name, labelRule)]
  return isSubdomain(name) ? [] : [invalidValue('metadata.name', name, subdomainRule)]
}

const namespaceCauses = (resource: Resource, metadata: JsonRecord): StatusCause[] => {
  const namespace = member(metadata, 'namespace')
  if (!resource.namespaced || namespace === undefined) return []
  return typeof namespace === 'string' && isLabelName(namespace)
    ? []
    : [invalidValue('metadata.namespace', namespace, labelRule)]
}

const labelCauses = (labels: unknown): StatusCause[] =>
  Object.entries(isRecord(labels) ? labels : {}).flatMap(([key, value]) => {
    if (!isQualifiedName(key)) return [invalidValue('metadata.labels', key, qualifiedRule)]
    if (typeof value === 'string' && isLabelValue(value)) return []
    return [
      invalidValue('metadata.labels', value, 'a valid label must be an empty string or at most 63 of A-Za-z0-9-_.'),
    ]
  })

const annotationCauses = (annotations: unknown): StatusCause[] => {
  const entries = Object.entries(isRecord(annotations) ? annotations : {})
  const bad = entries.flatMap(([key, value]) => {
    // The API server checks annotation keys in lower case.
    if (!isQualifiedName(key.toLowerCase())) return [invalidValue('metadata.annotations', key, qualifiedRule)]
    return typeof value === 'string' ? [] : [invalidValue(`metadata.annotations`, key, 'the value must be a string')]
  })
  const size = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(textOf(value)), 0)
  if (size <= annotationBytes) return bad
  const message = `Too long: may not be more than ${annotationBytes} bytes`
  return [...bad, { reason: 'FieldValueTooLong', field: 'metadata.annotations', message }]
}

const ownerCauses = (owners: unknown): StatusCause[] =>
  (Array.isArray(owners) ? owners : []).flatMap((owner, i) =>
    ['apiVersion', 'kind', 'name', 'uid'].flatMap((field) => {
      const value = isRecord(owner) ? member(owner, field) : undefined
      if (typeof value === 'string' && value !== '') return []
      const message = `Invalid value: "": must not be empty`
      return [{ reason: 'FieldValueInvalid', field: `metadata.ownerReferences[${i}].${field}`, message }]
    }),
  )

const finalizerCauses = (finalizers: unknown): StatusCause[] =>
  (Array.isArray(finalizers) ? finalizers : []).flatMap((finalizer) =>
    typeof finalizer === 'string' && isQualifiedName(finalizer)
      ? []
      : [invalidValue('metadata.finalizers', finalizer, qualifiedRule)],
  )

/** Every problem of the metadata; none is an empty list. */
export const metadataCauses = (resource: Resource, metadata: JsonRecord): StatusCause[] => [
  ...nameCauses(resource, metadata),
  ...namespaceCauses(resource, metadata),
  ...labelCauses(member(metadata, 'labels')),
  ...annotationCauses(member(metadata, 'annotations')),
  ...ownerCauses(member(metadata, 'ownerReferences')),
  ...finalizerCauses(member(metadata, 'finalizers')),
]
