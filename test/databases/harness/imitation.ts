/** A small program that says the first words of a database (test/oracles/imitation), with the files that a profile's configuration names. */
import { join } from 'node:path'
import { parse } from 'yaml'
import { eventually, ManagedProcess, type Reaper } from '../../controlplane/harness/process.ts'
import { goProgram, missing } from '../../oracles/tools.ts'
import type { Pod } from './profile.ts'

export interface Served {
  readonly certificate: string
  readonly key: string
  readonly authorities: string
  readonly clients: 'required' | 'optional'
}

export interface Imitation {
  readonly process: ManagedProcess
  readonly port: number
}

/** Undefined where there is no Go to build it with. */
export const imitationProgram = async (): Promise<string | undefined> => {
  const program = (await missing('go', 'version')) ? undefined : await goProgram('imitation')
  if (program === undefined) console.error('SKIPPED: the imitated servers: there is no Go to build them with')
  return program
}

export const imitate = async (options: {
  readonly program: string
  readonly protocol: string
  readonly served: Served
  /** For its log. */
  readonly folder: string
  readonly reaper: Reaper
  /** Absent: any. */
  readonly port?: number
}): Promise<Imitation> => {
  const { program, protocol, served, folder, reaper, port } = options
  const { certificate, key, authorities, clients } = served
  const args = [protocol, clients, certificate, key, authorities, ...(port === undefined ? [] : [String(port)])]
  const logFile = join(folder, 'log')
  const process = new ManagedProcess(reaper, { name: protocol, command: program, args, logFile })
  const listening = (): RegExpExecArray | null => /^listening on ([0-9]+)$/m.exec(process.logs())
  await eventually('it to listen', () => Promise.resolve(listening() !== null), {
    giveUp: () => (process.running ? undefined : process.logs()),
  })
  return { process, port: Number(listening()?.[1]) }
}

const settingsOf = (key: string, prefix: string, names: readonly [string, string, string]) => (server: Pod) => {
  const settings = parse(server.files[key] ?? '') as Record<string, string | string[]>
  const [certificate, privateKey, authorities] = names.map((name) => String(settings[`${prefix}.${name}`]))
  const clients = String(settings[`${prefix}.client_authentication`] ?? settings[`${prefix}.clientauth_mode`])
  if (clients.toLowerCase() !== 'optional') throw new Error(`${key} asks clients for certificates so: ${clients}`)
  return { certificate, key: privateKey, authorities, clients: 'optional' } as Served
}

/** What the HTTP port of either serves. */
export const searchServed: Readonly<Record<'Elasticsearch' | 'OpenSearch', (server: Pod) => Served>> = {
  Elasticsearch: settingsOf('elasticsearch.yml', 'xpack.security.http.ssl', [
    'certificate',
    'key',
    'certificate_authorities',
  ]),
  OpenSearch: settingsOf('opensearch.yml', 'plugins.security.ssl.http', [
    'pemcert_filepath',
    'pemkey_filepath',
    'pemtrustedcas_filepath',
  ]),
}
