/** As whom servers are told: read anew each time, and kept nowhere. */

import { createSecureContext } from 'node:tls'
import { type Context } from '../../control/context.ts'
import { dataOf, readSecret } from '../../control/secrets.ts'
import type { ClientCertificate } from '../../database/connect/probe.ts'
import type { Account } from '../../database/reload/order.ts'
import type { DatabaseTLSProfile } from '../../resources/database-tls-profile.ts'

/** A sentence without a full stop: what is missing and what to do. */
export class AccountMissing extends Error {
  override readonly name = 'AccountMissing'
}

/** Rejects with AccountMissing, or with what the cluster answers. `secretOf`: of a client's certificate, by the client's name. */
export const readAccount = async (
  context: Context,
  profile: DatabaseTLSProfile,
  secretOf: (client: string) => string | undefined,
  signal: AbortSignal,
): Promise<Account> => {
  const { spec } = profile
  const { credentialsSecretRef, client: clientName } = spec.reload ?? {}
  const client = spec.clients?.find(({ name }) => name === clientName)
  const own = credentialsSecretRef && (await contents(context, profile, credentialsSecretRef.name, signal))
  if (credentialsSecretRef !== undefined && own === undefined)
    throw new AccountMissing(
      `Secret "${credentialsSecretRef.name}" of spec.reload.credentialsSecretRef does not exist; create it, with the keys username and password`,
    )
  const certificate =
    (own && usable(certificateIn(own), `Secret "${credentialsSecretRef?.name}" of spec.reload.credentialsSecretRef`)) ??
    (await certificateOf(context, profile, secretOf, signal))
  const username = text(own, 'username') ?? client?.username ?? client?.name
  const password = text(own, 'password')
  const database = client?.database ?? spec.connection?.database
  if (username === undefined && password === undefined && certificate === undefined)
    throw new AccountMissing(
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

const contents = async (
  { cluster }: Context,
  { metadata }: DatabaseTLSProfile,
  name: string,
  signal: AbortSignal,
): Promise<Contents | undefined> => {
  const secret = await readSecret(cluster, { namespace: metadata.namespace, name }, signal)
  return secret && dataOf(secret)
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
    throw new AccountMissing(
      isMismatch
        ? `tls.crt and tls.key in ${where} do not belong together; put a pair there`
        : `tls.crt and tls.key in ${where} are no certificate and key that can be read; put PEM there, the key without a password`,
    )
  }
}

const certificateOf = async (
  context: Context,
  profile: DatabaseTLSProfile,
  secretOf: (client: string) => string | undefined,
  signal: AbortSignal,
): Promise<ClientCertificate | undefined> => {
  const { client } = profile.spec.reload ?? {}
  if (client === undefined) return undefined
  const name = secretOf(client)
  const data = name === undefined ? undefined : await contents(context, profile, name, signal)
  const found = data && usable(certificateIn(data), `Secret "${name}" of the client "${client}" (spec.reload.client)`)
  if (found !== undefined) return found
  throw new AccountMissing(
    name === undefined || data === undefined
      ? `the client "${client}" of spec.reload.client has no certificate yet`
      : `Secret "${name}" of the client "${client}" (spec.reload.client) holds no tls.crt and tls.key; name another client, or put them into the Secret of spec.reload.credentialsSecretRef`,
  )
}
