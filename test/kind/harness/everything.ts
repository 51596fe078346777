/** Something of each kind, with what it gives to another namespace. */
import { type CaseNamespace, namespaceOf, resource } from './pods.ts'

export const intermediate = (namespace: string): object =>
  resource('CertificateAuthority', namespace, 'issuing', {
    source: { intermediate: { authorityRef: { name: 'root' } } },
    subject: { commonName: 'Issuing' },
  })

/** A root, an intermediate, a certificate, a profile, and a trust bundle in another namespace. */
export const everything = (namespace: CaseNamespace, trusting: CaseNamespace): object[] => [
  namespaceOf(namespace),
  { ...namespaceOf(trusting), ...{ metadata: { name: trusting, labels: { trusts: namespace } } } },
  resource('CertificateAuthority', namespace, 'root', {
    ...{ source: { selfSigned: {} }, subject: { commonName: 'Root' }, maxPathLength: 1, crl: {} },
    trustBundle: {
      targets: [
        {
          ...{
            kind: 'ConfigMap',
            name: 'trusted',
            namespaces: { from: 'Selector', selector: { matchLabels: { trusts: namespace } } },
          },
          items: [{ key: 'ca.crt', content: 'TrustBundle' }],
        },
      ],
    },
  }),
  intermediate(namespace),
  resource('DatabaseCertificate', namespace, 'server', {
    ...{ authorityRef: { name: 'issuing' }, dnsNames: ['server.test'], secret: { name: 'server-tls' } },
  }),
  resource('DatabaseTLSProfile', namespace, 'orders', {
    ...{ engine: 'PostgreSQL', authorityRef: { name: 'issuing' }, topology: { services: ['orders'] } },
    clients: [{ name: 'app' }],
  }),
]
