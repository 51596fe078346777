import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Place, Runner } from './database.ts'

const files = ({ volume }: Place): readonly (readonly [string, string])[] => [
  ['tls-cert-file', volume.path('tls.crt')],
  ['tls-key-file', volume.path('tls.key')],
  ['tls-ca-cert-file', volume.path('ca.crt')],
]

/** One inline command over the server's socket file. */
const command = async (place: Place, words: readonly string[]): Promise<string> => {
  const socket = connect(join(place.folder, 'socket'))
  socket.write(`${words.join(' ')}\r\n`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return answer.toString('utf8').trim()
}

/** What the ConfigMap says where there is one; the path of a configuration comes before all options. */
const tls = (place: Place, configuration: string): string[] =>
  place.config === undefined
    ? [
        ...['--port', '0', '--tls-port', String(place.port), '--tls-auth-clients', 'yes'],
        ...files(place).flatMap(([name, path]) => [`--${name}`, path]),
      ]
    : [join(place.config, configuration)]

const runner = (program: string, configuration: string): Runner => ({
  dialect: 'redis',
  command: (place) => [
    ...place.installation.start(program),
    ...tls(place, configuration),
    ...['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    ...['--unixsocket', join(place.folder, 'socket'), '--dir', join(place.folder, 'data')],
  ],
  // Certificate and key in one command; the same paths are read anew.
  async reload(place) {
    const answer = await command(place, ['CONFIG', 'SET', ...files(place).flat()])
    if (answer !== '+OK') throw new Error(`CONFIG SET: ${answer}`)
  },
})

export const redis = runner('/usr/bin/redis-server', 'redis.conf')
export const valkey = runner('/usr/bin/valkey-server', 'valkey.conf')
