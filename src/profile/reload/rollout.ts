/**
 * Which workload is restarted, and when. Pure. One at a time, and the next only when every pod of the last is Ready; one whose
 * pods are known to have what was delivered is left alone.
 */

import type { Instant } from '../../runtime/clock.ts'
import type { Workload } from '../../resources/workloads.ts'
import type { Goal, PlannedWorkload } from './plan.ts'

/** How long pods may go on showing a former certificate before nobody can ask them, ms. */
export const unansweredMs = 120_000

export interface WorkloadSeen {
  readonly wanted: PlannedWorkload
  /** undefined: there is none. */
  readonly live: Workload | undefined
  /** What the annotation of its pod template says. */
  readonly goal: Goal | undefined
  /** Whether its servers show what was delivered; undefined: they cannot be asked. */
  readonly shows: boolean | undefined
  /** Of the CAs that it was started with, where there is no annotation: as status remembers. */
  readonly trust: string | undefined
}

export type RolloutStep =
  | { readonly act: 'Restart'; readonly wanted: PlannedWorkload; readonly live: Workload }
  /** `words` say what for: of that workload. */
  | { readonly act: 'Wait'; readonly wanted: PlannedWorkload; readonly reason: string; readonly words: string }

export const annotationOf = ({ leaf, trust }: Goal): string => `${leaf}.${trust}`

/** Hex before and after a dot; anything else is nobody's. */
export const goalOf = (annotation: string | undefined): Goal | undefined => {
  const [, leaf, trust] = /^([0-9a-f]*)\.([0-9a-f]*)$/.exec(annotation ?? '') ?? []
  return leaf === undefined || trust === undefined ? undefined : { leaf, trust }
}

/** undefined: nothing is left to do. */
export const decideRollout = (workloads: readonly WorkloadSeen[], now: Instant): RolloutStep | undefined => {
  const missing = workloads.find(({ live }) => live === undefined)
  if (missing !== undefined)
    return { act: 'Wait', wanted: missing.wanted, reason: 'Missing', words: 'does not exist in this namespace' }
  // One that was restarted is waited for before another is touched, whatever it was restarted for.
  for (const seen of workloads) {
    const words = seen.live === undefined || seen.goal === undefined ? undefined : unfinished(seen.live)
    if (words !== undefined && !lacks(seen, now)) return { act: 'Wait', wanted: seen.wanted, reason: 'Rolling', words }
  }
  const next = workloads.find((seen) => lacks(seen, now))
  if (next?.live === undefined) return stillFormer(workloads)
  const others = workloads.find(({ live, wanted }) => live !== undefined && wanted !== next.wanted && unfinished(live))
  const busy = others?.live === undefined ? undefined : unfinished(others.live)
  if (others !== undefined && busy !== undefined)
    return { act: 'Wait', wanted: others.wanted, reason: 'Rolling', words: busy }
  const rolling = rollingWords(next.live)
  if (rolling !== undefined) return { act: 'Wait', wanted: next.wanted, reason: 'Rolling', words: rolling }
  return { act: 'Restart', wanted: next.wanted, live: next.live }
}

/** Restarted for it, and its servers show something else: another restart would change nothing. */
const stillFormer = (workloads: readonly WorkloadSeen[]): RolloutStep | undefined => {
  const found = workloads.find(
    ({ wanted, goal, shows }) => wanted.goal.leaf !== '' && goal !== undefined && shows === false,
  )
  return found === undefined
    ? undefined
    : {
        ...{ act: 'Wait', wanted: found.wanted, reason: 'KeptOld' },
        words:
          'was restarted for the new certificate, and its servers go on showing a former one: see that its pods mount the Secret',
      }
}

/** Whether its pods are to be restarted. */
const lacks = (seen: WorkloadSeen, now: Instant): boolean => lacksLeaf(seen, now) || lacksTrust(seen)

const lacksLeaf = ({ wanted, live, goal, shows }: WorkloadSeen, now: Instant): boolean => {
  const { leaf } = wanted.goal
  if (leaf === '' || goal?.leaf === leaf || shows === true) return false
  if (shows === false || goal !== undefined) return true
  // Nobody can ask its servers: what is younger than the certificate began with it.
  const { since } = wanted
  const created = Date.parse(live?.metadata.creationTimestamp ?? '')
  return since !== undefined && created < since && now > since + unansweredMs
}

const lacksTrust = ({ wanted: { goal: wish }, goal, trust }: WorkloadSeen): boolean => {
  const known = goal !== undefined && goal.trust !== '' ? goal.trust : trust
  // Nothing tells what it began with: what stands when it is first seen.
  return wish.trust !== '' && known !== undefined && known !== wish.trust
}

/** What `kubectl rollout status` waits for; undefined: nothing. */
export const unfinished = (live: Workload): string | undefined => rollingWords(live) ?? unreadyWords(live)

const rollingWords = ({ kind, metadata, spec, status = {} }: Workload): string | undefined => {
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) return 'is about to replace its pods'
  const wanted = spec.replicas ?? 1
  const updated = status.updatedReplicas ?? 0
  if (kind === 'Deployment') {
    if (updated >= wanted && (status.replicas ?? 0) <= updated) return undefined
    if (spec.paused === true) return 'is paused (spec.paused), so its pods are not replaced: resume it'
    return `has replaced ${updated} of ${wanted} pods`
  }
  // Those below the partition stay as they are, as somebody wishes it.
  const moving = Math.max(0, wanted - (spec.updateStrategy?.rollingUpdate?.partition ?? 0))
  const isNew = status.updateRevision === undefined || status.updateRevision === status.currentRevision
  if (isNew || updated >= moving) return undefined
  const byHand = spec.updateStrategy?.type === 'OnDelete'
  return `has replaced ${updated} of ${moving} pods${byHand ? '; its updateStrategy is OnDelete: delete its pods one after the other' : ''}`
}

const unreadyWords = ({ kind, spec, status = {} }: Workload): string | undefined => {
  const wanted = spec.replicas ?? 1
  const ready = (kind === 'Deployment' ? status.availableReplicas : status.readyReplicas) ?? 0
  return ready >= wanted ? undefined : `has ${ready} of ${wanted} pods Ready`
}
