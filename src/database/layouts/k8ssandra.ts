/** K8ssandra: `keystoreSecretRef` and `truststoreSecretRef` may name the same Secret; the keys are the defaults. */
import type { Layout } from './layout.ts'

export const k8ssandra: Layout<'stores'> = {
  stores: {
    secretName: '{cluster}-stores',
    roles: ['Peer', 'Server', 'Client'],
    type: 'Opaque',
    items: [
      { key: 'keystore', content: 'JKSKeystore' },
      { key: 'keystore-password', content: 'Password' },
      { key: 'truststore', content: 'JKSTruststore' },
      { key: 'truststore-password', content: 'Password' },
    ],
  },
}
