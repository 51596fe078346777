/** As whom servers are told: read anew each time, and kept nowhere. */

import { createSecureContext } from 'node:tls'
import { readDelivered } from '../../certificate/delivered.ts'
import { type Context, marks } from '../../control/context.ts'
import { dataOf, readSecret } from '../../control/secrets.ts'
import type { ClientCertificate } from '../../database/connect/sight.ts'
import type { Account } from '../../database/reload/order.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../../resources/database-tls-profile.ts'
import type { AccountReason } from './decide.ts'

/** The message is a sentence without a full stop: what is wrong and what to do. */
export class AccountProblem extends Error {
  override readonly name = 'AccountProblem'
  readonly reason: AccountReason

  constructor(reason: AccountReason, message: string) {
    super(message)
    this.reason = reason
  }
}

const missing = (message: string): AccountProblem => new AccountProblem('AccountMissing', message)

/** Rejects with AccountProblem, or with what the cluster answers. `certificateOf`: a client's, by the client's name. */
export const readAccount = async (
  context: Context,
  profile: DatabaseTLSProfile,
  certificateOf: (client: string) => DatabaseCertificate | undefined,
  signal: AbortSignal,
): Promise<Account> => {
  const { spec } = profile
  const { credentialsSecretRef, client: clientName } = spec.reload ?? {}
  const client = spec.clients?.find(({ name }) => name === clientName)
  const own = credentialsSecretRef && (await offered(context, profile, credentialsSecretRef.name, signal))
  const certificate =
    (own && usable(certificateIn(own), `Secret "${credentialsSecretRef?.name}" of spec.reload.credentialsSecretRef`)) ??
    (clientName === undefined ? undefined : await shownBy(context, clientName, certificateOf(clientName), signal))
  const username = text(own, 'username') ?? client?.username ?? client?.name
  const password = text(own, 'password')
  const database = client?.database ?? spec.connection?.database
  if (username === undefined && password === undefined && certificate === undefined)
    throw missing(
      `Secret "${credentialsSecretRef?.name}" of spec.reload.credentialsSecretRef has neither username nor password nor tls.crt and tls.key; add them`,
    )
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(database === undefined ? {} : { database }),
  }
}

type Contents = ReadonlyMap<string, Uint8Array>

/**
 * Who writes a profile chooses the servers that a password is sent to, and need not be one who may read Secrets: a Secret that does
 * not name the profile itself is not looked into.
 */
const offered = async (
  { cluster }: Context,
  { metadata }: DatabaseTLSProfile,
  name: string,
  signal: AbortSignal,
): Promise<Contents> => {
  const secret = await readSecret(cluster, { namespace: metadata.namespace, name }, signal)
  const annotation = `${marks.reloadCredentials}: "${metadata.name}"`
  if (secret === undefined)
    throw missing(
      `Secret "${name}" of spec.reload.credentialsSecretRef does not exist; create it with the annotation ${annotation} and the keys username and password`,
    )
  const profiles = secret.metadata.annotations?.[marks.reloadCredentials]?.split(',').map((one) => one.trim())
  if (profiles?.includes(metadata.name) === true) return dataOf(secret)
  throw new AccountProblem(
    'AccountNotOffered',
    `Secret "${name}" of spec.reload.credentialsSecretRef does not offer its account to this profile; whoever may change the Secret can annotate it with ${annotation}`,
  )
}

/** A single line end is what editors add. */
const text = (data: Contents | undefined, key: string): string | undefined => {
  const bytes = data?.get(key)
  return bytes === undefined || bytes.length === 0
    ? undefined
    : Buffer.from(bytes)
        .toString('utf8')
        .replace(/\r?\n$/, '')
}

const certificateIn = (data: Contents): ClientCertificate | undefined => {
  const [chain, key] = [text(data, 'tls.crt'), text(data, 'tls.key')]
  return chain === undefined || key === undefined ? undefined : { chain, key }
}

/** As every connection would find out: a word of it here, and no server is asked in vain. OpenSSL's own words are not told. */
const usable = (certificate: ClientCertificate | undefined, where: string): ClientCertificate | undefined => {
  if (certificate === undefined) return undefined
  try {
    createSecureContext({ cert: certificate.chain, key: certificate.key })
    return certificate
  } catch (error) {
    const isMismatch = (error as NodeJS.ErrnoException).code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
    throw missing(
      isMismatch
        ? `tls.crt and tls.key in ${where} do not belong together; put a pair there`
        : `tls.crt and tls.key in ${where} are no certificate and key that can be read; put PEM there, the key without a password`,
    )
  }
}

const shownBy = async (
  { cluster }: Context,
  client: string,
  certificate: DatabaseCertificate | undefined,
  signal: AbortSignal,
): Promise<ClientCertificate> => {
  const secret = certificate && (await readDelivered(cluster, certificate, signal))
  if (certificate === undefined || secret === undefined)
    throw missing(`the client "${client}" of spec.reload.client has no certificate yet`)
  const { name } = certificate.spec.secret
  const found = usable(certificateIn(dataOf(secret)), `Secret "${name}" of the client "${client}" (spec.reload.client)`)
  if (found !== undefined) return found
  throw missing(
    `Secret "${name}" of the client "${client}" (spec.reload.client) holds no tls.crt and tls.key; name another client, or put them into the Secret of spec.reload.credentialsSecretRef`,
  )
}
