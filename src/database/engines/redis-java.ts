/**
 * Lines of Java for Jedis and Lettuce, which read no file of settings. https://redis.io/docs/latest/develop/clients/jedis/connect/,
 * https://redis.io/docs/latest/develop/clients/lettuce/connect/
 */
import type { Client, Context } from './engine.ts'
import { fileOf, storesPassword, storesVariable, trustPassword } from './java-stores.ts'
import { quotedString } from './quote/yaml.ts'
import { fenced, hasCertificate } from './text.ts'

interface Words {
  readonly context: Context
  readonly client: Client
  /** As whom it logs in; undefined where its certificate says it. */
  readonly username: string | undefined
}

const usersPassword = 'System.getenv("REDIS_PASSWORD")'

const jedis = ({ context, client, username }: Words): string =>
  fenced(
    'java',
    '// Jedis 7.2 and later',
    'var tls = SslOptions.builder()',
    `    .truststore(${fileOf(client.trust.store)}, ${trustPassword(client)}.toCharArray())`,
    `    .trustStoreType("${client.trust.storeType}")`,
    ...(hasCertificate(client)
      ? [
          `    .keystore(${fileOf(client.files.keystore)}, ${storesPassword}.toCharArray())`,
          `    .keyStoreType("${client.files.storeType}")`,
        ]
      : []),
    '    .sslVerifyMode(SslVerifyMode.FULL).build();',
    'var config = DefaultJedisClientConfig.builder().ssl(true).sslOptions(tls)',
    ...(username === undefined ? [] : [`    .user(${quotedString(username)}).password(${usersPassword})`]),
    '    .build();',
    `var client = RedisClient.builder().hostAndPort(${quotedString(context.host)}, ${context.port}).clientConfig(config).build();`,
  )

/** One type stands for both of its stores; a JVM reads PKCS #12 and JKS under either name. */
const lettuce = ({ context, client, username }: Words): string =>
  fenced(
    'java',
    '// Lettuce 6 and 7',
    `var tls = SslOptions.builder().jdkSslProvider().keyStoreType("${client.trust.storeType}")`,
    `    .truststore(${fileOf(client.trust.store)}, ${trustPassword(client)})`,
    ...(hasCertificate(client)
      ? [`    .keystore(${fileOf(client.files.keystore)}, ${storesPassword}.toCharArray())`]
      : []),
    '    .build();',
    `var uri = RedisURI.builder().withHost(${quotedString(context.host)}).withPort(${context.port}).withSsl(true)`,
    ...(username === undefined ? [] : [`    .withAuthentication(${quotedString(username)}, ${usersPassword})`]),
    '    .withVerifyPeer(SslVerifyMode.FULL).build();',
    'var client = RedisClient.create(uri);',
    'client.setOptions(ClientOptions.builder().sslOptions(tls).build());',
  )

/** Undefined where the variable would stand for nothing. */
const variables = ({ client, username }: Words): string | undefined => {
  const said = [
    storesVariable(client, hasCertificate(client)) ?? [],
    username === undefined ? [] : "REDIS_PASSWORD the user's",
  ].flat()
  return said.length === 0 ? undefined : said.join('; ')
}

/** For a client with `java: true`. */
export const javaLines = (words: Words): string[] => {
  const said = variables(words)
  return [
    ...(said === undefined ? [] : [`Environment variables for Java: ${said}.`]),
    // redis/jedis#4497
    'With a URI and no `SslOptions`, Jedis before 7.5 checks no name of the server.',
    '',
    jedis(words),
    '',
    lettuce(words),
    '',
  ]
}
