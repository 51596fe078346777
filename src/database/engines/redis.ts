/** Redis. The CN as ACL user came with 8.6 (tls-auth-clients-user, release notes). */
import { oneAuthority } from './demands.ts'
import type { Definition } from './engine.ts'
import { clientItems, pemItems } from './files.ts'
import { nameIsUser } from './identity.ts'
import { commands, configSet, redisConf, reloadStatement, usernameForm } from './redis-family.ts'
import { isAtLeast } from './version.ts'

export const redis: Definition = {
  engine: 'Redis',
  versions: { oldest: '6.0', newest: '8' },
  port: 6379,
  dialect: 'redis',
  bareWildcards: false,
  serverRole: 'Peer',
  oneTrustFile: true,
  components: {},
  identity: nameIsUser('Redis', usernameForm, 'characters without blanks'),
  refusesRequire: oneAuthority('Redis'),
  serverItems: pemItems,
  clientItems: clientItems(pemItems),
  reload: reloadStatement,
  serverFiles: (context) => ({
    'redis.conf': redisConf(
      context,
      // An older server stops at a line it does not know, so only where the version says it outright.
      context.version.length > 1 &&
        isAtLeast(context.version, '8.6') &&
        context.clients.some(({ require }) => require === 'Subject')
        ? ['# The common name of a certificate is the ACL user', 'tls-auth-clients-user CN']
        : [],
    ),
  }),
  clientFiles: (context) => ({
    'commands.md': commands('redis-cli', context, configSet(context.server.files, context.clientTrust), []),
  }),
}
