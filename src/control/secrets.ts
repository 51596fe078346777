/** Live reads of the Secrets a controller refers to. Their contents stay on the stack of the one decision that needs them. */

import { ifFound } from '../cluster/errors.ts'
import type { Cluster, ObjectKey } from '../cluster/port.ts'
import { secrets, type Secret } from '../resources/core.ts'

export const readSecret = async (
  cluster: Cluster,
  key: ObjectKey,
  signal?: AbortSignal,
): Promise<Secret | undefined> => {
  return ifFound(cluster.get(secrets, key, signal === undefined ? {} : { signal }))
}

export const dataOf = (secret: Secret): ReadonlyMap<string, Uint8Array> =>
  new Map(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]))

export type ReferencedText =
  | { readonly state: 'found'; readonly value: string; readonly previous?: string; readonly resourceVersion: string }
  | { readonly state: 'missing'; readonly message: string }

/**
 * One key of a Secret as text: passwords and passphrases. A single trailing newline is taken off, because `kubectl
 * create secret --from-file` keeps the one that editors add. `<key>.previous` is read along for a change of passphrase.
 */
export const readText = async (
  cluster: Cluster,
  namespace: string,
  reference: { readonly name: string; readonly key: string },
  field: string,
  signal?: AbortSignal,
): Promise<ReferencedText> => {
  const secret = await readSecret(cluster, { namespace, name: reference.name }, signal)
  if (secret === undefined)
    return {
      state: 'missing',
      message: `Secret "${reference.name}" of ${field} does not exist in namespace "${namespace}"; create it.`,
    }
  const data = dataOf(secret)
  const bytes = data.get(reference.key)
  if (bytes === undefined || bytes.length === 0)
    return {
      state: 'missing',
      message: `Secret "${reference.name}" of ${field} has no key "${reference.key}", or it is empty; add it.`,
    }
  const previous = data.get(`${reference.key}.previous`)
  return {
    state: 'found',
    value: text(bytes),
    ...(previous === undefined ? {} : { previous: text(previous) }),
    resourceVersion: secret.metadata.resourceVersion ?? '',
  }
}

const text = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('utf8')
    .replace(/\r?\n$/, '')
