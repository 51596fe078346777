/** What kinds report alike. */
import { z } from 'zod'
import { conditions } from './conditions.ts'
import { statusTime, text } from './fields.ts'

/** What was looked at, and what came of it. */
export const looked = {
  observedGeneration: z.int().min(-1).optional().meta({
    description: 'metadata.generation that was looked at; -1 before the first look.',
  }),
  conditions: conditions.optional(),
}

/** Failures to issue since the last success; all absent where there are none. */
export const failures = {
  failedAttempts: z.int().min(0).optional().meta({ description: 'Failed attempts since the last success.' }),
  lastFailure: z
    .object({
      time: statusTime('When.'),
      reason: text(128, 'One word for programs.'),
      message: text(4096, 'A sentence for people.'),
    })
    .meta({ description: 'Why issuance failed the last time.' })
    .optional(),
  nextAttemptAt: statusTime('When the next attempt is made.').optional(),
}

/** Versions of the objects that what is reported was made for: of the Secret, and of `others`. */
export const observed = <Others extends z.ZodRawShape>(others: Others) =>
  z
    .object({
      secretUid: text(64, 'uid of the Secret.').optional(),
      secretResourceVersion: text(64, 'resourceVersion of the Secret that was verified last.').optional(),
      ...others,
    })
    .optional()
    .meta({ description: 'What was seen of other objects.' })
