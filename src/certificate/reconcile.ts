/**
 * What is special to a DatabaseCertificate. At most three writes for an issuance (ledger, Secret, status) and none at rest;
 * a crash between any two is mended by the next look.
 */

import type { Keyring } from '../authority/keyring.ts'
import { keyOf, type ObjectMeta } from '../cluster/port.ts'
import { Actor } from '../control/actor.ts'
import { type Context, existing } from '../control/context.ts'
import { isFailedIssuance } from '../control/failure.ts'
import { KeyGate } from '../control/key-gate.ts'
import { toTimestamp } from '../control/schedule.ts'
import { SecretAppeared } from '../control/write-secret.ts'
import { isCompromisedKey } from '../ledger/record.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { publicKeyHash } from '../pki/keys/keys.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import {
  databaseCertificates,
  type DatabaseCertificate,
  type DatabaseCertificateStatus,
} from '../resources/database-certificate.ts'
import { longestRequeueMs, type ReconcileContext, type Result } from '../runtime/controller.ts'
import { Terminal } from '../runtime/errors.ts'
import { decide } from './decide.ts'
import { deliver, encodeAgain } from './deliver.ts'
import { Familiar } from './familiar.ts'
import { gather, type ReadRevocationList } from './gather.ts'
import { type Issued, issueLeaf, refuseUnfit, reusableKey } from './issue.ts'
import { exportsKey } from './key-export.ts'
import type { KeyStays } from './key-withdrawal.ts'
import { notesOf } from './notes.ts'
import { type Look, type Observed, usable } from './observed.ts'
import { refreshLists } from './revocation-list.ts'
import { outsideWindows, renewalOf } from './renewal.ts'
import { seeEntry } from './rivals.ts'
import { settledUntil } from './settled.ts'
import { factsOf, factsWithout, remembered, tellsWithout } from './status.ts'
import { everyTurn, patientUntil, type Turns } from './turns.ts'
import { Undelivered } from './undelivered.ts'
import { presentVariant, standingVariant } from './variant.ts'
import type { Wanted } from './wanted.ts'

/** A key that waits is woken; this is for the case that nobody is left to wake it, ms. */
const keyWaitMs = 30_000

/** Until another certificate with the same key has its status, which then says so, ms. */
const takenKeyWaitMs = 1000

/** Nobody of ours has written its Secret yet. */
const isFirstTaken = ({ secret }: Observed): boolean =>
  secret.state === 'present' && secret.takenOver && secret.owner === undefined

interface Verified {
  readonly secret: string
  readonly password: string
  readonly request: string
}

export interface CertificateOptions {
  /** RSA keys made at the same time. */
  readonly rsaKeys: number
  /** Looks at a certificate once more, when it had to wait for its key. */
  readonly again: (key: string) => void
  readonly readRevocationList: ReadRevocationList
  readonly keyStays: KeyStays
  /** Absent: no certificate waits in a rotation. */
  readonly turns?: Turns | undefined
}

type Version = Pick<ObjectMeta, 'uid' | 'resourceVersion'>

export class CertificateReconciler {
  readonly #context: Context
  readonly #actor: Actor<DatabaseCertificate, Observed>
  /** Versions found good since the status was written: somebody's own label on our Secret does not cost a read at every look. */
  readonly #verified = new Map<string, Verified>()
  /** Whose Secret the cache does not know yet, although it is there. */
  readonly #surprised = new Set<string>()
  readonly #undelivered = new Undelivered()
  readonly #familiar = new Familiar()
  readonly #turns: Turns
  readonly #rsa: KeyGate
  /** Hashes of the keys of requests that are being signed. */
  readonly #requestKeys = new Set<string>()

  constructor(
    context: Context,
    keyring: Keyring,
    { rsaKeys, again, readRevocationList, keyStays, turns = everyTurn }: CertificateOptions,
  ) {
    this.#context = context
    this.#turns = turns
    this.#rsa = new KeyGate(rsaKeys, again)
    const familiar = this.#familiar
    this.#actor = new Actor(context, databaseCertificates, context.caches.certificates, {
      gather: async (certificate, signal) => {
        const surprised = this.#surprised.delete(keyOf(certificate))
        const readAuthorityKey = (authority: CertificateAuthority) => keyring.exportKey(authority)
        const options = { familiar, readRevocationList, readAuthorityKey, keyStays, turns, surprised }
        const seen = await gather(context, keyring, certificate, signal, options)
        const wrote = await this.#refreshLists(certificate, seen, signal)
        return wrote ? gather(context, keyring, certificate, signal, options) : seen
      },
      decide,
      issue: (look, why) => this.#alone(look, () => this.#actor.attempt(look, () => this.#issue(look, why))),
      encode: (look, why) => this.#encode(look, why),
      settle: (look) => this.#settle(look),
      // A refused Secret does not count: what was issued for it is kept, and costs the ledger nothing.
      isCounted: isFailedIssuance,
      onError: (certificate) => familiar.forget(keyOf(certificate)),
    })
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const { caches, clock } = this.#context
    const certificate = existing(caches.certificates, key)
    if (certificate === undefined) {
      for (const memory of [this.#verified, this.#surprised]) memory.delete(key)
      for (const memory of [this.#undelivered, this.#familiar]) memory.forget(key)
      return {}
    }
    const renewAt = settledUntil(this.#context, certificate, this.#verified.get(key), this.#turns)
    return renewAt === undefined ? this.#actor.look(certificate, signal) : { requeueAfterMs: renewAt - clock.now() }
  }

  /** A certificate that has to stay as it is keeps its list up to date; any other has its Secret written as a whole. */
  async #refreshLists(certificate: DatabaseCertificate, seen: Observed, signal: AbortSignal): Promise<boolean> {
    const { resolved, revocationList, secret } = seen
    if (!('wanted' in resolved) || revocationList?.state !== 'found') return false
    if (secret.state !== 'present' || secret.staleLists.length === 0) return false
    const { cure } = decide(seen, this.#context.clock.now())
    if (cure !== 'Stall' && cure !== 'Wait') return false
    const { wanted } = resolved
    const what = { wanted, present: revocationList, judged: secret }
    try {
      if (!(await refreshLists(this.#context, certificate, what, signal))) return false
    } catch (error) {
      if (!(error instanceof Terminal)) throw error
      // The condition has its own story to tell, which does not wait for this.
      const { reason, message: note } = error
      this.#context.events.record({ regarding: certificate, type: 'Warning', reason, action: 'Encode', note })
      return false
    }
    const note = `Wrote Secret "${wanted.secret.name}" again with the revocation list ${revocationList.number}, and nothing else in it.`
    this.#actor.announce(certificate, 'Encoding', 'Encode', note)
    return true
  }

  /** For whoever watches over the CA: its key is in one more place. */
  #tellExport({ metadata }: DatabaseCertificate, { authority, secret }: Wanted): void {
    if (!exportsKey(secret.items)) return
    const regarding = this.#context.caches.authorities.store.get(`${authority.namespace}/${authority.name}`)
    if (regarding === undefined) return
    const note = `Its private key was written into Secret "${secret.name}" for DatabaseCertificate "${metadata.name}".`
    this.#context.events.record({ regarding, type: 'Warning', reason: 'KeyExported', action: 'Export', note })
  }

  #tellEarly(regarding: DatabaseCertificate, { serialNumber }: ParsedCertificate): void {
    const note = `Certificate ${serialNumber} was signed by the next CA, before everybody is known to trust that: the former one would have ended, and its owner has taken the key away.`
    this.#context.events.record({ regarding, type: 'Warning', reason: 'SignedEarly', action: 'Issue', note })
  }

  #tellTaken(
    certificate: DatabaseCertificate,
    { secret }: Wanted,
    { serialNumber, notAfter }: ParsedCertificate,
  ): void {
    const note = `Took over Secret "${secret.name}" with the certificate ${serialNumber} and its key, as they were; it is valid until ${toTimestamp(notAfter)}.`
    this.#actor.announce(certificate, 'Adopted', 'Encode', note)
  }

  #tellOutside(regarding: DatabaseCertificate): void {
    const note = `${outsideWindows} It was renewed at once. Let a window open between renewal and end: raise spec.renewBefore, or add one.`
    this.#context.events.record({ regarding, type: 'Warning', reason: 'OutsideWindows', action: 'Issue', note })
  }

  /** One request under two objects at one moment: the second looks again when the first has told whose key it is. */
  async #alone({ seen }: Look, issue: () => Promise<Result>): Promise<Result> {
    const { request } = usable(seen).wanted
    if (request === undefined) return issue()
    const key = publicKeyHash(request.spki)
    if (this.#requestKeys.has(key)) return { requeueAfterMs: takenKeyWaitMs }
    this.#requestKeys.add(key)
    try {
      return await issue()
    } finally {
      this.#requestKeys.delete(key)
    }
  }

  async #issue(look: Look, why: string): Promise<() => Promise<Result>> {
    const { object: certificate, seen } = look
    const { wanted, authority } = usable(seen)
    const reused = reusableKey(this.#context, certificate, seen, wanted)
    const kept = this.#kept(look)
    const makesKey = kept === undefined && reused === undefined && wanted.request === undefined
    const makesRsaKey = makesKey && wanted.keyAlgorithm.algorithm === 'RSA'
    const leave = makesRsaKey ? this.#rsa.enter(keyOf(certificate)) : undefined
    if (makesRsaKey && leave === undefined) return () => Promise.resolve({ requeueAfterMs: keyWaitMs })
    try {
      const issued = kept ?? (await issueLeaf(this.#context, wanted, authority, reused))
      // Nobody's key waits for somebody's writes.
      leave?.()
      const recorded = kept !== undefined
      const { metadata } = await deliver(this.#context, this.#undelivered, look, { issued, recorded })
      return () => this.#issued(look, issued.certificate, metadata, why)
    } catch (error) {
      if (error instanceof SecretAppeared) this.#surprised.add(keyOf(certificate))
      throw error
    } finally {
      leave?.()
    }
  }

  /** Signed before and not delivered yet, where it is still what the CA may sign. */
  #kept({ object: certificate, seen }: Look): Issued | undefined {
    const { wanted, authority } = usable(seen)
    const { fingerprint } = authority.material.certificate
    const kept = this.#undelivered.find(certificate, fingerprint, wanted, this.#context.clock.now())
    if (kept === undefined) return undefined
    const entry = seeEntry(this.#context, wanted.authority, kept.certificate.serialNumber)
    if (entry?.state === 'Revoked') return undefined
    const ledgers = [wanted.authority.namespace, certificate.metadata.namespace]
    if (isCompromisedKey(this.#context.caches, ledgers, kept.certificate.spki)) return undefined
    refuseUnfit(authority, kept.certificate)
    return kept
  }

  #issued(look: Look, leaf: ParsedCertificate, secret: Version, why: string): Promise<Result> {
    const { object: certificate, seen } = look
    const { wanted } = usable(seen)
    const adopted = seen.secret.state === 'present' && seen.secret.adopted
    this.#tellExport(certificate, wanted)
    this.#familiar.note(keyOf(certificate), certificate, wanted, secret, adopted)
    const facts = factsOf(certificate, seen, wanted, leaf, secret, presentVariant(usable(seen).authority.material))
    const { revision = 1 } = facts
    const note = `Issued certificate ${leaf.serialNumber} (revision ${revision}) into Secret "${wanted.secret.name}", valid until ${toTimestamp(leaf.notAfter)}.${revision > 1 ? ` ${why}` : ''}`
    this.#actor.announce(certificate, 'Issued', 'Issue', note)
    if (why.includes(outsideWindows)) this.#tellOutside(certificate)
    if (usable(seen).authority.material.early === true) this.#tellEarly(certificate, leaf)
    return this.#ready(look, facts, leaf)
  }

  async #encode(look: Look, why: string): Promise<Result> {
    const { object: certificate, seen } = look
    const { wanted } = usable(seen)
    const { leaf, written, adopted } = await encodeAgain(this.#context, look)
    if (isFirstTaken(seen) && leaf !== undefined) this.#tellTaken(certificate, wanted, leaf)
    else {
      const wrote = leaf === undefined ? '' : ' again, certificate unchanged'
      this.#actor.announce(certificate, 'Encoding', 'Encode', `Wrote Secret "${wanted.secret.name}"${wrote}. ${why}`)
    }
    this.#tellExport(certificate, wanted)
    this.#familiar.note(keyOf(certificate), certificate, wanted, written.metadata, adopted)
    if (leaf === undefined) return this.#readyWithout(look, wanted, written.metadata)
    return this.#ready(look, factsOf(certificate, seen, wanted, leaf, written.metadata, standingVariant(seen)), leaf)
  }

  /** A Secret without a certificate holds what the authority is known by, and changes when that does. */
  async #readyWithout(look: Look, wanted: Wanted, written: Version | undefined): Promise<Result> {
    const { namespace, name } = wanted.authority
    const message = `Secret "${wanted.secret.name}" holds what is asked for of CertificateAuthority ${namespace}/${name}, and no certificate.`
    // At rest nothing is new: a foreign label on the Secret is not worth a write.
    const known = written === undefined || look.seen.authority.state !== 'usable'
    await this.#actor.ready(look, known ? {} : factsWithout(look.seen, written), { reason: 'Ready', message }, 0)
    return { requeueAfterMs: longestRequeueMs }
  }

  /** Nothing to do: remember what was verified, and mend a status that a crash left behind. */
  async #settle(look: Look): Promise<Result> {
    const { object: certificate, seen } = look
    if (!('wanted' in seen.resolved) || seen.secret.state !== 'present') return {}
    const { wanted } = seen.resolved
    if (wanted.withoutCertificate) {
      return this.#readyWithout(look, wanted, tellsWithout(certificate, seen, seen.secret) ? undefined : seen.secret)
    }
    if (seen.secret.leaf === undefined) return {}
    const { leaf, uid, resourceVersion } = seen.secret
    const password = seen.password?.state === 'found' ? seen.password.resourceVersion : ''
    const request = seen.request?.version ?? ''
    this.#verified.set(keyOf(certificate), { secret: resourceVersion, password, request })
    this.#familiar.note(keyOf(certificate), certificate, wanted, { uid, resourceVersion }, seen.secret.adopted)
    // Without its authority nothing new is known about the certificate; what stands in status stays true.
    if (seen.authority.state !== 'usable') return this.#ready(look, {}, leaf)
    const facts = factsOf(certificate, seen, wanted, leaf, { uid, resourceVersion }, standingVariant(seen))
    // A foreign label moves the Secret's version; that alone is not worth a write.
    const observed = certificate.status?.observed
    const kept = observed?.secretUid === uid ? { ...facts, observed: remembered(observed, facts.observed) } : facts
    return this.#ready(look, kept, leaf)
  }

  async #ready(look: Look, facts: Partial<DatabaseCertificateStatus>, leaf: ParsedCertificate): Promise<Result> {
    const { object: certificate, seen } = look
    if (!('wanted' in seen.resolved)) return {}
    const { wanted } = seen.resolved
    this.#undelivered.forget(keyOf(certificate))
    const holds = `Secret "${wanted.secret.name}" holds certificate ${leaf.serialNumber}, valid until ${toTimestamp(leaf.notAfter)}.`
    const renewal = renewalOf(wanted, leaf, seen.uid, this.#context.clock.now())
    const message = [holds, ...notesOf(seen, leaf, renewal)].join(' ')
    const told = { ...facts, renewAt: toTimestamp(renewal.at) }
    // Its turn comes before that by itself; until then nothing is to be done.
    const again = seen.queued === true ? patientUntil(renewal.at, leaf.notAfter) : renewal.at
    return this.#actor.ready(look, told, { reason: 'Issued', message }, again)
  }
}
