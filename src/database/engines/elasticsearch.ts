/**
 * Elasticsearch. https://www.elastic.co/guide/en/elasticsearch/reference/current/security-settings.html#ssl-tls-settings,
 * https://www.elastic.co/guide/en/elasticsearch/reference/current/pki-realm.html
 */
import { byCertificate } from './demands.ts'
import type { Context, Definition } from './engine.ts'
import { clientItems, pemItems } from './files.ts'
import { userInName } from './identity.ts'
import { commands, refusesRequire, transport } from './search-family.ts'
import { lines, mountNote } from './text.ts'

const elasticsearchYml = (context: Context): string => {
  const { files } = context.components.get(transport) ?? context.server
  return lines(
    ...mountNote(context, [transport]),
    '# Files are read below the configuration folder alone: set mountPath to one such as /usr/share/elasticsearch/config/certs.',
    'xpack.security.enabled: true',
    'xpack.security.transport.ssl.enabled: true',
    'xpack.security.transport.ssl.verification_mode: full',
    `xpack.security.transport.ssl.key: ${files.key}`,
    `xpack.security.transport.ssl.certificate: ${files.certificate}`,
    `xpack.security.transport.ssl.certificate_authorities: [${files.trust}]`,
    'xpack.security.http.ssl.enabled: true',
    `xpack.security.http.ssl.key: ${context.server.files.key}`,
    `xpack.security.http.ssl.certificate: ${context.server.files.certificate}`,
    `xpack.security.http.ssl.certificate_authorities: [${context.clientTrust}]`,
    'xpack.security.http.ssl.client_authentication: optional',
    ...(context.clients.some(byCertificate)
      ? [
          '# The common name of a certificate is the user; needs a licence with the PKI realm, and role mappings',
          'xpack.security.authc.realms.pki.pki1.order: 10',
          'xpack.security.authc.realms.pki.pki1.username_pattern: "CN=(.*?)(?:,|$)"',
          `xpack.security.authc.realms.pki.pki1.certificate_authorities: [${context.clientTrust}]`,
        ]
      : []),
  )
}

export const elasticsearch: Definition = {
  engine: 'Elasticsearch',
  versions: { oldest: '7.0', newest: '9' },
  port: 9200,
  dialect: 'http',
  bareWildcards: true,
  serverRole: 'Server',
  components: { [transport]: { role: 'Peer', always: true, sharesTopology: true, port: 9300, dialect: 'plain' } },
  identity: userInName('Elasticsearch'),
  refusesRequire: refusesRequire('Elasticsearch'),
  serverItems: pemItems,
  clientItems: clientItems(pemItems),
  // SslConfiguration.createSslContext takes any key for any certificate, and the handshakes fail (measured with its code of 8.15).
  reload: () => ({ leaf: 'Automatic', authority: 'Automatic', statements: [], onMismatch: 'LosesService' }),
  serverFiles: (context) => ({ 'elasticsearch.yml': elasticsearchYml(context) }),
  clientFiles: (context) => ({
    'commands.md': commands(context, ['Renewed files, also of the CA, are read by themselves within seconds.']),
  }),
}
