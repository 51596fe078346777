import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Place, Runner } from './database.ts'

/** With --config-file etcd reads no other option. Of JSON every line is YAML. */
const configuration = (place: Place, config: string): string => {
  const own = {
    'data-dir': join(place.folder, 'data'),
    'unsafe-no-fsync': true,
    'log-level': 'warn',
    'listen-client-urls': `https://127.0.0.1:${place.port}`,
    'advertise-client-urls': `https://127.0.0.1:${place.port}`,
    'listen-peer-urls': 'https://127.0.0.1:0',
  }
  const lines = Object.entries(own).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
  const path = join(place.folder, 'etcd.yaml')
  writeFileSync(path, lines.join('') + readFileSync(join(config, 'etcd.yaml'), 'utf8'))
  return path
}

const options = (place: Place): string[] => [
  ...['--data-dir', join(place.folder, 'data'), '--unsafe-no-fsync=true', '--log-level=warn'],
  ...['--listen-client-urls', `https://127.0.0.1:${place.port}`],
  ...['--advertise-client-urls', `https://127.0.0.1:${place.port}`, '--listen-peer-urls', 'http://127.0.0.1:0'],
  ...['--cert-file', place.volume.path('tls.crt'), '--key-file', place.volume.path('tls.key')],
  ...['--trusted-ca-file', place.volume.path('ca.crt'), '--client-cert-auth'],
]

export const etcd: Runner = {
  dialect: 'http',
  command: (place) => [
    ...place.installation.start('/usr/bin/etcd'),
    ...(place.config === undefined ? options(place) : ['--config-file', configuration(place, place.config)]),
  ],
  // Certificate and key are read at every handshake, the CA at the start alone.
  reload: 'Restart',
}
