/** Maintenance windows: when what is not urgent may be replaced. */
import { z } from 'zod'
import { durationText, matching } from './fields.ts'

/** Five fields of cron: minute, hour, day of month, month, day of week. Names and `L`, `W`, `#` are other programs' inventions. */
const cronFields = '^[0-9*/,-]{1,64}( [0-9*/,-]{1,64}){4}$'

const timeZoneName = '^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$'

const maintenanceWindow = z.object({
  cron: z
    .string()
    .min(9)
    .max(324)
    .meta({
      description: 'When it opens: minute, hour, day of month, month, day of week, as crontab(5) has them.',
      rules: [matching(cronFields, "must be five fields of digits, '*', '/', ',' and '-', as in '0 2 * * 6'")],
    }),
  duration: durationText('How long it stays open.', '1m'),
  timeZone: z
    .string()
    .max(64)
    .meta({
      description: 'Time zone of cron, as the IANA names it. Default: UTC.',
      rules: [matching(timeZoneName, "must be the name of a time zone, as in 'Europe/Berlin'")],
    })
    .optional(),
})

export const maintenanceWindows = (description: string) =>
  z.array(maintenanceWindow).max(16).meta({ description, 'x-kubernetes-list-type': 'atomic' })

export type MaintenanceWindow = z.output<typeof maintenanceWindow>
