/**
 * A bundle that is only trusted, as its owner changes it (docs/adr/0023): what is remembered of it, in a Secret of ours, from the
 * moment at which something is taken out until nothing needs that any more. Pure.
 *
 * `ca.crt` holds every certificate that matters in the stage; `bundle.sha256` and `former.sha256` say by fingerprint which of them
 * the owner wants trusted, and which consumers trusted before. Each certificate lies there once, for such bundles are long.
 */

import { dataHash } from '../material/hash.ts'
import { equal, parseCertificate, type ParsedCertificate } from '../pki/certificates/parse.ts'
import { certificatesOf, encodePem } from '../pki/encoding/pem.ts'
import type { RecordMarks } from './brought-record.ts'
import { type Stage, stages } from './stage.ts'
import { StoredAuthorityError } from './stored.ts'
import { trustHash } from './trust.ts'

export type Root = Pick<ParsedCertificate, 'der' | 'fingerprint' | 'subject' | 'spki' | 'subjectKeyId' | 'notAfter'>
type Roots = readonly Root[]

export interface BundleRecord {
  readonly stage: Stage
  /** What its owner wants trusted, in the owner's order. */
  readonly bundle: Roots
  /** What was trusted before; absent in the stages Plain and Dropped. */
  readonly former?: Roots
}

const alive = (roots: Roots, now: number): Roots => roots.filter(({ notAfter }) => now <= notAfter)

export const hashOfRoots = (roots: Roots): string => trustHash(roots.map(({ der }) => der))

/**
 * What consumers trust. What was there before keeps its place until something of it goes, so that what is added moves nothing, and
 * what is taken out changes no file before its time.
 */
export const publishedRoots = ({ stage, bundle, former = [] }: BundleRecord, now: number): Roots => {
  if (stage === 'Next') return alive(former, now)
  const added = bundle.filter((root) => !former.some(({ fingerprint }) => fingerprint === root.fingerprint))
  return alive(stage === 'Both' || stage === 'Switched' ? [...former, ...added] : bundle, now)
}

/** The same CA to a verifier: itself, or one of the same name and key. */
const isSame = (a: Root, b: Root): boolean =>
  a.fingerprint === b.fingerprint ||
  (equal(a.subject, b.subject) &&
    equal(a.spki, b.spki) &&
    (a.subjectKeyId === undefined || b.subjectKeyId === undefined || equal(a.subjectKeyId, b.subjectKeyId)))

const covers = (roots: Roots, others: Roots): boolean =>
  others.every((other) => roots.some((root) => isSame(root, other)))

/**
 * What its owner gives, against what is remembered. Same: nothing was taken out since. Less: something was. All: whatever is trusted is
 * in it, so that nothing is on its way out.
 */
export type BundleChange = 'Same' | 'Less' | 'All'

export const changeOf = (record: BundleRecord, given: Roots, now: number): BundleChange => {
  if (record.former !== undefined && covers(given, publishedRoots(record, now))) return 'All'
  return covers(given, alive(record.bundle, now)) ? 'Same' : 'Less'
}

/** The steps of a rotation, each from what is remembered and what its owner gives now. */
export const bundleMoves = {
  /** To Next from anywhere: whatever is trusted stays so until this rotation ends. */
  prepare: (record: BundleRecord, bundle: Roots, now: number): BundleRecord => ({
    stage: 'Next',
    bundle,
    former: publishedRoots(record, now),
  }),
  /** Next → Both */
  publish: (record: BundleRecord, bundle: Roots): BundleRecord => ({ ...record, stage: 'Both', bundle }),
  /** Next or Both → Switched: from now on servers are waited for. */
  switchOver: (record: BundleRecord, bundle: Roots): BundleRecord => ({ ...record, stage: 'Switched', bundle }),
  /** Next, Both or Switched → Dropped */
  drop: (bundle: Roots): BundleRecord => ({ stage: 'Dropped', bundle }),
  /** From anywhere → Plain */
  settle: (bundle: Roots): BundleRecord => ({ stage: 'Plain', bundle }),
} as const

export const isSameRoots = (a: Roots, b: Roots): boolean => hashOfRoots(a) === hashOfRoots(b)

const keys: readonly string[] = ['ca.crt', 'bundle.sha256', 'former.sha256']
const hasFormer: ReadonlySet<Stage> = new Set<Stage>(['Next', 'Both', 'Switched'])

export const bundleData = ({ bundle, former }: BundleRecord): ReadonlyMap<string, Uint8Array> => {
  const all = new Map([...(former ?? []), ...bundle].map((root) => [root.fingerprint, root]))
  const pems = [...all.values()].map(({ der }) => encodePem('CERTIFICATE', der)).join('')
  return new Map([
    ['ca.crt', Buffer.from(pems)],
    ['bundle.sha256', listOf(bundle)],
    ...(former === undefined ? [] : [['former.sha256', listOf(former)] as const]),
  ])
}

const listOf = (roots: Roots): Uint8Array => Buffer.from(roots.map(({ fingerprint }) => `${fingerprint}\n`).join(''))

/** Throws StoredAuthorityError. */
export const readBundle = (
  all: ReadonlyMap<string, Uint8Array>,
  { stage: mark, hash }: Pick<RecordMarks, 'stage' | 'hash'>,
): BundleRecord => {
  const stage = stages.find((one) => one === mark)
  if (stage === undefined) throw invalid('its annotation dbtls.dev/rotation-stage names no stage of a rotation')
  const data = new Map(
    [...all].filter(([key]) => keys.includes(key) && (key !== 'former.sha256' || hasFormer.has(stage))),
  )
  if (dataHash(data) !== hash) throw invalid('somebody has changed it')
  const present = certificates(data)
  const bundle = listed(data, 'bundle.sha256', present)
  return hasFormer.has(stage) ? { stage, bundle, former: listed(data, 'former.sha256', present) } : { stage, bundle }
}

const invalid = (message: string): StoredAuthorityError => new StoredAuthorityError('Invalid', message)

const certificates = (data: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Root> => {
  try {
    const ders = certificatesOf(Buffer.from(data.get('ca.crt') ?? []).toString('utf8'))
    return new Map(ders.map((der) => parseCertificate(der)).map((root) => [root.fingerprint, root]))
  } catch {
    throw invalid('its key ca.crt does not hold PEM certificates')
  }
}

const listed = (data: ReadonlyMap<string, Uint8Array>, key: string, present: ReadonlyMap<string, Root>): Root[] =>
  Buffer.from(data.get(key) ?? [])
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const found = present.get(line)
      if (found === undefined) throw invalid(`its key ${key} names certificates that its key ca.crt does not hold`)
      return found
    })
