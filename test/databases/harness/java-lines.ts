/** Lines of Java that a profile gives, compiled as they are or changed, and run one after the other. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../controlplane/harness/process.ts'
import { java } from './java.ts'

/** What a program has around the lines of a driver, which leave a `client`. */
export interface LinesDriver {
  /** A name of Java's. */
  readonly name: string
  readonly imports: string
  /** Statements that use the client, close it and return what it says. */
  readonly use: string
}

const program = ({ imports, use }: LinesDriver, attempts: readonly string[]): string => `
import java.io.File;
${imports}

public class Attempts {
  interface Attempt { String answer() throws Exception; }

  static void report(Attempt attempt) {
    var said = new StringBuilder();
    try {
      said.append("connected " + attempt.answer());
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
${attempts.map((text, at) => `  static String attempt${at}() throws Exception {\n${text}\n${use}\n  }`).join('\n')}
}
`

export interface Attempts {
  readonly driver: LinesDriver
  readonly classPath: string
  /** Writable. */
  readonly folder: string
  /** As /etc/hosts. */
  readonly hosts: string
  readonly env?: Readonly<Record<string, string>>
  /** The lines of each, by a name of the caller's. */
  readonly attempts: Readonly<Record<string, string>>
}

/** `connected ANSWER`, or `refused` and the exceptions, for each attempt. */
export const runAttempts = async (options: Attempts): Promise<Readonly<Record<string, string>>> => {
  const { driver, classPath, folder, hosts, env, attempts } = options
  const source = join(folder, `${driver.name}.java`)
  writeFileSync(source, program(driver, Object.values(attempts)))
  const [command, ...args] = java({ classPath, heapMiB: 192, hosts }, source)
  const { code, stdout, stderr } = await run(command, args, { env: { ...process.env, ...env } })
  if (code !== 0) throw new Error(`${driver.name} ended with ${code}: ${stdout}${stderr}`)
  const answers = stdout.trim().split('\n')
  return Object.fromEntries(Object.keys(attempts).map((name, at) => [name, answers[at] ?? '']))
}
