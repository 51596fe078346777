/** The files of a ConfigMap in a folder, where the commands that they give are run to the letter. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Output, run } from '../../controlplane/harness/process.ts'

export class ConfigFolder {
  readonly folder: string
  readonly #tools: string

  /** `tools`: folder of the commands, before those of PATH. */
  constructor(folder: string, files: Readonly<Record<string, string>>, tools: string) {
    this.folder = folder
    this.#tools = tools
    mkdirSync(folder, { recursive: true })
    for (const [name, text] of Object.entries(files)) this.write(name, text)
  }

  /** Another file beside them. */
  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text, { mode: 0o600 })
  }

  /** Runs a line of a shell; `said` is standard output and error together. */
  async shell(line: string, stdin = ''): Promise<Output & { readonly said: string }> {
    const env = { ...process.env, PATH: `${this.#tools}:${process.env['PATH'] ?? ''}` }
    const output = await run('sh', ['-c', line], { env, stdin, cwd: this.folder })
    return { ...output, said: `${output.stdout}${output.stderr}` }
  }

  /** What it said; rejects with it when it fails. */
  async must(line: string, stdin = ''): Promise<string> {
    const { code, said } = await this.shell(line, stdin)
    if (code === 0) return said
    throw new Error(`${line} ended with ${code}: ${said}`)
  }
}

/** The bodies of the fenced blocks of this language in a Markdown file. */
export const fencedBlocks = (markdown: string, language: string): readonly string[] =>
  [...markdown.matchAll(/^```(\S+)\n([\s\S]*?)^```$/gm)].flatMap(([, found, body = '']) =>
    found === language ? [body.trim()] : [],
  )
