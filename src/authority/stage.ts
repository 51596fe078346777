/**
 * How far the material of a rotating CA is (docs/adr/0019): which second CA lies in its Secret, beside the one that signs,
 * and what its consumers are to trust. Pure.
 */

import { equal, type ParsedCertificate } from '../pki/certificates/parse.ts'

/**
 * Plain: one CA. Next: another one lies ready. Both: and is trusted. Switched: it signs, and the former one is still
 * trusted. Dropped: the former one is trusted no more.
 */
export const stages = ['Plain', 'Next', 'Both', 'Switched', 'Dropped'] as const
export type Stage = (typeof stages)[number]

export type OtherName = 'next' | 'former'

/** Under which keys of the Secret the second CA lies: `<name>.crt` and `<name>.key`; undefined where there is none. */
export const otherNameOf = (stage: Stage): OtherName | undefined => {
  if (stage === 'Plain') return undefined
  return stage === 'Next' || stage === 'Both' ? 'next' : 'former'
}

const trustsOther = (stage: Stage): boolean => stage === 'Both' || stage === 'Switched'

/** Keys of a CA's Secret. */
export const authorityKeys: readonly string[] = [
  'tls.crt',
  'tls.key',
  'ca.crt',
  'next.crt',
  'next.key',
  'former.crt',
  'former.key',
]

interface Layout {
  /** Which of them the Secret has. */
  readonly names: readonly OtherName[]
  readonly other: ParsedCertificate | undefined
  /** Whether the other one is a root, so that `ca.crt` says whether it is trusted. */
  readonly otherIsRoot: boolean
  readonly roots: readonly ParsedCertificate[]
}

/**
 * The stage that the mark on a Secret names, where what lies in it agrees; without a mark the earliest one that does, so
 * that nothing is skipped. A sentence's clause where nothing fits.
 */
export const stageOf = (mark: string | undefined, layout: Layout): { stage: Stage } | { problem: string } => {
  const fitting = stages.filter((stage) => fits(stage, layout))
  const named = mark === undefined ? fitting[0] : fitting.find((stage) => stage === mark)
  if (named !== undefined) return { stage: named }
  return {
    problem:
      mark === undefined
        ? 'its next.crt and former.crt are not of one stage of a rotation'
        : `its annotation dbtls.dev/rotation-stage says "${mark.slice(0, 32)}", and its keys do not agree`,
  }
}

const fits = (stage: Stage, { names, other, otherIsRoot, roots }: Layout): boolean => {
  const name = otherNameOf(stage)
  if (name === undefined) return names.length === 0
  if (other === undefined || names.length !== 1 || names[0] !== name) return false
  // Under one root `ca.crt` is the same all the time.
  return !otherIsRoot || roots.some(({ der }) => equal(der, other.der)) === trustsOther(stage)
}

/** What the consumers of a root trust: the one that signs first. */
export const rootsOf = (stage: Stage, certificate: Uint8Array, other: Uint8Array | undefined): readonly Uint8Array[] =>
  other !== undefined && trustsOther(stage) ? [certificate, other] : [certificate]

/** The same set in the order of those certificates that the former CA has signed: itself first. */
export const formerTrust = (trust: readonly Uint8Array[], former: Uint8Array): readonly Uint8Array[] => {
  const others = trust.filter((der) => !equal(der, former))
  return others.length === trust.length ? trust : [former, ...others]
}
