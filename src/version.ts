/** The version of this program: from package.json in a checkout, put in by the bundler otherwise. */

import { readFileSync } from 'node:fs'

declare const DBTLS_VERSION: string | undefined

export const version = (): string =>
  typeof DBTLS_VERSION === 'string'
    ? DBTLS_VERSION
    : (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version
