/**
 * Takes the private key of a CA out of the Secrets that hold it and should not. Apart from the looks at certificates: it
 * must happen whatever stalls, waits or has become of them.
 */

import { isForbidden } from '../cluster/errors.ts'
import { keyOf, type PartialObject } from '../cluster/port.ts'
import { type Context, marks } from '../control/context.ts'
import { readSecret } from '../control/secrets.ts'
import { type Enqueue, priorityOf } from '../control/wakes.ts'
import { applyOwned } from '../control/write-secret.ts'
import { secrets, type Secret } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { ReconcileContext, Result } from '../runtime/controller.ts'
import { ReconcileError } from '../runtime/errors.ts'
import { heldFor, heldFrom, type KeyMark, markOf, markText, undue, type Undue } from './key-mark.ts'

/** What a webhook, a quota or the Secret itself refuses is tried again so much later, ms. */
const refusedMs = 5 * 60 * 1000

/** A sentence why the key is still in a Secret that it should have left; `namespace/name`. */
export type KeyStays = (secret: string) => string | undefined

export class KeyWithdrawal {
  readonly #context: Context
  readonly #again: (certificate: string) => void
  readonly #failed = new Map<string, { readonly note: string; readonly certificate: string }>()

  /** `again` looks at a certificate once more, so that its status says what went wrong. */
  constructor(context: Context, again: (certificate: string) => void) {
    this.#context = context
    this.#again = again
  }

  readonly stays: KeyStays = (secret) => this.#failed.get(secret)?.note

  /** `key` is that of a Secret. At rest nothing is read. */
  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const cached = this.#context.caches.secrets.store.get(key)
    if (cached === undefined || this.#judge(cached) === undefined) return this.#done(key)
    const { namespace = 'default', name } = cached.metadata
    try {
      const secret = await readSecret(this.#context.cluster, { namespace, name }, signal)
      const judged = secret && this.#judge(secret)
      if (secret === undefined || judged === undefined || isOfAnother(secret, judged.mark)) return this.#done(key)
      if (secret.immutable === true)
        return this.#refused(key, judged.mark, 'the Secret is immutable. Delete it to have it made anew without.')
      await this.#take(secret, judged, signal)
      const note = `${this.#named(judged.mark, name, 'Took')}: ${judged.why}`
      if (holds(secret, judged.keys)) this.#tell(judged.mark, namespace, 'KeyWithdrawn', note)
      return this.#done(key)
    } catch (error) {
      const refused = (error instanceof ReconcileError && error.reason === 'WriteFailed') || isForbidden(error)
      const mark = markOf(cached)
      if (!refused || mark === undefined || !(error instanceof Error)) throw error
      return this.#refused(key, mark, error.message)
    }
  }

  #judge(secret: PartialObject): (Undue & { readonly mark: KeyMark }) | undefined {
    const mark = markOf(secret)
    if (mark === undefined) return undefined
    const { authorities, certificates } = this.#context.caches
    const { namespace, name } = secret.metadata
    const authority = authorities.store.get(`${namespace}/${mark.authority}`)
    const found = undue(name, mark, authority, certificates.store.get(`${namespace}/${mark.certificate}`))
    return found && { ...found, mark }
  }

  /** A key that another field manager has written as well outlives an apply without it; an empty value replaces it. */
  async #take(secret: Secret, judged: Undue & { readonly mark: KeyMark }, signal: AbortSignal): Promise<void> {
    const { namespace = 'default', name } = secret.metadata
    await this.#write(secret, judged, isRequired(secret), signal)
    const after = await readSecret(this.#context.cluster, { namespace, name }, signal)
    // Where the mark names them again, the certificate has written them meanwhile: another look's.
    const anew = after !== undefined && markOf(after)?.keys.some((one) => judged.keys.includes(one)) === true
    if (after === undefined || anew || !holds(after, judged.keys)) return
    await this.#write(after, judged, () => true, signal)
  }

  /** Everything else stays, and whoever lives from the certificate goes on: an apply that names all that is there. */
  async #write(
    { apiVersion, kind, metadata, type = 'Opaque', data = {} }: Secret,
    { keys, mark }: Undue & { readonly mark: KeyMark },
    blank: (key: string) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { name, namespace, uid = '', resourceVersion = '', labels = {}, ownerReferences = [] } = metadata
    const { [marks.authorityKey]: _, ...annotations } = metadata.annotations ?? {}
    const left = mark.keys.filter((key) => !keys.includes(key))
    const marked =
      left.length === 0 ? {} : { [marks.authorityKey]: markText(keyOf({ metadata }), { ...mark, keys: left }) }
    const kept = Object.entries(data).flatMap(([key, value]) => {
      if (!keys.includes(key)) return [[key, value]]
      return blank(key) ? [[key, '']] : []
    })
    const object: Secret = {
      apiVersion,
      kind,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...{ uid, resourceVersion, labels, ownerReferences },
        annotations: { ...annotations, ...marked },
      },
      type,
      data: Object.fromEntries(kept),
    }
    await applyOwned(this.#context, secrets, this.#context.caches.secrets, object, false, signal)
  }

  #done(key: string): Result {
    const failed = this.#failed.get(key)
    this.#failed.delete(key)
    if (failed !== undefined) this.#again(failed.certificate)
    return {}
  }

  #refused(key: string, mark: KeyMark, why: string): Result {
    const [namespace = '', name = ''] = key.split('/')
    const note = `${this.#named(mark, name, 'Could not take')}: ${why}`
    const certificate = `${namespace}/${mark.certificate}`
    if (this.stays(key) !== note) {
      this.#failed.set(key, { note, certificate })
      this.#tell(mark, namespace, 'WriteFailed', note)
      this.#again(certificate)
    }
    return { requeueAfterMs: refusedMs }
  }

  #named({ authority }: KeyMark, secret: string, verb: string): string {
    return `${verb} the private key of CertificateAuthority "${authority}" out of Secret "${secret}"`
  }

  /** The CA, for whoever watches over it; where it is gone, the certificate. */
  #tell(mark: KeyMark, namespace: string, reason: 'KeyWithdrawn' | 'WriteFailed', note: string): void {
    const { authorities, certificates } = this.#context.caches
    const regarding =
      authorities.store.get(`${namespace}/${mark.authority}`) ??
      certificates.store.get(`${namespace}/${mark.certificate}`)
    if (regarding === undefined) return
    this.#context.events.record({ regarding, type: 'Warning', reason, action: 'Withdraw', note })
  }
}

/** A mark that somebody has put on the Secret of a CA must not cost it its key. */
const isOfAnother = ({ metadata }: Secret, { certificate }: KeyMark): boolean => {
  const owner = metadata.annotations?.[marks.owner]
  return owner !== undefined && owner !== `DatabaseCertificate/${certificate}`
}

const holds = ({ data = {} }: Secret, keys: readonly string[]): boolean =>
  keys.some((key) => Object.hasOwn(data, key) && data[key] !== '')

/** A Secret of that type must have both keys, though they may be empty (Kubernetes: ValidateSecret). */
const isRequired =
  ({ type }: Secret) =>
  (key: string): boolean =>
    type === 'kubernetes.io/tls' && (key === 'tls.crt' || key === 'tls.key')

/** The spec of a certificate, and that for which it has had its turn. */
const turnOf = ({ metadata, status }: DatabaseCertificate): string =>
  `${metadata.uid} ${metadata.generation} ${status?.observedGeneration}`

/** Which change makes which Secret be looked at for a key of a CA. */
export const wakeWithdrawal = ({ authorities, certificates, secrets: held }: Context['caches'], enqueue: Enqueue) => {
  const wake = (index: string): void => {
    for (const secret of held.store.by('keyMark', index)) enqueue(keyOf(secret), { priority: 'user' })
  }
  authorities.onChange(({ before, after, initial, key }) => {
    if (!initial && before?.spec.allowKeyExport !== after?.spec.allowKeyExport) wake(heldFrom(key))
  })
  certificates.onChange(({ before, after, initial, key }) => {
    // Not when it says how the withdrawal went: a refusal in other words each time would go round and round.
    const same = before !== undefined && after !== undefined && turnOf(before) === turnOf(after)
    if (!initial && !same) wake(heldFor(key))
  })
  held.onChange((change) => {
    const marked = [change.before, change.after].some((one) => one !== undefined && markOf(one) !== undefined)
    if (marked) enqueue(change.key, priorityOf(change))
  })
}
