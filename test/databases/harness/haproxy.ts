import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { ProxyPlace, ProxyProgram } from './proxy.ts'

const configuration = ({ port, folder, volume, upstream }: ProxyPlace): string => {
  const own = upstream.volume
  const tls =
    own === undefined
      ? ''
      : ` ssl verify required ca-file ${own.path('ca.crt')} crt ${own.path('tls.pem')} sni str(${upstream.name}) verifyhost ${upstream.name}`
  return [
    'global',
    `  stats socket ${join(folder, 'socket')} mode 600 level admin`,
    'defaults',
    '  mode tcp',
    '  timeout connect 10s',
    '  timeout client 60s',
    '  timeout server 60s',
    'frontend clients',
    `  bind 127.0.0.1:${port} ssl crt ${volume.path('tls.pem')} ca-file ${volume.path('ca.crt')} verify required`,
    '  default_backend servers',
    'backend servers',
    `  server first 127.0.0.1:${upstream.port}${tls}`,
    '',
  ].join('\n')
}

/** One command of the Runtime API. */
const command = async ({ folder }: ProxyPlace, text: string): Promise<string> => {
  const socket = connect(join(folder, 'socket'))
  socket.end(`${text}\n`)
  const answer: Buffer[] = []
  socket.on('data', (chunk: Buffer) => answer.push(chunk))
  await once(socket, 'close')
  return Buffer.concat(answer).toString('utf8').trim()
}

/** Certificate and key as the bind line names them. https://docs.haproxy.org/3.0/management.html#9.3-commit%20ssl%20cert */
const reload = async (place: ProxyPlace): Promise<void> => {
  const file = place.volume.path('tls.pem')
  // An empty line ends what is given.
  const given = await command(place, `set ssl cert ${file} <<\n${readFileSync(file, 'utf8').trim()}\n`)
  const committed = await command(place, `commit ssl cert ${file}`)
  if (committed.endsWith('Success!')) return
  await command(place, `abort ssl cert ${file}`)
  throw new Error(`HAProxy: ${given} ${committed}`)
}

export const haproxy: ProxyProgram = {
  name: 'HAProxy',
  package: 'haproxy',
  files: (place) => ({ 'haproxy.cfg': configuration(place) }),
  command: ({ installation, folder }) => [
    ...installation.start('/usr/sbin/haproxy'),
    ...['-db', '-f', join(folder, 'haproxy.cfg')],
  ],
  reload,
}
