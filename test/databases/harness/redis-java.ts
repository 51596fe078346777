/** Jedis and Lettuce: lines of Java that a profile gives, compiled as they are or changed, and run one after the other. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../controlplane/harness/process.ts'
import { java } from './java.ts'
import { maven } from './packages.ts'

export type JavaDriver = 'Jedis' | 'Lettuce'

const artifacts: Readonly<Record<JavaDriver, string>> = {
  Jedis: 'redis.clients:jedis:8.0.2',
  Lettuce: 'io.lettuce:lettuce-core:7.7.0.RELEASE',
}

/** Undefined where Maven or the drivers cannot be had here. */
export const installRedisJava = (): Promise<string | undefined> =>
  maven('redis-java', [...Object.values(artifacts), 'org.slf4j:slf4j-nop:1.7.36'])

/** What a program has around the lines; `who` answers as whom `client` is logged in. */
const around: Readonly<Record<JavaDriver, { readonly imports: string; readonly who: string }>> = {
  Jedis: {
    imports: 'import redis.clients.jedis.*;',
    who: 'try (client) { return new String((byte[]) client.sendCommand(Protocol.Command.ACL, "WHOAMI")); }',
  },
  Lettuce: {
    imports: 'import io.lettuce.core.*;',
    who: 'try (client) { return client.connect().sync().aclWhoami(); }',
  },
}

/** Of its own it asks the name servers of the machine, past the names of the JVM. */
const jvmsNames = (text: string): string =>
  text.replace(
    'RedisClient.create(uri)',
    'RedisClient.create(io.lettuce.core.resource.ClientResources.builder().addressResolverGroup(io.netty.resolver.DefaultAddressResolverGroup.INSTANCE).build(), uri)',
  )

const program = (driver: JavaDriver, attempts: readonly string[]): string => `
import java.io.File;
${around[driver].imports}

public class Attempts {
  interface Attempt { String who() throws Exception; }

  static void report(Attempt attempt) {
    var said = new StringBuilder();
    try {
      said.append("connected " + attempt.who());
    } catch (Throwable error) {
      said.append("refused");
      for (Throwable cause = error; cause != null; cause = cause.getCause()) said.append(" | ").append(cause);
    }
    System.out.println(said.toString().replaceAll("\\\\s+", " "));
  }

  public static void main(String[] arguments) {
${attempts.map((_, at) => `    report(Attempts::attempt${at});`).join('\n')}
    System.exit(0);
  }
${attempts.map((text, at) => `  static String attempt${at}() throws Exception {\n${text}\n${around[driver].who}\n  }`).join('\n')}
}
`

export interface Attempts {
  readonly driver: JavaDriver
  readonly classPath: string
  /** Writable. */
  readonly folder: string
  /** As /etc/hosts. */
  readonly hosts: string
  readonly env: Readonly<Record<string, string>>
  /** The lines of each, by a name of the caller's. */
  readonly attempts: Readonly<Record<string, string>>
}

/** `connected USER`, or `refused` and the exceptions, for each attempt. */
export const runAttempts = async (options: Attempts): Promise<Readonly<Record<string, string>>> => {
  const { driver, classPath, folder, hosts, env, attempts } = options
  const source = join(folder, `${driver}.java`)
  writeFileSync(source, program(driver, Object.values(attempts).map(jvmsNames)))
  const [command, ...args] = java({ classPath, heapMiB: 128, hosts }, source)
  const { code, stdout, stderr } = await run(command, args, { env: { ...process.env, ...env } })
  if (code !== 0) throw new Error(`${driver} ended with ${code}: ${stdout}${stderr}`)
  const answers = stdout.trim().split('\n')
  return Object.fromEntries(Object.keys(attempts).map((name, at) => [name, answers[at] ?? '']))
}
