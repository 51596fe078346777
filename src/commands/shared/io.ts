/** What every verb is given, and what it answers. */

export interface Io {
  /** Where passphrases are typed; absent where nobody could. */
  readonly stdin?: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Exit codes: 0 done, 1 something is not Ready or failed (reasons on stderr), 2 wrong usage. */
export type Main = (args: readonly string[], io: Io) => Promise<number>
