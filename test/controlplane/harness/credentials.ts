/** Credentials of a test control plane: a small CA of its own for the server, and kubeconfigs. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from './process.ts'

export interface ServingFiles {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
}

/** A test CA and, signed by it, the API server's certificate; again with the same `dir` it only signs a new certificate. */
export const makeServingCertificate = async (
  dir: string,
  options: { readonly newAuthority: boolean },
): Promise<ServingFiles> => {
  const at = (name: string): string => join(dir, name)
  if (options.newAuthority) {
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30']
    await must('openssl', [
      ...args,
      ...['-subj', '/CN=test control plane CA', '-keyout', at('ca.key'), '-out', at('ca.crt')],
      ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    ])
  }
  const extensions = 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes\nextendedKeyUsage=serverAuth\n'
  writeFileSync(at('serving.ext'), extensions)
  await must('openssl', [
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-subj', '/CN=kube-apiserver', '-keyout', at('serving.key'), '-out', at('serving.csr')],
  ])
  await must('openssl', [
    ...['x509', '-req', '-in', at('serving.csr'), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-days', '30'],
    ...['-set_serial', `0x${randomBytes(8).toString('hex')}`, '-extfile', at('serving.ext'), '-out', at('serving.crt')],
  ])
  return { caFile: at('ca.crt'), certFile: at('serving.crt'), keyFile: at('serving.key') }
}

/** The key pair that signs ServiceAccount tokens. */
export const makeServiceAccountKey = async (dir: string): Promise<{ publicKey: string; privateKey: string }> => {
  const privateKey = join(dir, 'sa.key')
  const publicKey = join(dir, 'sa.pub')
  await must('openssl', ['genrsa', '-out', privateKey, '2048'])
  await must('openssl', ['rsa', '-in', privateKey, '-pubout', '-out', publicKey])
  return { publicKey, privateKey }
}

/** A bearer token, or a file that holds one and may change under its reader. */
export type Credential = { readonly token: string } | { readonly tokenFile: string }

export const kubeconfig = (server: string, caFile: string, credential: Credential, namespace = 'default'): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'test', user: credential }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    'current-context': 'test',
  })
