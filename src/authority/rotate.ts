/**
 * The writes by which one CA takes the place of another (docs/adr/0019). Each reads the Secret live, makes nothing where it
 * is there already, records in the ledger what it signs, and replaces the Secret in one apply over the very version that was
 * read. What status has to say of it is answered; the caller writes that, together with its phase.
 */

import { keyOf, type ObjectMeta } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { type SecretContent, writeSecret } from '../control/write-secret.ts'
import { isRecorded, record } from '../ledger/record.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthority, CertificateAuthorityStatus } from '../resources/certificate-authority.ts'
import { NotReady, Retryable, Terminal } from '../runtime/errors.ts'
import { materialProblem, signingProblem } from './decide.ts'
import { gather } from './gather.ts'
import { deliver, issuanceOf, issueAuthority } from './issue.ts'
import type { Keyring } from './keyring.ts'
import { signerOf } from './names.ts'
import type { Look } from './observed.ts'
import { type Bundle, bundleUnder, contentOf } from './outputs.ts'
import { rotationFacts, type RotationFacts } from './rotation-facts.ts'
import type { Stage } from './stage.ts'
import type { StoredAuthority } from './stored.ts'
import { factsOf, readyMessage } from './status.ts'
import { type Successor, signSuccessor } from './successor.ts'
import { Undelivered } from './undelivered.ts'
import type { Wanted } from './wanted.ts'

/** What lies in the Secret now, and what status has to say of it. */
export interface Material extends Staged {
  readonly certificate: ParsedCertificate
  /** The next or the former CA. */
  readonly other: ParsedCertificate | undefined
}

/** The same of whatever goes in stages. */
export interface Staged {
  readonly stage: Stage
  /** Whether the Secret was written. */
  readonly wrote: boolean
  /** Fields of status beside `rotation`. */
  readonly facts: Partial<CertificateAuthorityStatus>
  /** Fields of `status.rotation`. */
  readonly rotation: RotationFacts
  /** Of the condition Ready. */
  readonly message: string
  /** The spec.rotation.trigger that was acted on last; undefined where the Secret does not say. */
  readonly trigger?: string | undefined
}

/** A look whose Secret could be read. */
interface Sight extends Look {
  readonly wanted: Wanted
  readonly stored: StoredAuthority
}

export interface RotatorOptions {
  /** What is to be signed with the key of the former CA before that is gone: its last revocation list. */
  readonly lastWords?: ((authority: CertificateAuthority, signal: AbortSignal) => Promise<unknown>) | undefined
}

/**
 * Every step rejects with a ReconcileError, whose message is a sentence: Terminal where only a change of the spec or of the
 * Secret helps, NotReady where it is somebody else's turn.
 */
export class Rotator {
  readonly #context: Context
  readonly #keyring: Keyring
  readonly #lastWords: RotatorOptions['lastWords']
  /** Signed and recorded, and not in the Secret: the next attempt delivers it. */
  readonly #successors = new Map<string, { readonly of: string; readonly successor: Successor }>()
  readonly #undelivered = new Undelivered()
  /** By CA: for which trigger its certificate was signed anew, and the one that came of it. */
  readonly #renewed = new Map<string, string>()

  constructor(context: Context, keyring: Keyring, { lastWords }: RotatorOptions = {}) {
    this.#context = context
    this.#keyring = keyring
    this.#lastWords = lastWords
  }

  forget(key: string): void {
    for (const memory of [this.#successors, this.#renewed]) memory.delete(key)
    this.#undelivered.forget(key)
  }

  /** What is there, and nothing is done. */
  async look(authority: CertificateAuthority, signal: AbortSignal): Promise<Material> {
    return this.#unchanged(await this.#see(authority, signal))
  }

  /** Plain → Next: the CA that will sign is made, and lies ready. `trigger`: what has been acted on thereby. */
  async prepare(
    authority: CertificateAuthority,
    { trigger }: { readonly trigger: string },
    signal: AbortSignal,
  ): Promise<Material> {
    const sight = acted(await this.#see(authority, signal), trigger)
    if (isAt(sight, 'Next', 'Both')) return this.#unchanged(sight)
    this.#expect(sight, 'Plain')
    const { namespace, name } = authority.metadata
    const held = this.#context.clockGuard.hold()
    if (held !== undefined)
      throw new NotReady(
        'IssuanceFailed',
        `CertificateAuthority ${namespace}/${name} waits for the clocks to agree.`,
        held,
      )
    const problem = signingProblem(sight.seen, this.#context.clock.now())
    if (problem !== undefined) throw new NotReady(problem.reason, problem.message)
    const { certificate, pkcs8, crossSigned } = await this.#successor(sight)
    const present = bundleUnder(sight.seen.parent, sight.stored)
    const above = sight.seen.parent === undefined ? crossSigned.map(({ der }) => der) : present.above
    return this.#write(sight, { ...present, stage: 'Next', other: { name: 'next', certificate, pkcs8, above } })
  }

  /** Next → Both: it is trusted from now on. */
  async publish(authority: CertificateAuthority, signal: AbortSignal): Promise<Material> {
    const sight = await this.#see(authority, signal)
    if (isAt(sight, 'Both')) return this.#unchanged(sight)
    this.#expect(sight, 'Next')
    return this.#write(sight, this.#at(sight, 'Both'))
  }

  /**
   * Both → Switched: it signs. From Next, too, for a CA that has ended or is not to be relied on; with `dropNow` the former
   * one is trusted no more at once.
   */
  async switchSigner(
    authority: CertificateAuthority,
    { dropNow }: { readonly dropNow: boolean },
    signal: AbortSignal,
  ): Promise<Material> {
    const sight = await this.#see(authority, signal)
    if (isAt(sight, 'Switched', 'Dropped')) return this.#unchanged(sight)
    this.#expect(sight, 'Next', 'Both')
    return this.#exchange(sight, dropNow ? 'Dropped' : 'Switched')
  }

  /** Switched → Switched: the two change places, so that `to` signs again; nothing where it does already. */
  async switchBack(
    authority: CertificateAuthority,
    { to }: { readonly to: string },
    signal: AbortSignal,
  ): Promise<Material> {
    const sight = await this.#see(authority, signal)
    this.#expect(sight, 'Switched')
    return sight.stored.certificate.fingerprint === to ? this.#unchanged(sight) : this.#exchange(sight, 'Switched')
  }

  /** Switched → Dropped: the former one is trusted no more. */
  async drop(authority: CertificateAuthority, signal: AbortSignal): Promise<Material> {
    const sight = await this.#see(authority, signal)
    if (isAt(sight, 'Dropped')) return this.#unchanged(sight)
    this.#expect(sight, 'Switched')
    return this.#write(sight, this.#at(sight, 'Dropped'))
  }

  /** Dropped → Plain: its key is gone for good. */
  async finish(authority: CertificateAuthority, signal: AbortSignal): Promise<Material> {
    const sight = await this.#see(authority, signal)
    if (isAt(sight, 'Dropped')) await this.#lastWords?.(authority, signal)
    return this.#alone(sight, 'Dropped')
  }

  /** Next or Both → Plain: the CA that was to sign is given up, and its key is gone for good. */
  async abandon(authority: CertificateAuthority, signal: AbortSignal): Promise<Material> {
    return this.#alone(await this.#see(authority, signal), 'Next', 'Both')
  }

  /** The certificate once more with the same key, in any stage; once for each `trigger`. */
  async renewSameKey(
    authority: CertificateAuthority,
    { trigger }: { readonly trigger: string },
    signal: AbortSignal,
  ): Promise<Material> {
    const sight = acted(await this.#see(authority, signal), trigger)
    const key = keyOf(authority)
    const { seen, wanted, stored } = sight
    if (this.#renewed.get(key) === `${stored.certificate.fingerprint} ${trigger}`) return this.#unchanged(sight)
    const problem = signingProblem(seen, this.#context.clock.now())
    if (problem !== undefined) throw new NotReady(problem.reason, problem.message)
    const kept = this.#undelivered.find(this.#context, authority, seen, wanted)
    const bundle = kept ?? (await issueAuthority(this.#context, wanted, seen.parent, stored))
    const { metadata } = await deliver(this.#context, this.#undelivered, sight, wanted, {
      bundle,
      recorded: kept !== undefined,
    })
    this.#undelivered.forget(key)
    this.#renewed.set(key, `${bundle.certificate.fingerprint} ${trigger}`)
    return materialOf(sight, bundle, metadata)
  }

  async #see(authority: CertificateAuthority, signal: AbortSignal): Promise<Sight> {
    const seen = await gather(this.#context, this.#keyring, authority, signal)
    const problem = materialProblem(seen, this.#context.clock.now())
    if (problem !== undefined) throw new Terminal(problem.reason, problem.message)
    const stored = seen.secret.state === 'present' ? seen.secret.stored : undefined
    if (stored === undefined || !('wanted' in seen.resolved))
      throw new NotReady('AuthorityNotReady', `${seen.name} has no certificate yet.`)
    return { object: authority, seen, signal, wanted: seen.resolved.wanted, stored }
  }

  /** What is at another stage has been brought there by somebody else, who then also says so. */
  #expect({ seen, stored }: Sight, ...expected: readonly Stage[]): void {
    if (expected.includes(stored.stage)) return
    throw new Retryable(
      'Rotating',
      `The Secret of ${seen.name} is at stage ${stored.stage} of a rotation, and ${expected.join(' or ')} was expected.`,
    )
  }

  #unchanged(sight: Sight): Material {
    return materialOf(sight, bundleUnder(sight.seen.parent, sight.stored), undefined)
  }

  /** The same two CAs, or the first alone, with the trust of another stage. */
  #at({ seen, stored }: Sight, stage: Stage): Bundle {
    const bundle = bundleUnder(seen.parent, { ...stored, stage })
    // A certificate that the former CA has signed for this root leads nowhere any more.
    return stage === 'Dropped' && seen.parent === undefined ? { ...bundle, above: [] } : bundle
  }

  #exchange(sight: Sight, stage: 'Switched' | 'Dropped'): Promise<Material> {
    const { seen, stored } = sight
    const { other } = stored
    if (other?.pkcs8 === undefined)
      throw new Terminal(
        'AuthoritySecretInvalid',
        `The key of the CA that is to sign for ${seen.name} is not in its Secret.`,
      )
    const { stage: _stage, trust, other: _other, ...former } = stored
    const { name: _name, ...present } = other
    const exchanged = { ...present, pkcs8: other.pkcs8, stage, trust, other: { ...former, name: 'former' as const } }
    return this.#write(sight, this.#at({ ...sight, stored: exchanged }, stage))
  }

  #alone(sight: Sight, ...from: readonly Stage[]): Promise<Material> {
    if (isAt(sight, 'Plain')) return Promise.resolve(this.#unchanged(sight))
    this.#expect(sight, ...from)
    const { other: _gone, ...rest } = sight.stored
    return this.#write(sight, this.#at({ ...sight, stored: rest }, 'Plain'))
  }

  /** In the ledger before it is in the Secret; the present CA, too, where it was taken over from elsewhere. */
  async #successor(sight: Sight): Promise<Successor> {
    const { object: authority, seen, signal, wanted, stored } = sight
    const key = keyOf(authority)
    const of = `${authority.metadata.uid} ${authority.metadata.generation} ${stored.certificate.fingerprint}`
    const kept = this.#successors.get(key)
    if (kept?.of === of) return kept.successor
    const parent = seen.parent?.state === 'usable' ? seen.parent : undefined
    if (!(await isRecorded(this.#context.cluster, signerOf(authority), stored, signal)))
      await record(this.#context, issuanceOf(authority, wanted, parent, stored.certificate), signal)
    const successor = await signSuccessor(this.#context, { authority, wanted, seen, stored })
    const { serialNumber: supersedes } = stored.certificate
    const issuance = issuanceOf(authority, wanted, parent, successor.certificate)
    await record(this.#context, { ...issuance, supersedes }, signal)
    for (const cross of successor.crossSigned) {
      const signed = issuanceOf(authority, wanted, parent, cross)
      const { fingerprint } = stored.certificate
      await record(this.#context, { ...signed, authority: { ...signed.authority, fingerprint } }, signal)
    }
    this.#successors.set(key, { of, successor })
    return successor
  }

  async #write(sight: Sight, bundle: Bundle): Promise<Material> {
    const { object: authority, seen, signal, wanted } = sight
    const content = await contentOf(this.#context, authority, wanted, bundle, seen)
    const metadata = await this.#replace(content, keysLeft(sight, bundle), signal)
    this.#successors.delete(keyOf(authority))
    return materialOf(sight, bundle, metadata)
  }

  /**
   * An apply takes nothing away that another field manager owns, too, as whoever has put a Secret back from a backup. What has to
   * go is emptied first, by which it becomes ours alone; an empty key counts for none, should it stay.
   */
  async #replace(content: SecretContent, gone: readonly string[], signal: AbortSignal): Promise<ObjectMeta> {
    if (gone.length === 0) return (await writeSecret(this.#context, content, signal)).metadata
    const emptied = new Map([...content.data, ...gone.map((key) => [key, new Uint8Array()] as const)])
    const { uid = '', resourceVersion = '' } = (await writeSecret(this.#context, { ...content, data: emptied }, signal))
      .metadata
    return (await writeSecret(this.#context, { ...content, previous: { uid, resourceVersion } }, signal)).metadata
  }
}

/** Of the other CA, where it goes or gets another name. */
const keysLeft = ({ stored }: Sight, bundle: Bundle): readonly string[] => {
  const before = stored.other?.name
  return before === undefined || before === bundle.other?.name ? [] : [`${before}.crt`, `${before}.key`]
}

/** What the Secret is to say from its next write on. */
const acted = (sight: Sight, trigger: string): Sight => {
  const { secret } = sight.seen
  return secret.state === 'present' ? { ...sight, seen: { ...sight.seen, secret: { ...secret, trigger } } } : sight
}

const isAt = ({ stored }: Sight, ...these: readonly Stage[]): boolean => these.includes(stored.stage)

/** `written`: metadata of the Secret, where it was written. */
const materialOf = (
  { object: authority, seen, wanted }: Sight,
  bundle: Bundle,
  written: ObjectMeta | undefined,
): Material => ({
  stage: bundle.stage,
  certificate: bundle.certificate,
  other: bundle.other?.certificate,
  wrote: written !== undefined,
  facts: factsOf(authority, seen, wanted, bundle, written),
  rotation: rotationFacts(bundle),
  message: readyMessage(authority, bundle, seen.revoked),
  trigger: seen.secret.state === 'present' ? seen.secret.trigger : undefined,
})
