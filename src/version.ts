/** The version of this program and its commit: from package.json in a checkout, put in by the bundler otherwise. */

import { readFileSync } from 'node:fs'

declare const DBTLS_VERSION: string | undefined
declare const DBTLS_REVISION: string | undefined

export const version = (): string =>
  typeof DBTLS_VERSION === 'string'
    ? DBTLS_VERSION
    : (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version

/** The commit it was built of, with `-dirty` after it where files differed; undefined in a checkout, where Git says more. */
export const revision = (): string | undefined =>
  typeof DBTLS_REVISION === 'string' && DBTLS_REVISION !== '' ? DBTLS_REVISION : undefined
