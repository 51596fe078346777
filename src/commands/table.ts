/** The verbs: a new one is a file beside this one and a line here. */

export interface Io {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Exit codes: 0 done, 1 something is not Ready or failed (reasons on stderr), 2 wrong usage. */
export type Main = (args: readonly string[], io: Io) => Promise<number>

interface Command {
  readonly summary: string
  readonly load: () => Promise<{ readonly main: Main }>
}

export const commands: ReadonlyMap<string, Command> = new Map([
  ['operator', { summary: 'run the controllers against a Kubernetes cluster', load: () => import('./operator.ts') }],
  [
    'run',
    { summary: 'run the same controllers without a cluster, on a folder of manifests', load: () => import('./run.ts') },
  ],
  ['render', { summary: 'make everything in a set of manifests once, and end', load: () => import('./render.ts') }],
  ['version', { summary: 'print the version', load: () => import('./version.ts') }],
])
