/** How a change in a cache makes objects be looked at again. */

import type { Change } from '../cluster/cache/informer.ts'
import type { KubeObject } from '../cluster/port.ts'
import type { AddOptions, Priority } from '../runtime/queue.ts'

export type Enqueue = (key: string, options: AddOptions) => void

/** A person's change of spec goes before what a start or another object brings up. */
export const priorityOf = ({ before, after, initial }: Change<KubeObject>): { readonly priority: Priority } => {
  if (initial) return { priority: 'resync' }
  return { priority: before?.metadata.generation === after?.metadata.generation ? 'normal' : 'user' }
}
