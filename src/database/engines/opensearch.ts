/** OpenSearch. https://docs.opensearch.org/latest/security/configuration/tls/ */
import { pkcs8Only } from './demands.ts'
import type { Context, Definition, Holder, Identity } from './engine.ts'
import { clientItems, pemItems } from './files.ts'
import { commaForm, knownByUnit, userInName } from './identity.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost } from './quote/uri.ts'
import { quotedString } from './quote/yaml.ts'
import { commands, refusesRequire, transport } from './search-family.ts'
import { fenced, lines, mountNote } from './text.ts'

const admin = 'admin'

/** Nodes and administrators are told by their whole subject, which must stay what opensearch.yml says. */
const known =
  (commonName: string, kind: 'nodes' | 'admins') =>
  (holder: Holder): Identity =>
    knownByUnit('OpenSearch', kind, holder, commonName)

const opensearchYml = (context: Context): string => {
  const between = context.components.get(transport) ?? context.server
  const administrator = context.components.get(admin)
  const { files } = between
  return lines(
    ...mountNote(context, [transport]),
    '# Files are read below the configuration folder alone: set mountPath to one such as /usr/share/opensearch/config/certs.',
    `plugins.security.ssl.transport.pemcert_filepath: ${files.certificate}`,
    `plugins.security.ssl.transport.pemkey_filepath: ${files.key}`,
    `plugins.security.ssl.transport.pemtrustedcas_filepath: ${files.trust}`,
    'plugins.security.ssl.transport.enforce_hostname_verification: true',
    'plugins.security.ssl.http.enabled: true',
    `plugins.security.ssl.http.pemcert_filepath: ${context.server.files.certificate}`,
    `plugins.security.ssl.http.pemkey_filepath: ${context.server.files.key}`,
    `plugins.security.ssl.http.pemtrustedcas_filepath: ${context.clientTrust}`,
    'plugins.security.ssl.http.clientauth_mode: OPTIONAL',
    `plugins.security.nodes_dn: [${quotedString(commaForm(between.subject))}]`,
    administrator === undefined
      ? undefined
      : `plugins.security.authcz.admin_dn: [${quotedString(commaForm(administrator.subject))}]`,
    '# A server that does not know it refuses to start: only where the version has it.',
    '# plugins.security.ssl.certificates_hot_reload.enabled: true',
  )
}

const notes = (context: Context): string[] => {
  const administrator = context.components.get(admin)
  if (administrator === undefined) return []
  const call = (layer: string): string =>
    shellCommand(
      'curl',
      '--request',
      'PUT',
      '--cacert',
      administrator.files.trust,
      '--cert',
      administrator.files.certificate,
      '--key',
      administrator.files.key,
      `https://${uriHost(context.host)}:${context.port}/_plugins/_security/api/ssl/${layer}/reloadcerts`,
    )
  return [
    `After a renewal, on each node, with Secret ${administrator.secretName} mounted at ${administrator.folder} (the administrator's`,
    'certificate, by which securityadmin.sh works too):',
    '',
    fenced('sh', call('transport'), call('http')),
    '',
    'A node takes it only where subject, issuer and names are what they were; else restart it.',
    'A node refuses to start while an expired CA is in the file it trusts.',
  ]
}

export const opensearch: Definition = {
  engine: 'OpenSearch',
  versions: { oldest: '1.0', newest: '3' },
  port: 9200,
  dialect: 'http',
  bareWildcards: true,
  serverRole: 'Server',
  components: {
    [transport]: {
      role: 'Peer',
      always: true,
      sharesTopology: true,
      port: 9300,
      dialect: 'plain',
      subject: known('node', 'nodes'),
    },
    [admin]: { role: 'Client', always: true, subject: known('admin', 'admins') },
  },
  identity: userInName('OpenSearch'),
  refusesKey: pkcs8Only('OpenSearch'),
  refusesRequire: refusesRequire('OpenSearch'),
  serverItems: pemItems,
  clientItems: clientItems(pemItems),
  // Dates, subject, issuer and names of the new certificate are looked at, its key is not: opensearch-project/security@03ac95cedd90,
  // src/main/java/org/opensearch/security/ssl/SslContextHandler.java (reloadSslContext), ssl/config/KeyStoreUtils.java.
  reload: () => ({ leaf: 'Command', authority: 'Restart', statements: [], onMismatch: 'LosesService' }),
  serverFiles: (context) => ({ 'opensearch.yml': opensearchYml(context) }),
  clientFiles: (context) => ({ 'commands.md': commands(context, notes(context)) }),
}
