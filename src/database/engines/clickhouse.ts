/**
 * ClickHouse. https://clickhouse.com/docs/guides/sre/configuring-tls, https://clickhouse.com/docs/operations/external-authenticators/ssl-x509,
 * ClickHouse/clickhouse-java: ClientConfigProperties (names of the Java client 0.8 and later)
 */
import { asksAll, byCertificate, refusesDemands } from './demands.ts'
import type { Client, Context, Definition } from './engine.ts'
import { pemItems } from './files.ts'
import { nameIsUser } from './identity.ts'
import { propertyValue } from './quote/properties.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost, uriPart } from './quote/uri.ts'
import { xmlText } from './quote/xml.ts'
import {
  clientNote,
  commandsPage,
  fenced,
  fileOfClient,
  hasCertificate,
  lines,
  mountNote,
  mountWords,
  perClient,
} from './text.ts'

/** Users are elements of users.xml, and a dot in the name of one would be a path. */
const form = /^[A-Za-z_][A-Za-z0-9_-]*$/

const httpsPort = 8443

const comment = (note: readonly string[]): string[] => note.map((line) => `<!-- ${line.replace(/^# /, '')} -->`)

/** The certificate is shown to other servers too, which want it to be a client's. */
const serverXml = (context: Context): string => {
  const { files } = context.server
  const certificate = [
    `      <certificateFile>${files.certificate}</certificateFile>`,
    `      <privateKeyFile>${files.key}</privateKeyFile>`,
  ]
  return lines(
    ...comment(mountNote(context)),
    '<clickhouse>',
    `  <https_port>${httpsPort}</https_port>`,
    `  <tcp_port_secure>${context.port}</tcp_port_secure>`,
    '  <interserver_https_port>9010</interserver_https_port>',
    '  <!-- No connection in the clear -->',
    '  <http_port remove="1"/>',
    '  <tcp_port remove="1"/>',
    '  <interserver_http_port remove="1"/>',
    '  <openSSL>',
    '    <server>',
    ...certificate,
    `      <caConfig>${context.clientTrust}</caConfig>`,
    `      <verificationMode>${asksAll(context) ? 'strict' : 'relaxed'}</verificationMode>`,
    '      <loadDefaultCAFile>false</loadDefaultCAFile>',
    '    </server>',
    '    <client>',
    ...certificate,
    `      <caConfig>${files.trust}</caConfig>`,
    '      <verificationMode>strict</verificationMode>',
    '      <loadDefaultCAFile>false</loadDefaultCAFile>',
    '      <invalidCertificateHandler><name>RejectCertificateHandler</name></invalidCertificateHandler>',
    '    </client>',
    '  </openSSL>',
    '</clickhouse>',
  )
}

const usersXml = ({ clients }: Context): string =>
  lines(
    '<clickhouse>',
    '  <users>',
    // Two clients may be one user, and an element that stands there twice would be two of them.
    ...[...new Set(clients.filter(byCertificate).flatMap(({ username }) => username ?? []))].flatMap((username) => [
      `    <${username}>`,
      '      <ssl_certificates>',
      `        <common_name>${xmlText(username)}</common_name>`,
      '      </ssl_certificates>',
      `    </${username}>`,
    ]),
    '  </users>',
    '</clickhouse>',
  )

const clientXml = (context: Context, client: Client): string =>
  lines(
    ...comment([clientNote(client)]),
    '<config>',
    `  <host>${xmlText(context.host)}</host>`,
    `  <port>${context.port}</port>`,
    '  <secure>1</secure>',
    client.username === undefined ? undefined : `  <user>${xmlText(client.username)}</user>`,
    client.database === undefined ? undefined : `  <database>${xmlText(client.database)}</database>`,
    '  <openSSL>',
    '    <client>',
    ...(hasCertificate(client)
      ? [
          `      <certificateFile>${client.files.certificate}</certificateFile>`,
          `      <privateKeyFile>${client.files.key}</privateKeyFile>`,
        ]
      : []),
    `      <caConfig>${client.trust.pem}</caConfig>`,
    '      <verificationMode>strict</verificationMode>',
    '      <loadDefaultCAFile>false</loadDefaultCAFile>',
    '      <invalidCertificateHandler><name>RejectCertificateHandler</name></invalidCertificateHandler>',
    '    </client>',
    '  </openSSL>',
    '</config>',
  )

const jdbcProperties = (context: Context, client: Client): string =>
  lines(
    '# clickhouse-java 0.8 and later, over HTTPS',
    clientNote(client),
    `url=${propertyValue(`jdbc:ch://${uriHost(context.host)}:${httpsPort}/${uriPart(client.database ?? '')}`)}`,
    client.username === undefined ? undefined : `user=${propertyValue(client.username)}`,
    'ssl=true',
    `sslrootcert=${client.trust.pem}`,
    ...(hasCertificate(client) ? [`sslcert=${client.files.certificate}`, `ssl_key=${client.files.key}`] : []),
    byCertificate(client) && hasCertificate(client) ? 'ssl_authentication=true' : undefined,
  )

const commands = (context: Context): string =>
  commandsPage(
    context,
    (client) => {
      const file = fileOfClient(context, client, 'client.xml')
      return [
        `${mountWords(client)}. \`${file}\` is in this ConfigMap.`,
        '',
        fenced('sh', shellCommand('clickhouse-client', `--config-file=${file}`)),
        '',
      ]
    },
    context.managed
      ? []
      : [
          'A renewed certificate is read by itself. The CA file is read at the start only, before a version that is known to watch it:',
          'restart the servers one after the other at each step of a CA rotation.',
        ],
  )

export const clickhouse: Definition = {
  engine: 'ClickHouse',
  versions: { oldest: '22.4', newest: '27' },
  port: 9440,
  dialect: 'plain',
  bareWildcards: false,
  serverRole: 'Peer',
  components: { keeper: { role: 'Peer', port: 9281, dialect: 'plain' } },
  identity: nameIsUser('ClickHouse', form, 'letters, digits, "_" and "-", beginning with no digit'),
  refusesRequire: refusesDemands(
    'ClickHouse',
    'ClickHouse takes TLS connections alone here, and knows a certificate by its common name',
    'set require: X509, or TLS for a password',
  ),
  serverItems: pemItems,
  clientItems: () => pemItems,
  reload: () => ({ leaf: 'Automatic', authority: 'Restart', statements: [], onMismatch: 'KeepsOld' }),
  serverFiles: (context) => ({ 'server.xml': serverXml(context), 'users.xml': usersXml(context) }),
  clientFiles: (context) => ({
    ...perClient(context, 'client.xml', (client) => clientXml(context, client)),
    ...perClient(context, 'jdbc.properties', (client) => jdbcProperties(context, client)),
    'commands.md': commands(context),
  }),
}
