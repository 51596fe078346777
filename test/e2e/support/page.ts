/** A page of the documents, for a test that types what it shows. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Output } from '../../controlplane/harness/index.ts'
import { run } from '../../controlplane/harness/index.ts'

export interface Step {
  readonly command: string
  /** The lines shown below it. */
  readonly shows: readonly string[]
}

export class Page {
  readonly #text: string

  /** `path` from the top of the repository: `docs/cli.md`. */
  constructor(path: string) {
    this.#text = readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8')
  }

  blocks(language: string): string[] {
    return [...this.#text.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))].map(([, text = '']) => text)
  }

  /** Of every block of `console`: a line that begins with `$ ` is typed, what follows it is shown. */
  steps(): Step[] {
    return this.blocks('console').flatMap((block) =>
      block
        .split(/^\$ /m)
        .slice(1)
        .map((part) => {
          const [command = '', ...shows] = part.trimEnd().split('\n')
          return { command, shows }
        }),
    )
  }
}

interface Typist {
  readonly info: { readonly adminKubeconfig: string; readonly binaries: string }
}

/** Types one command as the administrator of a cluster, in `folder`. */
export const typeOn = ({ info }: Typist, folder: string, command: string): Promise<Output> =>
  run('sh', ['-c', command], {
    cwd: folder,
    env: { ...process.env, KUBECONFIG: info.adminKubeconfig, PATH: `${info.binaries}:${process.env['PATH']}` },
  })
