/** CockroachDB's StatefulSet chart with `tls.certs.provided`, and its operator with `externalCertificates`. */
import type { OutputItem } from '../../material/contents.ts'
import { type Layout, usual } from './layout.ts'

const files = (name: string): readonly OutputItem[] => [
  { key: 'ca.crt', content: 'TrustBundle' },
  { key: `${name}.crt`, content: 'CertificateChain' },
  { key: `${name}.key`, content: 'PrivateKey' },
]

export const cockroachDbChart: Layout<'node' | 'client-root'> = {
  node: {
    secretName: 'cockroachdb-node',
    roles: ['Peer', 'Server'],
    type: 'Opaque',
    items: files('node'),
    commonName: 'node',
  },
  'client-root': {
    secretName: 'cockroachdb-root',
    roles: ['Client'],
    type: 'Opaque',
    items: files('client.root'),
    commonName: 'root',
  },
}

export const cockroachDbOperator: Layout<'node' | 'client-root'> = {
  node: usual({ secretName: '{cluster}-node', roles: ['Peer', 'Server'], commonName: 'node' }),
  'client-root': usual({ secretName: '{cluster}-client-root', roles: ['Client'], commonName: 'root' }),
}
