/**
 * OpenSearch. https://docs.opensearch.org/latest/security/configuration/tls/,
 * https://docs.opensearch.org/latest/security/authentication-backends/client-auth/,
 * https://docs.opensearch.org/latest/security/configuration/yaml/,
 * https://docs.opensearch.org/latest/security/configuration/security-admin/
 */
import { byCertificate } from './demands.ts'
import type { Client, Context, Definition, Holder, Identity, Mounted } from './engine.ts'
import { clientItems, pemItems } from './files.ts'
import { commaForm, knownByUnit, userInName } from './identity.ts'
import { opensearchDrivers } from './opensearch-drivers.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost } from './quote/uri.ts'
import { quotedString } from './quote/yaml.ts'
import { commands, refusesRequire, transport } from './search-family.ts'
import { fenced, lines, mountNote } from './text.ts'
import { isAtLeast } from './version.ts'

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

/** Of those who log in by certificate, or of all others. */
const usersOf = ({ clients }: Context, certified: boolean): string[] => {
  const names = (some: readonly Client[]): Set<string> =>
    new Set(some.flatMap(({ username }) => (username === undefined ? [] : [username])))
  const byIt = names(clients.filter(byCertificate))
  return certified ? [...byIt] : [...names(clients)].filter((name) => !byIt.has(name))
}

/** Files of the security plugin; empty where no client logs in by its certificate. */
const accounts = (context: Context): Record<string, string> => {
  const users = usersOf(context, true)
  return users.length === 0
    ? {}
    : { 'config.yml': configYml(usersOf(context, false)), 'roles_mapping.yml': rolesMappingYml(users) }
}

/**
 * clientauth_mode alone makes nobody a user: a domain of authentication does. It comes before that of passwords, and takes whoever
 * shows a certificate at its word, so that those of `byPassword` have to be left out: opensearch-project/security#4378, #5525.
 */
const configYml = (byPassword: readonly string[]): string =>
  lines(
    '# Replaces the whole configuration of the security plugin: add what else yours has.',
    '_meta:',
    '  type: config',
    '  config_version: 2',
    'config:',
    '  dynamic:',
    '    authc:',
    '      clientcert_auth_domain:',
    '        http_enabled: true',
    '        order: 1',
    '        http_authenticator:',
    '          type: clientcert',
    '          challenge: false',
    '          config:',
    '            username_attribute: cn',
    ...(byPassword.length === 0
      ? []
      : [
          '            # Their password counts, whatever certificate they show; from 3.3 on.',
          '            skip_users:',
          // Wildcards; a subject is written in the order of RFC 2253, and a username holds no character that is special in either.
          ...byPassword.flatMap((username) =>
            [`CN=${username}`, `CN=${username},*`].map((subject) => `              - ${quotedString(subject)}`),
          ),
        ]),
    '        authentication_backend:',
    '          type: noop',
    '      basic_internal_auth_domain:',
    '        http_enabled: true',
    '        order: 4',
    '        http_authenticator:',
    '          type: basic',
    '          challenge: true',
    '        authentication_backend:',
    '          type: intern',
  )

const rolesMappingYml = (users: readonly string[]): string =>
  lines(
    '# Replaces all mappings of roles: add what else yours has.',
    '_meta:',
    '  type: rolesmapping',
    '  config_version: 2',
    '# A role that OpenSearch brings along: all of the index that is called like the user. Name users under others as they need them.',
    'own_index:',
    '  reserved: false',
    '  users:',
    ...users.map((username) => `    - ${quotedString(username)}`),
  )

/** It spoke the protocol between nodes until 2.0. */
const securityadmin = (context: Context, { files }: Mounted, ...words: readonly string[]): string =>
  shellCommand(
    'securityadmin.sh',
    ...words,
    '-icl',
    '-h',
    context.host,
    '-p',
    String(isAtLeast(context.version, '2.0') ? context.port : 9300),
    '-cacert',
    files.trust,
    '-cert',
    files.certificate,
    '-key',
    files.key,
  )

const accountNotes = (context: Context, administrator: Mounted): string[] =>
  usersOf(context, true).length === 0
    ? []
    : [
        'Certificates log clients in by `config.yml` of this ConfigMap, and `roles_mapping.yml` gives them a role. Each takes the place of',
        'what the cluster has under its name, so save that first, and put both together:',
        '',
        fenced(
          'sh',
          securityadmin(context, administrator, '-backup', 'saved'),
          securityadmin(context, administrator, '-f', 'config.yml', '-t', 'config'),
          securityadmin(context, administrator, '-f', 'roles_mapping.yml', '-t', 'rolesmapping'),
        ),
        '',
      ]

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
    `An administrator has Secret ${administrator.secretName} mounted at ${administrator.folder}.`,
    '',
    ...accountNotes(context, administrator),
    'After a renewal, on each node:',
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
  refusesRequire: refusesRequire('OpenSearch'),
  serverItems: pemItems,
  clientItems: clientItems(pemItems),
  // Dates, subject, issuer and names of the new certificate are looked at, its key is not: opensearch-project/security@03ac95cedd90,
  // src/main/java/org/opensearch/security/ssl/SslContextHandler.java (reloadSslContext), ssl/config/KeyStoreUtils.java.
  reload: () => ({ leaf: 'Command', authority: 'Restart', statements: [], onMismatch: 'LosesService' }),
  serverFiles: (context) => ({ 'opensearch.yml': opensearchYml(context), ...accounts(context) }),
  clientFiles: (context) => ({ 'commands.md': commands(context, opensearchDrivers, notes(context)) }),
}
