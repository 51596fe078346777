/** The ports of the servers that stand behind a name now, as a Service has its endpoints: in a file that clients read before each connection. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

/** Whoever reads meanwhile has the former ones or these. */
export const publishPorts = (file: string, ports: readonly number[]): void => {
  writeFileSync(`${file}.next`, JSON.stringify(ports))
  renameSync(`${file}.next`, file)
}

export const publishedPorts = (file: string): readonly number[] =>
  JSON.parse(readFileSync(file, 'utf8')) as readonly number[]
