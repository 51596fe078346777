import { join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'
import type { Place, Runner } from './database.ts'

const files = ({ volume }: Place): readonly (readonly [string, string])[] => [
  ['tls-cert-file', volume.path('tls.crt')],
  ['tls-key-file', volume.path('tls.key')],
  ['tls-ca-cert-file', volume.path('ca.crt')],
]

/** Commands, a line each, over the server's socket file. */
const statement =
  (client: string) =>
  async (place: Place, text: string): Promise<void> => {
    const [command, ...args] = place.installation.start(client)
    const { stdout } = await must(command, [...args, '-s', join(place.folder, 'socket')], { stdin: text })
    const refused = stdout.split('\n').find((line) => /^[A-Z]+ /.test(line))
    if (refused !== undefined) throw new Error(`${text}: ${refused}`)
  }

/** What the ConfigMap says where there is one; the path of a configuration comes before all options. */
const tls = (place: Place, configuration: string): string[] =>
  place.config === undefined
    ? [
        ...['--port', '0', '--tls-port', String(place.port), '--tls-auth-clients', 'yes'],
        ...files(place).flatMap(([name, path]) => [`--${name}`, path]),
      ]
    : [join(place.config, configuration)]

const runner = (name: 'redis' | 'valkey'): Runner => ({
  dialect: 'redis',
  command: (place) => [
    ...place.installation.start(`/usr/bin/${name}-server`),
    ...tls(place, `${name}.conf`),
    // Why a connection was ended is said there.
    ...['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--loglevel', 'verbose'],
    ...['--unixsocket', join(place.folder, 'socket'), '--dir', join(place.folder, 'data')],
  ],
  // Certificate and key in one command; the same paths are read anew.
  reload: (place) => statement(`/usr/bin/${name}-cli`)(place, `CONFIG SET ${files(place).flat().join(' ')}`),
  statement: statement(`/usr/bin/${name}-cli`),
})

export const redis = runner('redis')
export const valkey = runner('valkey')
