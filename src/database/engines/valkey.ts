/**
 * Valkey. tls-auth-clients-user came with 9.0 (valkey-io/valkey#1920), tls-auto-reload-interval with 9.1; both seen to work in 9.1, and
 * fatal to servers that do not know them.
 */
import { oneAuthority } from './demands.ts'
import type { Definition } from './engine.ts'
import { clientItems, pemItems } from './files.ts'
import { nameIsUser } from './identity.ts'
import { accounts, certificateUsers, commands, redisConf, reloadStatement, usernameForm } from './redis-family.ts'
import { isAtLeast, type Version } from './version.ts'

const family = { program: 'valkey-cli', certificateUsers: '9.0' }

const watches = (version: Version): boolean => version.length > 1 && isAtLeast(version, '9.1')

export const valkey: Definition = {
  engine: 'Valkey',
  versions: { oldest: '7.2', newest: '9' },
  port: 6379,
  dialect: 'redis',
  bareWildcards: false,
  serverRole: 'Peer',
  components: {},
  identity: nameIsUser('Valkey', usernameForm, 'characters without blanks'),
  refusesRequire: oneAuthority('Valkey'),
  serverItems: pemItems,
  clientItems: clientItems(pemItems),
  reload: reloadStatement,
  serverFiles: (context) => ({
    'valkey.conf': redisConf(context, [
      ...certificateUsers(context, family),
      ...(watches(context.version)
        ? ['# Changed files are read by themselves, seconds', 'tls-auto-reload-interval 60']
        : []),
    ]),
  }),
  clientFiles: (context) => ({ ...accounts(context, family), 'commands.md': commands(family, context) }),
}
