/** Every layout: one row for a database operator or chart. */
import type { Preset, SecretOf } from '../../resources/layout-names.ts'
import { cloudNativePg } from './cloudnative-pg.ts'
import type { Layout } from './layout.ts'
import { mysqlDataDirectory } from './mysql-data-directory.ts'
import { openXchange } from './open-xchange.ts'

export const layouts: { readonly [P in Preset]: Layout<SecretOf<P>> } = {
  CloudNativePG: cloudNativePg,
  MySQLDataDirectory: mysqlDataDirectory,
  OpenXchange: openXchange,
}
