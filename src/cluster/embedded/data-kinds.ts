/** The API server's own rules for Secrets and ConfigMaps. */
import type { StatusCause } from '../errors.ts'
import type { Resource } from '../port.ts'
import { badRequest } from './answers.ts'
import type { Json, JsonRecord } from './json.ts'
import { isRecord, member, sameJson, textOf, without } from './json.ts'

const maxDataBytes = 1024 * 1024
const keyForm = /^[-._a-zA-Z0-9]{1,253}$/
const base64 = /^[A-Za-z0-9+/]*={0,2}$/

const isCore = (resource: Resource, plural: string): boolean => resource.group === '' && resource.plural === plural

const recordAt = (object: JsonRecord, key: string): JsonRecord => {
  const value = member(object, key)
  return isRecord(value) ? value : {}
}

const goType = (value: Json | undefined): string => {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

/**
 * What the API server does to the object before it looks at it: `stringData` becomes `data`, `type` gets its default.
 * @throws ApiError 400 for data that is not base64, and for stringData that is no text.
 */
export const normalise = (resource: Resource, object: JsonRecord): JsonRecord => {
  if (!isCore(resource, 'secrets')) return object
  const data = Object.entries(recordAt(object, 'data'))
  for (const [key, value] of data)
    if (typeof value !== 'string' || value.length % 4 !== 0 || !base64.test(value))
      throw badRequest(`Secret in version "v1" cannot be handled as a Secret: data[${key}] is not base64`)
  for (const [key, value] of Object.entries(recordAt(object, 'stringData')))
    if (value !== null && typeof value !== 'string')
      throw badRequest(
        `Secret in version "v1" cannot be handled as a Secret: json: cannot unmarshal ${goType(value)} into Go struct field Secret.stringData[${key}] of type string`,
      )
  const strings = Object.entries(recordAt(object, 'stringData')).map(
    ([key, value]) => [key, Buffer.from(textOf(value), 'utf8').toString('base64')] as const,
  )
  const all = Object.fromEntries<Json | undefined>([...data, ...strings])
  const rest = without(object, 'stringData')
  return Object.keys(all).length === 0 ? rest : { ...rest, data: all }
}

export const withDefaults = (resource: Resource, object: JsonRecord): JsonRecord =>
  isCore(resource, 'secrets') && member(object, 'type') === undefined ? { ...object, type: 'Opaque' } : object

const decodedBytes = (text: string): number =>
  (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)

const keyCauses = (field: string, record: JsonRecord): StatusCause[] =>
  Object.keys(record)
    .filter((key) => !keyForm.test(key) || key === '.' || key.startsWith('..'))
    .map((key) => ({
      reason: 'FieldValueInvalid',
      field: `${field}[${key}]`,
      message: `Invalid value: ${JSON.stringify(key)}: a valid config key must consist of alphanumeric characters, "-", "_" or "."`,
    }))

const sizeCauses = (bytes: number): StatusCause[] =>
  bytes <= maxDataBytes
    ? []
    : [{ reason: 'FieldValueTooLong', field: 'data', message: `Too long: may not be more than ${maxDataBytes} bytes` }]

const immutable = (field: string, message: string): StatusCause => ({ reason: 'FieldValueForbidden', field, message })

const frozenCauses = (object: JsonRecord, old: JsonRecord | undefined): StatusCause[] => {
  if (!old || member(old, 'immutable') !== true) return []
  const changed = ['data', 'binaryData'].filter((field) => !sameJson(recordAt(object, field), recordAt(old, field)))
  const causes = changed.map((field) => immutable(field, 'Forbidden: field is immutable when `immutable` is set'))
  if (member(object, 'immutable') === true) return causes
  return [...causes, immutable('immutable', 'Forbidden: field is immutable when `immutable` is set')]
}

const requiredKeys = (type: Json | undefined): readonly string[] =>
  type === 'kubernetes.io/tls' ? ['tls.crt', 'tls.key'] : []

const secretCauses = (secret: JsonRecord, old: JsonRecord | undefined): StatusCause[] => {
  const data = recordAt(secret, 'data')
  const type = member(secret, 'type')
  const bytes = Object.values(data).reduce<number>((sum, value) => sum + decodedBytes(textOf(value)), 0)
  const missing = requiredKeys(type)
    .filter((key) => !Object.hasOwn(data, key))
    .map((key) => ({ reason: 'FieldValueRequired', field: `data[${key}]`, message: 'Required value' }))
  const typeChange =
    old && member(old, 'type') !== type
      ? [
          {
            reason: 'FieldValueInvalid',
            field: 'type',
            message: `Invalid value: ${JSON.stringify(type)}: field is immutable`,
          },
        ]
      : []
  return [...typeChange, ...frozenCauses(secret, old), ...keyCauses('data', data), ...sizeCauses(bytes), ...missing]
}

const configMapCauses = (configMap: JsonRecord, old: JsonRecord | undefined): StatusCause[] => {
  const data = recordAt(configMap, 'data')
  const binary = recordAt(configMap, 'binaryData')
  const bytes =
    Object.values(data).reduce<number>((sum, value) => sum + Buffer.byteLength(textOf(value)), 0) +
    Object.values(binary).reduce<number>((sum, value) => sum + decodedBytes(textOf(value)), 0)
  return [
    ...frozenCauses(configMap, old),
    ...keyCauses('data', data),
    ...keyCauses('binaryData', binary),
    ...sizeCauses(bytes),
  ]
}

export const dataCauses = (resource: Resource, object: JsonRecord, old: JsonRecord | undefined): StatusCause[] => {
  if (isCore(resource, 'secrets')) return secretCauses(object, old)
  if (isCore(resource, 'configmaps')) return configMapCauses(object, old)
  return []
}
