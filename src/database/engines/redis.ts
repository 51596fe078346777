/** Redis. The CN as ACL user came with 8.6 (tls-auth-clients-user, release notes). */
import { oneAuthority } from './demands.ts'
import type { Definition } from './engine.ts'
import { clientItems, pemItems } from './files.ts'
import { nameIsUser } from './identity.ts'
import { accounts, certificateUsers, commands, redisConf, reloadStatement, usernameForm } from './redis-family.ts'

const family = { program: 'redis-cli', certificateUsers: '8.6' }

export const redis: Definition = {
  engine: 'Redis',
  versions: { oldest: '6.0', newest: '8' },
  port: 6379,
  dialect: 'redis',
  bareWildcards: false,
  serverRole: 'Peer',
  components: {},
  identity: nameIsUser('Redis', usernameForm, 'characters without blanks'),
  refusesRequire: oneAuthority('Redis'),
  serverItems: pemItems,
  clientItems: clientItems(pemItems),
  reload: reloadStatement,
  serverFiles: (context) => ({ 'redis.conf': redisConf(context, certificateUsers(context, family)) }),
  clientFiles: (context) => ({ ...accounts(context, family), 'commands.md': commands(family, context) }),
}
