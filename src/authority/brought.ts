/**
 * Authorities that are brought along: `source.secret` and `source.trustOnly`. Reads what the user's objects hold and judges
 * it. They stay the user's: nothing here or elsewhere writes, owns or annotates them.
 */

import { ifFound } from '../cluster/errors.ts'
import { keyOf } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { dataOf, readSecret, readText } from '../control/secrets.ts'
import { type AuthorityRefusal, importAuthority, type ImportedAuthority } from '../pki/imports/authority.ts'
import { type ImportedTrust, importTrust } from '../pki/imports/trust.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { configMaps, type Secret } from '../resources/core.ts'
import type { Reason } from '../resources/reasons.ts'
import { keySecretOf, passphraseFieldOf, passphraseRefOf } from './names.ts'

export type BroughtSeen =
  | {
      readonly state: 'refused'
      readonly reason: Reason
      readonly message: string
      /** ms at which time alone will have cured it. */
      readonly until?: number | undefined
    }
  | {
      readonly state: 'authority'
      readonly imported: ImportedAuthority
      readonly observed: {
        readonly secretUid: string
        readonly secretResourceVersion: string
        readonly passphraseResourceVersion?: string
      }
    }
  | { readonly state: 'trust'; readonly bundle: ImportedTrust }

type Refused = Extract<BroughtSeen, { state: 'refused' }>
type Reading = Pick<Context, 'cluster' | 'clock'>

const refused = (reason: Reason, message: string): Refused => ({ state: 'refused', reason, message })

/** Everything is read live: signing may hang on it. Rejects with ApiError alone. */
export const readBrought = (
  context: Reading,
  authority: CertificateAuthority,
  signal?: AbortSignal,
): Promise<BroughtSeen> =>
  authority.spec.source.trustOnly === undefined
    ? readAuthority(context, authority, signal)
    : readTrust(context, authority, signal)

const readAuthority = async (
  { cluster, clock }: Reading,
  authority: CertificateAuthority,
  signal?: AbortSignal,
): Promise<BroughtSeen> => {
  const { namespace = 'default' } = authority.metadata
  const source = authority.spec.source.secret
  if (source === undefined) throw new Error('the authority was not brought along')
  const reference = passphraseRefOf(authority)
  const [secret, passphrase] = await Promise.all([
    readSecret(cluster, { namespace, name: source.name }, signal),
    reference === undefined ? undefined : readText(cluster, namespace, reference, passphraseFieldOf(authority), signal),
  ])
  const data = secretData(secret, namespace, source.name, [source.certificateKey, source.privateKeyKey])
  if ('state' in data) return data
  const given = passphrase?.state === 'found' ? [passphrase.value, passphrase.previous] : []
  const verdict = await importAuthority({
    certificate: data.get(source.certificateKey) ?? new Uint8Array(),
    privateKey: data.get(source.privateKeyKey) ?? new Uint8Array(),
    chain: data.get(source.chainKey),
    passphrases: given.filter((text) => text !== undefined),
    now: clock.now(),
  })
  if (verdict.state === 'refused')
    // Only who is asked for a passphrase is told that its Secret is missing.
    return verdict.kind === 'PassphraseMissing' && passphrase?.state === 'missing'
      ? refused('PassphraseNotFound', passphrase.message)
      : explained(source.name, verdict)
  return {
    state: 'authority',
    imported: verdict.authority,
    observed: {
      secretUid: secret?.metadata.uid ?? '',
      secretResourceVersion: secret?.metadata.resourceVersion ?? '',
      ...(passphrase?.state === 'found' ? { passphraseResourceVersion: passphrase.resourceVersion } : {}),
    },
  }
}

const reasonOf = {
  Invalid: 'AuthoritySecretInvalid',
  KeyMismatch: 'AuthoritySecretInvalid',
  CannotSign: 'AuthorityCannotSign',
  Expired: 'AuthorityExpired',
  NotYetValid: 'AuthorityNotYetValid',
  PassphraseMissing: 'PassphraseNotFound',
  PassphraseWrong: 'PassphraseWrong',
} as const satisfies Record<AuthorityRefusal['kind'], Reason>

const adviceOf: Partial<Record<AuthorityRefusal['kind'], string>> = {
  PassphraseMissing: ' Put it into a Secret and name that in spec.source.secret.passphraseSecretRef.',
  PassphraseWrong: ' Correct the Secret of spec.source.secret.passphraseSecretRef.',
  KeyMismatch: ' Put key and certificate of one authority into it.',
}

const explained = (name: string, { kind, problems, validFrom }: AuthorityRefusal): Refused => ({
  ...refused(
    reasonOf[kind],
    `Secret "${name}" of spec.source.secret: ${problems.join(' ')}${adviceOf[kind] ?? ''} Nothing is signed meanwhile.`,
  ),
  until: validFrom,
})

const readTrust = async (
  { cluster, clock }: Reading,
  authority: CertificateAuthority,
  signal?: AbortSignal,
): Promise<BroughtSeen> => {
  const { namespace = 'default' } = authority.metadata
  const { configMapRef, secretRef, inline } = authority.spec.source.trustOnly ?? {}
  let bundle: Uint8Array | undefined
  let title = 'spec.source.trustOnly.inline'
  if (configMapRef !== undefined) {
    title = `ConfigMap "${configMapRef.name}" of spec.source.trustOnly.configMapRef`
    bundle = await readConfigMap({ cluster }, namespace, configMapRef, signal)
    if (bundle === undefined) return refused('ConfigMapNotFound', missingKey(title, configMapRef.key))
  } else if (secretRef !== undefined) {
    title = `Secret "${secretRef.name}" of spec.source.trustOnly.secretRef`
    const secret = await readSecret(cluster, { namespace, name: secretRef.name }, signal)
    bundle = secret === undefined ? undefined : dataOf(secret).get(secretRef.key)
    if (bundle === undefined) return refused('SecretNotFound', missingKey(title, secretRef.key))
  } else bundle = Buffer.from(inline ?? '')
  const verdict = importTrust(bundle, clock.now())
  if (verdict.state === 'usable') return { state: 'trust', bundle: verdict.bundle }
  const message = `${title}: ${verdict.problems.join(' ')} What was delivered before stays in use.`
  return refused(verdict.kind === 'Expired' ? 'TrustExpired' : 'TrustBundleInvalid', message)
}

const readConfigMap = async (
  { cluster }: Pick<Context, 'cluster'>,
  namespace: string,
  { name, key }: { readonly name: string; readonly key: string },
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> => {
  const found = await ifFound(cluster.get(configMaps, { namespace, name }, signal === undefined ? {} : { signal }))
  const { data = {}, binaryData = {} } = found ?? {}
  if (Object.hasOwn(data, key)) return Buffer.from(data[key] ?? '')
  return Object.hasOwn(binaryData, key) ? Buffer.from(binaryData[key] ?? '', 'base64') : undefined
}

const missingKey = (title: string, key: string): string =>
  `${title} does not exist, or has no key "${key}"; create it or correct the reference.`

const secretData = (
  secret: Secret | undefined,
  namespace: string,
  name: string,
  keys: readonly string[],
): ReadonlyMap<string, Uint8Array> | Refused => {
  if (secret === undefined)
    return refused(
      'SecretNotFound',
      `Secret "${name}" of spec.source.secret does not exist in namespace "${namespace}"; create it. Nothing is signed meanwhile.`,
    )
  const data = dataOf(secret)
  const missing = keys.filter((key) => (data.get(key)?.length ?? 0) === 0)
  return missing.length === 0
    ? data
    : refused(
        'SecretNotFound',
        `Secret "${name}" of spec.source.secret has no key ${missing.map((key) => `"${key}"`).join(' and ')}; add it. Nothing is signed meanwhile.`,
      )
}

/**
 * The authority that has had its key in the same Secret for longer: each would have a ledger and a revocation list of
 * half of what the key has signed.
 */
export const rivalOf = (
  { caches }: Pick<Context, 'caches'>,
  authority: CertificateAuthority,
): CertificateAuthority | undefined => {
  const name = keySecretOf(authority)
  if (name === undefined || authority.spec.source.secret === undefined) return undefined
  return caches.authorities.store
    .by('secret', `${authority.metadata.namespace}/${name}`)
    .filter((other) => keyOf(other) !== keyOf(authority) && keySecretOf(other) === name)
    .find((other) => other.spec.source.secret === undefined || isOlder(other, authority))
}

const isOlder = ({ metadata: a }: CertificateAuthority, { metadata: b }: CertificateAuthority): boolean => {
  const [first, second] = [a, b].map(({ creationTimestamp }) => Date.parse(creationTimestamp ?? '') || 0)
  return first === second ? a.name < b.name : (first ?? 0) < (second ?? 0)
}
