/**
 * What the Open-Xchange guide "SSL for MySQL" makes by hand: PEM files with an RSA key in the traditional form, a Java
 * keystore with the alias mysqlclient and a truststore with the alias MySQLCACert.
 */
import type { Layout } from './layout.ts'

export const openXchange: Layout<'client'> = {
  client: {
    secretName: '{cluster}-{client}-tls',
    roles: ['Client', 'Server', 'Peer'],
    type: 'Opaque',
    items: [
      { key: 'ca.pem', content: 'TrustBundle' },
      { key: 'client-cert.pem', content: 'CertificateChain' },
      { key: 'client-key.pem', content: 'PrivateKey', encoding: 'PKCS1' },
      { key: 'keystore.jks', content: 'JKSKeystore', alias: 'mysqlclient' },
      { key: 'truststore.jks', content: 'JKSTruststore', alias: 'MySQLCACert' },
      { key: 'keystore-password', content: 'Password' },
    ],
  },
}
