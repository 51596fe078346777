/**
 * What has to be written and removed for a profile, and what keeps it from being as it should. Pure.
 *
 * Nothing that was delivered is put at stake: while something is refused, what stands is neither changed nor removed, and only
 * what is missing is made.
 */

import { marks } from '../control/context.ts'
import { type Finding, stall, wait } from '../control/decision.ts'
import { maxSecretBytes } from '../control/write-secret.ts'
import { shapeOf } from '../database/layouts/shape.ts'
import { dataHash } from '../material/hash.ts'
import type { ConfigMap } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import { contentsOf } from '../trust/decide.ts'
import { sentence } from './findings.ts'
import { type Belongs, belongs, ownerMark } from './names.ts'
import { besides, configMapMetadata, isApplied, isMarked, type WantedConfigMap } from './objects.ts'
import type { Expanded, Observed } from './observed.ts'

/** uid and resourceVersion of what stands: a precondition. */
export interface Version {
  readonly uid: string
  readonly resourceVersion: string
}

export type Step =
  | {
      readonly act: 'applyCertificate'
      readonly object: DatabaseCertificate
      /** Absent: there is none yet. */
      readonly previous?: Version
      /** Stays, though it was written in the operator's name: see `besides`. */
      readonly kept?: DatabaseCertificate
    }
  | {
      readonly act: 'writeConfigMap'
      readonly wanted: WantedConfigMap
      readonly offered: boolean
      readonly previous?: Version
      /** Its bytes are right, only its marks are not. */
      readonly data?: ReadonlyMap<string, Uint8Array>
    }
  | {
      readonly act: 'deleteCertificate' | 'deleteConfigMap' | 'releaseConfigMap'
      readonly name: string
      readonly previous: Version
    }

export interface Plan {
  readonly writes: readonly Step[]
  /** Only after every write has passed. */
  readonly removals: readonly Step[]
  readonly findings: readonly Finding[]
  /** ConfigMaps that are as they should be: nobody has to read them again. */
  readonly good: readonly { readonly name: string; readonly version: Version; readonly hash: string }[]
}

const nothing: Plan = { writes: [], removals: [], findings: [], good: [] }

export const decide = ({ profile, terminating, authorities, expanded }: Observed): Plan => {
  if (terminating) return { ...nothing, findings: [namespaceTerminating(profile)] }
  if (authorities.length > 0 || expanded === undefined) return { ...nothing, findings: authorities }
  const refusals = expanded.expansion.refusals.map((one) => stall('ProfileInvalid', sentence(one)))
  const refused = refusals.length > 0
  const parts = [...certificateParts(profile, expanded, refused), ...configMapParts(profile, expanded, refused)]
  const isBlocked =
    refused || parts.some(({ finding, awaitsRemoval }) => finding !== undefined && awaitsRemoval !== true)
  return {
    writes: parts.flatMap(({ step }) => step ?? []),
    removals: isBlocked ? [] : removalsOf(profile, expanded),
    findings: [...refusals, ...parts.flatMap(({ finding }) => finding ?? [])],
    good: parts.flatMap(({ good }) => good ?? []),
  }
}

export const namespaceTerminating = ({ metadata }: DatabaseTLSProfile): Finding =>
  wait('NamespaceTerminating', `Namespace "${metadata.namespace}" is being deleted; nothing is made in it any more.`)

interface Part {
  readonly step?: Step
  readonly finding?: Finding
  /** What it waits for is removed by this very plan. */
  readonly awaitsRemoval?: true
  readonly good?: Plan['good'][number]
}

export const versionOf = ({
  metadata: { uid = '', resourceVersion = '' },
}: DatabaseCertificate | ConfigMap): Version => ({
  uid,
  resourceVersion,
})

/** What bears a wanted name and is somebody else's, or on its way out. `cure` begins the sentence of what can be done. */
const notOurs = (
  whose: Belongs,
  named: string,
  reason: 'CertificateInTheWay' | 'ConfigMapInTheWay',
  cure: string,
): Part | undefined => {
  if (whose === 'going' || whose === 'former')
    return { finding: wait('Deleting', `${named} is being deleted; it is made again when it is gone.`) }
  if (typeof whose !== 'object') return undefined
  const of = whose.to === undefined ? 'was not made for this profile' : `belongs to ${whose.to}`
  const message = `${named} ${of} and is left alone. ${cure}, delete it, or annotate it with ${marks.adopt}: "true".`
  return { finding: stall(reason, message) }
}

const certificateParts = (profile: DatabaseTLSProfile, expanded: Expanded, refused: boolean): Part[] => {
  const { expansion, objects, present } = expanded
  const parts = expansion.certificates.map((wanted, at): Part => {
    const object = objects[at]
    if (object === undefined) throw new Error(`${wanted.name} was expanded and not made an object`)
    const live = present.certificates.get(wanted.name)
    const named = `DatabaseCertificate "${wanted.name}"`
    const whose = live === undefined ? undefined : belongs(live, profile)
    if (live === undefined || whose === undefined) return newCertificate(profile, expanded, object)
    const other = notOurs(whose, named, 'CertificateInTheWay', wayOut(wanted.part))
    if (other !== undefined) return other
    const taken = secretInTheWay(profile, expanded, object, live)
    if (taken !== undefined) return taken
    if (isApplied(live, object) || expanded.unyielding.has(refusedKey(live, object))) return {}
    if (refused) return {}
    const kept = whose === 'orphan' ? besides(live, object) : undefined
    return { step: { act: 'applyCertificate', object, previous: versionOf(live), ...(kept && { kept }) } }
  })
  return withoutVainMoves(expanded, parts)
}

const newCertificate = (profile: DatabaseTLSProfile, expanded: Expanded, object: DatabaseCertificate): Part =>
  secretInTheWay(profile, expanded, object, undefined) ?? { step: { act: 'applyCertificate', object } }

/**
 * One that is to write the Secret of another which stays moves only if that one moves too: else it would give up a Secret that is in
 * use for one that it cannot have. All of a ring move at once.
 */
const withoutVainMoves = (expanded: Expanded, parts: readonly Part[]): Part[] => {
  const { expansion, present } = expanded
  const numbers = new Map(expansion.certificates.map(({ name }, at) => [name, at]))
  const waitsFor = expansion.certificates.map(({ name, spec }) =>
    (present.secretHolders.get(spec.secret.name) ?? []).flatMap(({ metadata }) =>
      metadata.name === name ? [] : (numbers.get(metadata.name) ?? []),
    ),
  )
  const kept = [...parts]
  for (let settled = false; !settled;) {
    settled = true
    for (const [at, { step }] of kept.entries()) {
      const staying = step === undefined ? [] : (waitsFor[at] ?? []).filter((other) => kept[other]?.step === undefined)
      const [holder] = staying
      if (holder === undefined) continue
      settled = false
      // At the end of its chain somebody goes, who would not while anybody waits for another reason.
      const awaitsRemoval = staying.every((other) => kept[other]?.awaitsRemoval === true)
      const [mover, stays] = [expansion.certificates[at], expansion.certificates[holder]]
      const message = `Secret "${mover?.spec.secret.name}", which DatabaseCertificate "${mover?.name}" is to write, stays the one of DatabaseCertificate "${stays?.name}" until that can have another.`
      kept[at] = { finding: wait('SecretInTheWay', message), ...(awaitsRemoval && { awaitsRemoval }) }
    }
  }
  return kept
}

const wayOut = (part: string): string =>
  part === 'client' ? 'Give the client or the profile another name' : 'Give the profile another name'

/** Two that write one Secret would take it from each other; who writes it already keeps it. */
const secretInTheWay = (
  profile: DatabaseTLSProfile,
  { present, expansion }: Expanded,
  { metadata, spec }: DatabaseCertificate,
  live: DatabaseCertificate | undefined,
): Part | undefined => {
  const { name } = spec.secret
  if (live?.spec.secret.name === name) return undefined
  const others = present.secretHolders.get(name)?.filter((other) => other.metadata.name !== metadata.name) ?? []
  const wanted = new Set(expansion.certificates.map((one) => one.name))
  const leaves = (holder: DatabaseCertificate): boolean => {
    const whose = belongs(holder, profile)
    return whose === 'going' || (whose === 'ours' && !wanted.has(holder.metadata.name))
  }
  const stays = (holder: DatabaseCertificate): boolean => {
    const whose = belongs(holder, profile)
    return (whose === 'ours' || whose === 'orphan') && wanted.has(holder.metadata.name)
  }
  const foreign = others.find((holder) => !leaves(holder) && !stays(holder))
  if (foreign !== undefined) return { finding: heldByAnother(profile, name, metadata.name, foreign) }
  const unlike = others.find((holder) => stays(holder) && typeOf(holder.spec) !== typeOf(spec))
  if (unlike !== undefined) return { finding: heldAsAnotherType(name, metadata.name, unlike, typeOf(spec)) }
  const leaving = others.find(leaves)
  if (leaving === undefined) return undefined
  const message = `Secret "${name}" is still the one of DatabaseCertificate "${leaving.metadata.name}", which goes first.`
  return { finding: wait('Deleting', message), awaitsRemoval: true }
}

const heldByAnother = (
  profile: DatabaseTLSProfile,
  secret: string,
  certificate: string,
  holder: DatabaseCertificate,
): Finding => {
  const owner = holder.metadata.annotations?.[marks.owner]
  const of = owner === undefined || owner === ownerMark(profile.metadata.name) ? '' : ` of ${owner}`
  return stall(
    'SecretInTheWay',
    `Secret "${secret}", which DatabaseCertificate "${certificate}" is to write, is the one of DatabaseCertificate "${holder.metadata.name}"${of}. Choose another secretName for it in this profile.`,
  )
}

/** Undefined where the layout is not known; then its certificate is Stalled for that. */
const typeOf = (spec: DatabaseCertificate['spec']): string | undefined => {
  const shaped = shapeOf(spec)
  return 'shape' in shaped ? shaped.shape.type : undefined
}

/** It would stay as it is, and nobody would renew it. */
const heldAsAnotherType = (
  secret: string,
  certificate: string,
  { metadata, spec }: DatabaseCertificate,
  type: string | undefined,
): Finding =>
  stall(
    'SecretInTheWay',
    `Secret "${secret}", which DatabaseCertificate "${certificate}" is to write as ${type}, is of type ${typeOf(spec)} for DatabaseCertificate "${metadata.name}", and Kubernetes cannot change that. Choose another secretName for it in this profile.`,
  )

/** One that came back changed from its own apply is not applied again before somebody changes it, or the wish. */
export const refusedKey = ({ metadata }: DatabaseCertificate, wanted: DatabaseCertificate): string =>
  `${metadata.uid} ${metadata.generation} ${wanted.metadata.annotations?.[marks.inputsHash]}`

const configMapParts = (profile: DatabaseTLSProfile, expanded: Expanded, refused: boolean): Part[] =>
  expanded.configMaps.map((wanted): Part => {
    const { name, hash, content, field } = wanted
    if (hash === undefined)
      return { finding: wait('AuthorityNotReady', `ConfigMap "${name}" waits for what its CA is trusted by.`) }
    if (content.from === 'text') {
      const bytes = [...content.data.values()].reduce((sum, value) => sum + value.length, 0)
      if (bytes > maxSecretBytes)
        return {
          finding: stall(
            'ConfigMapTooLarge',
            `ConfigMap "${name}" would hold ${bytes} bytes, and Kubernetes takes at most ${maxSecretBytes}. Make a profile for each part of spec.clients. What stands is left as it is.`,
          ),
        }
    }
    const seen = expanded.present.configMaps.get(name)
    if (seen?.state === 'settled') return {}
    if (seen?.state !== 'present') return { step: { act: 'writeConfigMap', wanted, offered: false } }
    return configMapPart(profile, wanted, seen.live, field, refused)
  })

const configMapPart = (
  profile: DatabaseTLSProfile,
  wanted: WantedConfigMap,
  live: ConfigMap,
  field: string,
  refused: boolean,
): Part => {
  const whose = belongs(live, profile)
  const named = `ConfigMap "${wanted.name}"`
  const other = notOurs(whose, named, 'ConfigMapInTheWay', `Choose another name (${field})`)
  if (other !== undefined) return other
  const { data, current } = standOf(wanted, live)
  const offered = whose === 'offered' || live.metadata.annotations?.[marks.adopt] === 'true'
  if (current && isMarked(live.metadata, configMapMetadata(profile, wanted, offered)))
    return { good: { name: wanted.name, version: versionOf(live), hash: wanted.hash ?? '' } }
  if (refused) return {}
  if (live.immutable === true && !current)
    return { finding: stall('ConfigMapInTheWay', `${named} is marked immutable and holds something else; delete it.`) }
  return {
    step: {
      act: 'writeConfigMap',
      wanted,
      offered,
      previous: versionOf(live),
      ...(current ? { data } : {}),
    },
  }
}

/** Which bytes stand under our keys, and whether they are those that were written for these inputs. */
const standOf = (wanted: WantedConfigMap, live: ConfigMap) => {
  const all = contentsOf(live)
  const data = new Map(wanted.keys.flatMap((key) => (all.has(key) ? [[key, all.get(key) ?? new Uint8Array()]] : [])))
  const annotations = live.metadata.annotations ?? {}
  const intact = data.size === wanted.keys.length && annotations[marks.dataHash] === dataHash(data)
  return { data, current: intact && annotations[marks.inputsHash] === wanted.hash }
}

/** What the profile made and asks for no longer. */
const removalsOf = (profile: DatabaseTLSProfile, { expansion, configMaps, present }: Expanded): Step[] => {
  const certificates = new Set(expansion.certificates.map(({ name }) => name))
  const maps = new Set(configMaps.map(({ name }) => name))
  return [
    ...[...present.certificates.values()]
      .filter((live) => !certificates.has(live.metadata.name) && belongs(live, profile) === 'ours')
      .map((live): Step => ({ act: 'deleteCertificate', name: live.metadata.name, previous: versionOf(live) })),
    ...[...present.configMaps].flatMap(([name, seen]): Step[] => {
      if (maps.has(name) || seen.state !== 'present') return []
      const whose = belongs(seen.live, profile)
      const previous = versionOf(seen.live)
      if (whose !== 'ours' && whose !== 'orphan') return []
      const given = seen.live.metadata.annotations?.[marks.adopt] === 'true'
      return [{ act: given ? 'releaseConfigMap' : 'deleteConfigMap', name, previous }]
    }),
  ]
}
