/** A Certificate of cert-manager that is no CA → the DatabaseCertificate that keeps its Secret. Pure. */

import { NameError } from '../../pki/names/attributes.ts'
import { normaliseDnsName } from '../../pki/names/general-names.ts'
import { formatDuration } from '../../resources/duration.ts'
import type { Item } from '../../resources/secret-items.ts'
import { isReservedKey } from '../../resources/secret-items.ts'
import { parseGoDuration } from './go-duration.ts'
import { keystoresOf } from './keystores.ts'
import type { Reader } from './reader.ts'
import { subjectOf } from './subject.ts'
import { usageWish } from './usages.ts'

/** `spec` of a DatabaseCertificate, as a person would write it: without defaults. Throws NameError where no name can be made. */
export const certificateSpec = (
  certificate: Reader,
  authorityRef: { readonly name: string; readonly namespace?: string },
  secretType = 'kubernetes.io/tls',
): Record<string, unknown> => {
  const privateKey = privateKeyOf(certificate)
  const { role, usages, left } = usageWish(certificate.texts('spec.usages'), privateKey.algorithm)
  if (left.length > 0)
    certificate.note(
      'spec.usages',
      `${left.join(', ')}: left out, as a certificate for a key of ${privateKey.algorithm} does not get that from dbtls; the present one keeps it until its renewal`,
    )
  const subject = subjectOf(certificate)
  const { keystore, items } = keystoresOf(certificate)
  const all = [...items, ...outputFormats(certificate)]
  return {
    authorityRef,
    ...(role === undefined ? { usages } : { role }),
    ...(subject === undefined ? {} : { subject }),
    ...listed('dnsNames', certificate.texts('spec.dnsNames').map(dnsName)),
    ...listed('ipAddresses', certificate.texts('spec.ipAddresses')),
    ...listed('uris', certificate.texts('spec.uris')),
    ...listed('emailAddresses', certificate.texts('spec.emailAddresses')),
    ...lifetimeOf(certificate),
    ...windowsOf(certificate),
    privateKey,
    secret: {
      name: certificate.text('spec.secretName') ?? '',
      type: secretType,
      ...(all.length === 0 ? {} : { items: [...plainItems, ...all] }),
      ...templateOf(certificate),
    },
    ...(keystore === undefined ? {} : { keystore }),
  }
}

const plainItems: readonly Item[] = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey' },
  { key: 'ca.crt', content: 'TrustBundle' },
]

const listed = (name: string, values: readonly string[]): Record<string, readonly string[]> =>
  values.length === 0 ? {} : { [name]: [...new Set(values)] }

/** In the form in which it stands in certificates, where it has one; what has none is refused by the schema, in its words. */
const dnsName = (text: string): string => {
  try {
    return normaliseDnsName(text)
  } catch (error) {
    if (error instanceof NameError) return text
    throw error
  }
}

const algorithms = ['RSA', 'ECDSA', 'Ed25519'] as const
const rsaSizes = [2048, 3072, 4096] as const

interface PrivateKey {
  readonly algorithm: (typeof algorithms)[number]
  readonly size?: number
  readonly encoding: 'PKCS8' | 'PKCS1' | 'SEC1'
  readonly rotation?: 'Never'
}

const privateKeyOf = (certificate: Reader): PrivateKey => {
  const algorithm = certificate.choice('spec.privateKey.algorithm', algorithms) ?? 'RSA'
  const encoding = certificate.choice('spec.privateKey.encoding', ['PKCS1', 'PKCS8']) ?? 'PKCS1'
  const rotation = certificate.choice('spec.privateKey.rotationPolicy', ['Always', 'Never'])
  const size = sizeOf(certificate, algorithm)
  const traditional = algorithm === 'RSA' ? 'PKCS1' : 'SEC1'
  return {
    algorithm,
    ...(size === undefined ? {} : { size }),
    encoding: encoding === 'PKCS8' || algorithm === 'Ed25519' ? 'PKCS8' : traditional,
    ...(rotation === 'Never' ? { rotation } : {}),
  }
}

const sizeOf = (certificate: Reader, algorithm: PrivateKey['algorithm']): number | undefined => {
  const given = certificate.number('spec.privateKey.size')
  if (algorithm === 'Ed25519') {
    if (given !== undefined) certificate.note('spec.privateKey.size', 'left out: Ed25519 has one size')
    return undefined
  }
  if (algorithm === 'ECDSA') return given ?? 256
  const size = rsaSizes.find((one) => one >= (given ?? 2048)) ?? 4096
  if (given !== undefined && given !== size)
    certificate.note(
      'spec.privateKey.size',
      `dbtls makes RSA keys of ${rsaSizes.join(', ')} bits alone: the certificate is issued anew with ${size} bits as soon as it is taken over`,
    )
  return size
}

const lifetimeOf = (certificate: Reader): Record<string, unknown> => {
  const percentage = certificate.number('spec.renewBeforePercentage')
  return {
    ...durationAt(certificate, 'spec.duration', 'duration'),
    ...durationAt(certificate, 'spec.renewBefore', 'renewBefore'),
    ...(percentage === undefined ? {} : { renewBeforePercentage: percentage }),
  }
}

const durationAt = (reader: Reader, path: string, name: string): Record<string, string> => {
  const text = reader.text(path)
  if (text === undefined) return {}
  const ms = parseGoDuration(text)
  if (ms !== undefined && ms >= 0) return { [name]: formatDuration(ms) }
  reader.note(path, `${JSON.stringify(text)} is not a duration; left out`)
  return {}
}

const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** dbtls reads digits alone. */
const cronOf = (text: string): string =>
  text
    .trim()
    .split(/\s+/)
    .map((field, at) =>
      (field === '?' ? '*' : field).replace(/[a-z]{3}/gi, (word) => {
        const names = at === 3 ? months : at === 4 ? weekdays : []
        const found = names.indexOf(word.toLowerCase())
        return found < 0 ? word : String(at === 3 ? found + 1 : found)
      }),
    )
    .join(' ')

const windowsOf = (certificate: Reader): Record<string, unknown> => {
  if (certificate.choice('spec.renewal.policy', ['RenewBefore', 'Disabled']) === 'Disabled')
    certificate.note(
      'spec.renewal.policy',
      'dbtls renews every certificate before it ends; the nearest to Disabled is a long spec.duration with a short spec.renewBefore',
    )
  const windows = certificate.list('spec.renewal.windows').flatMap((window) => {
    const cron = window.text('cron')
    const duration = durationAt(window, 'windowDuration', 'duration')
    const timeZone = window.text('timezone')
    for (const { field, message } of window.notes) certificate.note(`spec.renewal.windows[].${field}`, message)
    if (cron === undefined || duration['duration'] === undefined) {
      const said = [cron ?? 'no cron', duration['duration'] ?? 'no windowDuration', timeZone ?? 'UTC'].join(', ')
      certificate.note(
        'spec.renewal.windows[]',
        `a window needs cron and windowDuration; this one is left out: ${said}`,
      )
      return []
    }
    return [{ cron: cronOf(cron), ...duration, ...(timeZone === undefined ? {} : { timeZone }) }]
  })
  return windows.length === 0 ? {} : { rotation: { windows } }
}

const outputFormats = (certificate: Reader): Item[] =>
  certificate.list('spec.additionalOutputFormats').flatMap((format): Item[] => {
    const type = format.choice('type', ['DER', 'CombinedPEM'])
    for (const { message } of format.notes) certificate.note('spec.additionalOutputFormats[].type', message)
    if (type === undefined) return []
    return type === 'DER'
      ? [{ key: 'key.der', content: 'PrivateKeyDER' }]
      : [{ key: 'tls-combined.pem', content: 'KeyThenChain' }]
  })

const templateOf = (certificate: Reader): Record<string, unknown> =>
  Object.fromEntries(
    (['labels', 'annotations'] as const).flatMap((name) => {
      const path = `spec.secretTemplate.${name}`
      const given = Object.entries(certificate.textMap(path))
      const left = given.filter(([key]) => isReservedKey(key)).map(([key]) => key)
      if (left.length > 0)
        certificate.note(path, `${left.join(', ')}: dbtls does not write these; they stay on the Secret as they are`)
      const kept = given.filter(([key]) => !left.includes(key))
      return kept.length === 0 ? [] : [[name, Object.fromEntries(kept)]]
    }),
  )
