// What a Secret volume holds, all of one version: kubelets change `..data`, a link to the folder of a version, in one step.
import { readFileSync, realpathSync } from 'node:fs'

/** @param {string} volume @returns {{ version: string, cert: string, key: string, ca: string }} */
export const filesOf = (volume) => {
  const version = realpathSync(`${volume}/..data`)
  const read = (/** @type {string} */ name) => readFileSync(`${version}/${name}`, 'utf8')
  return { version, cert: read('tls.crt'), key: read('tls.key'), ca: read('ca.crt') }
}
