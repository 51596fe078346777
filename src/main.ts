/** argv → a command. */

import type { Io } from './commands/shared/io.ts'
import { writeProblem } from './commands/shared/printable.ts'
import { commands } from './commands/table.ts'
import { keepAlive } from './runtime/clock.ts'
import { version } from './version.ts'

const help = (): string =>
  [
    'dbtls gives every database its TLS: certificate authorities, certificates, keystores, rotation.',
    '',
    'usage: dbtls VERB [options]',
    '',
    ...[...commands].map(([verb, { summary }]) => `  ${verb.padEnd(10)} ${summary}`),
    '',
    'dbtls VERB --help tells the options of a verb.',
    '',
  ].join('\n')

const main = async (argv: readonly string[], io: Io): Promise<number> => {
  const [verb, ...args] = argv
  if (verb === undefined || verb === 'help' || verb === '--help' || verb === '-h') {
    io.stdout.write(help())
    return verb === undefined ? 2 : 0
  }
  if (verb === '--version') {
    io.stdout.write(`${version()}\n`)
    return 0
  }
  // Asked by shells alone, so it stands in no help.
  if (verb === '__complete') return (await import('./commands/completion/words.ts')).main(args, io)
  const command = commands.get(verb)
  if (command === undefined) {
    writeProblem(io, `dbtls: unknown verb "${verb}"; dbtls --help lists them`)
    return 2
  }
  const { main: run } = await command.load()
  return run(args, io)
}

const { stdout, stderr, env } = process
// A reader that went away (`| head -1`) or a full disk behind `>` ends the printing, not the work.
for (const stream of [stdout, stderr]) stream.on('error', () => undefined)
const alive = keepAlive()
try {
  process.exitCode = await main(process.argv.slice(2), {
    stdout,
    stderr,
    env,
    // Opened by those who ask for something, because an open terminal keeps the process alive.
    get stdin() {
      return process.stdin
    },
  })
} finally {
  alive.release()
}
