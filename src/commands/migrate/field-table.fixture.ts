/** The tables of docs/migrate-cert-manager.md, as their code has them. */
import type { Field } from './fields.ts'

export const fieldTable = (fields: readonly Field[]): string =>
  [
    '| cert-manager | dbtls |',
    '| --- | --- |',
    ...fields.map(({ path, becomes }) => `| \`${path}\` | ${becomes} |`),
  ].join('\n')
