/**
 * MySQL 5.7 to 9. https://dev.mysql.com/doc/refman/8.4/en/using-encrypted-connections.html
 * Group Replication: https://dev.mysql.com/doc/refman/8.4/en/group-replication-secure-socket-layer-support-ssl.html
 */
import type { Account, Client, Context, Definition, Identity, Mounted, Reload } from './engine.ts'
import { pemItems } from './files.ts'
import { freeIdentity } from './identity.ts'
import { onRds } from './managed.ts'
import {
  accountsSql,
  clientCnf,
  clientCommands,
  connectorJ,
  dbconnectorYaml,
  managedDemand,
  mysqlClientItems,
  refusesRequire,
  isOneAccount,
} from './mysql-family.ts'
import { lines, mountNote, perClient } from './text.ts'
import { isAtLeast, type Version } from './version.ts'

const component = 'group-replication'

const groupReplication = ({ files }: Mounted): string[] => [
  '',
  '# Between members of the group, and for the recovery of a new one',
  'loose_group_replication_ssl_mode=VERIFY_IDENTITY',
  'loose_group_replication_recovery_use_ssl=ON',
  `loose_group_replication_recovery_ssl_ca=${files.trust}`,
  `loose_group_replication_recovery_ssl_cert=${files.certificate}`,
  `loose_group_replication_recovery_ssl_key=${files.key}`,
  'loose_group_replication_recovery_ssl_verify_server_cert=ON',
]

const serverCnf = (context: Context): string =>
  lines(
    ...mountNote(context),
    '[mysqld]',
    `ssl_ca=${context.clientTrust}`,
    `ssl_cert=${context.server.files.certificate}`,
    `ssl_key=${context.server.files.key}`,
    isAtLeast(context.version, '8.0.16') ? 'tls_version=TLSv1.2,TLSv1.3' : 'tls_version=TLSv1.2',
    'require_secure_transport=ON',
    ...(context.components.has(component) ? groupReplication(context.server) : []),
  )

/** `SET PERSIST` came with 8.0; a managed server has parameter groups instead. */
const demand = ({ managed, version }: Context): string[] => {
  if (managed) return [managedDemand]
  return isAtLeast(version, '8.0')
    ? ['SET PERSIST require_secure_transport = ON;']
    : ['SET GLOBAL require_secure_transport = ON;']
}

const managedNotes = [
  'The managed server refuses plain connections (error 3159) by `require_secure_transport` in its own parameters, of Aurora in those of the',
  'cluster (`ON`). `accounts.sql` demands TLS of each account besides.',
  '',
  ...onRds('require_secure_transport'),
]
const ownNotes = [
  '`server.cnf` refuses plain connections (error 3159; error 1045 where the account itself demands TLS), `accounts.sql` says what each',
  'account must show. A client certificate that the server does not trust costs the connection even where none is demanded.',
  '',
  'After a renewal, also of the CA:',
  '',
  '```sql',
  'ALTER INSTANCE RELOAD TLS;',
  '```',
  '',
  'It needs the privilege CONNECTION_ADMIN. Open connections keep what they began with.',
]
const oldNotes = [...ownNotes.slice(0, 3), 'Before 8.0.16 a renewed certificate is only read at a restart.']

/** For a member of a group. Seen on 9.7, with the communication stack XCOM. */
const groupNotes = [
  '',
  'Group Replication keeps the certificate and the CAs that it read when it started. After the statement, on one member after another,',
  'the next when the one before is `ONLINE` again in `performance_schema.replication_group_members`:',
  '',
  '```sql',
  'STOP GROUP_REPLICATION; START GROUP_REPLICATION;',
  '```',
  '',
  'Its port refuses a certificate of another CA, but ends no handshake in which none is shown: leave `group_replication_ip_allowlist` narrow.',
]

const reload = (version: Version, isGroup: boolean): Reload =>
  isAtLeast(version, '8.0.16')
    ? {
        // The statement does not reach the connections between members.
        leaf: isGroup ? 'Restart' : 'Statement',
        authority: isGroup ? 'Restart' : 'Statement',
        // Never NO ROLLBACK ON ERROR: with it a bad pair switches TLS off for new connections.
        statements: ['ALTER INSTANCE RELOAD TLS'],
        onMismatch: 'KeepsOld',
      }
    : { leaf: 'Restart', authority: 'Restart', statements: [], onMismatch: 'KeepsOld' }

const notes = ({ managed, version, components }: Context): readonly string[] => {
  if (managed) return managedNotes
  return isAtLeast(version, '8.0.16') ? [...ownNotes, ...(components.has(component) ? groupNotes : [])] : oldNotes
}

/** mysql.user keeps 32 characters, of the basic plane. https://dev.mysql.com/doc/refman/8.4/en/user-names.html */
export const mysqlIdentity = (account: Account): Identity => {
  const characters = Array.from(account.username)
  if (characters.length > 32)
    return {
      refused: {
        problem: `the username has ${characters.length} characters, and MySQL keeps 32`,
        cure: 'choose a shorter one',
      },
    }
  if (characters.some((character) => character.length > 1))
    return {
      refused: {
        problem: 'the username holds a character beyond U+FFFF, which MySQL keeps in no name',
        cure: 'leave it out',
      },
    }
  return freeIdentity(account)
}

export const mysql: Definition = {
  engine: 'MySQL',
  versions: { oldest: '5.7', newest: '9' },
  port: 3306,
  dialect: 'mysql',
  bareWildcards: false,
  serverRole: 'Server',
  // Group communication takes the server's own ssl_* files.
  components: { [component]: { role: 'Peer', raisesServer: true } },
  identity: mysqlIdentity,
  refusesRequire,
  isOneAccount,
  serverItems: pemItems,
  clientItems: mysqlClientItems,
  warnsOfKey: ({ algorithm }, version) =>
    algorithm === 'Ed25519' && !isAtLeast(version, '8.4')
      ? {
          problem: `Ed25519 has not been seen to work with MySQL ${version.join('.')}`,
          cure: 'use ECDSA or RSA, or try it before you rely on it',
        }
      : undefined,
  reload: (version, { components }) => reload(version, components.has(component)),
  serverFiles: (context) => ({ 'server.cnf': serverCnf(context) }),
  clientFiles: (context) => ({
    ...perClient(context, 'client.cnf', (client) => clientCnf(context, client, 'ssl-mode')),
    ...perClient(context, 'jdbc.properties', (client) => connectorJ(context, client)),
    ...perClient(context, 'dbconnector.yaml', (client: Client) => dbconnectorYaml(client)),
    'accounts.sql': accountsSql(context, demand(context)),
    'commands.md': clientCommands(context, notes(context)),
  }),
}
