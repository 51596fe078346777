/** `spec.keystores` → items of the Secret and where their password is. A password that stands in the Certificate is printed nowhere. Pure. */

import type { Item } from '../../resources/secret-items.ts'
import type { Reader } from './reader.ts'

interface Keystore {
  readonly passwordSecretRef?: { readonly name: string; readonly key: string }
  readonly pkcs12Profile?: 'Modern2023' | 'LegacyDES'
}

export const keystoresOf = (
  certificate: Reader,
): { readonly keystore: Keystore | undefined; readonly items: readonly Item[] } => {
  const jks = certificate.flag('spec.keystores.jks.create')
  const pkcs12 = certificate.flag('spec.keystores.pkcs12.create')
  for (const [type, made] of [
    ['jks', jks],
    ['pkcs12', pkcs12],
  ] as const)
    if (!made && certificate.has(`spec.keystores.${type}`)) tellUnused(certificate, type)
  if (!jks && !pkcs12) return { keystore: undefined, items: [] }
  const alias = certificate.text('spec.keystores.jks.alias') ?? 'certificate'
  const items: Item[] = [
    ...(jks
      ? ([
          { key: 'keystore.jks', content: 'JKSKeystore', alias },
          { key: 'truststore.jks', content: 'JKSTruststore' },
        ] as const)
      : []),
    ...(pkcs12
      ? ([
          { key: 'keystore.p12', content: 'PKCS12Keystore' },
          { key: 'truststore.p12', content: 'PKCS12Truststore' },
        ] as const)
      : []),
  ]
  const [first, second] = (['jks', 'pkcs12'] as const)
    .filter((type) => (type === 'jks' ? jks : pkcs12))
    .map((type) => passwordOf(certificate, type))
  if (first !== undefined && second !== undefined && (first.name !== second.name || first.key !== second.key))
    certificate.note(
      'spec.keystores.pkcs12.passwordSecretRef',
      `dbtls has one password for all keystores of a Secret: that of jks, key "${first.key}" of Secret "${first.name}", is written for both`,
    )
  const profile = pkcs12 ? profileOf(certificate) : undefined
  return {
    keystore: {
      ...(first === undefined ? {} : { passwordSecretRef: first }),
      ...(profile === undefined ? {} : { pkcs12Profile: profile }),
    },
    items,
  }
}

const tellUnused = (certificate: Reader, type: 'jks' | 'pkcs12'): void =>
  certificate.note(
    `spec.keystores.${type}.create`,
    'is not true, so there is no such keystore; what stands beside it is left out',
  )

const passwordOf = (
  certificate: Reader,
  type: 'jks' | 'pkcs12',
): { readonly name: string; readonly key: string } | undefined => {
  const path = `spec.keystores.${type}`
  const name = certificate.text(`${path}.passwordSecretRef.name`)
  const key = certificate.text(`${path}.passwordSecretRef.key`)
  if (name !== undefined) {
    if (certificate.text(`${path}.password`) !== undefined)
      certificate.note(`${path}.password`, 'left out beside passwordSecretRef')
    return { name, key: key ?? 'password' }
  }
  if (certificate.text(`${path}.password`) === undefined) {
    certificate.note(
      `${path}.passwordSecretRef`,
      'names no Secret: dbtls makes a password once, and keeps it in the Secret under keystore-password',
    )
    return undefined
  }
  const made = `${certificate.text('spec.secretName') ?? 'tls'}-password`
  certificate.note(
    `${path}.password`,
    `put it into a Secret "${made}" under the key "password" before anything else: that is where spec.keystore.passwordSecretRef of the manifest looks for it`,
  )
  return { name: made, key: 'password' }
}

const profiles = ['LegacyRC2', 'LegacyDES', 'Modern2023', 'Modern2026'] as const

const profileOf = (certificate: Reader): 'Modern2023' | 'LegacyDES' => {
  const path = 'spec.keystores.pkcs12.profile'
  const given = certificate.choice(path, profiles)
  if (given === 'Modern2023' || given === 'LegacyDES') return given
  if (given === 'Modern2026') {
    certificate.note(path, 'dbtls writes Modern2023 instead, whose readers include those of Modern2026')
    return 'Modern2023'
  }
  certificate.note(
    path,
    `${given ?? 'LegacyRC2, the default of cert-manager,'} is not written by dbtls: LegacyDES instead, which every reader of it opens; set Modern2023 unless there are very old ones (Java before 8u301)`,
  )
  return 'LegacyDES'
}
