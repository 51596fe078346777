/** For tests: a CA folder made by openssl, as howtos make it. */

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface OpensslFolder {
  readonly path: string
  openssl(...args: string[]): string
  /** `openssl ca` with the folder's configuration and passphrase. */
  ca(...args: string[]): string
  /** Signs a request for this name and returns the serial number. */
  sign(name: string, ...args: string[]): string
}

const configuration = `[ca]
default_ca = howto
[howto]
dir = .
database = $dir/index.txt
new_certs_dir = $dir/newcerts
certificate = $dir/cacert.pem
private_key = $dir/private/cakey.pem
serial = $dir/serial
crlnumber = $dir/crlnumber
default_md = sha256
default_days = 365
default_crl_days = 31
policy = policy
[policy]
countryName = match
organizationName = match
commonName = supplied
emailAddress = optional
`

export const passphrase = 'the passphrase of the howto'

export const opensslFolder = (path: string, algorithm: 'RSA' | 'ECDSA' = 'ECDSA'): OpensslFolder => {
  mkdirSync(join(path, 'newcerts'), { recursive: true })
  mkdirSync(join(path, 'private'))
  writeFileSync(join(path, 'index.txt'), '')
  writeFileSync(join(path, 'serial'), '01\n')
  writeFileSync(join(path, 'crlnumber'), '01\n')
  writeFileSync(join(path, 'openssl.cnf'), configuration)
  writeFileSync(join(path, 'pass'), `${passphrase}\n`)
  const made = openedFolder(path)
  const fresh = algorithm === 'RSA' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  const key = ['-newkey', ...fresh, '-keyout', 'private/cakey.pem', '-passout', 'file:pass']
  made.openssl('req', '-x509', ...key, '-out', 'cacert.pem', '-subj', '/C=DE/O=Acme/CN=Acme Root', '-days', '3650')
  return made
}

/** The folder as it is, under another path: nothing in it names its own. */
export const copyOf = (folder: OpensslFolder, path: string): OpensslFolder => {
  cpSync(folder.path, path, { recursive: true })
  return openedFolder(path)
}

const openedFolder = (path: string): OpensslFolder => {
  const openssl = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync('openssl', args, { cwd: path, encoding: 'utf8' })
    if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  const ca = (...args: string[]): string =>
    openssl('ca', '-batch', '-config', 'openssl.cnf', '-passin', 'file:pass', ...args)
  return {
    path,
    openssl,
    ca,
    sign: (name, ...args) => {
      const subject = `/C=DE/O=Acme/CN=${name}`
      const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
      openssl('req', '-new', ...made, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject)
      ca('-in', `${name}.csr`, '-out', `${name}.pem`, ...args)
      return openssl('x509', '-in', `${name}.pem`, '-noout', '-serial').trim().replace('serial=', '')
    },
  }
}
