/** Valkey. tls-auto-reload-interval came with 9.1 (seen to work there; fatal to servers that do not know it). */
import { oneAuthority } from './demands.ts'
import type { Definition } from './engine.ts'
import { clientItems, pemItems } from './files.ts'
import { nameIsUser } from './identity.ts'
import { commands, configSet, redisConf, reloadStatement, usernameForm } from './redis-family.ts'
import { isAtLeast, type Version } from './version.ts'

const watches = (version: Version): boolean => version.length > 1 && isAtLeast(version, '9.1')

export const valkey: Definition = {
  engine: 'Valkey',
  versions: { oldest: '7.2', newest: '9' },
  port: 6379,
  dialect: 'redis',
  bareWildcards: false,
  serverRole: 'Peer',
  oneTrustFile: true,
  components: {},
  identity: nameIsUser('Valkey', usernameForm, 'characters without blanks'),
  refusesRequire: oneAuthority('Valkey'),
  serverItems: pemItems,
  clientItems: clientItems(pemItems),
  reload: reloadStatement,
  serverFiles: (context) => ({
    'valkey.conf': redisConf(
      context,
      watches(context.version)
        ? ['# Changed files are read by themselves, seconds', 'tls-auto-reload-interval 60']
        : [],
    ),
  }),
  clientFiles: (context) => ({
    'commands.md': commands('valkey-cli', context, configSet(context.server.files, context.clientTrust), []),
  }),
}
