/**
 * Elasticsearch. https://www.elastic.co/guide/en/elasticsearch/reference/current/security-settings.html#ssl-tls-settings,
 * https://www.elastic.co/guide/en/elasticsearch/reference/current/pki-realm.html,
 * https://www.elastic.co/guide/en/elasticsearch/reference/current/security-api-put-role-mapping.html
 */
import { byCertificate } from './demands.ts'
import { elasticsearchDrivers } from './elasticsearch-drivers.ts'
import type { Context, Definition } from './engine.ts'
import { clientItems, pemItems } from './files.ts'
import { commaForm, userInName } from './identity.ts'
import { commands, refusesRequire, transport } from './search-family.ts'
import { lines, mountNote } from './text.ts'

const realm = 'pki1'

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
          '# The common name of a certificate is the user; needs a licence with the PKI realm, and accounts.console',
          `xpack.security.authc.realms.pki.${realm}.order: 10`,
          `xpack.security.authc.realms.pki.${realm}.username_pattern: "CN=(.*?)(?:,|$)"`,
          `xpack.security.authc.realms.pki.${realm}.certificate_authorities: [${context.clientTrust}]`,
        ]
      : []),
  )
}

/** What begins otherwise is no index, but may mean all of them. */
const indexName = /^[a-z0-9]/

/**
 * Requests of Kibana's console: a certificate is a user without any role until a mapping gives it one.
 * https://www.elastic.co/guide/en/elasticsearch/reference/current/role-mapping-resources.html
 */
const accounts = (context: Context): Record<string, string> => {
  const requests = context.clients.flatMap((client) => {
    const { username, subject, name } = client
    if (username === undefined || subject === undefined || !byCertificate(client)) return []
    const role = `${context.profile}-${name}`
    const indices = indexName.test(username) ? [{ names: [username], privileges: ['all'] }] : []
    const rules = { all: [{ field: { 'realm.name': realm } }, { field: { dn: commaForm(subject) } }] }
    return [
      `PUT /_security/role/${role}`,
      JSON.stringify({ indices }),
      `PUT /_security/role_mapping/${role}`,
      JSON.stringify({ enabled: true, roles: [role], rules }),
    ]
  })
  return requests.length === 0 ? {} : { 'accounts.console': lines(...requests) }
}

const accountNotes = (context: Context): string[] =>
  context.clients.some(byCertificate)
    ? [
        "`accounts.console` of this ConfigMap, in Kibana's console or request by request, makes a role for each certificate, with all rights on the",
        'index that is called like its user, and gives it to the subject of the certificate.',
        '',
      ]
    : []

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
  serverFiles: (context) => ({ 'elasticsearch.yml': elasticsearchYml(context), ...accounts(context) }),
  clientFiles: (context) => ({
    'commands.md': commands(context, elasticsearchDrivers, [
      ...accountNotes(context),
      'Renewed files, also of the CA, are read by themselves within seconds.',
    ]),
  }),
}
