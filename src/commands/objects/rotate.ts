/** `dbtls rotate`: the stages of a CA's replacement begun, held, released, taken back and followed. The operator does the work. */

import { ApiError, isConflict, isNotFound } from '../../cluster/errors.ts'
import { keyOf } from '../../cluster/port.ts'
import { isHeld, isRequested } from '../../control/rotation.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { UsageError, wholeNumber } from '../shared/options.ts'
import {
  outputFlags,
  type OutputForm,
  outputForm,
  outputUsage,
  writeLine,
  writeProblem,
  writeValue,
} from '../shared/present.ts'
import { parseName, type Target, targetFlags, targetUsage, targetVerb } from '../shared/target.ts'
import { fieldManager } from './renew.ts'
import { untilAtRest } from './rotate-wait.ts'
import { type Change, changeFor, type Fields, type Wish, wishOf } from './rotate-wish.ts'
import { rotationLines } from './rotation-words.ts'

const usage = `usage: dbtls rotate [NS/]AUTHORITY [options]

Replaces a CertificateAuthority in stages: the new CA is trusted everywhere, then signs everything, then the old one is dropped.
Each stage ends when it is seen to have been reached (docs/rotation.md). One that is asked for while another one is under way
begins after it.

  --reason Compromised      no soak where trust is proved, and old certificates are revoked as they are replaced; one that is
                            under way goes on so
  --hold PHASE              go not past TrustBoth, Signing or DropSoak; starts none
  --release                 end the hold; starts none
  --abort                   back to the former CA, as long as it is trusted; starts none
  --wait                    tell each step, until the CA is at rest again
  --timeout SECONDS         of --wait (default: as long as it takes)
${targetUsage}${outputUsage}  --help                    this text

Examples:
  dbtls rotate data/orders-ca --wait
  dbtls rotate data/orders-ca --hold TrustBoth
  dbtls rotate data/orders-ca --reason Compromised --wait

On a state folder the work is done by the next dbtls run.
Exit codes: 0 asked for, or with --wait at rest again; 1 it could not be, or cannot go on (reason on stderr), 2 wrong usage.
`

const flags = {
  reason: { type: 'string' },
  hold: { type: 'string' },
  release: { type: 'boolean', default: false },
  abort: { type: 'boolean', default: false },
  wait: { type: 'boolean', default: false },
  timeout: { type: 'string' },
  ...targetFlags,
  ...outputFlags,
} as const

type Key = ReturnType<typeof parseName>

export const main = targetVerb('rotate', usage, flags, async (target, values, words, io) => {
  const form = outputForm(values.output)
  const wish = wishOf(values)
  if (words.length !== 1) throw new UsageError('name one CertificateAuthority: [NAMESPACE/]NAME')
  const key = parseName('AUTHORITY', words[0], target.namespace)
  const timeoutMs =
    values.timeout === undefined ? Infinity : wholeNumber('timeout', values.timeout, 1, 31_536_000) * 1000
  const wait = values.wait === true
  if (values.timeout !== undefined && !wait) throw new UsageError('--timeout goes with --wait')
  if (wait && !target.live)
    throw new UsageError('--wait needs a cluster: on a state folder the next dbtls run does the work')
  const { before, after, change } = await ask(target, key, wish)
  const tell = teller(io, form, key)
  tell(...change.told)
  if (!wait) {
    present(io, form, after, change, target.clock.now())
    return 0
  }
  const { authority, problem } = await untilAtRest(target, { before: after, timeoutMs, tell })
  const unchanged = problem ?? (wish.act === 'start' && authority !== undefined ? sameAs(before, authority) : undefined)
  if (unchanged !== undefined) writeProblem(io, `not yet    ${named(key)}: ${unchanged}`)
  else tell('at rest', `serial ${authority?.status?.certificate?.serialNumber ?? 'unknown'}`)
  if (form !== 'table' && authority !== undefined) present(io, form, authority, change, target.clock.now())
  return unchanged === undefined ? 0 : 1
})

const named = ({ namespace, name }: Key): string => `CertificateAuthority ${namespace}/${name}`

/** For programs there is one value at the end, and nothing before it. */
const teller =
  (io: Io, form: OutputForm, key: Key) =>
  (verb: string, text: string): void => {
    if (form === 'table') writeLine(io, `${verb.padEnd(10)} ${named(key)}: ${text}`)
  }

interface Asked {
  /** As it was before anything was written. */
  readonly before: CertificateAuthority
  readonly after: CertificateAuthority
  readonly change: Change
}

/** What is written beside it meanwhile, such as its status by the operator, is no reason to give up. */
const mostTries = 10

const ask = async (target: Target, key: Key, wish: Wish): Promise<Asked> => {
  const { cluster, clock } = target
  for (let tries = 1; ; tries += 1) {
    const before = await read(target, key)
    const change = explained(key, () => changeFor(before, wish, new Date(clock.now()).toISOString()))
    if (Object.keys(change.fields).length === 0) return { before, after: before, change }
    await refuseWhereDeclared(target, before, change.fields)
    const rotation = { ...before.spec.rotation, ...change.fields }
    const changed = { ...before, spec: { ...before.spec, rotation } } as CertificateAuthority
    try {
      return { before, after: await cluster.update(certificateAuthorities, changed, { fieldManager }), change }
    } catch (error) {
      if (!isConflict(error) || tries >= mostTries) throw error
    }
  }
}

const read = async ({ cluster }: Target, key: Key): Promise<CertificateAuthority> => {
  try {
    const found = await cluster.get(certificateAuthorities, key)
    if (found.metadata.deletionTimestamp === undefined) return found
    throw new CommandError(`${named(key)} is being deleted`)
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new CommandError(`there is no ${named(key)}`, { cause: error })
  }
}

/** @throws CommandError that begins with the name of the CA */
const explained = <T>(key: Key, work: () => T): T => {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new CommandError(`${named(key)}: ${error.message}`, { cause: error })
  }
}

/**
 * What a manifest says is written again by whoever applies it: a trigger that is set back would be another change of it, and
 * start another rotation. So it is asked first, without writing, whose the fields are.
 * Rejects with CommandError where they are those of an applier.
 */
const refuseWhereDeclared = async (
  { cluster }: Target,
  authority: CertificateAuthority,
  fields: Fields,
): Promise<void> => {
  const { apiVersion, kind, metadata, spec } = authority
  const { name, namespace, uid } = metadata
  const probe = { apiVersion, kind, metadata: { name, namespace, uid }, spec: { rotation: fields } }
  try {
    await cluster.apply(certificateAuthorities, probe as unknown as CertificateAuthority, {
      fieldManager,
      force: false,
      dryRun: true,
    })
  } catch (error) {
    if (!(error instanceof ApiError) || !isConflict(error)) return
    const owner = ownersOf(error, spec.rotation)
    if (owner === undefined) return
    throw new CommandError(
      `${owner.field.replace(/^\./, '')} of CertificateAuthority ${keyOf(authority)} is set by "${owner.manager}", which would set it back: change it there`,
      { cause: error },
    )
  }
}

/** People at the command line, who apply nothing again by themselves. */
const byHand = /^(dbtls\.dev\/cli|kubectl-(edit|patch|replace))$/

/** The first owner of a field that would write it again. Updaters, told by `using`, own defaults that nobody chose, too. */
const ownersOf = (
  { causes }: ApiError,
  rotation: CertificateAuthority['spec']['rotation'],
): { readonly manager: string; readonly field: string } | undefined => {
  for (const { reason, message = '', field = '' } of causes) {
    const manager = /^conflict with "([^"]*)"/.exec(message)?.[1]
    if (reason !== 'FieldManagerConflict' || manager === undefined || byHand.test(manager)) continue
    const value = rotation?.[field.replace(/^\.spec\.rotation\./, '') as keyof Fields]
    if (/ using /.test(message) && (value ?? '') === '') continue
    return { manager, field }
  }
  return undefined
}

/** Undefined where the CA is another one than before; else why it is not, as far as its status says. */
const sameAs = (before: CertificateAuthority, { status }: CertificateAuthority): string | undefined => {
  if (status?.certificate?.serialNumber !== before.status?.certificate?.serialNumber) return undefined
  return status?.rotation?.message ?? 'it has the same certificate as before'
}

/** The stable shape for programs: members may be added, none is taken away. */
const present = (
  io: Io,
  form: OutputForm,
  authority: CertificateAuthority,
  { fields, told: [action] }: Change,
  now: number,
): void => {
  if (form === 'table') {
    for (const [label, text] of rotationLines(authority, now)) writeLine(io, `${`${label}:`.padEnd(21)} ${text}`)
    return
  }
  const { kind, metadata, status } = authority
  writeValue(io, form, {
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
    action,
    changed: fields,
    rotation: status?.rotation ?? { phase: 'Idle' },
    held: isHeld(authority),
    requested: isRequested(authority),
  })
}
