/** Jedis and Lettuce, which answer as whom they are logged in. */
import type { LinesDriver } from './java-lines.ts'
import { maven } from './packages.ts'

export type JavaDriver = 'Jedis' | 'Lettuce'

const artifacts: Readonly<Record<JavaDriver, string>> = {
  Jedis: 'redis.clients:jedis:8.0.2',
  Lettuce: 'io.lettuce:lettuce-core:7.7.0.RELEASE',
}

/** Undefined where Maven or the drivers cannot be had here. */
export const installRedisJava = (): Promise<string | undefined> =>
  maven('redis-java', [...Object.values(artifacts), 'org.slf4j:slf4j-nop:1.7.36'])

export const redisDrivers: Readonly<Record<JavaDriver, LinesDriver>> = {
  Jedis: {
    name: 'Jedis',
    imports: 'import redis.clients.jedis.*;',
    use: 'try (client) { return new String((byte[]) client.sendCommand(Protocol.Command.ACL, "WHOAMI")); }',
  },
  Lettuce: {
    name: 'Lettuce',
    imports: 'import io.lettuce.core.*;',
    use: 'try (client) { return client.connect().sync().aclWhoami(); }',
  },
}

/** Of its own Lettuce asks the name servers of the machine, past the names of the JVM. */
export const jvmsNames = (text: string): string =>
  text.replace(
    'RedisClient.create(uri)',
    'RedisClient.create(io.lettuce.core.resource.ClientResources.builder().addressResolverGroup(io.netty.resolver.DefaultAddressResolverGroup.INSTANCE).build(), uri)',
  )
