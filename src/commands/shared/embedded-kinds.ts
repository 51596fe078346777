/** What the embedded cluster of `run` and `render` holds: our kinds under their own rules, and the built-in ones we touch. */
import type { EmbeddedKind } from '../../cluster/embedded/kinds.ts'
import { events, leases } from '../../cluster/kinds.ts'
import { configMaps, secrets } from '../../resources/core.ts'
import { kinds } from '../../resources/kinds.ts'
import { admit } from '../../resources/validate.ts'

export const embeddedKinds = (): EmbeddedKind[] => [
  ...[secrets, configMaps, events, leases].map((resource) => ({ resource })),
  ...kinds.map(({ resource, selectableFields }) => ({
    resource,
    selectableFields,
    admit: (object: Parameters<typeof admit>[1], old?: Parameters<typeof admit>[2]) =>
      admit(resource.kind, object, old),
  })),
]
