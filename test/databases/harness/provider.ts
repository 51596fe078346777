/** Who runs a managed database: CAs made with openssl, a bundle that is published, and certificates for the server. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** As the CAs of RDS: keys of several kinds, names that hold a comma, and one more than the bundle begins with. */
export const roots = ['rsa2048-g1', 'rsa4096-g1', 'ecc384-g1', 'rsa2048-g2'] as const
export type Root = (typeof roots)[number]

const keyOf = (root: Root): string[] =>
  root.startsWith('ecc')
    ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']
    : ['-newkey', root.slice(0, 3) + ':' + root.slice(3, 7)]

const openssl = (...args: readonly string[]): void => {
  execFileSync('openssl', args, { stdio: 'pipe' })
}

export class Provider {
  readonly #folder: string
  readonly #host: string

  constructor(folder: string, host: string) {
    this.#folder = folder
    this.#host = host
    mkdirSync(folder)
    for (const root of roots) {
      const subject = ['-subj', `/O=Amazon Web Services, Inc./CN=Amazon RDS eu-west-1 Root CA ${root}`]
      const files = ['-keyout', this.#at(`${root}.key`), '-out', this.#at(`${root}.crt`)]
      openssl('req', '-x509', ...keyOf(root), '-noenc', '-days', '3650', ...subject, ...files)
    }
  }

  bundle(...of: readonly Root[]): string {
    return of.map((root) => this.#read(`${root}.crt`)).join('')
  }

  /** Of a server, signed by this root; `ca.crt` is by what it would know clients, which it asks for nothing. */
  files(root: Root): Record<'tls.crt' | 'tls.key' | 'ca.crt', string> {
    const names = ['-addext', `subjectAltName=DNS:${this.#host}`, '-addext', 'extendedKeyUsage=serverAuth']
    const plain = ['-addext', 'basicConstraints=critical,CA:FALSE', '-subj', `/CN=${this.#host}`, '-days', '365']
    const signer = ['-CA', this.#at(`${root}.crt`), '-CAkey', this.#at(`${root}.key`)]
    const files = ['-keyout', this.#at('server.key'), '-out', this.#at('server.crt')]
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-noenc', ...plain, ...names, ...signer, ...files)
    return {
      'tls.crt': this.#read('server.crt'),
      'tls.key': this.#read('server.key'),
      'ca.crt': this.#read(`${root}.crt`),
    }
  }

  #at(name: string): string {
    return join(this.#folder, name)
  }

  #read(name: string): string {
    return readFileSync(this.#at(name), 'utf8')
  }
}
