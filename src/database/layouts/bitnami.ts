/** Charts of the Bitnami kind. `pem` is for most of them; file names that a chart leaves open are to be given as these. */
import { type Layout, usual } from './layout.ts'

export const bitnami: Layout<'pem' | 'etcd' | 'kafka-jks' | 'cassandra' | 'elasticsearch-jks'> = {
  pem: usual({ secretName: '{cluster}-tls', roles: ['Server', 'Peer', 'Client'] }),
  etcd: {
    secretName: '{cluster}-tls',
    roles: [],
    type: 'Opaque',
    items: [
      { key: 'cert.pem', content: 'CertificateChain' },
      { key: 'key.pem', content: 'PrivateKey' },
      { key: 'ca.crt', content: 'TrustBundle' },
    ],
  },
  'kafka-jks': {
    secretName: '{cluster}-jks',
    roles: [],
    type: 'Opaque',
    items: [
      { key: 'kafka.keystore.jks', content: 'JKSKeystore' },
      { key: 'kafka.truststore.jks', content: 'JKSTruststore' },
      { key: 'keystore-password', content: 'Password' },
      { key: 'truststore-password', content: 'Password' },
    ],
  },
  cassandra: {
    secretName: '{cluster}-stores',
    roles: [],
    type: 'Opaque',
    items: [
      { key: 'keystore', content: 'JKSKeystore' },
      { key: 'truststore', content: 'JKSTruststore' },
      { key: 'keystore-password', content: 'Password' },
      { key: 'truststore-password', content: 'Password' },
    ],
  },
  'elasticsearch-jks': {
    secretName: '{cluster}-jks',
    roles: [],
    type: 'Opaque',
    items: [
      { key: 'elasticsearch.keystore.jks', content: 'JKSKeystore' },
      { key: 'elasticsearch.truststore.jks', content: 'JKSTruststore' },
      { key: 'keystore-password', content: 'Password' },
      { key: 'truststore-password', content: 'Password' },
    ],
  },
}
